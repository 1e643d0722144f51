/* session.c: the life of a session: connections that come and go, time, and the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "client/session_internal.h"
#include "wire/frame.h"

/* ---- Birth and death ---- */

uint64_t csession_random(struct csession *s)
{
    return hash_u64(s->random++, 0);
}

static void shuffle_hosts(struct csession *s)
{
    size_t count = s->config.host_count;
    for (size_t i = count; i > 1; i--) {
        size_t j = csession_random(s) % i;
        size_t swapped = s->order[i - 1];
        s->order[i - 1] = s->order[j];
        s->order[j] = swapped;
    }
    /* The host that has just failed does not begin the new round. */
    if (count > 1 && s->order[0] == s->host) {
        s->order[0] = s->order[count - 1];
        s->order[count - 1] = s->host;
    }
    s->order_at = 0;
}

struct csession *csession_new(const struct csession_config *config, int64_t now_ns)
{
    invariant(config->host_count > 0);
    struct csession *s = mem_calloc(1, sizeof(*s));
    s->config = *config;
    s->random = config->seed;
    s->timeout_ms = config->timeout_ms;
    s->id = config->session_id;
    s->is_real = s->id != 0;
    s->generation = s->is_real ? 1 : 0;
    memcpy(s->password, config->password, sizeof(s->password));
    s->real_heard_ns = now_ns;
    s->order = mem_calloc(config->host_count, sizeof(*s->order));
    for (size_t i = 0; i < config->host_count; i++)
        s->order[i] = i;
    s->host = config->host_count; /* none */
    shuffle_hosts(s);
    s->phase = CPHASE_WAIT;
    s->until_ns = now_ns;
    list_init(&s->waiting);
    list_init(&s->flying);
    list_init(&s->auths);
    list_init(&s->notes);
    s->auth_unheard = &s->auths;
    cwatch_init(&s->watches, csession_random(s));
    csession_tick(s, now_ns);
    return s;
}

static void free_auths(struct csession *s)
{
    struct list *node;
    while ((node = list_take(&s->auths)) != NULL) {
        struct cauth *a = auth_entry(node);
        call_free(a->call);
        free((void *)(uintptr_t)a->frame.ptr);
        free(a);
    }
}

static void free_calls(struct list *calls)
{
    struct list *node;
    while ((node = list_take(calls)) != NULL)
        call_free(call_entry(node));
}

void csession_free(struct csession *s)
{
    if (s == NULL)
        return;
    struct list *node;
    while ((node = list_take(&s->notes)) != NULL) {
        struct note *n = note_of(node);
        if (n->kind == NOTE_ANSWER)
            call_free(call_of_note(n));
        else
            free(n);
    }
    free_calls(&s->waiting);
    free_calls(&s->flying);
    free_auths(s);
    cwatch_deinit(&s->watches);
    buf_deinit(&s->in);
    buf_deinit(&s->out);
    buf_deinit(&s->sasl_challenge);
    free(s->order);
    free(s);
}

/* ---- States ---- */

void csession_enter(struct csession *s, enum caucus_state state, bool renewed, const char *reason)
{
    if (state == s->state && state != CAUCUS_READ_ONLY)
        return;
    s->state = state;
    struct caucus_state_change change = {
        .state = state,
        .session_id = s->id,
        .generation = s->generation,
        .renewed = renewed,
        .reason = reason,
    };
    list_append(&s->notes, &note_state_new(&change)->note.list);
}

void csession_stop(struct csession *s, int refusal, enum caucus_state state, const char *reason)
{
    s->phase = CPHASE_OVER;
    s->refusal = refusal;
    s->probing = false;
    buf_clear(&s->out);
    s->out_at = 0;
    bool is_last = state == CAUCUS_CLOSED;
    if (!is_last)
        csession_enter(s, state, false, reason);
    csession_answer_all(s, &s->flying, refusal);
    csession_answer_all(s, &s->waiting, refusal);
    for (struct list *i = s->auths.next; i != &s->auths; i = i->next) {
        struct cauth *a = auth_entry(i);
        if (a->call != NULL)
            csession_answer(s, a->call, refusal);
        a->call = NULL;
    }
    csession_drop_watches(s);
    if (is_last)
        csession_enter(s, state, false, reason);
}

static void forget_session(struct csession *s, int64_t now_ns)
{
    s->id = 0;
    s->is_real = false;
    s->renewed = false;
    memset(s->password, 0, sizeof(s->password));
    s->timeout_ms = s->config.timeout_ms;
    s->last_zxid = 0;
    s->rearm_zxid = 0;
    s->real_heard_ns = now_ns;
    s->answered_ns = 0;
}

