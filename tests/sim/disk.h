/* disk.h: what a server has on its disk, and what it will have found there after a crash.
 *
 * The log thread takes everything that waits as one batch, carries it out in order and syncs; then
 * the tickets are reported. So after a crash a prefix of what was handed over is there: all that
 * was synced, and by chance more of what was not. (A torn last record is one that recovery cuts.)
 * Snapshots have a writer of their own. The bytes of transactions stand in the history, once for
 * all servers. */
#ifndef CAUCUS_SIM_DISK_H
#define CAUCUS_SIM_DISK_H

#include "base/buf.h"
#include "node/node.h"

struct world;
struct server;

enum {
    SNAPSHOTS_KEPT = 3,
    LOG_READS_MAX = 8,
};

struct disk_op {
    enum persist_type type;
    uint64_t ticket;
    int64_t zxid, value;
    uint64_t digest;
    uint8_t *bytes; /* NULL for PERSIST_APPEND */
    size_t len;
};

struct disk_snapshot {
    int64_t zxid;
    uint64_t digest;
    struct buf bytes;
};

struct zxids {
    int64_t *items;
    size_t count, cap;
};

/* Transactions asked for by LINK_READ_LOG. */
struct disk_read {
    bool active;
    uint64_t link;
    int64_t after, until;
    bool found; /* where to begin */
    int64_t next_after;
};

struct disk {
    /* What a crash leaves. */
    struct zxids log;
    struct disk_snapshot snapshots[SNAPSHOTS_KEPT]; /* oldest first */
    size_t snapshot_count;
    int64_t installed_zxid; /* of the newest that came from a leader */
    int64_t accepted_epoch, current_epoch;
    struct buf config, config_next; /* texts; empty = none */

    struct disk_op *ops; /* handed over and not on disk; oldest first */
    size_t op_count, op_cap;
    size_t batch; /* ops being synced; 0 = idle */
    size_t lied;  /* ops reported all the same (a planted fault) */
    bool full, broken;
    bool stuck;          /* nothing gets done, nobody is told (a scenario) */
    int64_t sync_ns;     /* what a sync takes at most */
    int64_t slow_ns;     /* added to each, while it is slow */
    int64_t truncate_ns; /* added to one with a truncation, which reads a state again */

    bool writing, written; /* the snapshot writer; written: the stream is complete */
    struct disk_snapshot snapshot;

    bool installing;
    struct disk_snapshot install;

    struct disk_read reads[LOG_READS_MAX];
};

void disk_init(struct disk *d);
void disk_deinit(struct disk *d);
void disk_persist(struct world *w, struct server *v, const struct persist_effect *p,
                  struct slice bytes);
void disk_read_log(struct world *w, struct server *v, const struct link_effect *l);
void disk_on_synced(struct world *w, struct server *v);
void disk_on_snapshot(struct world *w, struct server *v);
void disk_on_log_read(struct world *w, struct server *v, size_t read);
void disk_set_stuck(struct world *w, struct server *v, bool stuck);
void disk_set_full(struct world *w, struct server *v, bool full);
/* Old snapshots go, and the log before the oldest that stays. */
void disk_purge(struct world *w, struct disk *d);

/* The process or the machine dies. */
void disk_crash(struct world *w, struct server *v);

/* What recovery makes of it. */
struct recovered {
    struct tree *tree;
    struct snapshot_session *sessions;
    size_t session_count;
};
struct recovered disk_recover(struct world *w, struct server *v);

int64_t disk_last_zxid(const struct disk *d);
/* Is this transaction, which is committed, part of what would be recovered now? */
bool disk_holds(const struct world *w, const struct disk *d, int64_t zxid);

void zxids_push(struct zxids *z, int64_t zxid);
void zxids_cut(struct zxids *z, int64_t after); /* those > after go */
bool zxids_have(const struct zxids *z, int64_t zxid);
/* Index of the first one > zxid. */
size_t zxids_behind(const struct zxids *z, int64_t zxid);

#endif
