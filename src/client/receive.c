/* receive.c: what servers say: answers, events, pings. */
#include "client/outcome.h"
#include "client/session_internal.h"
#include "wire/records.h"

/* The server had a request that we sent at that time. */
static void note_alive(struct csession *s, int64_t sent_ns)
{
    if (!s->read_only && sent_ns > s->answered_ns)
        s->answered_ns = sent_ns;
}

/* ---- Events ---- */

static void on_event(struct csession *s, int64_t now_ns, int64_t zxid, struct dec *body)
{
    struct rec_watcher_event e;
    if (!rec_get_watcher_event(body, &e)) {
        csession_fail_link(s, now_ns, "an event of the server is malformed");
        return;
    }
    if (e.type < CAUCUS_NODE_CREATED || e.type > CAUCUS_NODE_CHILDREN_CHANGED)
        return; /* not about a node */
    struct cnews news = {s, (enum caucus_event_type)e.type, chroot_strip(s->config.chroot, e.path),
                         zxid};
    cwatch_fire(&s->watches, news.type, e.path, csession_news, &news);
}

/* ---- Watches that an answer sets ---- */

static enum cwatch_table table_of(const struct call *c, int rc)
{
    switch (c->op) {
    case ZK_OP_EXISTS:
        return rc == CAUCUS_OK ? CWATCH_DATA : CWATCH_EXIST;
    case ZK_OP_GET_DATA:
        return CWATCH_DATA;
    case ZK_OP_ADD_WATCH:
        return c->watch_mode == CAUCUS_WATCH_PERSISTENT ? CWATCH_PERSISTENT : CWATCH_RECURSIVE;
    default:
        return CWATCH_CHILD;
    }
}

static void set_watch(struct csession *s, const struct call *c, int rc)
{
    bool is_set = rc == CAUCUS_OK || (c->op == ZK_OP_EXISTS && rc == CAUCUS_NONODE);
    if (is_set)
        cwatch_add(&s->watches, table_of(c, rc), c->path, c->watch, c->watch_context);
}

/* The server has removed its watch; if callbacks came to stand behind it meanwhile, it is wanted
 * again. */
static void removed_watches(struct csession *s, const struct call *c)
{
    struct cnews news = {s, CAUCUS_WATCH_REMOVED, chroot_strip(s->config.chroot, c->path), -1};
    cwatch_remove(&s->watches, c->watch_kind, c->path, c->watch, c->watch_context, csession_news,
                  &news);
    if (cwatch_matching(&s->watches, c->watch_kind, c->path, NULL, NULL) > 0)
        csession_rearm_path(s, c->path);
}

/* ---- Answers ---- */

static void on_answer(struct csession *s, int64_t now_ns, const struct rec_reply_header *h,
                      struct dec *body)
{
    struct call *c = list_is_empty(&s->flying) ? NULL : call_entry(s->flying.next);
    if (c == NULL || (int32_t)load_be32(c->frame.ptr + CALL_XID_AT) != h->xid) {
        csession_fail_link(s, now_ns, "the server answered a request that is not the next one");
        return;
    }
    note_alive(s, c->sent_ns);
    if (h->zxid > 0)
        s->last_zxid = h->zxid;
    if (s->rearms_unheard == 0)
        s->rearm_zxid = s->last_zxid;

    bool is_whole = true;
    if (h->err != CAUCUS_OK)
        c->result = outcome_of(h->err, h->zxid);
    else
        is_whole = outcome_read(c, s->config.chroot, h->zxid, body, &c->result);
    int rc = c->result->rc;
    if (c->op == ZK_OP_REMOVE_WATCHES && rc == CAUCUS_OK)
        removed_watches(s, c);
    else if (c->watch != NULL && c->op != ZK_OP_REMOVE_WATCHES)
        set_watch(s, c, rc);

    bool ends_session = c->op == ZK_OP_CLOSE_SESSION;
    csession_answer(s, c, rc);
    if (ends_session)
        csession_finish(s);
    else if (!is_whole)
        csession_fail_link(s, now_ns, "an answer of the server is malformed");
}

static void on_auth_answer(struct csession *s, int64_t now_ns, int err)
{
    if (s->auth_unheard == &s->auths) {
        csession_fail_link(s, now_ns,
                           "the server answered an authentication that nobody asked for");
        return;
    }
    struct cauth *a = auth_entry(s->auth_unheard);
    s->auth_unheard = s->auth_unheard->next;
    struct call *c = a->call;
    a->call = NULL;
    if (c != NULL)
        csession_answer(s, c, err);
    if (err != CAUCUS_OK)
        csession_stop(s, CAUCUS_AUTHFAILED, CAUCUS_AUTH_FAILED, "the server refused an identity");
}

/* Persistent watches are told that they stand again, and that events may be missing. */
static void tell_rearmed(struct csession *s)
{
    if (s->watches.counts[CWATCH_PERSISTENT] + s->watches.counts[CWATCH_RECURSIVE] == 0)
        return; /* they may be many, and this may be asked for at each that is removed */
    for (struct list *i = s->watches.paths.next; i != &s->watches.paths; i = i->next) {
        const struct cwatch_path *p = list_entry(i, struct cwatch_path, list);
        struct cnews news = {s, CAUCUS_WATCH_REARMED,
                             chroot_strip(s->config.chroot, cwatch_path_of(p)), -1};
        for (int t = CWATCH_PERSISTENT; t <= CWATCH_RECURSIVE; t++)
            for (const struct cwatcher *w = p->watchers[t]; w != NULL; w = w->next)
                csession_news(&news, w->watch, w->context, false);
    }
}

static void on_rearmed(struct csession *s, int64_t now_ns, const struct rec_reply_header *h)
{
    if (s->rearms_unheard == 0 || h->err != CAUCUS_OK) {
        csession_fail_link(s, now_ns, "the server did not set watches again: error %ld",
                           (long)h->err);
        return;
    }
    if (--s->rearms_unheard > 0)
        return;
    s->rearm_zxid = s->last_zxid;
    tell_rearmed(s);
}

static void on_pong(struct csession *s)
{
    if (s->ping_ns != 0)
        note_alive(s, s->ping_ns);
    s->ping_ns = 0;
}

static void on_reply(struct csession *s, int64_t now_ns, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_reply_header h;
    if (!rec_get_reply_header(&d, &h)) {
        csession_fail_link(s, now_ns, "a frame of the server is malformed");
        return;
    }
    if (!s->read_only)
        s->real_heard_ns = now_ns;
    switch (h.xid) {
    case ZK_XID_NOTIFICATION:
        on_event(s, now_ns, h.zxid, &d);
        break;
    case ZK_XID_PING:
        on_pong(s);
        break;
    case ZK_XID_AUTH:
        on_auth_answer(s, now_ns, h.err);
        break;
    case ZK_XID_SET_WATCHES:
        on_rearmed(s, now_ns, &h);
        break;
    default:
        on_answer(s, now_ns, &h, &d);
        break;
    }
}

void csession_frame(struct csession *s, int64_t now_ns, struct slice frame)
{
    if (s->phase == CPHASE_HANDSHAKE)
        csession_greeted(s, now_ns, frame);
    else if (s->phase == CPHASE_SASL)
        csession_sasl_frame(s, now_ns, frame);
    else
        on_reply(s, now_ns, frame);
}