/* The link's end, as far as calls and the machine's memory of it go. */
static void drop_link(struct csession *s)
{
    buf_clear(&s->in);
    buf_clear(&s->out);
    s->out_at = 0;
    s->ping_ns = 0;
    s->rearms_unheard = 0;
    s->auth_unheard = &s->auths;
    s->probing = false;
    s->sasl_wanted = false;
}

static void wait_for(struct csession *s, int64_t now_ns, int64_t pause_ns)
{
    s->phase = CPHASE_WAIT;
    s->phase_ns = now_ns;
    s->until_ns = now_ns + pause_ns;
}

void csession_lose(struct csession *s, int64_t now_ns, const char *reason)
{
    drop_link(s);
    if (s->config.stop_when_lost) {
        csession_stop(s, CAUCUS_SESSIONEXPIRED, CAUCUS_LOST, reason);
        forget_session(s, now_ns);
        return;
    }
    csession_enter(s, CAUCUS_LOST, false, reason);
    forget_session(s, now_ns);
    csession_answer_all(s, &s->flying, CAUCUS_SESSIONEXPIRED);
    csession_answer_all(s, &s->waiting, CAUCUS_SESSIONEXPIRED);
    csession_drop_watches(s);
    wait_for(s, now_ns, 0);
}

/* ---- Connections ---- */

/* Uniform in [pause / 2, pause], where pause doubles with each round over all hosts; a moment
 * within a round. Always well below the session's timeout. */
static int64_t pause_ns(struct csession *s)
{
    size_t rounds = s->failures / s->config.host_count;
    int64_t most_ms = DIAL_SPREAD_MS;
    if (rounds > 0) {
        most_ms = (int64_t)BACKOFF_MS_MIN << (rounds < 8 ? rounds - 1 : 7);
        int64_t cap_ms = s->timeout_ms / 4;
        if (cap_ms > BACKOFF_MS_MAX)
            cap_ms = BACKOFF_MS_MAX;
        if (most_ms > cap_ms)
            most_ms = cap_ms > DIAL_SPREAD_MS ? cap_ms : DIAL_SPREAD_MS;
    }
    int64_t least_ns = rounds > 0 ? most_ms * MS_NS / 2 : 0;
    uint64_t range_ns = (uint64_t)(most_ms * MS_NS - least_ns);
    return least_ns + (int64_t)(csession_random(s) % (range_ns + 1));
}

void csession_fail_link(struct csession *s, int64_t now_ns, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(s->trouble, sizeof(s->trouble), format, args);
    va_end(args);

    bool was_up = s->phase == CPHASE_UP;
    if (was_up && now_ns - s->phase_ns >= STEADY_MS * MS_NS)
        s->failures = 0;
    else if (s->failures < UINT32_MAX)
        s->failures++;

    drop_link(s);
    wait_for(s, now_ns, pause_ns(s));
    if (s->closing) {
        csession_finish(s);
        return;
    }
    if (was_up) {
        csession_enter(s, CAUCUS_SUSPENDED, false, s->trouble);
        csession_answer_all(s, &s->flying, CAUCUS_CONNECTIONLOSS);
    }
}

/* The time for one host, so that all of them can be tried before the session is in danger. */
static int64_t dial_ns(const struct csession *s)
{
    int64_t ms = (int64_t)s->timeout_ms * 2 / 3 / (int64_t)s->config.host_count;
    return (ms > DIAL_TIMEOUT_MS_MIN ? ms : DIAL_TIMEOUT_MS_MIN) * MS_NS;
}

static void dial(struct csession *s, int64_t now_ns)
{
    if (!s->host_is_given) {
        if (s->order_at == s->config.host_count)
            shuffle_hosts(s);
        s->host = s->order[s->order_at++];
    }
    s->host_is_given = false;
    s->attempt++;
    s->phase = CPHASE_DIAL;
    s->phase_ns = now_ns;
    s->until_ns = now_ns + dial_ns(s);
}

void csession_connected(struct csession *s, int64_t now_ns)
{
    if (s->phase != CPHASE_DIAL)
        return;
    s->phase = CPHASE_HANDSHAKE;
    s->phase_ns = now_ns;
    /* The server may have to write the session to its disk first. */
    int64_t third_ns = (int64_t)s->timeout_ms * MS_NS / 3;
    s->until_ns = now_ns + (dial_ns(s) > third_ns ? dial_ns(s) : third_ns);
    csession_greet(s, now_ns);
}

