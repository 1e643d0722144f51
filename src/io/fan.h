/* fan.h: a short piece of work for each of very many, shared among threads: a message to each of
 * very many connections.
 *
 * Telling 10,000 watchers is 10,000 sends, nearly all of it the system's work on sockets that have
 * nothing to do with each other: as many processors as there are can do it at once. The caller's
 * thread works too and waits for the others, so that what it owns does not change meanwhile;
 * between two calls the others sleep. A connection has one message in a call, so its order is kept;
 * between connections there is none to keep. */
#ifndef CAUCUS_IO_FAN_H
#define CAUCUS_IO_FAN_H

#include <stddef.h>

struct fan;

enum {
    FAN_SENDS_MIN = 512, /* below it, waking somebody costs more than it brings */
};

/* By any of the threads, once for each i below count. */
typedef void fan_fn(void *arg, size_t i);

/* Helpers start at the first call: one for each processor that this process may use beside the
 * caller's, at most three. Without any (one processor, no thread to be had) the caller does it
 * all. */
struct fan *fan_create(void);
void fan_destroy(struct fan *f); /* NULL is allowed */

/* Returns when all is done. */
void fan_out(struct fan *f, size_t count, fan_fn *fn, void *arg);

#endif
