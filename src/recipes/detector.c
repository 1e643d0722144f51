/* detector.c: a phi for each member of a group, and one call at the time when the next of them will
 * have reached a threshold.
 *
 * A heartbeat only moves that time away, so nothing is asked of the clock for it: the call comes,
 * finds that it was too early, and is made again. `lock` guards the peers; their number changes on
 * the event thread only. */
#include "caucus/detector.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caucus/membership.h"
#include "recipes/copy.h"
#include "recipes/machine.h"
#include "recipes/phi.h"

#define MS_NS INT64_C(1000000)

enum {
    LATE_MS = 50, /* a call that comes later than that shows a pause of ours */
};

struct watched {
    char *id;
    int64_t token;
    int told; /* the level */
    bool is_own;
    struct phi phi;
};

struct caucus_detector {
    struct machine machine; /* first */
    struct caucus_group *group;
    char *path;
    struct phi_config config;
    double thresholds[CAUCUS_SUSPICION_LEVELS_MAX];
    int levels;
    bool has_heartbeats;
    bool data_is_heartbeat;
    char *own_id;
    caucus_detector_fn *on_change;
    void *context;

    struct watched **peers; /* lock; by id */
    size_t count;           /* lock */
    size_t room;
    int64_t due_ns; /* lock: of the next call; INT64_MAX: none is wanted */
};

static struct caucus_detector *detector_of(struct machine *m)
{
    return (struct caucus_detector *)(void *)m;
}

/* ---- Peers; lock is held, or this is the event thread that only reads ---- */

/* Where it is, or would be. */
static bool find(const struct caucus_detector *d, const char *id, size_t *ret)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(d->peers[middle]->id, id);
        if (order == 0) {
            *ret = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return false;
}

/* For how long nothing could be heard, because we stood still. */
static int64_t own_pause_ns(const struct caucus_detector *d, int64_t now_ns)
{
    return d->due_ns < now_ns - LATE_MS * MS_NS ? now_ns - d->due_ns : 0;
}

static double phi_now(const struct caucus_detector *d, struct watched *w, int64_t now_ns)
{
    if (!d->has_heartbeats || w->is_own)
        return 0;
    return phi_at(&w->phi, now_ns - own_pause_ns(d, now_ns));
}

static int level_of(const struct caucus_detector *d, double phi)
{
    int level = 0;
    while (level < d->levels && phi >= d->thresholds[level])
        level++;
    return level;
}

static struct caucus_peer peer_of(const struct caucus_detector *d, struct watched *w,
                                  int64_t now_ns)
{
    double phi = phi_now(d, w, now_ns);
    return (struct caucus_peer){.id = w->id,
                                .token = w->token,
                                .level = level_of(d, phi),
                                .phi = phi,
                                .last_ns = w->phi.last_ns};
}

/* ---- What is told ---- */

static void tell(struct caucus_detector *d, enum caucus_detector_news news,
                 const struct caucus_peer *peer, int rc)
{
    if (d->machine.is_closed || d->on_change == NULL)
        return;
    d->machine.is_calling = true;
    d->on_change(d->context, d,
                 &(struct caucus_detector_change){.news = news, .peer = peer, .rc = rc});
    d->machine.is_calling = false;
}

/* ---- Looking at all of them ---- */

static void on_due(void *context);

static void forgive(struct caucus_detector *d, int64_t now_ns)
{
    int64_t pause_ns = own_pause_ns(d, now_ns);
    for (size_t i = 0; pause_ns > 0 && i < d->count; i++)
        phi_forgive(&d->peers[i]->phi, pause_ns, now_ns);
}

/* When one of them will have another level, if it is not heard. */
static int64_t next_due_ns(struct caucus_detector *d)
{
    int64_t due_ns = INT64_MAX;
    for (size_t i = 0; i < d->count; i++) {
        struct watched *w = d->peers[i];
        if (w->is_own || w->told == d->levels)
            continue;
        int64_t at_ns = phi_due_ns(&w->phi, d->thresholds[w->told]);
        due_ns = at_ns < due_ns ? at_ns : due_ns;
    }
    return due_ns;
}

static void schedule(struct caucus_detector *d)
{
    if (!d->has_heartbeats || d->machine.is_closed)
        return;
    pthread_mutex_lock(&d->machine.lock);
    int64_t due_ns = next_due_ns(d);
    bool is_sooner = due_ns < d->due_ns;
    if (is_sooner)
        d->due_ns = due_ns;
    pthread_mutex_unlock(&d->machine.lock);
    if (is_sooner)
        machine_run(&d->machine, due_ns, on_due, d);
}

