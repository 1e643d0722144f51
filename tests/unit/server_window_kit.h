/* server_window_kit.h: a server without a driver, for tests of what looks into it: a real node, a
 * clock that stands still, and sessions whose requests are durable at once. */
#ifndef CAUCUS_TESTS_SERVER_WINDOW_KIT_H
#define CAUCUS_TESTS_SERVER_WINDOW_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "server/server_info.h"
#include "wire/records.h"
#include "wire/zk.h"

struct kit {
    struct server_info info;
    struct effects fx;
    int64_t now_ms;
    const char *not_ready;
    char dir[64]; /* for files; its names are .../version-2's */

    /* Hooks: what was asked for. */
    int snapshots_asked, restores_asked;
    int snapshot_result, restore_result;
    char restored_path[128];
};

enum {
    KIT_WALL_MS = 1000000
}; /* the wall clock is that much ahead of the monotonic one */

/* Everybody's digest is the text backwards: "user:password" -> "drowssap:resu". */
static inline size_t kit_digest(struct slice text, char ret[128])
{
    if (text.len > 128)
        return 0;
    for (size_t i = 0; i < text.len; i++)
        ret[i] = (char)text.ptr[text.len - 1 - i];
    return text.len;
}

static inline int64_t kit_now_ms(void *driver)
{
    return ((struct kit *)driver)->now_ms;
}

static inline int64_t kit_wall_ms(void *driver)
{
    return ((struct kit *)driver)->now_ms + KIT_WALL_MS;
}

static inline size_t kit_connection_count(void *driver)
{
    return node_client_count(((struct kit *)driver)->info.node);
}

/* Connection n comes from port 1000 + n; 9 and above are unknown. */
static inline bool kit_peer(void *driver, uint64_t client, struct sockaddr_storage *ret_peer)
{
    (void)driver;
    if (client >= 9)
        return false;
    struct sockaddr_in *in = (struct sockaddr_in *)(void *)ret_peer;
    *in = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)(1000 + client)),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return true;
}

static inline const char *kit_not_ready(void *driver)
{
    return ((struct kit *)driver)->not_ready;
}

static inline int kit_snapshot(void *driver, struct err *err)
{
    struct kit *k = driver;
    k->snapshots_asked++;
    return k->snapshot_result == 0 ? 0 : err_set(err, k->snapshot_result, "refused");
}

static inline int kit_restore(void *driver, const char *path, struct err *err)
{
    struct kit *k = driver;
    k->restores_asked++;
    snprintf(k->restored_path, sizeof k->restored_path, "%s", path);
    return k->restore_result == 0 ? 0 : err_set(err, k->restore_result, "refused");
}

/* One event; what it makes durable is durable at once. */
static inline void kit_step(struct kit *k, struct node_event ev)
{
    ev.now_ns = k->now_ms * 1000000;
    ev.wall_ms = k->now_ms + KIT_WALL_MS;
    effects_clear(&k->fx);
    node_step(k->info.node, &ev, &k->fx);
    uint64_t ticket = 0;
    for (size_t i = 0; i < k->fx.persist_count; i++) {
        if (k->fx.persists[i].ticket > ticket)
            ticket = k->fx.persists[i].ticket;
    }
    if (ticket > 0)
        kit_step(k, (struct node_event){.type = NODE_DURABLE, .ticket = ticket});
}

static inline void kit_frame(struct kit *k, uint64_t client, struct buf *frame)
{
    kit_step(k, (struct node_event){
                    .type = NODE_CLIENT_FRAME, .client = client, .frame = buf_slice(frame)});
    buf_deinit(frame);
}

/* Opens a connection and its session; the session's id. */
static inline int64_t kit_connect(struct kit *k, uint64_t client, int32_t timeout_ms)
{
    struct node_event open = {.type = NODE_CLIENT_OPEN, .client = client};
    open.open.address = slice_str("127.0.0.1");
    kit_step(k, open);
    struct buf frame = {0};
    struct rec_connect_request req = {.time_out = timeout_ms,
                                      .passwd = slice_of("0123456789abcdef", 16)};
    rec_put_connect_request(&frame, &req);
    kit_frame(k, client, &frame);
    struct node_client_view view;
    assert_true(node_client(k->info.node, client, &view));
    assert_true(view.session_id != 0);
    return view.session_id;
}

