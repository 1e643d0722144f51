#include "history.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"
#include "tree/apply.h"
#include "wire/zk.h"
#include "wire/zxid.h"

#define PUSH(array, count, cap)                                                                    \
    do {                                                                                           \
        if ((count) == (cap)) {                                                                    \
            (cap) = (cap) > 0 ? (cap)*2 : 64;                                                      \
            (array) = mem_realloc((array), (cap) * sizeof *(array));                               \
        }                                                                                          \
        (count)++;                                                                                 \
    } while (0)

struct zxid_text zxid_text(int64_t zxid)
{
    struct zxid_text t;
    snprintf(t.text, sizeof t.text, "%lld.%u", (long long)zxid_epoch(zxid), zxid_counter(zxid));
    return t;
}

/* ---- what was logged ---- */

struct entry *history_find(const struct history *h, int64_t zxid)
{
    uint64_t index;
    return numbers_get(&h->by_zxid, (uint64_t)zxid, &index) && index > 0 ? &h->entries[index - 1]
                                                                         : NULL;
}

struct entry *history_add(struct history *h, int64_t zxid, int64_t prev, struct slice bytes)
{
    PUSH(h->entries, h->entry_count, h->entry_cap);
    struct entry *e = &h->entries[h->entry_count - 1];
    *e = (struct entry){.zxid = zxid,
                        .prev = prev,
                        .hash = hash_slice(bytes, 0),
                        .at = h->bytes.len,
                        .len = bytes.len};
    buf_put_slice(&h->bytes, bytes);
    numbers_put(&h->by_zxid, (uint64_t)zxid, h->entry_count);
    return e;
}

void history_forget(struct history *h, int64_t zxid)
{
    numbers_put(&h->by_zxid, (uint64_t)zxid, 0);
}

struct slice history_entry_bytes(const struct history *h, int64_t zxid)
{
    const struct entry *e = history_find(h, zxid);
    return e != NULL ? buf_part(&h->bytes, e->at, e->len) : slice_str("");
}

int64_t history_real(const struct history *h, int64_t zxid)
{
    uint64_t base;
    while (zxid > 0 && zxid_counter(zxid) == 0) {
        if (!numbers_get(&h->epoch_bases, (uint64_t)zxid_epoch(zxid), &base))
            return zxid;
        zxid = (int64_t)base;
    }
    return zxid;
}

bool history_descends(const struct history *h, int64_t tip, int64_t zxid)
{
    const struct entry *target = history_find(h, zxid);
    const struct entry *e = history_find(h, history_real(h, tip));
    if (target == NULL)
        return false;
    while (e != NULL && e->zxid > zxid) {
        if (e->rank > 0 && target->rank > 0)
            return target->rank <= e->rank;
        e = history_find(h, e->prev);
    }
    return e != NULL && e->zxid == zxid;
}

int64_t history_head(const struct history *h)
{
    return h->committed_count > 0 ? h->committed[h->committed_count - 1] : 0;
}

/* ---- the model ---- */

uint64_t model_name_hash(struct slice name)
{
    return hash_slice(name, 77);
}

uint64_t model_request_key(int64_t session_id, int32_t cxid)
{
    return hash_u64((uint64_t)session_id, hash_u64((uint64_t)cxid, 1)) >> 1;
}

static uint64_t path_key(struct slice path)
{
    return hash_slice(path, 99) >> 1;
}

int32_t model_find(const struct history *h, struct slice path)
{
    uint64_t index;
    return numbers_get(&h->by_path, path_key(path), &index) ? (int32_t)index : -1;
}

static struct slice parent_of(struct slice path)
{
    while (path.len > 1 && path.ptr[path.len - 1] != '/')
        path.len--;
    return path.len > 1 ? slice_of(path.ptr, path.len - 1) : path;
}

static struct slice name_of(struct slice path)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    return slice_from(path, at);
}

static int32_t node_of(struct history *h, struct slice path)
{
    int32_t known = model_find(h, path);
    if (known >= 0)
        return known;
    int32_t parent = path.len > 1 ? node_of(h, parent_of(path)) : -1;
    PUSH(h->nodes, h->node_count, h->node_cap);
    struct model_node *n = &h->nodes[h->node_count - 1];
    *n = (struct model_node){.path_len = path.len, .parent = parent, .newest = -1};
    n->path = mem_alloc(path.len + 1);
    memcpy(n->path, path.ptr, path.len);
    n->path[path.len] = 0;
    numbers_put(&h->by_path, path_key(path), h->node_count - 1);
    return (int32_t)h->node_count - 1;
}

