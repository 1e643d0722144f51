/* handshake.c: the begin of a connection: the session is asked for or taken up again, identities
 * are presented, watches set again, and then what waits is sent. */
#include "client/session_internal.h"
#include "wire/records.h"

/* ---- Frames of our own ---- */

static size_t frame_begin(struct buf *b)
{
    size_t at = b->len;
    buf_put_i32(b, 0);
    return at;
}

static void frame_end(struct buf *b, size_t at)
{
    store_be32(b->ptr + at, (uint32_t)(b->len - at - 4));
}

/* A session that only a read-only server gave us is nothing that another server knows. */
void csession_greet(struct csession *s, int64_t now_ns)
{
    size_t at = frame_begin(&s->out);
    rec_put_connect_request(&s->out,
                            &(struct rec_connect_request){
                                .last_zxid_seen = s->last_zxid,
                                .time_out = s->is_real ? s->timeout_ms : s->config.timeout_ms,
                                .session_id = s->is_real ? s->id : 0,
                                .passwd = slice_of(s->password, sizeof(s->password)),
                                .has_read_only = true,
                                .read_only = s->config.read_only,
                            });
    frame_end(&s->out, at);
    s->heard_ns = now_ns;
    s->sent_ns = now_ns;
}

/* ---- Watches, set again ---- */

enum {
    REARM_LISTS = CWATCH_TABLES
};

struct rearm {
    struct csession *s;
    struct buf lists[REARM_LISTS];
    int32_t counts[REARM_LISTS];
    size_t bytes;
};

static void rearm_send(struct rearm *r)
{
    struct csession *s = r->s;
    struct rec_vec v[REARM_LISTS];
    for (int i = 0; i < REARM_LISTS; i++)
        v[i] = (struct rec_vec){r->counts[i], buf_slice(&r->lists[i])};
    /* Servers before 3.6 do not know the second kind. */
    bool is_plain = r->counts[CWATCH_PERSISTENT] == 0 && r->counts[CWATCH_RECURSIVE] == 0;

    size_t at = frame_begin(&s->out);
    rec_put_request_header(
        &s->out, &(struct rec_request_header){ZK_XID_SET_WATCHES,
                                              is_plain ? ZK_OP_SET_WATCHES : ZK_OP_SET_WATCHES2});
    if (is_plain)
        rec_put_set_watches(&s->out, &(struct rec_set_watches){s->rearm_zxid, v[CWATCH_DATA],
                                                               v[CWATCH_EXIST], v[CWATCH_CHILD]});
    else
        rec_put_set_watches2(&s->out,
                             &(struct rec_set_watches2){s->rearm_zxid, v[CWATCH_DATA],
                                                        v[CWATCH_EXIST], v[CWATCH_CHILD],
                                                        v[CWATCH_PERSISTENT], v[CWATCH_RECURSIVE]});
    frame_end(&s->out, at);
    s->rearms_unheard++;

    for (int i = 0; i < REARM_LISTS; i++) {
        buf_clear(&r->lists[i]);
        r->counts[i] = 0;
    }
    r->bytes = 0;
}

static void rearm_add(struct rearm *r, const struct cwatch_path *p)
{
    for (int i = 0; i < REARM_LISTS; i++) {
        if (p->watchers[i] == NULL)
            continue;
        rec_put_slice(&r->lists[i], cwatch_path_of(p));
        r->counts[i]++;
        r->bytes += p->len + 4;
        if (r->bytes >= CSESSION_REARM_BYTES_MAX)
            rearm_send(r);
    }
}

static void rearm_end(struct rearm *r)
{
    if (r->bytes > 0)
        rearm_send(r);
    for (int i = 0; i < REARM_LISTS; i++)
        buf_deinit(&r->lists[i]);
}

static void rearm_all(struct csession *s)
{
    struct rearm r = {.s = s};
    for (struct list *i = s->watches.paths.next; i != &s->watches.paths; i = i->next)
        rearm_add(&r, list_entry(i, struct cwatch_path, list));
    rearm_end(&r);
}

void csession_rearm_path(struct csession *s, struct slice path)
{
    const struct cwatch_path *p = cwatch_find(&s->watches, path);
    if (p == NULL)
        return;
    struct rearm r = {.s = s};
    rearm_add(&r, p);
    rearm_end(&r);
}

/* ---- The answer ---- */

static void present_identities(struct csession *s)
{
    for (struct list *i = s->auths.next; i != &s->auths; i = i->next)
        buf_put_slice(&s->out, auth_entry(i)->frame);
    s->auth_unheard = s->auths.next;
}

static void begin_probing(struct csession *s, int64_t now_ns)
{
    s->probe_pause_ms = PROBE_MS_MIN;
    s->probe_ns = now_ns + PROBE_MS_MIN * MS_NS;
}

static void take_session(struct csession *s, int64_t now_ns, const struct rec_connect_response *r)
{
    s->renewed |= !s->is_real;
    s->id = r->session_id;
    memcpy(s->password, r->passwd.ptr, sizeof(s->password));
    s->timeout_ms = r->time_out;
    s->read_only = r->has_read_only && r->read_only;
    if (!s->read_only) {
        s->generation += !s->is_real;
        s->is_real = true;
        s->real_heard_ns = now_ns;
        s->answered_ns = s->sent_ns;
    }
}

static void enter_connected(struct csession *s)
{
    bool renewed = s->renewed;
    s->renewed = false;
    if (s->read_only)
        csession_enter(s, CAUCUS_READ_ONLY, false, "the server has no quorum");
    else if (s->generation == 1 && (renewed || s->state == CAUCUS_CONNECTING))
        csession_enter(s, CAUCUS_CONNECTED, renewed, "");
    else
        csession_enter(s, CAUCUS_RECONNECTED, renewed, "");
}

void csession_greeted(struct csession *s, int64_t now_ns, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_connect_response r;
    if (!rec_get_connect_response(&d, &r) || r.passwd.len != ZK_PASSWORD_BYTES) {
        csession_fail_link(s, now_ns, "the server's greeting is malformed");
        return;
    }
    bool is_refused = r.time_out <= 0 || r.session_id == 0;
    if (s->is_real && (is_refused || r.session_id != s->id)) {
        csession_lose(s, now_ns, "the server says that the session is over");
        return;
    }
    if (is_refused) {
        csession_fail_link(s, now_ns, "the server refused to begin a session");
        return;
    }
    if (r.has_read_only && r.read_only && !s->config.read_only) {
        csession_fail_link(s, now_ns, "the server is read-only");
        return;
    }

    take_session(s, now_ns, &r);
    if (s->config.sasl)
        csession_begin_sasl(s, now_ns);
    else
        csession_come_up(s, now_ns);
}

void csession_come_up(struct csession *s, int64_t now_ns)
{
    s->phase = CPHASE_UP;
    s->phase_ns = now_ns;
    s->trouble[0] = '\0';
    if (s->read_only)
        begin_probing(s, now_ns);
    enter_connected(s);
    present_identities(s);
    rearm_all(s);
    csession_send_waiting(s, now_ns);
}
