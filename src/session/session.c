/* session.c: the table and its buckets. */
#include "session/session.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/slab.h"
#include "base/sort.h"

struct bucket {
    int64_t expires_ms;
    struct list sessions;
};

/* Buckets stand sorted by time. There are at most longest timeout / grain of them, mostly few,
 * and new ones come at or near the end: an array does better than a heap or a wheel. */
struct session_table {
    struct map by_id;
    struct slab slab;
    int32_t grain_ms;
    size_t waiting; /* sessions in buckets: those that are not closing */
    struct bucket **buckets;
    size_t bucket_count, bucket_cap;
};

struct session_table *session_table_create(int32_t grain_ms, uint64_t hash_seed)
{
    invariant(grain_ms > 0);
    struct session_table *st = mem_calloc(1, sizeof *st);
    map_init(&st->by_id, hash_seed);
    slab_init(&st->slab);
    st->grain_ms = grain_ms;
    return st;
}

void session_table_free(struct session_table *st)
{
    if (st == NULL)
        return;
    for (size_t i = 0; i < st->bucket_count; i++)
        free(st->buckets[i]);
    free(st->buckets);
    map_deinit(&st->by_id);
    slab_deinit(&st->slab);
    free(st);
}

/* The first bucket that does not expire before `expires_ms`. */
static size_t bucket_at(const struct session_table *st, int64_t expires_ms)
{
    size_t from = 0, to = st->bucket_count;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (st->buckets[mid]->expires_ms < expires_ms)
            from = mid + 1;
        else
            to = mid;
    }
    return from;
}

static struct bucket *bucket_for(struct session_table *st, int64_t expires_ms)
{
    size_t at = bucket_at(st, expires_ms);
    if (at < st->bucket_count && st->buckets[at]->expires_ms == expires_ms)
        return st->buckets[at];

    if (st->bucket_count == st->bucket_cap) {
        st->bucket_cap = st->bucket_cap ? st->bucket_cap * 2 : 16;
        st->buckets = mem_realloc(st->buckets, st->bucket_cap * sizeof(struct bucket *));
    }
    struct bucket *b = mem_alloc(sizeof *b);
    b->expires_ms = expires_ms;
    list_init(&b->sessions);
    memmove(st->buckets + at + 1, st->buckets + at,
            (st->bucket_count - at) * sizeof(struct bucket *));
    st->buckets[at] = b;
    st->bucket_count++;
    return b;
}

static int64_t round_up(const struct session_table *st, int64_t time_ms)
{
    return (time_ms / st->grain_ms + 1) * st->grain_ms;
}

static void leave_bucket(struct session_table *st, struct session *s)
{
    if (list_is_empty(&s->bucket))
        return;
    list_remove(&s->bucket);
    st->waiting--;
}

void session_touch(struct session_table *st, struct session *s, int32_t timeout_ms, int64_t now_ms)
{
    if (s->closing)
        return;
    int64_t expires_ms = round_up(st, now_ms + timeout_ms);
    if (expires_ms == s->expires_ms && !list_is_empty(&s->bucket))
        return;

    leave_bucket(st, s);
    s->expires_ms = expires_ms;
    list_append(&bucket_for(st, expires_ms)->sessions, &s->bucket);
    st->waiting++;
}

struct session *session_add(struct session_table *st, int64_t id, int32_t timeout_ms,
                            int64_t now_ms)
{
    struct session *s = session_find(st, id);
    if (s == NULL) {
        s = slab_alloc(&st->slab, sizeof *s);
        *s = (struct session){.id = id, .timeout_ms = timeout_ms, .owner_sid = -1};
        list_init(&s->bucket);
        map_put(&st->by_id, (uint64_t)id, s);
    }
    session_touch(st, s, timeout_ms, now_ms);
    return s;
}

struct session *session_find(const struct session_table *st, int64_t id)
{
    return map_get(&st->by_id, (uint64_t)id);
}

void session_remove(struct session_table *st, int64_t id)
{
    struct session *s = map_remove(&st->by_id, (uint64_t)id);
    if (s == NULL)
        return;
    leave_bucket(st, s);
    slab_free(&st->slab, s, sizeof *s);
}

static void drop_passed_empty_buckets(struct session_table *st, int64_t now_ms)
{
    size_t drop = 0;
    while (drop < st->bucket_count && st->buckets[drop]->expires_ms <= now_ms &&
           list_is_empty(&st->buckets[drop]->sessions))
        free(st->buckets[drop++]);
    if (drop == 0)
        return;
    st->bucket_count -= drop;
    memmove(st->buckets, st->buckets + drop, st->bucket_count * sizeof(struct bucket *));
}

struct session *session_next_expired(struct session_table *st, int64_t now_ms)
{
    drop_passed_empty_buckets(st, now_ms);
    if (st->bucket_count == 0 || st->buckets[0]->expires_ms > now_ms)
        return NULL;
    return list_entry(st->buckets[0]->sessions.next, struct session, bucket);
}

void session_mark_closing(struct session_table *st, struct session *s)
{
    s->closing = true;
    leave_bucket(st, s);
}

int64_t session_next_deadline_ms(const struct session_table *st)
{
    return st->waiting == 0 ? INT64_MAX : st->buckets[0]->expires_ms;
}

void session_touch_all(struct session_table *st, int64_t now_ms)
{
    size_t count;
    struct session **all = session_sorted(st, &count);
    for (size_t i = 0; i < count; i++)
        session_touch(st, all[i], all[i]->timeout_ms, now_ms);
    free(all);
}

void session_reset(struct session_table *st)
{
    size_t count;
    struct session **all = session_sorted(st, &count);
    for (size_t i = 0; i < count; i++) {
        struct session *s = all[i];
        s->closing = false;
        s->heard = false;
        s->owner = 0;
        s->owner_sid = -1;
        if (!s->committed)
            session_remove(st, s->id);
    }
    free(all);
}

size_t session_count(const struct session_table *st)
{
    return st->by_id.count;
}

size_t session_bucket_count(const struct session_table *st)
{
    return st->bucket_count;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = (uint64_t)((const struct session *)a)->id;
    uint64_t y = (uint64_t)((const struct session *)b)->id;
    return (x > y) - (x < y);
}

struct session **session_sorted(const struct session_table *st, size_t *ret_count)
{
    size_t count = st->by_id.count;
    void **sorted = mem_alloc((count + 1) * sizeof *sorted);
    size_t at = 0;
    for (size_t i = 0; i < count; i++)
        sorted[i] = map_next(&st->by_id, &at);
    sort_pointers(sorted, count, compare_ids);
    *ret_count = count;
    return (struct session **)sorted;
}

void session_each_by_expiry(const struct session_table *st, session_bucket_visit *visit, void *arg)
{
    for (size_t i = 0; i < st->bucket_count; i++) {
        const struct bucket *b = st->buckets[i];
        size_t count = 0;
        for (struct list *at = b->sessions.next; at != &b->sessions; at = at->next)
            count++;
        visit(arg, b->expires_ms, count, NULL);
        for (struct list *at = b->sessions.next; at != &b->sessions; at = at->next)
            visit(arg, b->expires_ms, count, list_entry(at, struct session, bucket));
    }
}