static inline void kit_begin(struct buf *frame, int32_t xid, int32_t op)
{
    *frame = (struct buf){0};
    rec_put_request_header(frame, &(struct rec_request_header){xid, op});
}

static inline void kit_create(struct kit *k, uint64_t client, const char *path, const char *data,
                              int32_t flags)
{
    struct buf acl = {0}, frame;
    rec_put_acl(&acl, &(struct rec_acl){.perms = ZK_PERM_ALL,
                                        .id = {slice_str("world"), slice_str("anyone")}});
    kit_begin(&frame, 7, ZK_OP_CREATE);
    struct rec_create_request req = {.path = slice_str(path),
                                     .data = slice_str(data),
                                     .acl = {1, buf_slice(&acl)},
                                     .flags = flags};
    rec_put_create_request(&frame, &req);
    buf_deinit(&acl);
    kit_frame(k, client, &frame);
}

static inline void kit_get_data(struct kit *k, uint64_t client, const char *path, bool watch)
{
    struct buf frame;
    kit_begin(&frame, 8, ZK_OP_GET_DATA);
    rec_put_get_data_request(&frame, &(struct rec_get_data_request){slice_str(path), watch});
    kit_frame(k, client, &frame);
}

static inline struct kit *kit_create_server(void)
{
    struct kit *k = calloc(1, sizeof *k);
    assert_non_null(k);
    k->now_ms = 50000;
    snprintf(k->dir, sizeof k->dir, "/tmp/caucus-window-XXXXXX");
    assert_non_null(mkdtemp(k->dir));

    struct tree *tree = tree_create(&(struct tree_options){.hash_seed = 7, .digest_enabled = true});
    struct node_options options = {
        .seed = 1,
        .tick_ms = 1000,
        .session_timeout_min_ms = 2000,
        .session_timeout_max_ms = 20000,
        .frame_bytes_max = 1 << 20,
        .snap_count = 100000,
        .outstanding_max = 1000,
        .digest_auth_enabled = true,
        .super_digest = "super:terces:repus",
        .digest = kit_digest,
    };
    k->info = (struct server_info){
        .conf = {.client_port = 2181,
                 .secure_client_port = -1,
                 .snap_dir = k->dir,
                 .log_dir = k->dir,
                 .tick_time_ms = 1000,
                 .client_cnxns_max = 60,
                 .session_timeout_min_ms = 2000,
                 .session_timeout_max_ms = 20000,
                 .client_port_listen_backlog = -1,
                 .server_id = 3,
                 .whitelist = "*",
                 .text = "clientPort=2181\ntickTime=1000",
                 .admin_snapshot_enabled = true,
                 .admin_restore_enabled = true,
                 .serialize_last_zxid = true},
        .node = node_create(&options, tree, NULL, 0, k->now_ms * 1000000),
        .started_ms = 40000,
        .trace_mask = SERVER_TRACE_MASK_DEFAULT,
        .last_snapshot_zxid = -1,
        .last_snapshot_wall_s = -1,
        .driver = k,
        .now_ms = kit_now_ms,
        .wall_ms = kit_wall_ms,
        .connection_count = kit_connection_count,
        .peer = kit_peer,
        .not_ready = kit_not_ready,
        .snapshot = kit_snapshot,
        .restore = kit_restore,
    };
    return k;
}

static inline void kit_free(struct kit *k)
{
    effects_deinit(&k->fx);
    node_free(k->info.node);
    unlink(k->restored_path); /* of a restore that nobody has ended */
    assert_int_equal(rmdir(k->dir), 0);
    free(k);
}

static inline int kit_setup(void **state)
{
    *state = kit_create_server();
    return 0;
}

static inline int kit_teardown(void **state)
{
    kit_free(*state);
    return 0;
}

/* The buffer as text, for assert_string_equal. */
static inline const char *kit_text(struct buf *b)
{
    buf_put_u8(b, 0);
    b->len--;
    return (const char *)b->ptr;
}

#endif