static bool has_link(const struct csession *s)
{
    return s->phase != CPHASE_WAIT && s->phase != CPHASE_OVER;
}

void csession_disconnected(struct csession *s, int64_t now_ns, const char *why)
{
    if (has_link(s))
        csession_fail_link(s, now_ns, "%s", why);
}

static bool takes_bytes(const struct csession *s)
{
    return s->phase == CPHASE_HANDSHAKE || s->phase == CPHASE_SASL || s->phase == CPHASE_UP;
}

void csession_received(struct csession *s, int64_t now_ns, struct slice bytes)
{
    if (!takes_bytes(s))
        return;
    s->heard_ns = now_ns;
    if (s->in.len > 0) {
        buf_put_slice(&s->in, bytes);
        bytes = buf_slice(&s->in);
    }

    uint64_t attempt = s->attempt;
    enum frame_status status = FRAME_MORE;
    struct slice frame;
    while (takes_bytes(s) && s->attempt == attempt &&
           (status = frame_next(&bytes, s->config.response_bytes_max, &frame)) == FRAME_WHOLE)
        csession_frame(s, now_ns, frame);
    if (!takes_bytes(s) || s->attempt != attempt)
        return;
    if (status == FRAME_BAD) {
        csession_fail_link(s, now_ns, "the server announced a frame of %ld bytes",
                           (long)frame_length(bytes));
        return;
    }

    /* What is left is the beginning of a frame; it may lie in the buffer itself. */
    if (s->in.len == 0) {
        buf_put_slice(&s->in, bytes);
    } else {
        if (bytes.len > 0)
            memmove(s->in.ptr, bytes.ptr, bytes.len);
        s->in.len = bytes.len;
    }
}

void csession_written(struct csession *s, size_t bytes)
{
    s->out_at += bytes;
    if (s->out_at >= s->out.len) {
        buf_clear(&s->out);
        s->out_at = 0;
    }
}

/* ---- A server with quorum, from a read-only one ---- */

static void probe(struct csession *s, int64_t now_ns)
{
    s->probing = true;
    s->probe_attempt++;
    s->probe_host = csession_random(s) % s->config.host_count;
    s->probe_pause_ms = s->probe_pause_ms * 2 < PROBE_MS_MAX ? s->probe_pause_ms * 2 : PROBE_MS_MAX;
    s->probe_ns = now_ns + s->probe_pause_ms * MS_NS;
}

void csession_probed(struct csession *s, int64_t now_ns, bool has_quorum)
{
    if (!s->probing)
        return;
    s->probing = false;
    if (!has_quorum || s->phase != CPHASE_UP || !s->read_only)
        return;
    s->host = s->probe_host;
    s->host_is_given = true;
    csession_fail_link(s, now_ns, "another server has a quorum");
    s->until_ns = now_ns;
}

/* ---- Time ---- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t lost_ns(const struct csession *s)
{
    return s->is_real ? s->real_heard_ns + (int64_t)s->timeout_ms * MS_NS * 4 / 3 : INT64_MAX;
}

static int64_t silent_ns(const struct csession *s)
{
    return s->heard_ns + (int64_t)s->timeout_ms * MS_NS * 2 / 3;
}

static int64_t ping_ns(const struct csession *s)
{
    return s->ping_ns == 0 ? s->sent_ns + (int64_t)s->timeout_ms * MS_NS / 3 : INT64_MAX;
}

int64_t csession_deadline(const struct csession *s)
{
    int64_t next = INT64_MAX;
    if (s->phase == CPHASE_OVER)
        return next;
    next = earlier(next, lost_ns(s));
    if (s->phase != CPHASE_UP)
        next = earlier(next, s->until_ns);
    else
        next = earlier(next, earlier(silent_ns(s), ping_ns(s)));
    if (s->phase == CPHASE_UP && s->read_only)
        next = earlier(next, s->probe_ns);
    next = earlier(next, csession_waiting_deadline(s));
    return s->closing ? earlier(next, s->close_ns) : next;
}

static void tick_link(struct csession *s, int64_t now_ns)
{
    switch (s->phase) {
    case CPHASE_WAIT:
        if (now_ns >= s->until_ns)
            dial(s, now_ns);
        break;
    case CPHASE_DIAL:
        if (now_ns >= s->until_ns)
            csession_fail_link(s, now_ns, "no connection within %ld ms",
                               (long)((now_ns - s->phase_ns) / MS_NS));
        break;
    case CPHASE_HANDSHAKE:
        if (now_ns >= s->until_ns)
            csession_fail_link(s, now_ns, "no session within %ld ms",
                               (long)((now_ns - s->phase_ns) / MS_NS));
        break;
    case CPHASE_SASL:
        if (now_ns >= s->until_ns)
            csession_fail_link(s, now_ns, "SASL took more than %ld ms",
                               (long)((now_ns - s->phase_ns) / MS_NS));
        break;
    case CPHASE_UP:
        if (now_ns >= silent_ns(s))
            csession_fail_link(s, now_ns, "no answer for %ld ms",
                               (long)((now_ns - s->heard_ns) / MS_NS));
        else if (now_ns >= ping_ns(s))
            csession_send_ping(s, now_ns);
        if (s->phase == CPHASE_UP && s->read_only && now_ns >= s->probe_ns)
            probe(s, now_ns);
        break;
    case CPHASE_OVER:
        break;
    }
}

void csession_tick(struct csession *s, int64_t now_ns)
{
    if (s->phase == CPHASE_OVER)
        return;
    if (s->closing && now_ns >= s->close_ns) {
        csession_finish(s);
        return;
    }
    if (now_ns >= lost_ns(s)) {
        char reason[TROUBLE_BYTES];
        snprintf(reason, sizeof(reason), "no server with a quorum was heard for %ld ms",
                 (long)((now_ns - s->real_heard_ns) / MS_NS));
        if (s->phase == CPHASE_UP)
            csession_fail_link(s, now_ns, "%s", reason);
        if (s->phase != CPHASE_OVER)
            csession_lose(s, now_ns, reason);
    }
    csession_expire_waiting(s, now_ns);
    tick_link(s, now_ns);
}

/* ---- The end ---- */

