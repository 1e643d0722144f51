#include "recipes/pick.h"

#include <stdlib.h>
#include <string.h>

#include "recipes/copy.h"

void pick_init(struct picker *p, enum caucus_strategy strategy, int64_t down_ns,
               int32_t failures_max, uint64_t seed)
{
    *p = (struct picker){
        .strategy = strategy, .down_ns = down_ns, .failures_max = failures_max, .chance = seed};
}

void pick_deinit(struct picker *p)
{
    free(p->last);
}

/* ---- Who is down ---- */

static bool is_forgotten(const struct picker *p, const struct pick_entry *e, int64_t now_ns)
{
    return e->failures == 0 || now_ns - e->first_fail_ns >= p->down_ns;
}

bool pick_is_down(const struct picker *p, const struct pick_entry *e, int64_t now_ns)
{
    return !is_forgotten(p, e, now_ns) && e->failures >= p->failures_max;
}

void pick_fail(const struct picker *p, struct pick_entry *e, int64_t now_ns)
{
    if (is_forgotten(p, e, now_ns)) {
        e->failures = 0;
        e->first_fail_ns = now_ns;
    }
    if (e->failures < p->failures_max)
        e->failures++;
}

/* ---- Who is next ---- */

/* splitmix64 */
static uint64_t next_chance(struct picker *p)
{
    uint64_t z = p->chance += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static bool is_up(const struct picker *p, const struct pick_entry *e, int64_t now_ns)
{
    return !e->instance->is_disabled && !pick_is_down(p, e, now_ns);
}

/* The first of those that are up, from this one on and around. */
static size_t first_up(const struct picker *p, const struct pick_entry *entries, size_t count,
                       size_t from, int64_t now_ns)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = (from + i) % count;
        if (is_up(p, &entries[at], now_ns))
            return at;
    }
    return PICK_NONE;
}

static size_t pick_behind(const struct picker *p, const struct pick_entry *entries, size_t count,
                          int64_t now_ns)
{
    size_t from = 0;
    while (p->last != NULL && from < count && strcmp(entries[from].instance->id, p->last) <= 0)
        from++;
    return first_up(p, entries, count, from, now_ns);
}

static size_t pick_random(struct picker *p, const struct pick_entry *entries, size_t count,
                          int64_t now_ns)
{
    size_t up = 0;
    for (size_t i = 0; i < count; i++)
        up += is_up(p, &entries[i], now_ns);
    if (up == 0)
        return PICK_NONE;
    size_t wanted = next_chance(p) % up;
    for (size_t i = 0; i < count; i++)
        if (is_up(p, &entries[i], now_ns) && wanted-- == 0)
            return i;
    return PICK_NONE;
}

static size_t pick_same(struct picker *p, const struct pick_entry *entries, size_t count,
                        int64_t now_ns)
{
    for (size_t i = 0; p->last != NULL && i < count; i++)
        if (strcmp(entries[i].instance->id, p->last) == 0 && is_up(p, &entries[i], now_ns))
            return i;
    return pick_random(p, entries, count, now_ns);
}

static size_t pick_by_strategy(struct picker *p, const struct pick_entry *entries, size_t count,
                               int64_t now_ns)
{
    switch (p->strategy) {
    case CAUCUS_ROUND_ROBIN:
        return pick_behind(p, entries, count, now_ns);
    case CAUCUS_RANDOM:
        return pick_random(p, entries, count, now_ns);
    case CAUCUS_STICKY:
        return pick_same(p, entries, count, now_ns);
    }
    return PICK_NONE;
}

size_t pick_next(struct picker *p, const struct pick_entry *entries, size_t count, int64_t now_ns)
{
    size_t at = pick_by_strategy(p, entries, count, now_ns);
    if (at != PICK_NONE) {
        char *last = copy_text(entries[at].instance->id);
        free(p->last);
        p->last = last;
    }
    return at;
}
