/* deadlines.h: many moments, of which the earliest is wanted: a heap. One timer per connection
 * looks at it, where a timer per call would cost a handle each. */
#ifndef CAUCUS_GRPC_DEADLINES_H
#define CAUCUS_GRPC_DEADLINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEADLINE_NONE INT64_MAX

/* Part of what has a deadline. {DEADLINE_NONE, 0}: not in any heap. */
struct deadline {
    int64_t at_ms;
    size_t place; /* in the heap, from 1; 0 = not in it */
};

/* Zeroed: empty. */
struct deadlines {
    struct deadline **heap; /* [1..count] */
    size_t count, cap;
};

void deadlines_deinit(struct deadlines *d);
void deadlines_add(struct deadlines *d, struct deadline *one, int64_t at_ms); /* not in it yet */
void deadlines_remove(struct deadlines *d, struct deadline *one);             /* maybe not in it */
/* NULL: there is none. */
struct deadline *deadlines_first(const struct deadlines *d);

#endif
