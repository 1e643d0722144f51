/* node_kit.h: a node with clients in hand: frames in, replies out, a disk that syncs when it is
 * told to. For the tests test_node_*.c only. */
#ifndef CAUCUS_TESTS_NODE_KIT_H
#define CAUCUS_TESTS_NODE_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "node/node.h"
#include "wire/dec.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    KIT_CLIENTS = 8,
    KIT_TIMEOUT_MS = 4000,
};

struct kit_client {
    struct buf said; /* by the server, frames as they came */
    size_t heard;
    bool closed, paused;
    int64_t session_id;
    uint8_t password[SESSION_PASSWORD_BYTES];
};

struct kit {
    struct node *node;
    struct effects fx;
    struct kit_client clients[KIT_CLIENTS + 1]; /* by id, from 1 */
    int64_t now_ms;
    uint64_t ticket; /* the newest that was handed to the disk */
    size_t snapshot_aborts;
    int64_t snapshot_zxid; /* of the newest that began */
};

struct kit_reply {
    int32_t xid;
    int64_t zxid;
    int32_t err;
    struct slice body; /* until the next step */
};

/* Not a hash: the tests only want a text that depends on the credentials. */
static inline size_t kit_digest(struct slice text, char ret[128])
{
    return (size_t)snprintf(ret, 128, "hash-of-%zu-bytes", text.len);
}

static inline void kit_defaults(struct node_options *o)
{
    *o = (struct node_options){
        .seed = 5,
        .server_id = 1,
        .tick_ms = 1000,
        .session_timeout_min_ms = 2000,
        .session_timeout_max_ms = 20000,
        .frame_bytes_max = 1 << 20,
        .snap_count = 100000,
        .outstanding_max = 1000,
        .container_check_interval_ms = 60000,
        .container_per_minute_max = 10000,
        .close_session_txn = true,
        .digest_auth_enabled = true,
        .digest = kit_digest,
    };
}

static inline struct tree *kit_tree(void)
{
    struct tree_options tree = {
        .hash_seed = 7, .digest_enabled = true, .extended_types_enabled = true};
    return tree_create(&tree);
}

static inline struct kit *kit_open(const struct node_options *options)
{
    struct kit *k = mem_calloc(1, sizeof *k);
    k->now_ms = 1000000;
    k->node = node_create(options, kit_tree(), NULL, 0, k->now_ms * 1000000);
    return k;
}

static inline void kit_close(struct kit *k)
{
    node_free(k->node);
    effects_deinit(&k->fx);
    for (size_t i = 0; i <= KIT_CLIENTS; i++)
        buf_deinit(&k->clients[i].said);
    free(k);
}

static inline void kit_carry_out(struct kit *k)
{
    for (size_t i = 0; i < k->fx.persist_count; i++) {
        const struct persist_effect *p = &k->fx.persists[i];
        if (p->type == PERSIST_APPEND)
            k->ticket = p->ticket;
        if (p->type == PERSIST_SNAPSHOT_BEGIN)
            k->snapshot_zxid = p->zxid;
        k->snapshot_aborts += p->type == PERSIST_SNAPSHOT_ABORT;
    }
    for (size_t i = 0; i < k->fx.send_count; i++) {
        const struct send_effect *s = &k->fx.sends[i];
        buf_put(&k->clients[s->client].said, k->fx.send_bytes.ptr + s->at, s->len);
    }
    for (size_t i = 0; i < k->fx.read_count; i++)
        k->clients[k->fx.reads[i].client].paused = k->fx.reads[i].pause;
}

/* One event, and what follows from the connections it closes. */
static inline void kit_step(struct kit *k, struct node_event ev)
{
    ev.now_ns = k->now_ms * 1000000;
    ev.wall_ms = 1700000000000 + k->now_ms;
    effects_clear(&k->fx);
    node_step(k->node, &ev, &k->fx);
    kit_carry_out(k);

    uint64_t closed[KIT_CLIENTS];
    size_t count = k->fx.close_count;
    for (size_t i = 0; i < count; i++) {
        closed[i] = k->fx.closes[i].client;
        k->clients[closed[i]].closed = true;
    }
    for (size_t i = 0; i < count; i++)
        kit_step(k, (struct node_event){.type = NODE_CLIENT_CLOSED, .client = closed[i]});
}

static inline void kit_tick(struct kit *k, int64_t ms)
{
    k->now_ms += ms;
    kit_step(k, (struct node_event){.type = NODE_TICK});
}

/* The disk has everything. */
static inline void kit_sync(struct kit *k)
{
    kit_step(k, (struct node_event){.type = NODE_DURABLE, .ticket = k->ticket});
}