/* A new state of a node, as its last one was: to be changed by the caller. */
static struct state *state_push(struct history *h, int32_t node, int64_t zxid)
{
    struct state last = {.older = -1};
    if (h->nodes[node].newest >= 0)
        last = h->states[h->nodes[node].newest];
    PUSH(h->states, h->state_count, h->state_cap);
    struct state *s = &h->states[h->state_count - 1];
    *s = last;
    s->older = h->nodes[node].newest;
    s->zxid = zxid;
    s->data_changed = false;
    s->event = 0;
    h->nodes[node].newest = (int32_t)h->state_count - 1;
    return s;
}

static void happened(struct history *h, int64_t zxid, int32_t node, int event)
{
    PUSH(h->happenings, h->happening_count, h->happening_cap);
    h->happenings[h->happening_count - 1] =
        (struct happening){.zxid = zxid, .node = node, .event = (uint8_t)event};
}

const struct state *model_at(const struct history *h, int32_t node, int64_t zxid)
{
    if (node < 0)
        return NULL;
    int32_t at = h->nodes[node].newest;
    while (at >= 0 && h->states[at].zxid > zxid)
        at = h->states[at].older;
    return at >= 0 ? &h->states[at] : NULL;
}

const struct state *model_change(const struct history *h, int32_t node, int64_t after, int64_t upto)
{
    const struct state *found = NULL;
    for (int32_t at = node >= 0 ? h->nodes[node].newest : -1; at >= 0 && h->states[at].zxid > after;
         at = h->states[at].older) {
        if (h->states[at].zxid <= upto && h->states[at].data_changed)
            found = &h->states[at];
    }
    return found;
}

const struct state *model_children_change(const struct history *h, int32_t node, int64_t after,
                                          int64_t upto)
{
    const struct state *found = NULL;
    for (int32_t at = node >= 0 ? h->nodes[node].newest : -1; at >= 0 && h->states[at].zxid > after;
         at = h->states[at].older) {
        const struct state *s = &h->states[at];
        if (s->zxid <= upto && (!s->data_changed || s->event == ZK_EVENT_NODE_DELETED))
            found = s;
    }
    return found;
}

static const struct state *now_at(const struct history *h, int32_t node)
{
    return h->nodes[node].newest >= 0 ? &h->states[h->nodes[node].newest] : NULL;
}

struct known_session *model_session(const struct history *h, int64_t id)
{
    uint64_t index;
    return numbers_get(&h->by_session, (uint64_t)id, &index) ? &h->sessions[index] : NULL;
}

/* ---- transactions ---- */

struct txn {
    int64_t zxid, session_id;
    int32_t cxid;
};

static const char *made(struct history *h, const struct txn *t, struct slice path,
                        struct slice data, bool ephemeral)
{
    int32_t node = node_of(h, path);
    const struct state *now = now_at(h, node);
    if (now != NULL && now->exists)
        return "creates what is there";
    int32_t parent = h->nodes[node].parent;
    const struct state *above = parent >= 0 ? now_at(h, parent) : NULL;
    if (above == NULL || !above->exists)
        return "creates below nothing";
    if (above->owner != 0)
        return "creates below an ephemeral";
    struct state *s = state_push(h, node, t->zxid);
    s->exists = s->data_changed = true;
    s->event = ZK_EVENT_NODE_CREATED;
    s->version = s->cversion = 0;
    s->data_hash = hash_slice(data, 1);
    s->czxid = s->mzxid = s->pzxid = t->zxid;
    s->owner = ephemeral ? t->session_id : 0;
    s->children = 0;
    s->names = 0;
    if (ephemeral) {
        struct known_session *owner = model_session(h, t->session_id);
        if (owner == NULL || owner->closed_zxid != 0)
            return "makes an ephemeral of a session that is over";
        owner->ephemerals++;
    }
    s = state_push(h, parent, t->zxid);
    s->children++;
    s->cversion++;
    s->pzxid = t->zxid;
    s->names += model_name_hash(name_of(path));
    happened(h, t->zxid, node, ZK_EVENT_NODE_CREATED);
    return NULL;
}

