/* broadcast_leader.c: the first in the line orders what all submit.
 *
 *   TAKE the record: read it, write it with our epoch
 *   then, whenever something has changed: list the slots, read those that changed, and write once:
 *     committed = proposed, if enough have accepted it; and then
 *     proposed + 1 = a batch of what is submitted
 *
 * Every write is a multi that begins with the record under its version. One whose answer is lost is
 * settled by reading the record again. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/broadcast_internal.h"
#include "recipes/copy.h"

/* ---- Errands: requests of a term ---- */

struct errand {
    struct caucus_broadcast *b;
    uint64_t term;
    struct machine_watch *watch;
    char name[BROADCAST_ID_DIGITS + 1]; /* of a slot */
};

static struct errand *errand_new(struct caucus_broadcast *b)
{
    struct errand *e = mem_calloc(1, sizeof(*e));
    e->b = b;
    e->term = b->leader.term;
    machine_hold(&b->m);
    return e;
}

/* False: it is of an earlier term. */
static bool is_current(const struct errand *e)
{
    return e->term == e->b->leader.term;
}

static void errand_free(struct errand *e)
{
    struct caucus_broadcast *b = e->b;
    free(e);
    machine_settle(&b->m);
}

/* The watch is ours only if it was set and is still wanted. */
static struct machine_watch *take_watch(struct errand *e, bool is_set)
{
    struct machine_watch *w = e->watch;
    if (w != NULL && !is_set)
        machine_watch_free(w);
    else if (w != NULL && !is_current(e))
        machine_watch_forget(w);
    else
        return w;
    return NULL;
}

/* As if the answer had come, and not again at once. */
static void refuse(struct errand *e, int rc, caucus_done_fn *done)
{
    if (rc == 0)
        return;
    if (!e->b->m.is_pausing)
        machine_pause(&e->b->m);
    done(e, &(struct caucus_result){.rc = rc});
}

/* Refusals are tried again after a while, lost connections at once. */
static void stumble(struct caucus_broadcast *b, int rc)
{
    if (rc != 0 && !protect_is_passing(rc))
        broadcast_fail(b, rc);
}

static struct caucus_broadcast *broadcast_of(struct machine *m)
{
    return (struct caucus_broadcast *)(void *)m;
}

/* ---- Slots ---- */

static void peer_free(struct broadcast_peer *p)
{
    machine_watch_forget(p->watch);
    buf_deinit(&p->messages);
    free(p);
}

static struct broadcast_peer *peer_named(const struct broadcast_leader *l, const char *name)
{
    for (size_t i = 0; i < l->peer_count; i++)
        if (strcmp(l->peers[i]->name, name) == 0)
            return l->peers[i];
    return NULL;
}

static struct broadcast_peer *peer_new(const char *name)
{
    struct broadcast_peer *p = mem_calloc(1, sizeof(*p));
    memcpy(p->name, name, BROADCAST_ID_DIGITS + 1);
    broadcast_id_of(name, &p->id);
    p->is_stale = true;
    return p;
}

