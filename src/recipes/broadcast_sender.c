/* broadcast_sender.c: what was sent, until it is delivered.
 *
 *   waiting -> current: a submission, frozen when it is written to the slot -> ordered -> done */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/broadcast_internal.h"

enum {
    LENGTH_BYTES = 4
};

/* ---- Lists ---- */

static void list_init(struct broadcast_list *l)
{
    *l = (struct broadcast_list){.end = NULL};
    l->end = &l->first;
}

static void list_put(struct broadcast_list *l, struct broadcast_message *m)
{
    m->next = NULL;
    *l->end = m;
    l->end = &m->next;
    l->count++;
}

static struct broadcast_message *list_take(struct broadcast_list *l)
{
    struct broadcast_message *m = l->first;
    l->first = m->next;
    if (l->first == NULL)
        l->end = &l->first;
    l->count--;
    return m;
}

/* ---- A submission ---- */

static void set_bytes(struct broadcast_submission *s)
{
    buf_clear(&s->bytes);
    buf_put_i32(&s->bytes, (int32_t)s->messages.count);
    for (struct broadcast_message *m = s->messages.first; m != NULL; m = m->next) {
        buf_put_i32(&s->bytes, (int32_t)m->bytes);
        buf_put(&s->bytes, m->data, m->bytes);
    }
}

static void empty(struct broadcast_submission *s)
{
    s->is_published = s->is_doubtful = false;
    s->number = 0;
    set_bytes(s);
}

void broadcast_sender_init(struct broadcast_sender *s)
{
    list_init(&s->waiting);
    list_init(&s->ordered);
    list_init(&s->current.messages);
    empty(&s->current);
}

void broadcast_sender_deinit(struct broadcast_sender *s)
{
    buf_deinit(&s->current.bytes);
}

void broadcast_sender_collect(struct caucus_broadcast *b)
{
    struct broadcast_sender *s = &b->sender;
    struct broadcast_list *to = &s->current.messages;
    if (s->current.is_published || s->current.is_doubtful)
        return;
    size_t bytes = s->current.bytes.len;
    pthread_mutex_lock(&b->m.lock);
    s->is_posted = false;
    while (s->waiting.count > 0 && to->count < BROADCAST_SUBMISSION_MESSAGES_MAX) {
        bytes += LENGTH_BYTES + s->waiting.first->bytes;
        if (bytes > BROADCAST_SUBMISSION_BYTES_MAX)
            break;
        list_put(to, list_take(&s->waiting));
    }
    pthread_mutex_unlock(&b->m.lock);
    set_bytes(&s->current);
}

/* ---- Ends ---- */

static void finish(struct caucus_broadcast *b, struct broadcast_message *m, int rc,
                   uint64_t position)
{
    pthread_mutex_lock(&b->m.lock);
    b->sender.total--;
    pthread_mutex_unlock(&b->m.lock);
    if (m->done != NULL) {
        bool was_calling = b->m.is_calling;
        b->m.is_calling = true;
        m->done(m->context, rc, position);
        b->m.is_calling = was_calling;
    }
    free(m);
}

static void finish_current(struct caucus_broadcast *b, int rc)
{
    struct broadcast_submission *s = &b->sender.current;
    while (s->messages.count > 0)
        finish(b, list_take(&s->messages), rc, 0);
    empty(s);
}

bool broadcast_sender_accept(struct caucus_broadcast *b, const struct broadcast_reader *r,
                             uint64_t position)
{
    struct broadcast_submission *s = &b->sender.current;
    if (!s->is_published || r->by.number != s->number || !broadcast_id_is(&r->by.id, &s->id) ||
        s->messages.count == 0)
        return false;
    struct broadcast_message *m = list_take(&s->messages);
    m->position = position;
    list_put(&b->sender.ordered, m);
    if (s->messages.count == 0)
        empty(s);
    return true;
}