static const char *gone(struct history *h, const struct txn *t, struct slice path)
{
    int32_t node = node_of(h, path);
    const struct state *now = now_at(h, node);
    if (now == NULL || !now->exists)
        return "deletes what is not there";
    if (now->children > 0)
        return "deletes what has children";
    if (now->owner != 0) {
        struct known_session *owner = model_session(h, now->owner);
        if (owner != NULL)
            owner->ephemerals--;
    }
    struct state *s = state_push(h, node, t->zxid);
    s->exists = false;
    s->data_changed = true;
    s->event = ZK_EVENT_NODE_DELETED;
    s->owner = 0;
    s = state_push(h, h->nodes[node].parent, t->zxid);
    s->children--;
    s->pzxid = t->zxid;
    s->names -= model_name_hash(name_of(path));
    happened(h, t->zxid, node, ZK_EVENT_NODE_DELETED);
    return NULL;
}

static const char *set(struct history *h, const struct txn *t, struct slice path, struct slice data,
                       int32_t version)
{
    int32_t node = node_of(h, path);
    const struct state *now = now_at(h, node);
    if (now == NULL || !now->exists)
        return "writes what is not there";
    if (version != now->version + 1)
        return "skips a version";
    struct state *s = state_push(h, node, t->zxid);
    s->data_changed = true;
    s->event = ZK_EVENT_NODE_DATA_CHANGED;
    s->version = version;
    s->data_hash = hash_slice(data, 1);
    s->mzxid = t->zxid;
    happened(h, t->zxid, node, ZK_EVENT_NODE_DATA_CHANGED);
    return NULL;
}

static const char *session_made(struct history *h, const struct txn *t, struct slice body)
{
    struct dec d = dec_of(body);
    struct rec_create_session_txn txn;
    if (!rec_get_create_session_txn(&d, &txn))
        return "cannot be decoded";
    if (model_session(h, t->session_id) != NULL)
        return "makes a session that was there before";
    PUSH(h->sessions, h->session_count, h->session_cap);
    h->sessions[h->session_count - 1] = (struct known_session){
        .id = t->session_id, .timeout_ms = txn.time_out, .created_zxid = t->zxid};
    numbers_put(&h->by_session, (uint64_t)t->session_id, h->session_count - 1);
    return NULL;
}

/* Its ephemerals go with it. */
static const char *session_over(struct history *h, const struct txn *t)
{
    struct known_session *s = model_session(h, t->session_id);
    if (s == NULL)
        return NULL;         /* of a server's own past: harmless */
    if (s->closed_zxid != 0) /* a client may ask for it again; nobody else may find it expired */
        return t->cxid == 0 ? "ends a session that is over" : NULL;
    s->closed_zxid = t->zxid;
    for (size_t i = 0; i < h->node_count && s->ephemerals > 0; i++) {
        const struct state *now = now_at(h, (int32_t)i);
        if (now != NULL && now->exists && now->owner == t->session_id)
            gone(h, t, slice_of(h->nodes[i].path, h->nodes[i].path_len));
    }
    return NULL;
}

static const char *new_config(struct history *h, struct slice text)
{
    struct quorum *q = NULL;
    if (quorum_parse(text, &q, NULL) < 0)
        return "holds a configuration that cannot be read";
    quorum_free(h->config);
    h->config = q;
    return NULL;
}

static const char *apply(struct history *h, const struct txn *t, int32_t type, struct slice body);

