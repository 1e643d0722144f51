/* client_toy.h: a server of one thread for tests of the client's drivers.
 *
 * Speaks just enough of the protocol: sessions, reads, pings, watches. Some paths are orders:
 *
 *   get /drop     the connection is closed instead of an answer
 *   get /stall    no answer
 *   get /freeze   no answer to this and anything else on the connection
 *   get /x        answered with the path as data
 *   set /x        answered, after an event NodeDataChanged for /x
 *   set /burst    likewise, after TOY_BURST of them
 *
 * What it counts can be read, and waited for, by the test. */
#ifndef CAUCUS_UNIT_CLIENT_TOY_H
#define CAUCUS_UNIT_CLIENT_TOY_H

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "wire/frame.h"
#include "wire/records.h"
#include "wire/zk.h"

enum {
    TOY_CONNECTIONS_MAX = 32,
    TOY_BURST = 150000
};

struct toy_connection {
    int fd;
    bool greeted, frozen;
    struct buf in, out;
};

struct toy {
    pthread_t thread;
    int listener;
    int stop[2]; /* a pipe */
    int port;
    char hosts[64];
    atomic_int timeout_ms;
    atomic_bool expires;   /* sessions that are taken up again are refused */
    atomic_bool read_only; /* likewise those of others get a read-only greeting */
    atomic_int greetings, pings, closes, gets, auths, rearms;
    pthread_mutex_t lock; /* of nothing but waiting for the counters */
    pthread_cond_t counted;
    struct toy_connection connections[TOY_CONNECTIONS_MAX];
};

static inline void toy_count(struct toy *t, atomic_int *counter)
{
    pthread_mutex_lock(&t->lock);
    atomic_fetch_add(counter, 1);
    pthread_cond_broadcast(&t->counted);
    pthread_mutex_unlock(&t->lock);
}

