/* semaphore.c: how many leases there are. Asked by whoever holds the gate, so by one at a time. */
#include "caucus/semaphore.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recipes/copy.h"
#include "recipes/lock_internal.h"

enum {
    NUMBER_BYTES = 12,
    AGAIN_MS = 1000, /* after an error of the server's */
};

/* What comes for a gate that was lost meanwhile is void: it is asked again when it is held again.
 */
static bool is_at_the_gate(const struct caucus_lock *l)
{
    return l->phase == LOCK_WAITS && queue_is_first(&l->before[0].queue);
}

/* 0: not a number of leases. */
static int32_t number_of(const struct caucus_result *r)
{
    const char *text = r->data;
    int64_t number = 0;
    if (r->data_bytes == 0 || r->data_bytes >= NUMBER_BYTES)
        return 0;
    for (size_t i = 0; i < r->data_bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return 0;
        number = number * 10 + (text[i] - '0');
    }
    return number <= INT32_MAX ? (int32_t)number : 0;
}

static void run_again(void *context)
{
    struct caucus_lock *l = context;
    if (is_at_the_gate(l))
        semaphore_count(l);
    queue_drop(&l->last.queue);
}

static void try_again_later(struct caucus_lock *l)
{
    queue_hold(&l->last.queue);
    if (caucus_run_at(l->last.queue.m.c, caucus_now_ns() + AGAIN_MS * INT64_C(1000000), run_again,
                      l) != 0)
        queue_drop(&l->last.queue);
}

/* The end of a session ends the gate, too, which will be held again. */
static void go_on_after(struct caucus_lock *l, int rc)
{
    if (!is_at_the_gate(l) || rc == CAUCUS_SESSIONEXPIRED || rc == CAUCUS_CLOSING)
        return;
    if (rc == 0 || rc == CAUCUS_BADVERSION || protect_is_passing(rc)) {
        semaphore_count(l);
        return;
    }
    try_again_later(l);
    lock_tell(l, &(struct caucus_lock_change){.news = CAUCUS_LOCK_TROUBLE, .rc = rc});
}

static void on_written(void *context, const struct caucus_result *r)
{
    struct caucus_lock *l = context;
    go_on_after(l, r->rc);
    queue_drop(&l->last.queue);
}

/* Nobody has said how many: this one does, if nobody else did meanwhile. */
static void write_number(struct caucus_lock *l, int32_t version)
{
    char text[NUMBER_BYTES];
    int bytes = snprintf(text, sizeof(text), "%d", (int)l->leases);
    queue_hold(&l->last.queue);
    int rc = caucus_set(l->last.queue.m.c, l->counted, text, (size_t)bytes, version, on_written, l);
    if (rc != 0)
        on_written(l, &(struct caucus_result){.rc = rc});
}

static void see_number(struct caucus_lock *l, const struct caucus_result *r)
{
    int32_t number = number_of(r);
    if (r->data_bytes == 0 && l->leases > 0)
        write_number(l, r->stat->version);
    else if (number == 0 || (l->leases > 0 && l->leases != number))
        queue_end(&l->last.queue, CAUCUS_BADARGUMENTS);
    else
        queue_let_in(&l->last.queue, (size_t)number);
}

static void on_read(void *context, const struct caucus_result *r)
{
    struct caucus_lock *l = context;
    if (r->rc != 0)
        go_on_after(l, r->rc);
    else if (is_at_the_gate(l))
        see_number(l, r);
    queue_drop(&l->last.queue);
}

void semaphore_count(struct caucus_lock *l)
{
    queue_hold(&l->last.queue);
    int rc = caucus_get(l->last.queue.m.c, l->counted, NULL, NULL, on_read, l);
    if (rc != 0)
        on_read(l, &(struct caucus_result){.rc = rc});
}

int caucus_semaphore_acquire(struct caucus *c, const char *path, int32_t leases,
                             const struct caucus_lock_options *options, struct caucus_lock **ret)
{
    static const struct caucus_lock_options none;
    const struct caucus_lock_options *o = options != NULL ? options : &none;
    if (!copy_is_parent(path) || leases < 0 || o->kind != CAUCUS_LOCK_MUTEX ||
        o->names != CAUCUS_NAMES_CURATOR || o->only_if_free)
        return CAUCUS_BADARGUMENTS;
    char *gate = copy_joined(path, "locks"), *line = copy_joined(path, "leases");
    const struct lock_part parts[] = {
        {.queue = {.parent = gate, .label = "lock-", .rule = QUEUE_FIRST}},
        {.queue = {.parent = line, .label = "lease-", .rule = QUEUE_RANK}},
    };
    int rc = lock_open(c, parts, sizeof(parts) / sizeof(parts[0]), o, path, leases, ret);
    free(gate);
    free(line);
    return rc;
}
