/* Committee.WatchResults: the newest count of each state, as often as its watcher wants and reads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election_grpc/results_internal.h"

enum {
    INTERVAL_MS = 250,
    INTERVAL_MS_MIN = 20,
    INTERVAL_MS_MAX = 3600000,
};

/* Lives until its call has ended and its timer is closed. */
struct watcher {
    struct election_grpc *door;
    struct grpc_call *call;
    struct list all; /* door->watchers */
    struct service_watch *watch;
    uv_timer_t timer;
    int64_t interval_ms;
    uint64_t wanted, changed, final; /* bit per state */
    int64_t sent_ms[STATES_MAX];     /* INT64_MIN: never */
    bool over;
};

static uint64_t bit(int state)
{
    return UINT64_C(1) << state;
}

/* ---- Sending ---- */

static void send_state(struct watcher *w, int state, int64_t now_ms)
{
    const struct state_result *r = service_peek(w->door->service, state);
    struct scratch memory = {0};
    w->changed &= ~bit(state);
    w->sent_ms[state] = now_ms;
    if (r->known && r->final)
        w->final |= bit(state);
    else
        w->final &= ~bit(state);
    send_packed(w->call, state_message(w->door, r, &memory));
    scratch_deinit(&memory);
}

/* When it may be sent. */
static int64_t due_ms(const struct watcher *w, int state)
{
    return w->sent_ms[state] == INT64_MIN ? INT64_MIN : w->sent_ms[state] + w->interval_ms;
}

static void on_timer(uv_timer_t *timer);

/* Sends what is due while there is room, and says when to look again. */
static void look(struct watcher *w)
{
    int64_t now_ms = (int64_t)uv_now(&w->door->loop->uv), next_ms = INT64_MAX;
    for (int state = 0; state < STATES_MAX; state++) {
        if ((w->changed & bit(state)) == 0)
            continue;
        if (grpc_call_unsent(w->call) >= GRPC_ROOM_BYTES) {
            grpc_call_want_room(w->call);
            return;
        }
        int64_t due = due_ms(w, state);
        if (due <= now_ms)
            send_state(w, state, now_ms);
        else if (due < next_ms)
            next_ms = due;
    }
    if (w->final == w->wanted)
        grpc_call_finish(w->call, GRPC_OK, NULL);
    else if (next_ms < INT64_MAX)
        uv_timer_start(&w->timer, on_timer, (uint64_t)(next_ms - now_ms), 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct watcher *w = timer->data;
    if (!w->over)
        look(w);
}

/* ---- What there is to be seen ---- */

/* The counts of an election that begins again may be hidden. */
static void on_change(void *arg, int state)
{
    struct watcher *w = arg;
    if (w->over || grpc_call_is_over(w->call) || !caller_may_look(w->door, w->call))
        return;
    w->changed |= state < 0 ? w->wanted : bit(state) & w->wanted;
    if (uv_is_active((uv_handle_t *)&w->timer) == 0)
        uv_timer_start(&w->timer, on_timer, 0, 0);
}

static bool choose_states(struct watcher *w, const Election__V1__WatchQuery *query)
{
    uint32_t count = service_election(w->door->service)->state_count;
    if (query->n_states == 0)
        w->wanted = count < 64 ? bit((int)count) - 1 : UINT64_MAX;
    for (size_t i = 0; i < query->n_states; i++) {
        int state = find_state(w->door, w->call, slice_str(query->states[i]));
        if (state < 0)
            return false;
        w->wanted |= bit(state);
    }
    return true;
}

/* ---- Life ---- */

static void on_timer_closed(uv_handle_t *handle)
{
    struct watcher *w = handle->data;
    struct election_grpc *g = w->door;
    free(w);
    door_release(g);
}

static void on_room(struct grpc_call *c)
{
    struct watcher *w = grpc_call_context(c);
    if (w != NULL)
        look(w);
}

static void on_end(struct grpc_call *c, const struct grpc_status *status)
{
    (void)status;
    struct watcher *w = grpc_call_context(c);
    if (w == NULL)
        return;
    w->over = true;
    list_remove(&w->all);
    service_unwatch(w->watch);
    uv_close((uv_handle_t *)&w->timer, on_timer_closed);
}

const struct grpc_handlers watch_handlers = {
    .on_room = on_room,
    .on_end = on_end,
};

static struct watcher *watcher_new(struct election_grpc *g, struct grpc_call *c,
                                   const Election__V1__WatchQuery *query)
{
    struct watcher *w = mem_calloc(1, sizeof *w);
    w->door = g;
    w->call = c;
    w->interval_ms = query->min_interval_ms == 0                ? INTERVAL_MS
                     : query->min_interval_ms < INTERVAL_MS_MIN ? INTERVAL_MS_MIN
                     : query->min_interval_ms > INTERVAL_MS_MAX ? INTERVAL_MS_MAX
                                                                : query->min_interval_ms;
    for (int i = 0; i < STATES_MAX; i++)
        w->sent_ms[i] = INT64_MIN;
    return w;
}

static void begin(struct watcher *w)
{
    door_hold(w->door);
    list_append(&w->door->watchers, &w->all);
    uv_timer_init(&w->door->loop->uv, &w->timer);
    w->timer.data = w;
    grpc_call_set_context(w->call, w);
    w->changed = w->wanted;
    w->watch = service_watch(w->door->service, on_change, w);
    grpc_call_send_headers(w->call);
    look(w);
}

void watch_on_request(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    if (!caller_may_look(g, c))
        return;
    Election__V1__WatchQuery *query =
        unpack_request(c, &election__v1__watch_query__descriptor, bytes);
    if (query == NULL)
        return;
    struct watcher *w = watcher_new(g, c, query);
    if (choose_states(w, query))
        begin(w);
    else
        free(w);
    free_request(query);
}

void watchers_leave(struct election_grpc *g)
{
    for (struct list *at = g->watchers.next; at != &g->watchers; at = at->next)
        grpc_call_finish(list_entry(at, struct watcher, all)->call, GRPC_UNAVAILABLE,
                         "the server stops");
}
