#include "client_io/handle.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/mem.h"
#include "client/outcome.h"
#include "client_io/process.h"

/* ---- Making ---- */

static uint64_t seed_of(const struct caucus_options *o)
{
    uint64_t seed = o->seed;
    if (seed == 0 && getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed))
        seed = (uint64_t)engine_now_ns();
    return seed;
}

static struct csession_config config_of(const struct caucus *c, const struct caucus_options *o)
{
    struct csession_config config = {
        .host_count = c->hosts.count,
        .timeout_ms =
            o->session_timeout_ms != 0 ? o->session_timeout_ms : CSESSION_TIMEOUT_MS_DEFAULT,
        .read_only = o->read_only,
        .stop_when_lost = o->stop_when_lost,
        .sasl = o->sasl != NULL,
        .session_id = o->session_id,
        .chroot = c->scope.chroot,
        .response_bytes_max =
            o->response_bytes_max != 0 ? o->response_bytes_max : RESPONSE_BYTES_MAX_DEFAULT,
        .seed = seed_of(o),
    };
    memcpy(config.password, o->session_password, sizeof(config.password));
    return config;
}

static int tls_of(const struct caucus_tls *t, struct tls_context **ret)
{
    if (t == NULL)
        return 0;
    struct tls_client_options o = {
        .ca_file = t->ca_file,
        .ca_folder = t->ca_folder,
        .certificate_file = t->certificate_file,
        .key_file = t->key_file,
        .key_password = t->key_password,
        .any_host = t->any_host,
    };
    struct err err = {""};
    if (tls_client_context(&o, ret, &err) == 0)
        return 0;
    if (t->ret_trouble != NULL && t->trouble_bytes > 0)
        snprintf(t->ret_trouble, t->trouble_bytes, "%s", err.text);
    return CAUCUS_BADTLS;
}

static int sasl_of(const struct caucus_sasl *s, struct sasl_identity **ret)
{
    struct err err = {""};
    if (s == NULL || sasl_identity_new(s, ret, &err) == 0)
        return 0;
    if (s->ret_trouble != NULL && s->trouble_bytes > 0)
        snprintf(s->ret_trouble, s->trouble_bytes, "%s", err.text);
    return CAUCUS_BADSASL;
}

static const struct caucus_options options_none;

int handle_new(const char *hosts, const struct caucus_options *options, struct caucus **ret)
{
    const struct caucus_options *o = options != NULL ? options : &options_none;
    if (o->session_timeout_ms < 0 || o->request_bytes_max > INT32_MAX ||
        o->response_bytes_max > INT32_MAX)
        return CAUCUS_BADARGUMENTS;
    if (process_begin() != 0)
        return CAUCUS_NORESOURCES;
    struct caucus *c = mem_calloc(1, sizeof(*c));
    c->process = process_number();
    int rc = hosts_parse(hosts, &c->hosts);
    if (rc != 0) {
        free(c);
        return rc;
    }
    c->scope.chroot = slice_str(c->hosts.chroot);
    c->scope.request_bytes_max =
        o->request_bytes_max != 0 ? o->request_bytes_max : ZK_FRAME_BYTES_MAX_DEFAULT;
    c->requests_max = o->requests_max != 0 ? o->requests_max : REQUESTS_MAX_DEFAULT;

    struct csession_config config = config_of(c, o);
    rc = tls_of(o->tls, &c->tls);
    if (rc == 0)
        rc = sasl_of(o->sasl, &c->sasl);
    if (rc == 0)
        rc = engine_init(&c->engine, &config, &c->hosts, c->tls, c->sasl);
    if (rc != 0) {
        sasl_identity_free(c->sasl);
        tls_context_free(c->tls);
        hosts_deinit(&c->hosts);
        free(c);
        return rc;
    }
    pthread_mutex_init(&c->drive, NULL);
    pthread_mutex_init(&c->lock, NULL);
    pthread_mutex_init(&c->events_lock, NULL);
    pthread_cond_init(&c->events_came, NULL);
    list_init(&c->inbox);
    list_init(&c->events);
    list_init(&c->laters);
    listeners_init(&c->listeners);
    if (o->on_state != NULL)
        listeners_add(&c->listeners, o->on_state, o->on_state_context);
    *ret = c;
    return 0;
}

