/* membership.h: what a server of an ensemble has beside a lone one: links to the others.
 *
 * Between node.h (NODE_ELECTION_*, NODE_LINK_*, effects of links and elections) and the two ports
 * (election_links.h, quorum_links.h). T0. */
#ifndef CAUCUS_SERVER_MEMBERSHIP_H
#define CAUCUS_SERVER_MEMBERSHIP_H

#include "io/epochs.h"
#include "server/election_links.h"
#include "server/quorum_links.h"
#include "server/server_info.h"

struct server;

struct membership {
    struct election_links *election;
    struct quorum_links *links;
    int64_t config_version, seen_version; /* as the links know them */
    uv_timer_t oracle;
    bool oracle_open, oracle_said;
    const char *sync_mode; /* "diff", ... while we are being synchronized */
    int64_t serving_since_ns;
};

/* The epochs on disk; before the node is made. */
int membership_read_epochs(struct server *s, int64_t last_zxid, struct epochs *ret,
                           struct err *err);
/* Opens the ports and tells the node that it may begin. */
void membership_start(struct server *s);
bool membership_is_on(const struct server *s);
/* Effects; in carry_once, in its order. */
void membership_carry_links(struct server *s);
void membership_carry_elections(struct server *s);
/* At the end of a turn: a configuration that has changed, and what was gathered leaves. */
void membership_on_turn(struct server *s);
/* The disk has caught up. */
void membership_resume_reading(struct server *s);
/* Connections are flushed and closed. */
void membership_stop(struct server *s);
void membership_deinit(struct server *s);

/* For the windows. */
void membership_describe(void *driver, struct server_ensemble *ret);
void membership_each_learner(void *driver, server_learner_visit *visit, void *arg);

#endif