/* Whether this one has another level than was told. */
static bool review(struct caucus_detector *d, size_t i, struct caucus_peer *ret)
{
    pthread_mutex_lock(&d->machine.lock);
    struct watched *w = d->peers[i];
    *ret = peer_of(d, w, caucus_now_ns());
    bool is_new = ret->level != w->told;
    w->told = ret->level;
    pthread_mutex_unlock(&d->machine.lock);
    return is_new;
}

static void review_all(struct caucus_detector *d)
{
    struct caucus_peer peer;
    for (size_t i = 0; i < d->count && !d->machine.is_closed; i++)
        if (review(d, i, &peer))
            tell(d, CAUCUS_PEER_SUSPECTED, &peer, 0);
    schedule(d);
}

static void on_due(void *context)
{
    struct caucus_detector *d = context;
    int64_t now_ns = caucus_now_ns();
    pthread_mutex_lock(&d->machine.lock);
    bool is_due = now_ns >= d->due_ns;
    if (is_due) {
        forgive(d, now_ns);
        d->due_ns = INT64_MAX;
    }
    pthread_mutex_unlock(&d->machine.lock);
    if (is_due)
        review_all(d);
    machine_drop(&d->machine);
}

/* One that was suspected was heard. */
static void run_review(void *context)
{
    struct caucus_detector *d = context;
    if (d->machine.is_calling)
        machine_run(&d->machine, 0, run_review, d);
    else
        review_all(d);
    machine_drop(&d->machine);
}

/* ---- The group ---- */

static void watched_free(struct watched *w)
{
    free(w->id);
    free(w);
}

static void appear(struct caucus_detector *d, const struct caucus_member *member)
{
    int64_t now_ns = caucus_now_ns();
    struct watched *w = mem_calloc(1, sizeof(*w));
    w->id = copy_text(member->id);
    w->token = member->token;
    w->is_own = d->own_id != NULL && strcmp(d->own_id, w->id) == 0;
    phi_init(&w->phi, &d->config, now_ns);
    pthread_mutex_lock(&d->machine.lock);
    size_t at;
    find(d, w->id, &at);
    if (d->count == d->room) {
        d->room = d->room > 0 ? 2 * d->room : 16;
        d->peers = mem_realloc(d->peers, d->room * sizeof(*d->peers));
    }
    memmove(d->peers + at + 1, d->peers + at, (d->count - at) * sizeof(*d->peers));
    d->peers[at] = w;
    d->count++;
    struct caucus_peer peer = peer_of(d, w, now_ns);
    pthread_mutex_unlock(&d->machine.lock);
    tell(d, CAUCUS_PEER_APPEARED, &peer, 0);
    schedule(d);
}

static void vanish(struct caucus_detector *d, const struct caucus_member *member)
{
    size_t at;
    if (!find(d, member->id, &at))
        return;
    struct watched *w = d->peers[at];
    pthread_mutex_lock(&d->machine.lock);
    memmove(d->peers + at, d->peers + at + 1, (d->count - at - 1) * sizeof(*d->peers));
    d->count--;
    pthread_mutex_unlock(&d->machine.lock);
    struct caucus_peer peer = {
        .id = w->id, .token = w->token, .level = w->told, .last_ns = w->phi.last_ns};
    tell(d, CAUCUS_PEER_GONE, &peer, 0);
    watched_free(w);
}

static void on_group(void *context, struct caucus_group *g,
                     const struct caucus_group_change *change)
{
    (void)g;
    struct caucus_detector *d = context;
    machine_hold(&d->machine); /* the user may close it */
    switch (change->news) {
    case CAUCUS_MEMBER_JOINED:
        appear(d, change->member);
        break;
    case CAUCUS_MEMBER_CHANGED:
        if (d->data_is_heartbeat)
            caucus_detector_heartbeat(d, change->member->id, caucus_now_ns());
        break;
    case CAUCUS_MEMBER_LEFT:
        vanish(d, change->member);
        break;
    case CAUCUS_GROUP_CURRENT:
        break;
    case CAUCUS_GROUP_TROUBLE:
        tell(d, CAUCUS_DETECTOR_TROUBLE, NULL, change->rc);
        break;
    }
    machine_drop(&d->machine);
}

/* ---- The machine ---- */

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    (void)m;
    (void)change;
}

static void advance(struct machine *m)
{
    struct caucus_detector *d = detector_of(m);
    if (m->is_closed) {
        machine_retire(m);
        return;
    }
    if (d->group == NULL)
        caucus_group_open(m->c, d->path,
                          &(struct caucus_group_options){.on_change = on_group, .context = d},
                          &d->group);
}

static void on_end(struct machine *m)
{
    struct caucus_detector *d = detector_of(m);
    caucus_group_close(d->group);
    d->group = NULL;
}