static int compare_peers(const void *a, const void *b)
{
    const struct broadcast_peer *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

/* Keeps those that are still there, adds those that are new; what is no slot's name is none. */
static void set_peers(struct broadcast_leader *l, const struct caucus_result *r)
{
    struct broadcast_peer **peers = mem_calloc(r->name_count, sizeof(*peers));
    size_t count = 0;
    struct broadcast_id id;
    for (size_t i = 0; i < r->name_count && count < BROADCAST_MEMBERS_MAX; i++) {
        if (!broadcast_id_of(r->names[i], &id))
            continue;
        struct broadcast_peer *p = peer_named(l, r->names[i]);
        for (size_t k = 0; k < l->peer_count && p != NULL; k++)
            if (l->peers[k] == p)
                l->peers[k] = l->peers[--l->peer_count];
        peers[count++] = p != NULL ? p : peer_new(r->names[i]);
    }
    for (size_t k = 0; k < l->peer_count; k++)
        peer_free(l->peers[k]);
    free(l->peers);
    if (count > 1)
        qsort(peers, count, sizeof(*peers), compare_peers);
    l->peers = peers;
    l->peer_count = count;
}

static void on_list_fired(struct machine *m, struct machine_watch *w,
                          const struct caucus_event *event)
{
    (void)w;
    (void)event;
    struct broadcast_leader *l = &broadcast_of(m)->leader;
    l->list_watch = NULL;
    l->list_is_stale = true;
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct broadcast_leader *l = &e->b->leader;
    struct machine_watch *w = take_watch(e, r->rc == 0);
    if (is_current(e)) {
        l->is_listing = false;
        l->list_watch = w != NULL ? w : l->list_watch;
        l->list_is_stale |= r->rc != 0;
        if (r->rc == 0)
            set_peers(l, r);
        stumble(e->b, r->rc);
    }
    errand_free(e);
}

static void list(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    struct errand *e = errand_new(b);
    if (l->list_watch == NULL)
        e->watch = machine_watch_new(&b->m, CAUCUS_KIND_CHILDREN, b->slots_path, on_list_fired);
    l->is_listing = true;
    l->list_is_stale = false;
    refuse(e,
           caucus_get_children(b->m.c, b->slots_path, e->watch != NULL ? machine_on_event : NULL,
                               e->watch, on_listed, e),
           on_listed);
}

static void on_slot_fired(struct machine *m, struct machine_watch *w,
                          const struct caucus_event *event)
{
    (void)event;
    struct broadcast_leader *l = &broadcast_of(m)->leader;
    for (size_t i = 0; i < l->peer_count; i++) {
        if (l->peers[i]->watch == w) {
            l->peers[i]->watch = NULL;
            l->peers[i]->is_stale = true;
        }
    }
}

/* A slot that cannot be understood submits nothing and accepts nothing. */
static void set_peer(struct broadcast_peer *p, const struct caucus_result *r)
{
    struct broadcast_slot slot;
    if (!broadcast_read_slot(slice_of(r->data, r->data_bytes), &slot))
        slot = (struct broadcast_slot){.read = 0};
    p->read = slot.read;
    p->number = slot.message_count > 0 ? slot.number : 0;
    p->message_count = slot.message_count;
    buf_clear(&p->messages);
    buf_put_slice(&p->messages, slot.messages);
}

static void on_slot_read(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct broadcast_leader *l = &e->b->leader;
    struct machine_watch *w = take_watch(e, r->rc == 0);
    if (is_current(e)) {
        struct broadcast_peer *p = peer_named(l, e->name);
        l->reads--;
        if (p == NULL) {
            machine_watch_forget(w);
        } else {
            p->in_flight = false;
            p->watch = w != NULL ? w : p->watch;
            p->is_stale |= r->rc != 0;
            l->list_is_stale |= r->rc == CAUCUS_NONODE;
            if (r->rc == 0)
                set_peer(p, r);
        }
        stumble(e->b, r->rc == CAUCUS_NONODE ? 0 : r->rc);
    }
    errand_free(e);
}

static void read_slot(struct caucus_broadcast *b, struct broadcast_peer *p)
{
    char *path = copy_joined(b->slots_path, p->name);
    struct errand *e = errand_new(b);
    memcpy(e->name, p->name, sizeof(e->name));
    if (p->watch == NULL)
        e->watch = machine_watch_new(&b->m, CAUCUS_KIND_DATA, path, on_slot_fired);
    p->in_flight = true;
    p->is_stale = false;
    b->leader.reads++;
    refuse(e,
           caucus_get(b->m.c, path, e->watch != NULL ? machine_on_event : NULL, e->watch,
                      on_slot_read, e),
           on_slot_read);
    free(path);
}

static void read_stale_slots(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    for (size_t i = 0; i < l->peer_count && !b->m.is_pausing; i++)
        if (l->peers[i]->is_stale && !l->peers[i]->in_flight)
            read_slot(b, l->peers[i]);
}

/* ---- Taking the record ---- */

/* Batches before the oldest one whose deletion nobody answered. */
static void on_log_listed(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct caucus_broadcast *b = e->b;
    for (size_t i = 0; i < r->name_count && is_current(e); i++) {
        char *end;
        long long number = strtoll(r->names[i], &end, 10);
        if (*end != '\0' || number <= 0 || number >= b->leader.record.oldest)
            continue;
        char *path = copy_joined(b->log_path, r->names[i]);
        caucus_delete(b->m.c, path, CAUCUS_ANY_VERSION, NULL, NULL);
        free(path);
    }
    errand_free(e);
}

static void clear_log(struct caucus_broadcast *b)
{
    struct errand *e = errand_new(b);
    refuse(e, caucus_get_children(b->m.c, b->log_path, NULL, NULL, on_log_listed, e),
           on_log_listed);
}

static void set_taken(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    l->has_taken = l->was_taken = true;
    l->list_is_stale = true;
    b->m.failures = 0;
    clear_log(b);
    broadcast_tell(
        b, &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_LEADS, .epoch = l->epoch});
}

