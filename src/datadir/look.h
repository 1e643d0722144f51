/* look.h: what log and snapshot files hold, for people who look.
 *
 * Files of caucusd and of Apache ZooKeeper alike. Nothing here changes a file (but for
 * datadir_save, which makes one); a server may be running on what is looked at. Names no type of
 * tree/ or io/: the command line knows the servers' inside by this header alone.
 *
 * Blocking; a state takes the memory that a server would take for it. Errors are those of
 * base/err.h: ERR_CORRUPT with file and offset, ERR_NOTFOUND, ERR_IO, ERR_INVALID. */
#ifndef CAUCUS_DATADIR_LOOK_H
#define CAUCUS_DATADIR_LOOK_H

#include "base/err.h"
#include "wire/records.h"

/* ---- which files ---- */

enum datadir_kind {
    DATADIR_SNAPSHOT,
    DATADIR_LOG,
};

struct datadir_file {
    char *path;
    enum datadir_kind kind;
    int64_t zxid; /* of its name; -1: it has another kind of name */
};

struct datadir_list {
    struct datadir_file *files;
    size_t count;
};

/* Appends a file, or what a folder (or its version-2) holds: snapshots, then logs, each in the
 * order of their zxids. A zeroed list is an empty one. */
int datadir_list_add(struct datadir_list *l, const char *path, struct err *err);
void datadir_list_deinit(struct datadir_list *l);

/* ---- a log file ---- */

/* A transaction, or a part of a multi. What its type does not have is null and 0. */
struct datadir_change {
    int32_t type; /* enum zk_op */
    struct slice path;
    struct slice data;
    struct rec_vec acl;
    struct rec_vec paths; /* closeSession: what is deleted with it; count -1: not told */
    struct rec_vec parts; /* multi: datadir_next_part takes them */
    int64_t ttl_ms;
    int32_t version;    /* the new one, of data or ACL; of a create the parent's cversion */
    int32_t error;      /* enum zk_err */
    int32_t timeout_ms; /* createSession */
    bool ephemeral;
};

struct datadir_txn {
    int64_t offset; /* in the file */
    size_t bytes;
    bool decoded; /* else only the header counts */
    struct rec_txn_header header;
    struct datadir_change change;
    bool has_digest;
    struct rec_txn_digest digest; /* of the tree after it */
};

/* The parts of a multi were checked: so many times true. `d` begins as dec_of(parts.raw). */
bool datadir_next_part(struct dec *d, struct datadir_change *ret);

enum datadir_end {
    DATADIR_WHOLE,
    DATADIR_TORN,    /* a write that was not finished stands at the end: a server cuts it off */
    DATADIR_DAMAGED, /* what was whole once is not any more */
};

struct datadir_log {
    enum datadir_end end;
    char reason[160];       /* torn, damaged */
    int64_t end_offset;     /* behind the last whole record: where it is torn or damaged */
    int64_t garbage_offset; /* behind the last byte that is not zero */
    uint64_t records, undecoded;
    int64_t first_zxid, last_zxid; /* 0: no record */
    int64_t undecoded_offset;      /* of the first */
};

/* Visits record by record, until `visit` returns false; the slices live until it returns. A bad
 * record is told in *ret. An error means that the file cannot be read at all, or is no log. */
typedef bool datadir_visit_txn(void *arg, const struct datadir_txn *txn);
int datadir_read_log(const struct datadir_file *file, datadir_visit_txn *visit, void *arg,
                     struct datadir_log *ret, struct err *err);

/* ---- a state ---- */

struct datadir_state;

enum datadir_match {
    DATADIR_NO_DIGEST, /* nothing to compare with */
    DATADIR_SAME,
    DATADIR_DIFFERS,
    DATADIR_LATER, /* the snapshot's digest is of a later zxid: it was written while the tree
                      changed, and the log up to there belongs to it */
};

struct datadir_found {
    int64_t zxid; /* the state's */
    uint64_t digest;
    uint64_t sessions, nodes, ephemerals, data_bytes; /* nodes: the root once */
    enum datadir_match match;
    int64_t match_zxid; /* of the last digest compared, of the first that differs, or the later one
                         */

    /* of a folder: how it came about */
    int64_t snapshot_zxid;
    uint64_t txns;              /* replayed on it */
    unsigned snapshots_refused; /* newer ones that are not whole */
    char refused[256];          /* why the newest of them */
    bool torn;
    int64_t torn_log, torn_offset;
    uint64_t gaps; /* places where a zxid is missing */
    int64_t gap_after;
};

/* One snapshot by itself. If it was written while the tree changed, and all the same is one state,
 * that of the later zxid, it counts as that. */
int datadir_load_snapshot(const struct datadir_file *file, struct datadir_state **ret,
                          struct datadir_found *ret_found, struct err *err);

struct datadir_where {
    const char *snap_dir; /* dataDir: with version-2 in it, or that folder itself */
    const char *log_dir;  /* dataLogDir; NULL: the same */
    int64_t until;        /* the last zxid wanted; -1: as far as the files go */
};

/* Whether it has a folder version-2, or is one. */
bool datadir_is_data_dir(const char *path);

/* The state that a server would begin with, or had at a zxid: the newest snapshot that is not
 * beyond it, and the log. Judged as a server does. ERR_NOTFOUND also if there is no state: no
 * files, or none that reach back to the zxid. */
int datadir_load(const struct datadir_where *where, struct datadir_state **ret,
                 struct datadir_found *ret_found, struct err *err);

/* NULL is fine. */
void datadir_free(struct datadir_state *s);

struct datadir_session {
    int64_t id;
    int32_t timeout_ms;
};

struct datadir_node {
    struct slice path, data;
    struct rec_vec acl;
    struct rec_stat_persisted stat; /* as it lies in the file */
    const char *kind;               /* "persistent", "ephemeral", "container", "ttl" */
    int64_t ttl_ms;
};

/* Until the function returns false. Sessions in the order of ids, nodes in that of the file,
 * parents first. */
void datadir_visit_sessions(const struct datadir_state *s,
                            bool (*visit)(void *arg, const struct datadir_session *session),
                            void *arg);
void datadir_visit_nodes(const struct datadir_state *s,
                         bool (*visit)(void *arg, const struct datadir_node *node), void *arg);

/* The state as a snapshot in the folder, under the name that servers give it. Durable when it
 * returns 0. */
enum {
    DATADIR_NAME_MAX = 64
};
int datadir_save(struct datadir_state *s, const char *dir, char ret_name[DATADIR_NAME_MAX],
                 struct err *err);
/* The name of a snapshot with this content: by its first bytes (plain, gzip, snappy). ERR_INVALID:
 * they are those of no snapshot. */
int datadir_snapshot_name(int64_t zxid, struct slice first, char ret[DATADIR_NAME_MAX],
                          struct err *err);

#endif