static inline void kit_frame(struct kit *k, uint64_t client, struct slice frame)
{
    kit_step(k, (struct node_event){.type = NODE_CLIENT_FRAME, .client = client, .frame = frame});
}

static inline bool kit_has_reply(const struct kit *k, uint64_t client)
{
    return k->clients[client].heard < k->clients[client].said.len;
}

static inline struct slice kit_next_frame(struct kit *k, uint64_t client)
{
    struct kit_client *c = &k->clients[client];
    assert_true(kit_has_reply(k, client));
    const uint8_t *at = c->said.ptr + c->heard;
    struct slice frame = slice_of(at + 4, load_be32(at));
    c->heard += 4 + frame.len;
    return frame;
}

static inline struct kit_reply kit_reply(struct kit *k, uint64_t client)
{
    struct dec d = dec_of(kit_next_frame(k, client));
    struct kit_reply r = {.xid = dec_i32(&d), .zxid = dec_i64(&d), .err = dec_i32(&d)};
    assert_false(d.bad);
    r.body = dec_rest(&d);
    return r;
}

/* Sends a ConnectRequest from a new connection; session_id 0 asks for a new session. */
static inline void kit_ask_session(struct kit *k, uint64_t client, int64_t session_id,
                                   const uint8_t *password)
{
    kit_step(k, (struct node_event){.type = NODE_CLIENT_OPEN,
                                    .client = client,
                                    .open.address = slice_str("1.2.3.4")});
    struct buf b = {0};
    struct rec_connect_request req = {
        .time_out = KIT_TIMEOUT_MS,
        .session_id = session_id,
        .passwd = slice_of(password, password != NULL ? SESSION_PASSWORD_BYTES : 0),
        .has_read_only = true,
    };
    rec_put_connect_request(&b, &req);
    kit_frame(k, client, buf_slice(&b));
    buf_deinit(&b);
}

/* Takes the ConnectResponse; the session's id, 0 = refused. */
static inline int64_t kit_take_session(struct kit *k, uint64_t client)
{
    struct dec d = dec_of(kit_next_frame(k, client));
    struct rec_connect_response rsp;
    assert_true(rec_get_connect_response(&d, &rsp));
    struct kit_client *c = &k->clients[client];
    c->session_id = rsp.session_id;
    memcpy(c->password, rsp.passwd.ptr, sizeof c->password);
    return rsp.session_id;
}

static inline void kit_connect(struct kit *k, uint64_t client)
{
    kit_ask_session(k, client, 0, NULL);
    kit_sync(k);
    assert_int_not_equal(kit_take_session(k, client), 0);
}

/* A request whose record is `record`, which is emptied. */
static inline void kit_request(struct kit *k, uint64_t client, int32_t xid, int32_t op,
                               struct buf *record)
{
    struct buf frame = {0};
    buf_put_i32(&frame, xid);
    buf_put_i32(&frame, op);
    if (record != NULL) {
        buf_put_slice(&frame, buf_slice(record));
        buf_clear(record);
    }
    kit_frame(k, client, buf_slice(&frame));
    buf_deinit(&frame);
}

static inline void kit_create(struct kit *k, uint64_t client, int32_t op, const char *path,
                              int32_t flags, const char *scheme, const char *id)
{
    struct buf b = {0};
    rec_put_slice(&b, slice_str(path));
    rec_put_slice(&b, slice_str(""));
    buf_put_i32(&b, 1);
    rec_put_acl(&b, &(struct rec_acl){ZK_PERM_ALL, {slice_str(scheme), slice_str(id)}});
    buf_put_i32(&b, flags);
    if (op == ZK_OP_CREATE_TTL)
        buf_put_i64(&b, 1000);
    kit_request(k, client, 1, op, &b);
    buf_deinit(&b);
}

static inline void kit_create_open(struct kit *k, uint64_t client, const char *path)
{
    kit_create(k, client, ZK_OP_CREATE, path, 0, "world", "anyone");
}

/* exists, getData, getChildren: a path (NULL = null) and a flag. */
static inline void kit_read(struct kit *k, uint64_t client, int32_t op, const char *path,
                            bool watch)
{
    struct buf b = {0};
    rec_put_slice(&b, path != NULL ? slice_str(path) : (struct slice){0});
    buf_put_u8(&b, watch);
    kit_request(k, client, 2, op, &b);
    buf_deinit(&b);
}

static inline void kit_auth(struct kit *k, uint64_t client, const char *scheme, struct slice auth)
{
    struct buf b = {0};
    rec_put_auth_packet(&b, &(struct rec_auth_packet){.scheme = slice_str(scheme), .auth = auth});
    kit_request(k, client, ZK_XID_AUTH, ZK_OP_AUTH, &b);
    buf_deinit(&b);
}

#endif