static inline void toy_wait(struct toy *t, const atomic_int *counter, int least)
{
    pthread_mutex_lock(&t->lock);
    while (atomic_load(counter) < least)
        pthread_cond_wait(&t->counted, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static inline void toy_drop(struct toy_connection *c)
{
    close(c->fd);
    c->fd = -1;
    buf_deinit(&c->in);
    buf_deinit(&c->out);
}

static inline size_t toy_begin(struct toy_connection *c, int32_t xid, int64_t zxid, int32_t err)
{
    size_t at = c->out.len;
    buf_put_i32(&c->out, 0);
    rec_put_reply_header(&c->out, &(struct rec_reply_header){xid, zxid, err});
    return at;
}

static inline void toy_end(struct toy_connection *c, size_t at)
{
    store_be32(c->out.ptr + at, (uint32_t)(c->out.len - at - 4));
}

static inline void toy_greet(struct toy *t, struct toy_connection *c, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_connect_request r = {0};
    rec_get_connect_request(&d, &r);
    bool refused = r.session_id != 0 && atomic_load(&t->expires);
    int64_t id = r.session_id != 0 ? r.session_id : 0x1000 + atomic_load(&t->greetings);
    toy_count(t, &t->greetings);
    int32_t timeout = atomic_load(&t->timeout_ms) != 0 ? atomic_load(&t->timeout_ms) : r.time_out;
    size_t at = c->out.len;
    buf_put_i32(&c->out, 0);
    rec_put_connect_response(
        &c->out, &(struct rec_connect_response){0, refused ? 0 : timeout, refused ? 0 : id,
                                                slice_str("0123456789abcdef"), true,
                                                atomic_load(&t->read_only)});
    toy_end(c, at);
    c->greeted = true;
}

/* False: the connection is to be closed. */
static inline bool toy_request(struct toy *t, struct toy_connection *c, struct slice frame)
{
    struct dec d = dec_of(frame);
    int32_t xid = dec_i32(&d), op = dec_i32(&d);
    size_t at;
    switch (op) {
    case ZK_OP_PING:
        toy_count(t, &t->pings);
        break;
    case ZK_OP_CLOSE_SESSION:
        toy_count(t, &t->closes);
        break;
    case ZK_OP_AUTH:
        toy_count(t, &t->auths);
        if (slice_eq_str((dec_i32(&d), dec_ustring(&d)), "bad")) {
            toy_end(c, toy_begin(c, ZK_XID_AUTH, 0, ZK_AUTHFAILED));
            return true;
        }
        break;
    case ZK_OP_SET_WATCHES:
    case ZK_OP_SET_WATCHES2:
        toy_count(t, &t->rearms);
        break;
    case ZK_OP_GET_DATA: {
        struct slice path = dec_ustring(&d);
        toy_count(t, &t->gets);
        if (slice_eq_str(path, "/drop"))
            return false;
        c->frozen |= slice_eq_str(path, "/freeze");
        if (slice_eq_str(path, "/stall") || c->frozen)
            return true;
        at = toy_begin(c, xid, 1, 0);
        rec_put_get_data_response(&c->out, &(struct rec_get_data_response){path, {0}});
        toy_end(c, at);
        return true;
    }
    case ZK_OP_SET_DATA: {
        struct slice path = dec_ustring(&d);
        for (int i = slice_eq_str(path, "/burst") ? TOY_BURST : 1; i > 0; i--) {
            at = toy_begin(c, ZK_XID_NOTIFICATION, 2, 0);
            rec_put_watcher_event(&c->out, &(struct rec_watcher_event){3, 3, path});
            toy_end(c, at);
        }
        at = toy_begin(c, xid, 2, 0);
        rec_put_set_data_response(&c->out, &(struct rec_set_data_response){{0}});
        toy_end(c, at);
        return true;
    }
    case ZK_OP_ADD_WATCH:
        at = toy_begin(c, xid, 1, 0);
        buf_put_i32(&c->out, 0);
        toy_end(c, at);
        return true;
    default:
        break;
    }
    toy_end(c, toy_begin(c, xid, 1, 0));
    return true;
}

static inline bool toy_frames(struct toy *t, struct toy_connection *c)
{
    struct slice bytes = buf_slice(&c->in), frame;
    bool stays = true;
    if (bytes.len == 4 && memcmp(bytes.ptr, "isro", 4) == 0) {
        buf_put_slice(&c->out, slice_str(atomic_load(&t->read_only) ? "ro" : "rw"));
        bytes.len = 0;
    }
    while (stays && frame_next(&bytes, 1 << 20, &frame) == FRAME_WHOLE) {
        if (c->frozen)
            continue;
        if (c->greeted)
            stays = toy_request(t, c, frame);
        else
            toy_greet(t, c, frame);
    }
    if (bytes.len > 0)
        memmove(c->in.ptr, bytes.ptr, bytes.len);
    c->in.len = bytes.len;
    return stays;
}

static inline void toy_serve(struct toy *t, struct toy_connection *c)
{
    uint8_t bytes[65536];
    ssize_t n = recv(c->fd, bytes, sizeof(bytes), 0);
    if (n <= 0) {
        toy_drop(c);
        return;
    }
    buf_put(&c->in, bytes, (size_t)n);
    bool stays = toy_frames(t, c);
    ssize_t sent = send(c->fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);
    buf_clear(&c->out);
    if (sent < 0 || !stays)
        toy_drop(c);
}

static inline void toy_accept(struct toy *t)
{
    int fd = accept(t->listener, NULL, NULL);
    for (int i = 0; fd >= 0 && i < TOY_CONNECTIONS_MAX; i++) {
        if (t->connections[i].fd < 0) {
            t->connections[i] = (struct toy_connection){.fd = fd};
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

static inline void *toy_run(void *arg)
{
    struct toy *t = arg;
    for (;;) {
        struct pollfd fds[TOY_CONNECTIONS_MAX + 2];
        fds[0] = (struct pollfd){t->stop[0], POLLIN, 0};
        fds[1] = (struct pollfd){t->listener, POLLIN, 0};
        for (int i = 0; i < TOY_CONNECTIONS_MAX; i++)
            fds[i + 2] = (struct pollfd){t->connections[i].fd, POLLIN, 0};
        poll(fds, TOY_CONNECTIONS_MAX + 2, -1);
        if (fds[0].revents != 0)
            break;
        for (int i = 0; i < TOY_CONNECTIONS_MAX; i++)
            if (fds[i + 2].revents != 0)
                toy_serve(t, &t->connections[i]);
        if (fds[1].revents != 0)
            toy_accept(t);
    }
    for (int i = 0; i < TOY_CONNECTIONS_MAX; i++)
        if (t->connections[i].fd >= 0)
            toy_drop(&t->connections[i]);
    close(t->listener);
    return NULL;
}

/* On the port it had before, if it had one. */
static inline void toy_start(struct toy *t)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)t->port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(t->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(t->listener, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(t->listener, 64) != 0 ||
        pipe(t->stop) != 0)
        abort();
    socklen_t bytes = sizeof(a);
    getsockname(t->listener, (struct sockaddr *)&a, &bytes);
    t->port = ntohs(a.sin_port);
    snprintf(t->hosts, sizeof(t->hosts), "127.0.0.1:%d", t->port);
    for (int i = 0; i < TOY_CONNECTIONS_MAX; i++)
        t->connections[i].fd = -1;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->counted, NULL);
    pthread_create(&t->thread, NULL, toy_run, t);
}

static inline void toy_stop(struct toy *t)
{
    close(t->stop[1]);
    pthread_join(t->thread, NULL);
    close(t->stop[0]);
    pthread_cond_destroy(&t->counted);
    pthread_mutex_destroy(&t->lock);
}

#endif