void handle_free(struct caucus *c)
{
    /* Threads on their way out of the inbox. */
    while (atomic_load(&c->entered) > 0)
        sched_yield();
    engine_deinit(&c->engine);
    tls_context_free(c->tls);
    sasl_identity_free(c->sasl);
    listeners_deinit(&c->listeners);
    pthread_cond_destroy(&c->events_came);
    pthread_mutex_destroy(&c->events_lock);
    pthread_mutex_destroy(&c->lock);
    pthread_mutex_destroy(&c->drive);
    hosts_deinit(&c->hosts);
    free(c);
}

bool handle_is_foreign(const struct caucus *c)
{
    return c->process != process_number();
}

/* ---- Calls in ---- */

const struct call_scope *handle_enter(struct caucus *c)
{
    atomic_fetch_add(&c->entered, 1);
    return &c->scope;
}

void handle_leave(struct caucus *c)
{
    atomic_fetch_sub(&c->entered, 1);
}

/* Returns what refuses the note, or 0 when it is in the inbox. */
static int inbox_put(struct caucus *c, struct note *n, bool may_wake)
{
    pthread_mutex_lock(&c->lock);
    /* Time goes on without a session. */
    int rc = n->kind == NOTE_RUN && c->refusal != CAUCUS_CLOSING ? 0 : c->refusal;
    if (rc == 0)
        list_append(&c->inbox, &n->list);
    bool wakes = rc == 0 && may_wake && c->io_sleeps;
    c->io_sleeps &= !wakes;
    pthread_mutex_unlock(&c->lock);
    if (wakes)
        engine_wake(&c->engine);
    return rc;
}

/* Room for one more request, until its callback has returned. */
static bool reserve(struct caucus *c, const struct call *call)
{
    size_t count = atomic_fetch_add(&c->pending, 1);
    size_t bytes = atomic_fetch_add(&c->pending_bytes, call->frame.len);
    return count < c->requests_max && bytes < REQUESTS_BYTES_MAX;
}

void handle_release(struct caucus *c, struct call *call)
{
    atomic_fetch_sub(&c->pending_bytes, call->frame.len);
    atomic_fetch_sub(&c->pending, 1);
    call_free(call);
}

/* At the end what the session itself has sent is released, too, and the count is wrong. */
static int why_no_room(struct caucus *c)
{
    pthread_mutex_lock(&c->lock);
    int rc = c->refusal != 0 ? c->refusal : CAUCUS_BUSY;
    pthread_mutex_unlock(&c->lock);
    return rc;
}

int handle_put(struct caucus *c, struct call *call, bool wakes)
{
    int rc = reserve(c, call) ? inbox_put(c, &call->note, wakes) : why_no_room(c);
    if (rc != 0)
        handle_release(c, call);
    return rc;
}

int handle_start(struct caucus *c, int rc, struct call *call, caucus_done_fn *done, void *context)
{
    if (rc == 0 && handle_is_foreign(c)) {
        rc = CAUCUS_FORKED;
        call_free(call);
    } else if (rc == 0) {
        call->done = done;
        call->context = context;
        rc = handle_put(c, call, true);
    }
    handle_leave(c);
    return rc;
}

void handle_ask_end(struct caucus *c, enum handle_end end)
{
    handle_enter(c);
    pthread_mutex_lock(&c->lock);
    if (c->end == HANDLE_LIVES)
        c->end = end;
    c->refusal = CAUCUS_CLOSING;
    c->io_sleeps = false;
    pthread_mutex_unlock(&c->lock);
    engine_wake(&c->engine);
    handle_leave(c);
}

