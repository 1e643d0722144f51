/* client_kit.h: a session machine and a server of scripted bytes, for tests.
 *
 * Time is a number that the test moves. What the machine tells is written down as lines of text. */
#ifndef CAUCUS_UNIT_CLIENT_KIT_H
#define CAUCUS_UNIT_CLIENT_KIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buf.h"
#include "client/outcome.h"
#include "client/session.h"
#include "wire/frame.h"
#include "wire/records.h"

#define MS     INT64_C(1000000)
#define SECOND (1000 * MS)

struct kit {
    struct csession *s;
    struct call_scope scope;
    int64_t now;
    struct buf said; /* by the machine to its user */
    struct buf reply;
};

static const uint8_t kit_password[ZK_PASSWORD_BYTES] = "0123456789abcdef";

static inline struct csession_config kit_config(void)
{
    return (struct csession_config){
        .host_count = 3,
        .timeout_ms = 9000,
        .chroot = slice_str(""),
        .response_bytes_max = 1 << 20,
        .seed = 7,
    };
}

static inline void kit_start(struct kit *k, const struct csession_config *config)
{
    *k = (struct kit){.now = 100 * SECOND};
    k->scope = (struct call_scope){config->chroot, 0xfffff};
    k->s = csession_new(config, k->now);
}

static inline void kit_stop(struct kit *k)
{
    csession_free(k->s);
    buf_deinit(&k->said);
    buf_deinit(&k->reply);
}

/* ---- What the user hears ---- */

static inline void kit_done(void *context, const struct caucus_result *r)
{
    (void)context;
    (void)r;
}

static inline void kit_say_state(struct kit *k, const struct caucus_state_change *c)
{
    static const char *const names[] = {"CONNECTING", "CONNECTED", "SUSPENDED",   "RECONNECTED",
                                        "LOST",       "READ_ONLY", "AUTH_FAILED", "CLOSED"};
    buf_printf(&k->said, "%s%s\n", names[c->state], c->renewed ? " renewed" : "");
}

static inline void kit_say_watch(struct kit *k, const struct note_watch *n)
{
    static const char *const names[] = {"?",        "created", "deleted", "changed",
                                        "children", "removed", "lost",    "rearmed"};
    buf_printf(&k->said, "%s: %s %s%s\n", (const char *)n->context, names[n->event.type],
               n->event.path, n->event.last ? " (last)" : "");
}

/* An answer is named by the context of its call, a string. */
static inline void kit_say_answer(struct kit *k, const struct call *c)
{
    buf_printf(&k->said, "%s -> %d", c->context != NULL ? (const char *)c->context : "call",
               c->result->rc);
    if (c->result->path != NULL)
        buf_printf(&k->said, " %s", c->result->path);
    if (c->result->data != NULL)
        buf_printf(&k->said, " '%s'", (const char *)c->result->data);
    for (size_t i = 0; i < c->result->name_count; i++)
        buf_printf(&k->said, " %s", c->result->names[i]);
    buf_put_u8(&k->said, '\n');
}

static inline const char *kit_heard(struct kit *k)
{
    buf_clear(&k->said);
    struct list *notes = csession_notes(k->s);
    while (!list_is_empty(notes)) {
        struct note *n = note_of(notes->next);
        list_remove(&n->list);
        switch (n->kind) {
        case NOTE_ANSWER:
            kit_say_answer(k, call_of_note(n));
            call_free(call_of_note(n));
            break;
        case NOTE_WATCH:
            kit_say_watch(k, (struct note_watch *)n);
            free(n);
            break;
        case NOTE_STATE:
            kit_say_state(k, &((struct note_state *)n)->change);
            free(n);
            break;
        case NOTE_RUN:
            fail();
            break;
        }
    }
    buf_put_u8(&k->said, '\0');
    return (const char *)k->said.ptr;
}

#define kit_hears(k, text) assert_string_equal(kit_heard(k), text)

/* ---- The server ---- */

/* Everything the machine has written so far, taken. */
static inline void kit_written(struct kit *k, struct buf *ret)
{
    struct slice out = csession_output(k->s);
    buf_clear(ret);
    buf_put_slice(ret, out);
    csession_written(k->s, out.len);
}