static void on_taken(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct broadcast_leader *l = &e->b->leader;
    if (is_current(e)) {
        l->in_flight = false;
        if (r->rc == 0) {
            l->version = r->stat->version;
            set_taken(e->b);
        } else if (r->rc != CAUCUS_BADVERSION) { /* then it is read again */
            stumble(e->b, r->rc);
        }
    }
    errand_free(e);
}

static void write_taken(struct errand *e)
{
    struct caucus_broadcast *b = e->b;
    struct buf data = {0};
    b->leader.record.epoch = b->leader.epoch;
    broadcast_put_record(&data, &b->leader.record);
    refuse(e,
           caucus_set(b->m.c, b->commit_path, data.ptr, data.len, b->leader.version, on_taken, e),
           on_taken);
    buf_deinit(&data);
}

static void on_record_read(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct caucus_broadcast *b = e->b;
    struct broadcast_leader *l = &b->leader;
    if (!is_current(e)) {
        errand_free(e);
        return;
    }
    l->in_flight = false;
    if (r->rc != 0) {
        stumble(b, r->rc);
    } else if (!broadcast_read_record(slice_of(r->data, r->data_bytes), &l->record)) {
        broadcast_fail(b, CAUCUS_MARSHALLINGERROR);
    } else if (l->record.epoch > l->epoch) {
        l->is_superseded = l->yields = true;
    } else if (l->record.epoch == l->epoch) {
        l->version = r->stat->version; /* one of our writes, whose answer was lost */
        if (l->was_taken)
            l->has_taken = true;
        else
            set_taken(b);
    } else {
        l->in_flight = true;
        l->version = r->stat->version;
        write_taken(e);
        return;
    }
    errand_free(e);
}

static void read_record(struct caucus_broadcast *b)
{
    struct errand *e = errand_new(b);
    b->leader.in_flight = true;
    refuse(e, caucus_get(b->m.c, b->commit_path, NULL, NULL, on_record_read, e), on_record_read);
}

/* ---- Proposing and committing ---- */

/* As the slots were read last; members only accept more. */
static bool is_accepted(const struct caucus_broadcast *b)
{
    const struct broadcast_leader *l = &b->leader;
    size_t wanted = b->o.acks_min > 0 ? (size_t)b->o.acks_min : l->peer_count, accepted = 0;
    for (size_t i = 0; i < l->peer_count; i++)
        accepted += l->peers[i]->read >= l->record.proposed;
    return accepted > 0 && accepted >= wanted;
}

