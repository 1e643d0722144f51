/* history.h: what really happened, as an outsider who sees everything knows it.
 *
 * Every transaction that was ever logged anywhere, once; the order in which they were committed;
 * and a model of the tree that says what every znode was at every zxid. The model is not src/tree:
 * it knows only what the checkers ask. */
#ifndef CAUCUS_SIM_HISTORY_H
#define CAUCUS_SIM_HISTORY_H

#include "base/buf.h"
#include "queue.h"
#include "wire/quorum.h"
#include "wire/records.h"

struct entry {
    int64_t zxid, prev; /* prev: the one before it in the log; 0 = none */
    uint64_t hash;
    size_t at, len; /* in history.bytes */
    size_t rank;    /* 1 + its place among the committed; 0 = not committed */
    int64_t proposed_ns;
};

/* What a znode was from this zxid on. */
struct state {
    int64_t zxid;
    int32_t older; /* index of the state before; -1 = none: it had never been there */
    bool exists;
    bool data_changed; /* created, deleted or set: what a data watch hears of */
    uint8_t event;     /* ZK_EVENT_NODE_CREATED, ...; 0 = only its children changed */
    int32_t version, cversion;
    uint64_t data_hash;
    int64_t czxid, mzxid, pzxid, owner;
    int32_t children;
    uint64_t names; /* sum of the hashes of the children's names */
};

struct model_node {
    char *path;
    size_t path_len;
    int32_t parent; /* -1 = the root */
    int32_t newest; /* state; -1 = none */
};

/* In the order in which they happened: what persistent recursive watches hear of. */
struct happening {
    int64_t zxid;
    int32_t node;
    uint8_t event;
};

struct known_session {
    int64_t id;
    int32_t timeout_ms;
    int64_t created_zxid, closed_zxid; /* closed_zxid: 0 = alive */
    int32_t last_cxid;                 /* of its newest write that was done */
    uint32_t ephemerals;
};

struct history {
    struct entry *entries;
    size_t entry_count, entry_cap;
    struct buf bytes;
    struct numbers by_zxid; /* index into entries */

    int64_t *committed;
    size_t committed_count, committed_cap;

    struct numbers digests;     /* zxid -> digest */
    struct numbers leaders;     /* epoch -> server that established it */
    struct numbers epoch_bases; /* epoch -> the last zxid before it */
    struct numbers
        epoch_tips;        /* epoch -> where its leader's log ended when it was chosen; 0 = two */
    struct quorum *config; /* the committed one; NULL = alone */

    struct model_node *nodes;
    size_t node_count, node_cap;
    struct numbers by_path; /* hash of the path -> node */
    struct state *states;
    size_t state_count, state_cap;
    struct happening *happenings;
    size_t happening_count, happening_cap;
    struct known_session *sessions;
    size_t session_count, session_cap;
    struct numbers by_session;
    struct numbers by_request; /* hash of (session, cxid) -> zxid */
};

void history_init(struct history *h);
void history_deinit(struct history *h);

struct entry *history_find(const struct history *h, int64_t zxid); /* NULL = never logged */
struct entry *history_add(struct history *h, int64_t zxid, int64_t prev, struct slice bytes);
void history_forget(struct history *h, int64_t zxid); /* alone: its number is used again */
struct slice history_entry_bytes(const struct history *h, int64_t zxid);
/* The zxid of the transaction a state is of: a new leader's tree stands at (epoch, 0). */
int64_t history_real(const struct history *h, int64_t zxid);
/* Is `zxid` in the history that ends with `tip`? */
bool history_descends(const struct history *h, int64_t tip, int64_t zxid);
int64_t history_head(const struct history *h); /* the last committed; 0 = none */

/* Committed: the model follows. NULL, or what is wrong with it. */
const char *history_commit(struct history *h, struct entry *e);

/* The model. */
int32_t model_find(const struct history *h, struct slice path); /* -1 = never was */
const struct state *model_at(const struct history *h, int32_t node, int64_t zxid); /* NULL */
struct known_session *model_session(const struct history *h, int64_t id);          /* NULL */
/* The first change of the data of a node in (after, upto]; NULL = none. */
const struct state *model_change(const struct history *h, int32_t node, int64_t after,
                                 int64_t upto);
/* The same for its list of children (or itself being deleted). */
const struct state *model_children_change(const struct history *h, int32_t node, int64_t after,
                                          int64_t upto);
uint64_t model_name_hash(struct slice name);
uint64_t model_request_key(int64_t session_id, int32_t cxid); /* of by_request */

struct zxid_text {
    char text[32];
};
struct zxid_text zxid_text(int64_t zxid);

#endif
