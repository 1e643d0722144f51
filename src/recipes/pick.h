/* pick.h: which of several, and which of them not for a while. Time and seed are inputs. Pure. */
#ifndef CAUCUS_RECIPES_PICK_H
#define CAUCUS_RECIPES_PICK_H

#include <stddef.h>

#include "caucus/registry.h"

struct pick_entry {
    struct caucus_instance *instance;
    int32_t failures; /* since the first that counts */
    int64_t first_fail_ns;
};

struct picker {
    enum caucus_strategy strategy;
    int64_t down_ns;
    int32_t failures_max;
    char *last; /* id; NULL: none yet */
    uint64_t chance;
};

#define PICK_NONE SIZE_MAX

void pick_init(struct picker *p, enum caucus_strategy strategy, int64_t down_ns,
               int32_t failures_max, uint64_t seed);
void pick_deinit(struct picker *p);

/* The entries stand in the order of their ids. PICK_NONE: all are disabled or down, or there is
 * none. */
size_t pick_next(struct picker *p, const struct pick_entry *entries, size_t count, int64_t now_ns);

void pick_fail(const struct picker *p, struct pick_entry *e, int64_t now_ns);
bool pick_is_down(const struct picker *p, const struct pick_entry *e, int64_t now_ns);

#endif