void broadcast_sender_deliver(struct caucus_broadcast *b, uint64_t position)
{
    struct broadcast_list *l = &b->sender.ordered;
    if (l->count > 0 && l->first->position == position)
        finish(b, list_take(l), 0, position);
}

bool broadcast_sender_owns(const struct caucus_broadcast *b, uint64_t position)
{
    const struct broadcast_list *l = &b->sender.ordered;
    return l->count > 0 && l->first->position == position;
}

/* While our slot stands, the record knows what was ordered of it. */
void broadcast_sender_gap(struct caucus_broadcast *b)
{
    struct broadcast_submission *s = &b->sender.current;
    const struct broadcast_cursor *cursor = broadcast_cursor_of(&b->seen, &s->id);
    if (!s->is_published)
        return;
    if (s->is_doubtful)
        finish_current(b, CAUCUS_CONNECTIONLOSS);
    else if (cursor != NULL && cursor->number >= s->number)
        finish_current(b, 0);
}

static void finish_all(struct caucus_broadcast *b, struct broadcast_list *l, int rc)
{
    while (l->count > 0)
        finish(b, list_take(l), rc, 0);
}

/* No lock is held while the user is called: what waits is taken away first. */
void broadcast_sender_end(struct caucus_broadcast *b, int rc)
{
    struct broadcast_list waiting;
    list_init(&waiting);
    pthread_mutex_lock(&b->m.lock);
    while (b->sender.waiting.count > 0)
        list_put(&waiting, list_take(&b->sender.waiting));
    pthread_mutex_unlock(&b->m.lock);
    finish_all(b, &b->sender.ordered, rc);
    finish_current(b, rc);
    finish_all(b, &waiting, rc);
}

/* ---- From any thread ---- */

static void run_collect(void *context)
{
    machine_settle(context);
}

/* lock is held. */
static int put_waiting(struct caucus_broadcast *b, struct broadcast_message *m)
{
    struct broadcast_sender *s = &b->sender;
    if (b->m.ends)
        return CAUCUS_CLOSING;
    if (s->total >= CAUCUS_BROADCAST_WAITING_MAX)
        return CAUCUS_BUSY;
    if (!s->is_posted && !machine_run(&b->m, 0, run_collect, b))
        return CAUCUS_CLOSING;
    s->is_posted = true;
    s->total++;
    list_put(&s->waiting, m);
    return 0;
}

int caucus_broadcast_send(struct caucus_broadcast *b, const void *data, size_t bytes,
                          caucus_broadcast_sent_fn *done, void *context)
{
    if (data == NULL && bytes > 0)
        return CAUCUS_BADARGUMENTS;
    if (bytes > CAUCUS_BROADCAST_BYTES_MAX)
        return CAUCUS_TOOBIG;
    struct broadcast_message *m = mem_alloc(sizeof(*m) + bytes);
    *m = (struct broadcast_message){.done = done, .context = context, .bytes = bytes};
    if (bytes > 0)
        memcpy(m->data, data, bytes);
    pthread_mutex_lock(&b->m.lock);
    int rc = put_waiting(b, m);
    pthread_mutex_unlock(&b->m.lock);
    if (rc != 0)
        free(m);
    return rc;
}

struct sending {
    struct machine_blocked blocked;
    uint64_t position;
};

static void on_sent(void *context, int rc, uint64_t position)
{
    struct sending *s = context;
    s->position = position;
    machine_blocked_done(&s->blocked, rc);
}

int caucus_broadcast_send_wait(struct caucus_broadcast *b, const void *data, size_t bytes,
                               uint64_t *ret_position)
{
    if (machine_must_not_block(&b->m))
        return CAUCUS_WOULDBLOCK;
    struct sending s = {.position = 0};
    machine_blocked_init(&s.blocked);
    int rc = caucus_broadcast_send(b, data, bytes, on_sent, &s);
    if (rc != 0)
        machine_blocked_done(&s.blocked, rc);
    rc = machine_blocked_wait(&s.blocked);
    if (rc == 0 && ret_position != NULL)
        *ret_position = s.position;
    return rc;
}
