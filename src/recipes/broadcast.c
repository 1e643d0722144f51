/* broadcast.c: a member's life, and what it is asked from other threads. */
#include "caucus/broadcast.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "recipes/broadcast_internal.h"
#include "recipes/copy.h"

enum {
    HISTORY_DEFAULT = 1000,
    HISTORY_MAX = 10000
};

static struct caucus_broadcast *broadcast_of(struct machine *m)
{
    return (struct caucus_broadcast *)(void *)m;
}

char *broadcast_batch_path(const struct caucus_broadcast *b, int64_t batch)
{
    char name[24];
    snprintf(name, sizeof(name), "%019lld", (long long)batch);
    return copy_joined(b->log_path, name);
}

void broadcast_tell(struct caucus_broadcast *b, const struct caucus_broadcast_change *change)
{
    if (b->o.change == NULL || b->m.is_closed)
        return;
    bool was_calling = b->m.is_calling;
    b->m.is_calling = true;
    b->o.change(b->o.context, b, change);
    b->m.is_calling = was_calling;
}

void broadcast_fail(struct caucus_broadcast *b, int rc)
{
    if (!b->m.is_pausing)
        machine_pause(&b->m);
    if (rc != CAUCUS_CLOSING)
        broadcast_tell(
            b, &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_TROUBLE, .rc = rc});
}

/* ---- The place in the line ---- */

static struct caucus_broadcast *led_by(struct queue *q)
{
    return ((struct broadcast_seat *)(void *)q)->b;
}

static void on_first(struct queue *q)
{
    broadcast_leader_begin(led_by(q), q->token);
    machine_advance(&led_by(q)->m);
}

static void on_over(struct queue *q, int rc)
{
    (void)rc;
    broadcast_leader_end(led_by(q));
}

static void on_line_trouble(struct queue *q, int rc)
{
    broadcast_tell(led_by(q),
                   &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_TROUBLE, .rc = rc});
}

static void on_seat_free(struct queue *q)
{
    struct caucus_broadcast *b = led_by(q);
    queue_deinit(q);
    free((struct broadcast_seat *)(void *)q);
    machine_drop(&b->m);
}

static const struct queue_calls seat_calls = {
    .first = on_first, .over = on_over, .trouble = on_line_trouble, .free = on_seat_free};

static void take_seat(struct caucus_broadcast *b)
{
    char *line = copy_joined(b->path, "line");
    struct broadcast_seat *seat = mem_calloc(1, sizeof(*seat));
    struct queue_options o = {.parent = line,
                              .label = "member-",
                              .acl = b->acl,
                              .acl_count = b->o.acl_count,
                              .policy = CAUCUS_UNTIL_LOST};
    queue_init(&seat->queue, &seat_calls, b->m.c, &o);
    free(line);
    seat->b = b;
    machine_hold(&b->m);
    if (queue_start(&seat->queue) == 0)
        b->seat = seat;
    else
        on_seat_free(&seat->queue);
}

/* ---- The machine ---- */

static void advance(struct machine *m)
{
    struct caucus_broadcast *b = broadcast_of(m);
    broadcast_member_advance(b);
    if (m->is_closed) {
        if (broadcast_member_is_gone(b))
            machine_retire(m);
        return;
    }
    /* Who is in knows that there is a record; before that it could not lead. */
    if (b->seat == NULL && b->is_told)
        take_seat(b);
    broadcast_leader_advance(b);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct caucus_broadcast *b = broadcast_of(m);
    if (change->state == CAUCUS_LOST)
        broadcast_member_leave(b, CAUCUS_SESSIONEXPIRED);
    if (change->state == CAUCUS_AUTH_FAILED)
        broadcast_member_leave(b, CAUCUS_AUTHFAILED);
}

static void on_end(struct machine *m)
{
    struct caucus_broadcast *b = broadcast_of(m);
    broadcast_leader_end(b);
    broadcast_member_leave(b, CAUCUS_CLOSING);
    broadcast_sender_end(b, CAUCUS_CLOSING);
    if (b->seat != NULL)
        queue_close(&b->seat->queue);
    b->seat = NULL;
}

static void on_free(struct machine *m)
{
    struct caucus_broadcast *b = broadcast_of(m);
    machine_deinit(m);
    broadcast_sender_deinit(&b->sender);
    free(b->path);
    free(b->slots_path);
    free(b->log_path);
    free(b->commit_path);
    free(b->acl);
    badge_deinit(&b->slot);
    buf_deinit(&b->slot_data);
    buf_deinit(&b->batch);
    free(b);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

static bool is_right(const char *path, const struct caucus_broadcast_options *o)
{
    return copy_is_parent(path) && o != NULL && o->deliver != NULL && o->acks_min >= 0 &&
           o->acks_min <= BROADCAST_MEMBERS_MAX && o->history >= 0 && o->history <= HISTORY_MAX &&
           o->after <= INT64_MAX;
}

/* Of the batch in which the position is the rest is still to come. */
static void set_position(struct caucus_broadcast *b)
{
    if (!b->o.resume)
        return;
    int64_t batch = (int64_t)(b->o.after >> 16);
    bool is_whole = (b->o.after & BROADCAST_BEHIND) == BROADCAST_BEHIND;
    b->has_position = true;
    b->behind = b->o.after;
    b->read = b->delivered = is_whole || batch == 0 ? batch : batch - 1;
}

int caucus_broadcast_open(struct caucus *c, const char *path,
                          const struct caucus_broadcast_options *options,
                          struct caucus_broadcast **ret)
{
    if (!is_right(path, options))
        return CAUCUS_BADARGUMENTS;
    struct caucus_broadcast *b = mem_calloc(1, sizeof(*b));
    machine_init(&b->m, &calls, c);
    b->o = *options;
    b->o.history = b->o.history > 0 ? b->o.history : HISTORY_DEFAULT;
    b->path = copy_text(path);
    b->slots_path = copy_joined(path, "slots");
    b->log_path = copy_joined(path, "log");
    b->commit_path = copy_joined(path, "commit");
    b->acl = copy_acl(options->acl, options->acl_count);
    broadcast_sender_init(&b->sender);
    set_position(b);
    broadcast_member_init(b);
    *ret = b;
    int rc = machine_start(&b->m);
    if (rc != 0) {
        *ret = NULL;
        machine_drop(&b->m);
    }
    return rc;
}

void caucus_broadcast_close(struct caucus_broadcast *b)
{
    if (b != NULL)
        machine_close(&b->m);
}