static const char *apply_all(struct history *h, const struct txn *t, const struct rec_multi_txn *m)
{
    struct dec d = dec_of(m->txns.raw);
    struct rec_txn part;
    for (int32_t i = 0; i < m->txns.count; i++) {
        if (!rec_get_txn(&d, &part))
            return "cannot be decoded";
        if (part.type == ZK_OP_ERROR)
            return NULL; /* all or nothing */
    }
    d = dec_of(m->txns.raw);
    for (int32_t i = 0; i < m->txns.count && rec_get_txn(&d, &part); i++) {
        const char *wrong = apply(h, t, part.type, part.data);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static const char *apply(struct history *h, const struct txn *t, int32_t type, struct slice body)
{
    struct dec d = dec_of(body);
    struct rec_create_txn create;
    struct rec_create_container_txn container;
    struct rec_delete_txn delete;
    struct rec_set_data_txn data;
    struct rec_multi_txn multi;
    switch (type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
        return rec_get_create_txn(&d, &create)
                   ? made(h, t, create.path, create.data, create.ephemeral)
                   : "cannot be decoded";
    case ZK_OP_CREATE_CONTAINER:
        return rec_get_create_container_txn(&d, &container)
                   ? made(h, t, container.path, container.data, false)
                   : "cannot be decoded";
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        return rec_get_delete_txn(&d, &delete) ? gone(h, t, delete.path) : "cannot be decoded";
    case ZK_OP_SET_DATA:
        return rec_get_set_data_txn(&d, &data) ? set(h, t, data.path, data.data, data.version)
                                               : "cannot be decoded";
    case ZK_OP_RECONFIG:
        return rec_get_set_data_txn(&d, &data) ? new_config(h, data.data) : "cannot be decoded";
    case ZK_OP_MULTI:
        return rec_get_multi_txn(&d, &multi) ? apply_all(h, t, &multi) : "cannot be decoded";
    case ZK_OP_CREATE_SESSION:
        return session_made(h, t, body);
    case ZK_OP_CLOSE_SESSION:
        return session_over(h, t);
    default:
        return NULL;
    }
}

/* A refused multi is a multi whose parts are errors. */
static bool is_refused(const struct txn_entry *e)
{
    struct dec d = dec_of(e->body);
    struct rec_multi_txn m;
    if (e->hdr.type != ZK_OP_MULTI || !rec_get_multi_txn(&d, &m) || m.txns.count <= 0)
        return e->hdr.type == ZK_OP_ERROR;
    struct rec_txn part;
    d = dec_of(m.txns.raw);
    return rec_get_txn(&d, &part) && part.type == ZK_OP_ERROR;
}

static const char *note_request(struct history *h, const struct txn_entry *e)
{
    const struct rec_txn_header *hdr = &e->hdr;
    if (hdr->cxid <= 0 || hdr->client_id == 0)
        return NULL;
    uint64_t key = model_request_key(hdr->client_id, hdr->cxid);
    uint64_t before;
    if (numbers_get(&h->by_request, key, &before))
        return "is a request that was committed before";
    numbers_put(&h->by_request, key, (uint64_t)hdr->zxid);
    struct known_session *s = model_session(h, hdr->client_id);
    if (s == NULL || is_refused(e))
        return NULL;
    if (s->closed_zxid != 0 && hdr->type != ZK_OP_CLOSE_SESSION)
        return "is a write of a session that is over";
    /* The end of a session is not asked whether the session has moved on (as in ZooKeeper). */
    if (hdr->cxid < s->last_cxid && hdr->type != ZK_OP_CLOSE_SESSION)
        return "overtook a later write of its session";
    s->last_cxid = hdr->cxid;
    return NULL;
}

const char *history_commit(struct history *h, struct entry *e)
{
    struct txn_entry parts;
    if (txn_split(buf_part(&h->bytes, e->at, e->len), &parts) != 0)
        return "cannot be decoded";
    PUSH(h->committed, h->committed_count, h->committed_cap);
    h->committed[h->committed_count - 1] = e->zxid;
    e->rank = h->committed_count;
    const char *wrong = note_request(h, &parts);
    if (wrong != NULL)
        return wrong;
    struct txn t = {.zxid = e->zxid, .session_id = parts.hdr.client_id, .cxid = parts.hdr.cxid};
    return apply(h, &t, parts.hdr.type, parts.body);
}

/* ---- birth and death ---- */

void history_init(struct history *h)
{
    *h = (struct history){0};
    int32_t root = node_of(h, slice_str("/"));
    struct state *s = state_push(h, root, 0);
    s->exists = true;
    s->children = 1;
    s->names = model_name_hash(slice_str("zookeeper"));
    s->cversion = -1; /* as a new tree's root has it */
}

void history_deinit(struct history *h)
{
    free(h->entries);
    buf_deinit(&h->bytes);
    numbers_deinit(&h->by_zxid);
    free(h->committed);
    numbers_deinit(&h->digests);
    numbers_deinit(&h->leaders);
    numbers_deinit(&h->epoch_bases);
    numbers_deinit(&h->epoch_tips);
    quorum_free(h->config);
    for (size_t i = 0; i < h->node_count; i++)
        free(h->nodes[i].path);
    free(h->nodes);
    numbers_deinit(&h->by_path);
    free(h->states);
    free(h->happenings);
    free(h->sessions);
    numbers_deinit(&h->by_session);
    numbers_deinit(&h->by_request);
}