static void on_free(struct machine *m)
{
    struct caucus_detector *d = detector_of(m);
    for (size_t i = 0; i < d->count; i++)
        watched_free(d->peers[i]);
    free(d->peers);
    free(d->path);
    free(d->own_id);
    machine_deinit(m);
    free(d);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

/* ---- From any thread ---- */

static bool read_thresholds(struct caucus_detector *d, const double *thresholds)
{
    static const double usual[CAUCUS_SUSPICION_LEVELS_MAX] = {1, 3, 8};
    const double *from = thresholds[0] != 0 ? thresholds : usual;
    double last = 0;
    for (int i = 0; i < CAUCUS_SUSPICION_LEVELS_MAX && from[i] != 0; i++) {
        if (!(from[i] > last && from[i] <= PHI_MAX))
            return false;
        last = d->thresholds[d->levels++] = from[i];
    }
    return true;
}

static bool read_options(struct caucus_detector *d, const struct caucus_detector_options *o)
{
    if (o->interval_ms < 0 || o->deviation_ms_min < 0 || o->pause_ms < 0 ||
        !read_thresholds(d, o->thresholds))
        return false;
    double deviation_ms = (double)o->interval_ms / 10;
    if (o->deviation_ms_min > 0)
        deviation_ms = (double)o->deviation_ms_min;
    d->config = (struct phi_config){.interval_ms = (double)o->interval_ms,
                                    .deviation_ms_min = deviation_ms,
                                    .pause_ms = (double)o->pause_ms};
    d->has_heartbeats = o->interval_ms > 0;
    d->data_is_heartbeat = o->data_is_heartbeat;
    d->own_id = o->own_id != NULL ? copy_text(o->own_id) : NULL;
    d->on_change = o->on_change;
    d->context = o->context;
    return true;
}

int caucus_detector_open(struct caucus *c, const char *path,
                         const struct caucus_detector_options *options,
                         struct caucus_detector **ret)
{
    static const struct caucus_detector_options none;
    if (!copy_is_parent(path))
        return CAUCUS_BADARGUMENTS;
    struct caucus_detector *d = mem_calloc(1, sizeof(*d));
    if (!read_options(d, options != NULL ? options : &none)) {
        free(d);
        return CAUCUS_BADARGUMENTS;
    }
    machine_init(&d->machine, &calls, c);
    d->path = copy_text(path);
    d->due_ns = INT64_MAX;
    *ret = d;
    int rc = machine_start(&d->machine);
    if (rc != 0) {
        *ret = NULL;
        on_free(&d->machine);
    }
    return rc;
}

void caucus_detector_close(struct caucus_detector *d)
{
    if (d != NULL)
        machine_close(&d->machine);
}

int caucus_detector_heartbeat(struct caucus_detector *d, const char *id, int64_t at_ns)
{
    size_t at;
    pthread_mutex_lock(&d->machine.lock);
    bool is_there = find(d, id, &at);
    bool was_suspected = is_there && d->peers[at]->told > 0;
    if (is_there)
        phi_heartbeat(&d->peers[at]->phi, at_ns);
    pthread_mutex_unlock(&d->machine.lock);
    if (was_suspected)
        machine_post(&d->machine, run_review);
    return is_there ? 0 : CAUCUS_NONODE;
}

int caucus_detector_level(struct caucus_detector *d, const char *id, double *ret_phi)
{
    size_t at;
    int level = CAUCUS_NONODE;
    pthread_mutex_lock(&d->machine.lock);
    if (find(d, id, &at)) {
        double phi = phi_now(d, d->peers[at], caucus_now_ns());
        level = level_of(d, phi);
        if (ret_phi != NULL)
            *ret_phi = phi;
    }
    pthread_mutex_unlock(&d->machine.lock);
    return level;
}

/* One block: the list, the peers, their ids. */
void caucus_detector_list(struct caucus_detector *d, struct caucus_peers **ret)
{
    pthread_mutex_lock(&d->machine.lock);
    size_t bytes = sizeof(struct caucus_peers) + d->count * sizeof(struct caucus_peer);
    for (size_t i = 0; i < d->count; i++)
        bytes += strlen(d->peers[i]->id) + 1;
    struct caucus_peers *list = mem_alloc(bytes);
    struct caucus_peer *peers = (struct caucus_peer *)(list + 1);
    char *text = (char *)(peers + d->count);
    int64_t now_ns = caucus_now_ns();
    for (size_t i = 0; i < d->count; i++) {
        peers[i] = peer_of(d, d->peers[i], now_ns);
        peers[i].id = text;
        text = stpcpy(text, d->peers[i]->id) + 1;
    }
    *list = (struct caucus_peers){.peers = peers, .count = d->count};
    pthread_mutex_unlock(&d->machine.lock);
    *ret = list;
}

void caucus_peers_free(struct caucus_peers *peers)
{
    free(peers);
}
