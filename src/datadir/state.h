/* state.h: the state that files hold: a tree and the sessions whose ephemerals are in it.
 *
 * io/ finds the bytes and checks them, tree/ understands them; here they meet, for the server that
 * starts (server/recovery.h) and for people who look (look.h). What is to be told of it, and to
 * whom, is the caller's: nothing is printed or logged. One owner thread. */
#ifndef CAUCUS_DATADIR_STATE_H
#define CAUCUS_DATADIR_STATE_H

#include "base/map.h"
#include "io/snapfile.h"
#include "tree/apply.h"
#include "tree/snapshot.h"
#include "tree/tree.h"

struct datadir_state {
    struct tree_options options;
    struct tree *tree; /* whoever takes it leaves NULL */
    struct map sessions;
    struct snapshot_loader *loader; /* while a snapshot is read */
    int64_t zxid; /* of the snapshot: from its name, or, for a file without one, from its tail */
    bool zxid_from_tail;
    struct snap_tail tail; /* of the last snapshot that was whole */
    struct tree_effects fx;
    uint64_t digest_mismatches; /* every later one follows from the first */
    int64_t mismatch_zxid;      /* the first */
    uint64_t mismatch_digest;   /* the tree's, then */
};

void datadir_state_init(struct datadir_state *s, const struct tree_options *options);
void datadir_state_deinit(struct datadir_state *s);

/* The functions of a snap_sink; `state` is a struct datadir_state. After the end the digest of the
 * snapshot waits for the transaction it belongs to, and is compared at once if that is in. */
int datadir_state_begin(void *state, int64_t zxid, struct err *err);
int datadir_state_feed(void *state, struct slice chunk, size_t *ret_used, bool *ret_done,
                       struct err *err);
void datadir_state_end(void *state, const struct snap_tail *tail);

/* The next transaction, as the log has it. 0, or ERR_CORRUPT. */
int datadir_state_apply(struct datadir_state *s, int64_t zxid, struct slice bytes, struct err *err);

/* Each once, in no order that means anything; free() the list. */
size_t datadir_state_sessions(const struct datadir_state *s, struct snapshot_session **ret);

/* The whole tree as a snapshot of its last zxid in `dir` (.../version-2); durable when it returns
 * 0. */
int datadir_write_snapshot(struct files *fs, const char *dir, struct tree *tree,
                           const struct snapshot_session *sessions, size_t session_count,
                           const struct snapfile_options *options, struct err *err);

#endif
