/* check.h: the judges. Each knows one promise and sees everything; a promise that is broken ends
 * the run (world_violate). tests/sim/test_checkers.c shows each of them a broken one. */
#ifndef CAUCUS_SIM_CHECK_H
#define CAUCUS_SIM_CHECK_H

#include "client.h"
#include "disk.h"
#include "history.h"
#include "server.h"

struct world;

/* ---- check_log.c: one history, and nothing of it is ever lost ----
 * A zxid is one transaction behind one other, in whatever log it stands. What is committed is
 * durable on a quorum, when it is committed and ever after. Every server applies the same prefix.
 */
void check_persist(struct world *w, struct server *v, const struct persist_effect *p,
                   struct slice bytes);
void check_appended(struct world *w, struct server *v, int64_t zxid, struct slice bytes);
void check_applied(struct world *w, struct server *v, int64_t tree_zxid);
/* Before its leader serves a learner applies nothing: it may have to be taken back. */
void check_waits(struct world *w, struct server *v, enum node_event_type cause, int64_t before,
                 int64_t after);
void check_held_by_quorum(struct world *w, int64_t zxid, const char *when);
void check_disk_shrunk(struct world *w, struct server *v);
void check_crashed(struct world *w, struct server *v);
void check_started(struct world *w, struct server *v);

/* ---- check_leaders.c: an epoch has one leader, and that one has all that was committed ---- */
void check_leading(struct world *w, struct server *v, int64_t epoch);
void check_epoch_written(struct world *w, struct server *v, int64_t epoch);
void check_established(struct world *w, struct server *v, int64_t epoch);

/* ---- check_digest.c: equal digests at equal zxids ---- */
void check_digest(struct world *w, struct server *v, int64_t tree_zxid, uint64_t digest);

/* After each step, which was for `cause`: role, epoch, tree. */
void check_stepped(struct world *w, struct server *v, enum node_event_type cause);

/* ---- check_writes.c: writes are linearizable, each is done once, and the answer is true ---- */
void check_write_sent(struct world *w, struct sim_request *r);
void check_write_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                          const struct rec_reply_header *h, struct dec body);

/* ---- check_reads.c: a session never goes back, and sees what was there ---- */
void check_zxid_seen(struct world *w, struct sim_client *c, int64_t zxid);
void check_read_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                         const struct rec_reply_header *h, struct dec body);
void check_sync_answered(struct world *w, struct sim_client *c, const struct sim_request *r,
                         const struct rec_reply_header *h);

/* ---- check_watches.c: the event comes, once, and before what it announces ---- */
void check_watch_set(struct sim_client *c, int path, enum watched kind, int64_t zxid);
void check_persistent_set(struct world *w, struct sim_client *c, int64_t zxid);
void check_watch_event(struct world *w, struct sim_client *c, int64_t zxid, int32_t type,
                       struct slice path);
void check_watches_renewed(struct world *w, struct sim_client *c, int64_t zxid);
void check_watches_spoke(struct world *w, struct sim_client *c, int64_t zxid);

/* ---- check_sessions.c: a session lives as long as it is heard of ---- */
void check_heard(struct world *w, struct server *v, uint64_t connection, int client);
void check_closing(struct world *w, struct server *leader, int64_t session_id);
void check_told_expired(struct world *w, struct sim_client *c);

/* ---- check_progress.c: when the faults are over everything comes right ---- */
bool check_settled(struct world *w);
void check_final_state(struct world *w);
void check_not_settled(struct world *w, const char *phase);

#endif