static void take_inbox(struct caucus *c, int64_t now_ns)
{
    struct list taken;
    list_init(&taken);
    pthread_mutex_lock(&c->lock);
    list_append_all(&taken, &c->inbox);
    enum handle_end end = c->end;
    pthread_mutex_unlock(&c->lock);

    struct list *node;
    while ((node = list_take(&taken)) != NULL) {
        if (note_of(node)->kind == NOTE_RUN)
            later_put(&c->laters, (struct later *)(void *)note_of(node));
        else
            csession_submit(c->engine.s, now_ns, call_of_note(note_of(node)));
    }
    bool is_new = end != HANDLE_LIVES && csession_refusal(c->engine.s) != CAUCUS_CLOSING;
    if (is_new && end == HANDLE_CLOSES)
        csession_close(c->engine.s, now_ns);
    else if (is_new)
        csession_finish(c->engine.s);
}

/* ---- Notes out ---- */

static void copy_status(struct caucus *c)
{
    struct caucus_session session;
    csession_describe(c->engine.s, &session);
    int refusal = csession_refusal(c->engine.s);
    pthread_mutex_lock(&c->lock);
    c->session = session;
    c->state = csession_state(c->engine.s);
    if (strcmp(c->trouble, csession_trouble(c->engine.s)) != 0)
        snprintf(c->trouble, sizeof(c->trouble), "%s", csession_trouble(c->engine.s));
    if (c->refusal != CAUCUS_CLOSING)
        c->refusal = refusal;
    pthread_mutex_unlock(&c->lock);
}

/* One-shot watches and answers are bounded by what was asked for; events of persistent watches are
 * not. */
static void bound_events(struct caucus *c)
{
    size_t behind = atomic_load(&c->behind);
    if (behind > EVENTS_HELD_AT)
        c->holds_events = true;
    else if (behind <= EVENTS_LET_GO_AT)
        c->holds_events = false;
    csession_hold_events(c->engine.s, c->holds_events);
}

/* Those that are due, and how many; all of them when the handle ends, before CLOSED, which is the
 * last note. */
static size_t take_laters(struct caucus *c, int64_t now_ns, struct list *events)
{
    bool ends = csession_state(c->engine.s) == CAUCUS_CLOSED;
    struct later *l;
    size_t count = 0;
    for (; (l = later_take_due(&c->laters, ends ? INT64_MAX : now_ns)) != NULL; count++)
        list_append(events, &l->note.list);
    c->engine.alarm_ns = later_next_ns(&c->laters);
    return count;
}

static void publish(struct caucus *c, int64_t now_ns)
{
    copy_status(c);
    bound_events(c);
    struct list *notes = csession_notes(c->engine.s);
    struct list events;
    list_init(&events);
    size_t count = take_laters(c, now_ns, &events);
    struct list *node;
    while ((node = list_take(notes)) != NULL) {
        struct note *n = note_of(node);
        if (n->kind == NOTE_ANSWER && call_of_note(n)->waiter != NULL) {
            handle_answer_waiter(c, call_of_note(n));
            continue;
        }
        list_append(&events, &n->list);
        count++;
    }
    if (count == 0)
        return;
    atomic_fetch_add(&c->behind, count);
    pthread_mutex_lock(&c->events_lock);
    list_append_all(&c->events, &events);
    pthread_cond_signal(&c->events_came);
    pthread_mutex_unlock(&c->events_lock);
    bound_events(c); /* before the next bytes are read */
}

bool handle_turn(struct caucus *c)
{
    int64_t now_ns = engine_now_ns();
    take_inbox(c, now_ns);
    engine_settle(&c->engine, now_ns);
    publish(c, now_ns);
    return csession_state(c->engine.s) != CAUCUS_CLOSED;
}

static void run_answer(struct caucus *c, struct call *call)
{
    if (call->done != NULL)
        call->done(call->context, call->result);
    handle_release(c, call);
}

