#include "election_rest/stream.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

enum {
    BURST_BYTES_MAX = 1 << 20
};

/* Bytes for one spectator or many. */
struct burst {
    size_t holders;
    struct buf bytes;
};

/* One spectator. Belongs to its response, which lives as long as the connection sends it. */
struct stream {
    struct list link;  /* stream_hub.streams */
    struct list place; /* stream_hub.idle, while it waits */
    struct stream_hub *hub;
    struct MHD_Connection *http;
    bool committee;
    bool ended;
    uint64_t turn;      /* up to which it was told */
    struct token since; /* of its first burst; states 0: it came with none */
    struct burst *burst;
    size_t sent; /* of the burst */
};

/* ---- Bursts ---- */

static struct burst *burst_create(void)
{
    struct burst *b = mem_calloc(1, sizeof *b);
    b->holders = 1;
    buf_init(&b->bytes, BURST_BYTES_MAX);
    return b;
}

static struct burst *burst_hold(struct burst *b)
{
    b->holders++;
    return b;
}

static void burst_drop(struct burst *b)
{
    if (b == NULL || --b->holders > 0)
        return;
    buf_deinit(&b->bytes);
    free(b);
}

static void put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

static void put_phase(struct buf *b, const struct global *g, bool shown)
{
    struct json_out j;
    put_text(b, "event: phase\ndata: ");
    json_out_begin(&j, b);
    json_out_string(&j, "phase", phase_name(g->phase));
    json_out_unsigned(&j, "round", g->round);
    json_out_number(&j, "opened_ms", g->opened_ms);
    json_out_number(&j, "closed_ms", g->closed_ms);
    json_out_flag(&j, "shown", shown);
    json_out_end(&j);
    put_text(b, "\n");
}

/* Ends an event with the token. */
static void put_id(struct buf *b, const struct stream_hub *h, bool shown)
{
    struct token t = {.round = service_peek_global(h->rest->service)->round,
                      .phase = service_peek_global(h->rest->service)->phase,
                      .shown = shown,
                      .states = h->rest->info->state_count};
    if (shown)
        memcpy(t.seen, h->seen, sizeof t.seen);
    put_text(b, "id: ");
    token_write(&t, b);
    put_text(b, "\n\n");
}

/* What changed after `turn`; of the states only what `since` (may be NULL) does not have. Whatever
 * changed, the nation did with it, or the phase. */
static struct burst *compose(const struct stream_hub *h, uint64_t turn, bool shown,
                             const struct token *since)
{
    struct burst *burst = burst_create();
    struct buf *b = &burst->bytes;
    if (h->phase_turn > turn) {
        put_phase(b, service_peek_global(h->rest->service), shown);
        put_text(b, shown ? "\n" : "");
    }
    for (uint32_t i = 0; shown && i < h->rest->info->state_count; i++) {
        if (h->state_turn[i] > turn && (since == NULL || since->seen[i] != h->seen[i]))
            buf_put_slice(b, buf_slice(&h->states[i]));
    }
    if (shown && h->nation_turn > turn)
        buf_put_slice(b, buf_slice(&h->nation));
    /* Its last event has the token: whoever is cut off in the middle did not see it all. */
    if (b->len > 0)
        put_id(b, h, shown);
    return burst;
}

/* ---- What is new ---- */

static void render_state(struct stream_hub *h, int state, const struct state_result *result)
{
    struct json_out j;
    struct buf *b = &h->states[state];
    buf_clear(b);
    put_text(b, "event: state\ndata: ");
    json_out_begin(&j, b);
    results_state(&j, h->rest->info, result);
    json_out_end(&j);
    put_text(b, "\n\n");
}

static void render_nation(struct stream_hub *h)
{
    const struct election_info *e = h->rest->info;
    const struct state_result *states[STATES_MAX];
    struct nation nation;
    struct json_out j;
    for (uint32_t i = 0; i < e->state_count; i++)
        states[i] = service_peek(h->rest->service, (int)i);
    results_sum(e, states, &nation);
    buf_clear(&h->nation);
    put_text(&h->nation, "event: nation\ndata: ");
    json_out_begin(&j, &h->nation);
    results_nation(&j, e, service_peek_global(h->rest->service), &nation, states);
    json_out_end(&j);
    put_text(&h->nation, "\n"); /* put_id ends it */
}