void csession_close(struct csession *s, int64_t now_ns)
{
    if (s->closing || s->phase != CPHASE_UP) {
        csession_finish(s);
        return;
    }
    s->closing = true;
    s->refusal = CAUCUS_CLOSING;
    int64_t most_ms = s->timeout_ms / 3 < CLOSE_MS_MAX ? s->timeout_ms / 3 : CLOSE_MS_MAX;
    s->close_ns = now_ns + most_ms * MS_NS;
    csession_send(s, now_ns, call_close_session());
}

void csession_finish(struct csession *s)
{
    if (s->state == CAUCUS_CLOSED)
        return;
    s->closing = true;
    drop_link(s);
    csession_stop(s, CAUCUS_CLOSING, CAUCUS_CLOSED, "closed");
}

/* ---- What is wanted, and what is so ---- */

struct csession_link csession_link(const struct csession *s)
{
    return (struct csession_link){
        .wanted = has_link(s), .attempt = s->attempt, .host = s->host, .pick = s->attempt};
}

struct csession_probe csession_probe(const struct csession *s)
{
    return (struct csession_probe){
        .wanted = s->probing, .attempt = s->probe_attempt, .host = s->probe_host};
}

struct slice csession_output(const struct csession *s)
{
    return buf_part(&s->out, s->out_at, s->out.len - s->out_at);
}

struct list *csession_notes(struct csession *s)
{
    return &s->notes;
}

enum caucus_state csession_state(const struct csession *s)
{
    return s->state;
}

bool csession_is_over(const struct csession *s)
{
    return s->phase == CPHASE_OVER;
}

bool csession_is_up(const struct csession *s)
{
    return s->phase == CPHASE_UP;
}

bool csession_expects_news(const struct csession *s)
{
    bool expects_answers = !list_is_empty(&s->flying) || s->ping_ns != 0 || s->rearms_unheard > 0 ||
                           s->auth_unheard != &s->auths;
    return expects_answers || !list_is_empty(&s->watches.paths) || s->in.len > 0;
}

int csession_refusal(const struct csession *s)
{
    return s->refusal;
}

const char *csession_trouble(const struct csession *s)
{
    return s->trouble;
}

/* A server counts the timeout from when it has a request, which was not before we sent it. Of a
 * follower's sessions the leader learns up to half a tick later, and never if the follower dies
 * first: a quarter of the timeout is more than that (session.h: safe_until_ns). */
void csession_describe(const struct csession *s, struct caucus_session *ret)
{
    *ret = (struct caucus_session){
        .id = s->id,
        .timeout_ms = s->timeout_ms,
        .generation = s->generation,
        .last_zxid = s->last_zxid,
        .safe_until_ns =
            s->answered_ns != 0 ? s->answered_ns + (int64_t)s->timeout_ms * MS_NS * 3 / 4 : 0,
    };
    memcpy(ret->password, s->password, sizeof(ret->password));
}