static bool is_there(const struct broadcast_leader *l, const struct broadcast_id *id)
{
    for (size_t i = 0; i < l->peer_count; i++)
        if (broadcast_id_is(&l->peers[i]->id, id))
            return true;
    return false;
}

/* An id whose slot is gone never comes back. */
static void forget_cursors(struct broadcast_leader *l)
{
    struct broadcast_record *r = &l->next;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < r->cursor_count; i++)
        if (is_there(l, &r->cursors[i].id))
            r->cursors[kept++] = r->cursors[i];
    r->cursor_count = kept;
}

static bool submits(struct broadcast_leader *l, const struct broadcast_peer *p)
{
    const struct broadcast_cursor *cursor = broadcast_cursor_of(&l->next, &p->id);
    return p->number > (cursor != NULL ? cursor->number : 0);
}

static void set_cursor(struct broadcast_record *r, const struct broadcast_peer *p)
{
    struct broadcast_cursor *cursor = broadcast_cursor_of(r, &p->id);
    if (cursor == NULL) /* as many as there are peers, at most */
        cursor = &r->cursors[r->cursor_count++];
    *cursor = (struct broadcast_cursor){.id = p->id, .number = p->number};
}

enum {
    OPS_BEFORE_CHECKS = 2
};

struct proposal {
    struct buf record, batch;
    char *batch_path;
    struct caucus_op ops[OPS_BEFORE_CHECKS + BROADCAST_MEMBERS_MAX];
    char *checked[BROADCAST_MEMBERS_MAX];
    size_t op_count, checked_count;
};

/* Puts what is submitted into the batch, each time beginning with another member. */
static void gather(struct caucus_broadcast *b, struct proposal *p)
{
    struct broadcast_leader *l = &b->leader;
    size_t messages = 0;
    broadcast_begin_batch(&p->batch, l->epoch);
    for (size_t i = 0; i < l->peer_count; i++) {
        const struct broadcast_peer *peer = l->peers[(l->turn + i) % l->peer_count];
        if (!submits(l, peer))
            continue;
        messages += peer->message_count;
        if (p->batch.len + peer->messages.len > BROADCAST_BATCH_BYTES_MAX ||
            messages > BROADCAST_BATCH_MESSAGES_MAX)
            break;
        broadcast_put_submission(&p->batch, &peer->id, peer->number, buf_slice(&peer->messages));
        set_cursor(&l->next, peer);
        p->checked[p->checked_count++] = copy_joined(b->slots_path, peer->name);
    }
    l->turn++;
    broadcast_end_batch(&p->batch, (uint32_t)p->checked_count);
}

static void put_ops(struct caucus_broadcast *b, struct proposal *p)
{
    struct broadcast_leader *l = &b->leader;
    broadcast_put_record(&p->record, &l->next);
    p->ops[p->op_count++] = (struct caucus_op){.type = CAUCUS_OP_SET,
                                               .path = b->commit_path,
                                               .data = p->record.ptr,
                                               .data_bytes = p->record.len,
                                               .version = l->version};
    if (p->checked_count == 0)
        return;
    p->batch_path = broadcast_batch_path(b, l->next.proposed);
    p->ops[p->op_count++] =
        (struct caucus_op){.type = CAUCUS_OP_CREATE,
                           .path = p->batch_path,
                           .data = p->batch.ptr,
                           .data_bytes = p->batch.len,
                           .options = {.acl = b->acl, .acl_count = b->o.acl_count}};
    for (size_t i = 0; i < p->checked_count; i++)
        p->ops[p->op_count++] = (struct caucus_op){
            .type = CAUCUS_OP_CHECK, .path = p->checked[i], .version = CAUCUS_ANY_VERSION};
}

static void delete_batches(struct caucus_broadcast *b, int64_t from, int64_t to)
{
    for (int64_t batch = from; batch < to; batch++) {
        char *path = broadcast_batch_path(b, batch);
        caucus_delete(b->m.c, path, CAUCUS_ANY_VERSION, NULL, NULL);
        free(path);
    }
}