static bool is_shown(const struct stream_hub *h)
{
    enum phase phase = service_peek_global(h->rest->service)->phase;
    return h->rest->info->live || phase == PHASE_IDLE || phase == PHASE_CLOSED;
}

/* Begins a turn, if there is anything to tell in it. */
static bool look(struct stream_hub *h)
{
    uint64_t turn = h->turn + 1;
    bool changed = false;
    bool revealed = is_shown(h) && !h->shown; /* the public has seen none of it yet */
    h->shown = is_shown(h);
    for (uint32_t i = 0; i < h->rest->info->state_count; i++) {
        const struct state_result *result =
            h->dirty[i] ? service_peek(h->rest->service, (int)i) : NULL;
        h->dirty[i] = false;
        if (result != NULL) {
            h->seen[i] = results_seen(result);
            render_state(h, (int)i, result);
        }
        if (result != NULL || revealed) {
            h->state_turn[i] = turn;
            changed = true;
        }
    }
    if (h->phase_dirty)
        h->phase_turn = turn;
    if (changed || h->phase_dirty) {
        h->nation_turn = turn;
        render_nation(h);
        changed = true;
    }
    h->phase_dirty = false;
    if (changed)
        h->turn = turn;
    return changed;
}

/* ---- One spectator's reading ---- */

static void take_next(struct stream *s)
{
    struct stream_hub *h = s->hub;
    s->sent = 0;
    if (s->turn == h->turn)
        return;
    bool shown = h->shown || s->committee;
    if (s->turn + 1 == h->turn && s->turn > 0 && !s->committee) {
        if (h->common == NULL)
            h->common = compose(h, s->turn, shown, NULL);
        s->burst = burst_hold(h->common);
    } else {
        const struct global *now = service_peek_global(h->rest->service);
        bool knows = s->turn == 0 && shown && token_is_of(&s->since, h->rest->info, now);
        s->burst = compose(h, s->turn, shown, knows ? &s->since : NULL);
    }
    s->turn = h->turn;
    if (s->burst->bytes.len == 0) {
        burst_drop(s->burst);
        s->burst = NULL;
    }
}

static ssize_t give(void *cls, uint64_t position, char *to, size_t room)
{
    (void)position;
    struct stream *s = cls;
    if (s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->burst == NULL)
        take_next(s);
    if (s->burst == NULL) {
        list_append(&s->hub->idle, &s->place);
        MHD_suspend_connection(s->http);
        return 0;
    }
    const struct buf *b = &s->burst->bytes;
    size_t len = b->len - s->sent < room ? b->len - s->sent : room;
    memcpy(to, b->ptr + s->sent, len);
    s->sent += len;
    if (s->sent == b->len) {
        burst_drop(s->burst);
        s->burst = NULL;
    }
    return (ssize_t)len;
}

static void stream_free(void *cls)
{
    struct stream *s = cls;
    list_remove(&s->link);
    list_remove(&s->place);
    s->hub->count--;
    burst_drop(s->burst);
    free(s);
}

static void wake(struct stream *s)
{
    list_remove(&s->place);
    MHD_resume_connection(s->http);
    rest_wake(s->hub->rest);
}

static void wake_all(struct stream_hub *h)
{
    while (!list_is_empty(&h->idle))
        wake(list_entry(h->idle.next, struct stream, place));
}

/* ---- Pace ---- */

static void tell(struct stream_hub *h)
{
    h->told_ms = rest_now_ms(h->rest);
    if (!look(h))
        return;
    burst_drop(h->common);
    h->common = NULL;
    wake_all(h);
}

static void on_pace(uv_timer_t *timer)
{
    struct stream_hub *h = timer->data;
    h->is_paced = false;
    if (h->count > 0)
        tell(h);
}

