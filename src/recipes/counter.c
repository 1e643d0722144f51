#include "caucus/counter.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/shared.h"

enum {
    DIGITS_MAX = 20 /* with the sign */
};

struct caucus_counter {
    struct shared s; /* first */
    caucus_counter_fn *on_change;
    void *context;
};

struct counter_change {
    struct shared_change h; /* first */
    bool adds;
    int64_t by; /* ... this, or sets it */
    int64_t sum;
    caucus_counter_done_fn *done;
    void *context;
};

static struct caucus_counter *counter_of(struct shared *s)
{
    return (struct caucus_counter *)(void *)s;
}

static bool is_digits(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return len > 0;
}

/* False: that is no number. */
static bool parse(const void *data, size_t bytes, int64_t *ret)
{
    char text[DIGITS_MAX + 1] = "";
    if (data == NULL || bytes == 0 || bytes > DIGITS_MAX)
        return false;
    memcpy(text, data, bytes);
    size_t sign = text[0] == '-';
    if (!is_digits(text + sign, bytes - sign))
        return false;
    errno = 0;
    int64_t number = strtoimax(text, NULL, 10);
    if (errno != 0)
        return false;
    *ret = number;
    return true;
}

static void on_change(struct shared *s, const struct caucus_cache_node *now)
{
    struct caucus_counter *k = counter_of(s);
    int64_t number;
    if (k->on_change != NULL && parse(now->data, now->data_bytes, &number))
        k->on_change(k->context, k, number);
}

int caucus_counter_open(struct caucus *c, const char *path,
                        const struct caucus_counter_options *options, struct caucus_counter **ret)
{
    static const struct caucus_counter_options none;
    const struct caucus_counter_options *o = options != NULL ? options : &none;
    struct caucus_counter *k = mem_calloc(1, sizeof(*k));
    k->on_change = o->on_change;
    k->context = o->context;
    *ret = k;
    int rc = shared_open(&k->s, c, path,
                         &(struct shared_options){.initial = "0",
                                                  .initial_bytes = 1,
                                                  .tries_max = o->tries_max,
                                                  .acl = o->acl,
                                                  .acl_count = o->acl_count,
                                                  .on_change = on_change});
    if (rc != 0)
        *ret = NULL;
    return rc;
}

void caucus_counter_close(struct caucus_counter *k)
{
    if (k != NULL)
        shared_close(&k->s);
}

int caucus_counter_get(struct caucus_counter *k, int64_t *ret)
{
    const struct caucus_cache_node *node;
    int rc = caucus_cache_get(k->s.cache, k->s.path, &node);
    if (rc != 0)
        return rc;
    bool is_number = parse(node->data, node->data_bytes, ret);
    caucus_cache_node_free(node);
    return is_number ? 0 : CAUCUS_MARSHALLINGERROR;
}

/* ---- Changes ---- */

static int make(struct shared_change *h, const void *old, size_t old_bytes)
{
    struct counter_change *change = (struct counter_change *)(void *)h;
    change->sum = change->by;
    if (change->adds) {
        int64_t number;
        if (!parse(old, old_bytes, &number))
            return CAUCUS_MARSHALLINGERROR;
        if (__builtin_add_overflow(number, change->by, &change->sum))
            return CAUCUS_BADARGUMENTS;
    }
    char text[DIGITS_MAX + 1];
    int bytes = snprintf(text, sizeof(text), "%" PRId64, change->sum);
    h->data = mem_dup(text, (size_t)bytes);
    h->bytes = (size_t)bytes;
    return 0;
}

static void on_over(struct shared_change *h, int rc, int32_t version)
{
    (void)version;
    struct counter_change *change = (struct counter_change *)(void *)h;
    if (change->done != NULL)
        change->done(change->context, rc, change->sum);
    free(change);
}

static int submit(struct caucus_counter *k, bool adds, int64_t by, caucus_counter_done_fn *done,
                  void *context)
{
    struct counter_change *change = mem_calloc(1, sizeof(*change));
    change->h = (struct shared_change){.make = make, .over = on_over};
    change->adds = adds;
    change->by = by;
    change->done = done;
    change->context = context;
    int rc = shared_submit(&k->s, &change->h);
    if (rc != 0)
        free(change);
    return rc;
}

int caucus_counter_add(struct caucus_counter *k, int64_t delta, caucus_counter_done_fn *done,
                       void *context)
{
    return submit(k, true, delta, done, context);
}

int caucus_counter_set(struct caucus_counter *k, int64_t to, caucus_counter_done_fn *done,
                       void *context)
{
    return submit(k, false, to, done, context);
}

/* ---- Blocking ---- */

struct waiting {
    struct machine_blocked blocked;
    int64_t now;
};

static void on_done(void *context, int rc, int64_t now)
{
    struct waiting *w = context;
    w->now = now;
    machine_blocked_done(&w->blocked, rc);
}

static int submit_and_wait(struct caucus_counter *k, bool adds, int64_t by, int64_t *ret_now)
{
    if (machine_must_not_block(&k->s.m))
        return CAUCUS_WOULDBLOCK;
    struct waiting w;
    machine_blocked_init(&w.blocked);
    int rc = submit(k, adds, by, on_done, &w);
    if (rc != 0)
        machine_blocked_done(&w.blocked, rc);
    rc = machine_blocked_wait(&w.blocked);
    if (rc == 0 && ret_now != NULL)
        *ret_now = w.now;
    return rc;
}

int caucus_counter_add_wait(struct caucus_counter *k, int64_t delta, int64_t *ret_now)
{
    return submit_and_wait(k, true, delta, ret_now);
}

int caucus_counter_set_wait(struct caucus_counter *k, int64_t to, int64_t *ret_now)
{
    return submit_and_wait(k, false, to, ret_now);
}