/* How many frames with this operation are in what was written; the last one is shown. */
static inline size_t kit_count_op(const struct buf *written, int32_t op, struct slice *ret_last)
{
    size_t count = 0, at = 0;
    while (at + 12 <= written->len) {
        size_t len = load_be32(written->ptr + at);
        if ((int32_t)load_be32(written->ptr + at + 8) == op) {
            count++;
            *ret_last = slice_of(written->ptr + at + 4, len);
        }
        at += 4 + len;
    }
    return count;
}

static inline void kit_begin(struct kit *k)
{
    buf_clear(&k->reply);
    buf_put_i32(&k->reply, 0);
}

static inline void kit_send(struct kit *k)
{
    store_be32(k->reply.ptr, (uint32_t)(k->reply.len - 4));
    csession_received(k->s, k->now, buf_slice(&k->reply));
}

static inline void kit_greet_as(struct kit *k, int64_t id, int32_t timeout_ms, bool read_only)
{
    kit_begin(k);
    rec_put_connect_response(&k->reply, &(struct rec_connect_response){0, timeout_ms, id,
                                                                       slice_of(kit_password, 16),
                                                                       true, read_only});
    kit_send(k);
}

static inline void kit_header(struct kit *k, int32_t xid, int64_t zxid, int32_t err)
{
    kit_begin(k);
    rec_put_reply_header(&k->reply, &(struct rec_reply_header){xid, zxid, err});
}

static inline void kit_answer(struct kit *k, int32_t xid, int64_t zxid, int32_t err)
{
    kit_header(k, xid, zxid, err);
    kit_send(k);
}

static inline void kit_event(struct kit *k, int32_t type, const char *path, int64_t zxid)
{
    kit_header(k, ZK_XID_NOTIFICATION, zxid, 0);
    rec_put_watcher_event(
        &k->reply, &(struct rec_watcher_event){type, ZK_STATE_SYNC_CONNECTED, slice_str(path)});
    kit_send(k);
}

/* Time goes on to the machine's next deadline, or to `at`, whichever is first; true: the deadline.
 */
static inline bool kit_until(struct kit *k, int64_t at)
{
    int64_t deadline = csession_deadline(k->s);
    bool reached = deadline <= at;
    k->now = reached ? (deadline > k->now ? deadline : k->now) : at;
    if (reached)
        csession_tick(k->s, k->now);
    return reached;
}

static inline void kit_pass(struct kit *k, int64_t ns)
{
    int64_t at = k->now + ns;
    while (kit_until(k, at))
        ;
}

/* Until a connection is wanted. */
static inline struct csession_link kit_dial(struct kit *k)
{
    while (!csession_link(k->s).wanted)
        assert_true(kit_until(k, k->now + 10 * SECOND));
    return csession_link(k->s);
}

/* Until another one is wanted than now. */
static inline struct csession_link kit_redial(struct kit *k)
{
    uint64_t attempt = csession_link(k->s).attempt;
    while (!csession_link(k->s).wanted || csession_link(k->s).attempt == attempt)
        assert_true(kit_until(k, k->now + 10 * SECOND));
    return csession_link(k->s);
}

/* A connection with a session, and nothing else in the buffers. */
static inline void kit_connect_as(struct kit *k, int64_t id, bool read_only)
{
    kit_dial(k);
    csession_connected(k->s, k->now);
    csession_written(k->s, csession_output(k->s).len);
    kit_greet_as(k, id, 9000, read_only);
}

static inline void kit_connect(struct kit *k)
{
    kit_connect_as(k, 0x1234, false);
    kit_heard(k);
}

/* ---- The user ---- */

static inline void kit_watch(void *context, const struct caucus_event *event)
{
    (void)context;
    (void)event;
}

static inline void kit_submit(struct kit *k, int rc, struct call *c, const char *name)
{
    assert_int_equal(rc, 0);
    c->done = kit_done;
    c->context = (void *)(uintptr_t)name;
    csession_submit(k->s, k->now, c);
}

static inline void kit_get(struct kit *k, const char *path, const char *watch, const char *name)
{
    struct call *c = NULL;
    int rc = call_read(&k->scope, ZK_OP_GET_DATA, path, watch != NULL ? kit_watch : NULL,
                       (void *)(uintptr_t)watch, &c);
    kit_submit(k, rc, c, name);
}

static inline void kit_put_data(struct kit *k, const char *data)
{
    rec_put_get_data_response(&k->reply, &(struct rec_get_data_response){slice_str(data), {0}});
}

#endif
