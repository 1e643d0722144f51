/* calls.c: what users ask: queues, xids, answers, and the watches behind them. */
#include <stdlib.h>

#include "base/mem.h"
#include "client/outcome.h"
#include "client/session_internal.h"
#include "wire/records.h"

/* ---- Watches ---- */

void csession_news(void *arg, caucus_watch_fn *watch, void *context, bool last)
{
    const struct cnews *news = arg;
    struct note_watch *n = note_watch_new(watch, context, news->type, news->path, news->zxid, last);
    list_append(&news->s->notes, &n->note.list);
}

void csession_drop_watches(struct csession *s)
{
    struct cwatch_path *p;
    while ((p = cwatch_take(&s->watches)) != NULL) {
        struct cnews news = {s, CAUCUS_WATCH_LOST,
                             chroot_strip(s->config.chroot, cwatch_path_of(p)), -1};
        for (int t = 0; t < CWATCH_TABLES; t++)
            for (const struct cwatcher *i = p->watchers[t]; i != NULL; i = i->next)
                csession_news(&news, i->watch, i->context, true);
        cwatch_path_free(p);
    }
}

static void tell_missed(void *arg, struct slice path, caucus_watch_fn *watch, void *context)
{
    struct csession *s = arg;
    struct cnews news = {s, CAUCUS_WATCH_REARMED, chroot_strip(s->config.chroot, path), -1};
    csession_news(&news, watch, context, false);
}

void csession_hold_events(struct csession *s, bool hold)
{
    if (s->watches.holds && !hold)
        cwatch_let_go(&s->watches, tell_missed, s);
    s->watches.holds = hold;
}

static size_t watches_meant(const struct csession *s, const struct call *c)
{
    return cwatch_matching(&s->watches, c->watch_kind, c->path, c->watch, c->watch_context);
}

static void remove_watches(struct csession *s, const struct call *c)
{
    struct cnews news = {s, CAUCUS_WATCH_REMOVED, chroot_strip(s->config.chroot, c->path), -1};
    cwatch_remove(&s->watches, c->watch_kind, c->path, c->watch, c->watch_context, csession_news,
                  &news);
}

/* ---- Answers ---- */

void csession_answer(struct csession *s, struct call *c, int rc)
{
    list_remove(&c->note.list);
    if (c->op == ZK_OP_REMOVE_WATCHES && c->local && rc != CAUCUS_OK && watches_meant(s, c) > 0) {
        remove_watches(s, c);
        rc = CAUCUS_OK;
        if (c->result != NULL)
            c->result->rc = rc;
    }
    if (c->result == NULL)
        c->result = outcome_of(rc, 0);
    list_append(&s->notes, &c->note.list);
}

void csession_answer_all(struct csession *s, struct list *calls, int rc)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL)
        csession_answer(s, call_entry(node), rc);
}

/* Calls for an identity wait beside the others: the identity stays, whether its caller does or not.
 */
static struct cauth *first_waiting_auth(const struct csession *s)
{
    for (struct list *i = s->auths.next; s->phase != CPHASE_UP && i != &s->auths; i = i->next)
        if (auth_entry(i)->call != NULL)
            return auth_entry(i);
    return NULL;
}

int64_t csession_waiting_deadline(const struct csession *s)
{
    const struct cauth *a = first_waiting_auth(s);
    int64_t auth_ns = a != NULL ? a->call->deadline_ns : INT64_MAX;
    int64_t call_ns =
        list_is_empty(&s->waiting) ? INT64_MAX : call_entry(s->waiting.next)->deadline_ns;
    return auth_ns < call_ns ? auth_ns : call_ns;
}

void csession_expire_waiting(struct csession *s, int64_t now_ns)
{
    while (!list_is_empty(&s->waiting) && call_entry(s->waiting.next)->deadline_ns <= now_ns)
        csession_answer(s, call_entry(s->waiting.next), CAUCUS_OPERATIONTIMEOUT);
    struct cauth *a;
    while ((a = first_waiting_auth(s)) != NULL && a->call->deadline_ns <= now_ns) {
        csession_answer(s, a->call, CAUCUS_OPERATIONTIMEOUT);
        a->call = NULL;
    }
}

/* ---- Sending ---- */

int32_t csession_next_xid(struct csession *s)
{
    s->xid = s->xid < INT32_MAX ? s->xid + 1 : 1;
    return s->xid;
}

/* Other callbacks behind the same watch of the server must keep it. */
static void spare_the_others(struct csession *s, struct call *c)
{
    size_t all = cwatch_matching(&s->watches, c->watch_kind, c->path, NULL, NULL);
    if (c->watch != NULL && all > watches_meant(s, c))
        call_only_check(c);
}

void csession_send(struct csession *s, int64_t now_ns, struct call *c)
{
    if (c->op == ZK_OP_REMOVE_WATCHES)
        spare_the_others(s, c);
    store_be32(c->frame.ptr + CALL_XID_AT, (uint32_t)csession_next_xid(s));
    buf_put_slice(&s->out, buf_slice(&c->frame));
    c->sent_ns = now_ns;
    s->sent_ns = now_ns;
    list_append(&s->flying, &c->note.list);
}

void csession_send_waiting(struct csession *s, int64_t now_ns)
{
    struct list *node;
    while ((node = list_take(&s->waiting)) != NULL)
        csession_send(s, now_ns, call_entry(node));
}

void csession_send_ping(struct csession *s, int64_t now_ns)
{
    buf_put_i32(&s->out, 8);
    rec_put_request_header(&s->out, &(struct rec_request_header){ZK_XID_PING, ZK_OP_PING});
    s->sent_ns = now_ns;
    s->ping_ns = now_ns;
}

/* ---- Submitting ---- */

static void submit_auth(struct csession *s, int64_t now_ns, struct call *c)
{
    size_t count = 0;
    for (struct list *i = s->auths.next; i != &s->auths; i = i->next)
        count++;
    if (count >= CSESSION_AUTHS_MAX) {
        csession_answer(s, c, CAUCUS_BUSY);
        return;
    }

    struct cauth *a = mem_calloc(1, sizeof(*a));
    a->frame = slice_of(mem_dup(c->frame.ptr, c->frame.len), c->frame.len);
    a->call = c;
    c->deadline_ns = now_ns + (int64_t)s->timeout_ms * MS_NS;
    list_append(&s->auths, &a->list);
    if (s->phase != CPHASE_UP)
        return; /* it is presented with the others */
    if (s->auth_unheard == &s->auths)
        s->auth_unheard = &a->list;
    buf_put_slice(&s->out, a->frame);
    s->sent_ns = now_ns;
}

/* Without a connection no server has a watch of ours. */
static void remove_watches_unconnected(struct csession *s, struct call *c)
{
    int rc = watches_meant(s, c) > 0 ? CAUCUS_OK : CAUCUS_NOWATCHER;
    remove_watches(s, c);
    csession_answer(s, c, rc);
}

void csession_submit(struct csession *s, int64_t now_ns, struct call *c)
{
    if (s->refusal != CAUCUS_OK) {
        csession_answer(s, c, s->refusal);
    } else if (c->op == ZK_OP_AUTH) {
        submit_auth(s, now_ns, c);
    } else if (s->phase == CPHASE_UP) {
        csession_send(s, now_ns, c);
    } else if (c->op == ZK_OP_REMOVE_WATCHES) {
        remove_watches_unconnected(s, c);
    } else {
        c->deadline_ns = now_ns + (int64_t)s->timeout_ms * MS_NS;
        list_append(&s->waiting, &c->note.list);
    }
}