static void run_later(struct later *l)
{
    l->run(l->context);
    free(l);
}

static void run_greeting(struct caucus *c)
{
    pthread_mutex_lock(&c->events_lock);
    c->greeting_waits = false;
    pthread_mutex_unlock(&c->events_lock);
    listeners_greet(&c->listeners, c);
}

void handle_run_note(struct caucus *c, struct note *n)
{
    if (n == &c->greeting) {
        run_greeting(c);
        return;
    }
    switch (n->kind) {
    case NOTE_ANSWER:
        run_answer(c, call_of_note(n));
        break;
    case NOTE_WATCH:
        note_watch_run((struct note_watch *)n);
        break;
    case NOTE_STATE:
        listeners_tell(&c->listeners, c, &((struct note_state *)n)->change);
        free(n);
        break;
    case NOTE_RUN:
        run_later((struct later *)(void *)n);
        break;
    }
    /* The I/O thread lets go of what it held when it wakes up the next time: now. */
    if (atomic_fetch_sub(&c->behind, 1) == EVENTS_LET_GO_AT + 1)
        engine_wake(&c->engine);
}

/* ---- What is so, and who listens ---- */

int caucus_run_at(struct caucus *c, int64_t at_ns, caucus_run_fn *run, void *context)
{
    if (run == NULL)
        return CAUCUS_BADARGUMENTS;
    if (handle_is_foreign(c))
        return CAUCUS_FORKED;
    handle_enter(c);
    struct later *l = later_new(at_ns, run, context);
    int rc = inbox_put(c, &l->note, true);
    if (rc != 0)
        free(l);
    handle_leave(c);
    return rc;
}

bool caucus_is_event_thread(struct caucus *c)
{
    return handle_is_event_thread(c);
}

int caucus_add_listener(struct caucus *c, caucus_state_fn *listener, void *context)
{
    if (listener == NULL)
        return CAUCUS_BADARGUMENTS;
    if (handle_is_foreign(c))
        return CAUCUS_FORKED;
    listeners_add(&c->listeners, listener, context);
    pthread_mutex_lock(&c->events_lock);
    if (!c->greeting_waits) {
        c->greeting_waits = true;
        list_append(&c->events, &c->greeting.list);
        pthread_cond_signal(&c->events_came);
    }
    pthread_mutex_unlock(&c->events_lock);
    if (!c->has_threads)
        engine_wake(&c->engine);
    return 0;
}

int caucus_remove_listener(struct caucus *c, caucus_state_fn *listener, void *context)
{
    if (handle_is_foreign(c))
        return CAUCUS_FORKED;
    return listeners_remove(&c->listeners, listener, context, handle_is_event_thread(c));
}

enum caucus_state caucus_get_state(struct caucus *c)
{
    if (handle_is_foreign(c))
        return CAUCUS_CLOSED;
    pthread_mutex_lock(&c->lock);
    enum caucus_state state = c->state;
    pthread_mutex_unlock(&c->lock);
    return state;
}

void caucus_get_session(struct caucus *c, struct caucus_session *ret)
{
    if (handle_is_foreign(c)) {
        *ret = (struct caucus_session){.id = 0};
        return;
    }
    pthread_mutex_lock(&c->lock);
    *ret = c->session;
    pthread_mutex_unlock(&c->lock);
}

static size_t copy_out(const char *text, char *ret, size_t bytes)
{
    if (bytes > 0)
        snprintf(ret, bytes, "%s", text);
    return strlen(text);
}

size_t caucus_get_trouble(struct caucus *c, char *ret, size_t bytes)
{
    if (handle_is_foreign(c))
        return copy_out(caucus_error_text(CAUCUS_FORKED), ret, bytes);
    pthread_mutex_lock(&c->lock);
    size_t len = copy_out(c->trouble, ret, bytes);
    pthread_mutex_unlock(&c->lock);
    return len;
}

int64_t caucus_now_ns(void)
{
    return engine_now_ns();
}