/* Which of its parts failed says why. */
static void learn_from_failure(struct caucus_broadcast *b, const struct caucus_result *r)
{
    struct broadcast_leader *l = &b->leader;
    size_t failed = 0;
    while (failed < r->result_count && r->results[failed].rc == 0)
        failed++;
    bool is_slot = failed >= OPS_BEFORE_CHECKS && failed < r->result_count;
    if (is_slot && r->rc == CAUCUS_NONODE) {
        l->list_is_stale = true; /* it is gone */
        return;
    }
    l->has_taken = false; /* unknown, or somebody else has written: the record knows */
    if (r->rc != CAUCUS_BADVERSION)
        stumble(b, r->rc);
}

static void on_written(void *context, const struct caucus_result *r)
{
    struct errand *e = context;
    struct caucus_broadcast *b = e->b;
    struct broadcast_leader *l = &b->leader;
    if (is_current(e)) {
        l->in_flight = false;
        if (r->rc == 0) {
            int64_t oldest = l->record.oldest;
            b->m.failures = 0;
            l->version++;
            l->record = l->next;
            delete_batches(b, oldest, l->record.oldest);
        } else {
            learn_from_failure(b, r);
        }
    }
    errand_free(e);
}

static void set_oldest(struct caucus_broadcast *b)
{
    struct broadcast_record *next = &b->leader.next;
    int64_t oldest = next->proposed - b->o.history + 1;
    next->oldest = oldest > next->oldest ? oldest : next->oldest;
}

static void write_next(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    struct proposal *p = mem_calloc(1, sizeof(*p));
    l->next = l->record;
    forget_cursors(l);
    if (l->record.proposed > l->record.committed && is_accepted(b))
        l->next.committed = l->record.proposed;
    if (l->next.committed == l->next.proposed)
        gather(b, p);
    if (p->checked_count > 0)
        l->next.proposed++;
    set_oldest(b);
    if (p->checked_count > 0 || l->next.committed > l->record.committed) {
        struct errand *e = errand_new(b);
        put_ops(b, p);
        l->in_flight = true;
        refuse(e, caucus_multi(b->m.c, p->ops, p->op_count, on_written, e), on_written);
    }
    for (size_t i = 0; i < p->checked_count; i++)
        free(p->checked[i]);
    free(p->batch_path);
    buf_deinit(&p->record);
    buf_deinit(&p->batch);
    free(p);
}

/* ---- The machine ---- */

void broadcast_leader_advance(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    /* Only somebody who had no business there can have led with a later place. A new one of our own
     * is later still. */
    if (l->yields && b->seat != NULL) {
        l->yields = false;
        queue_yield(&b->seat->queue);
        return;
    }
    if (l->epoch == 0 || l->is_superseded || l->in_flight || b->m.is_pausing || !b->m.has_session)
        return;
    if (!l->has_taken) {
        read_record(b);
        return;
    }
    if (l->list_is_stale && !l->is_listing)
        list(b);
    if (!l->is_listing)
        read_stale_slots(b);
    if (!l->is_listing && l->reads == 0 && !b->m.is_pausing)
        write_next(b);
}

void broadcast_leader_begin(struct caucus_broadcast *b, int64_t epoch)
{
    b->leader = (struct broadcast_leader){.epoch = epoch, .term = b->leader.term + 1};
}

void broadcast_leader_end(struct caucus_broadcast *b)
{
    struct broadcast_leader *l = &b->leader;
    bool has_led = l->was_taken;
    int64_t epoch = l->epoch;
    machine_watch_forget(l->list_watch);
    for (size_t i = 0; i < l->peer_count; i++)
        peer_free(l->peers[i]);
    free(l->peers);
    *l = (struct broadcast_leader){.term = l->term + 1};
    if (has_led)
        broadcast_tell(
            b, &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_FOLLOWS, .epoch = epoch});
}