static void all_dirty(struct stream_hub *h)
{
    h->phase_dirty = true;
    for (uint32_t i = 0; i < h->rest->info->state_count; i++)
        h->dirty[i] = true;
}

static void on_changed(void *arg, int state)
{
    struct stream_hub *h = arg;
    if (state >= 0)
        h->dirty[state] = true;
    else
        all_dirty(h); /* of another phase or round, each result is another, whatever its Commit */
    if (h->count == 0 || h->is_paced)
        return;
    int64_t wait_ms = h->told_ms + STREAM_PACE_MS - rest_now_ms(h->rest);
    h->is_paced = true;
    uv_timer_start(&h->pace, on_pace, wait_ms > 0 ? (uint64_t)wait_ms : 0, 0);
}

static void on_beat(uv_timer_t *timer)
{
    struct stream_hub *h = timer->data;
    if (list_is_empty(&h->idle))
        return;
    struct burst *beat = burst_create();
    put_text(&beat->bytes, ": still here\n\n");
    while (!list_is_empty(&h->idle)) {
        struct stream *s = list_entry(h->idle.next, struct stream, place);
        s->burst = burst_hold(beat);
        s->sent = 0;
        wake(s);
    }
    burst_drop(beat);
}

/* ---- The hub ---- */

void stream_hub_init(struct stream_hub *h, size_t count_max)
{
    *h = (struct stream_hub){.count_max = count_max};
    list_init(&h->streams);
    list_init(&h->idle);
}

void stream_hub_open(struct stream_hub *h, struct election_rest *rest)
{
    h->rest = rest;
    h->is_open = true;
    h->shown = is_shown(h);
    all_dirty(h);
    h->handles = 2;
    h->pace.data = h->beat.data = h;
    uv_timer_init(&rest->loop->uv, &h->pace);
    uv_timer_init(&rest->loop->uv, &h->beat);
    uv_timer_start(&h->beat, on_beat, STREAM_BEAT_MS, STREAM_BEAT_MS);
    h->watch = service_watch(rest->service, on_changed, h);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream_hub *h = handle->data;
    if (--h->handles > 0)
        return;
    h->is_open = false;
    rest_free_if_over(h->rest);
}

void stream_hub_close(struct stream_hub *h)
{
    service_unwatch(h->watch);
    h->watch = NULL;
    for (struct list *at = h->streams.next; at != &h->streams; at = at->next)
        list_entry(at, struct stream, link)->ended = true;
    wake_all(h);
    uv_close((uv_handle_t *)&h->pace, on_closed);
    uv_close((uv_handle_t *)&h->beat, on_closed);
}

void stream_hub_deinit(struct stream_hub *h)
{
    burst_drop(h->common);
    buf_deinit(&h->nation);
    for (size_t i = 0; i < STATES_MAX; i++)
        buf_deinit(&h->states[i]);
}

/* ---- The route ---- */

void route_stream(struct request *r)
{
    struct stream_hub *h = &r->rest->hub;
    if (h->count >= h->count_max) {
        rest_answer_unavailable(r, "too many spectators here: ask another server", 5000);
        return;
    }
    struct stream *s = mem_calloc(1, sizeof *s);
    s->hub = h;
    s->http = r->http;
    s->committee = r->rest->committee_open || request_role(r) == ROLE_COMMITTEE;
    list_init(&s->place);
    struct slice since = request_header(r, "Last-Event-ID");
    if (slice_is_null(since))
        since = url_argument(&r->url, "since");
    if (slice_is_null(since) || !token_read(since, &s->since))
        s->since.states = 0;
    r->response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, give, s, stream_free);
    r->status = MHD_HTTP_OK;
    if (r->response == NULL) {
        free(s);
        return;
    }
    list_append(&h->streams, &s->link);
    if (h->count++ == 0)
        tell(h); /* nobody was told of anything meanwhile */
    rest_answer_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    rest_answer_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    rest_answer_header(r, "X-Accel-Buffering", "no"); /* a proxy is not to collect what comes */
}
