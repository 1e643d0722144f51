/* broadcast_member.c: a member joins, reads batches, accepts and delivers them, and writes its
 * slot.
 *
 *   OUT -> SYNC -> READ the record -> CLEAR an old slot -> ROOM? -> ENTER: a slot -> IN
 *           ^        +-- no group: MAKE --> READ
 *           +-- end of the session, slot deleted
 *
 *   IN: read the record when it has changed; deliver what is committed; read the next batch, accept
 *   it; write the slot. */
#include <stdlib.h>
#include <string.h>

#include "recipes/broadcast_internal.h"
#include "recipes/copy.h"

/* ---- Requests, one at a time ---- */

/* Every completion begins here and ends with machine_settle. False: it is void, or to be tried
 * again. */
static bool lands(struct caucus_broadcast *b, int rc)
{
    return machine_land(&b->flight) && !protect_is_passing(rc) && rc != CAUCUS_CLOSING;
}

static void refuse(struct caucus_broadcast *b, int rc)
{
    if (rc == 0)
        return;
    machine_land(&b->flight);
    machine_land_watch(&b->flight, false);
    broadcast_fail(b, rc);
    machine_settle(&b->m);
}

/* ---- Joining ---- */

/* What a record says that was read after a sync, of a group we were in before. */
static int check_record(const struct caucus_broadcast *b, const struct caucus_result *r,
                        struct broadcast_record *record)
{
    if (!broadcast_read_record(slice_of(r->data, r->data_bytes), record))
        return CAUCUS_MARSHALLINGERROR;
    /* The service has lost what it had committed, or this is another group. */
    if (b->has_position && b->read > record->proposed)
        return CAUCUS_DATAINCONSISTENCY;
    return 0;
}

static void on_synced(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        if (r->rc == 0)
            b->phase = BROADCAST_READ;
        else
            broadcast_fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static void sync_first(struct caucus_broadcast *b)
{
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_sync(b->m.c, b->commit_path, on_synced, b));
}

static void on_group_read(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        int rc = r->rc == 0 ? check_record(b, r, &b->seen) : r->rc;
        if (rc == 0)
            b->phase = BROADCAST_CLEAR;
        else if (rc == CAUCUS_NONODE)
            b->phase = BROADCAST_MAKE;
        else
            broadcast_fail(b, rc);
    }
    machine_settle(&b->m);
}

static void read_group(struct caucus_broadcast *b)
{
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_get(b->m.c, b->commit_path, NULL, NULL, on_group_read, b));
}

/* ---- The nodes of a group: the path and the slots as containers, the log, the record ---- */

static void on_made(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
            b->phase = BROADCAST_READ;
        else
            broadcast_fail(b, r->rc);
    }
    machine_settle(&b->m);
}

static int make_node(struct caucus_broadcast *b, const char *path, struct slice data,
                     caucus_done_fn *done)
{
    struct caucus_create_options options = {.acl = b->acl, .acl_count = b->o.acl_count};
    return caucus_create(b->m.c, path, data.len > 0 ? (const char *)data.ptr : "", data.len,
                         &options, done, b);
}

static void on_log_made(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (r->rc != 0 && r->rc != CAUCUS_NODEEXISTS) {
        on_made(b, r);
        return;
    }
    struct broadcast_record none = {.oldest = 1};
    struct buf data = {0};
    broadcast_put_record(&data, &none);
    refuse(b, make_node(b, b->commit_path, buf_slice(&data), on_made));
    buf_deinit(&data);
}

static void on_parents(void *context, int rc)
{
    struct caucus_broadcast *b = context;
    if (rc == CAUCUS_CLOSING)
        on_made(b, &(struct caucus_result){.rc = rc});
    else
        refuse(b, make_node(b, b->log_path, slice_str(""), on_log_made));
}

static void make_group(struct caucus_broadcast *b)
{
    machine_take_off(&b->m, &b->flight);
    b->parents = (struct parents){.c = b->m.c,
                                  .path = b->slots_path,
                                  .acl = b->acl,
                                  .acl_count = b->o.acl_count,
                                  .done = on_parents,
                                  .context = b};
    parents_start(&b->parents);
}

/* ---- Our slot ---- */

static void begin_entering(struct caucus_broadcast *b)
{
    buf_clear(&b->slot_data);
    broadcast_put_slot(&b->slot_data, b->read, 0, slice_of("\0\0\0", 4));
    b->slot.entry.data = b->slot_data.ptr;
    b->slot.entry.data_bytes = b->slot_data.len;
    b->slot.wanted = true;
    b->phase = BROADCAST_ENTER;
}

static void on_room_seen(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        bool is_full = r->rc == 0 && r->stat->num_children >= BROADCAST_MEMBERS_MAX;
        if (r->rc != 0 && r->rc != CAUCUS_NONODE)
            broadcast_fail(b, r->rc);
        else if (is_full)
            broadcast_fail(b, CAUCUS_BUSY);
        else
            begin_entering(b);
    }
    machine_settle(&b->m);
}

static void look_for_room(struct caucus_broadcast *b)
{
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_exists(b->m.c, b->slots_path, NULL, NULL, on_room_seen, b));
}

static void on_slot_failed(struct machine *m, int rc)
{
    broadcast_fail((struct caucus_broadcast *)(void *)m, rc);
}

void broadcast_member_init(struct caucus_broadcast *b)
{
    b->slot.entry =
        (struct protect){.parent = b->slots_path, .acl = b->acl, .acl_count = b->o.acl_count};
    badge_init(&b->slot, &b->m, on_slot_failed);
}

static void set_entered(struct caucus_broadcast *b)
{
    broadcast_id_of(b->slot.entry.prefix, &b->id);
    b->slot_read = b->read;
    b->slot_number = b->sender.last_number = 0;
    b->phase = BROADCAST_IN;
    b->commit_is_stale = true;
}

void broadcast_member_leave(struct caucus_broadcast *b, int rc)
{
    struct broadcast_submission *s = &b->sender.current;
    bool was_in = b->phase == BROADCAST_IN;
    b->phase = BROADCAST_OUT;
    b->flight.serial++;
    b->slot.wanted = false;
    badge_leave(&b->slot);
    machine_watch_forget(b->commit_watch);
    b->commit_watch = NULL;
    if (s->is_published && !s->is_doubtful) {
        s->is_doubtful = true;
        s->doubt_until = -1;
    }
    if (was_in && b->is_told) {
        b->is_told = false;
        broadcast_tell(b,
                       &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_LEFT, .rc = rc});
    }
}

bool broadcast_member_is_gone(const struct caucus_broadcast *b)
{
    return b->slot.path == NULL && b->slot.old == NULL && !b->slot.flight.is_up && !b->flight.is_up;
}

/* ---- The record ---- */

static void on_commit_fired(struct machine *m, struct machine_watch *w,
                            const struct caucus_event *event)
{
    (void)w;
    (void)event;
    struct caucus_broadcast *b = (struct caucus_broadcast *)(void *)m;
    b->commit_watch = NULL;
    b->commit_is_stale = true;
}

/* What was ours and is not in the log by now never gets there: it is sent again. */
static void resolve_doubt(struct caucus_broadcast *b)
{
    struct broadcast_submission *s = &b->sender.current;
    if (s->is_doubtful && s->doubt_until >= 0 && b->read >= s->doubt_until)
        s->is_doubtful = s->is_published = false;
}

/* The first record of this joining: what was published under the slot before is in the log by now,
 * or nowhere. */
static void begin_reading(struct caucus_broadcast *b)
{
    struct broadcast_submission *s = &b->sender.current;
    if (s->is_doubtful && s->doubt_until < 0)
        s->doubt_until = b->seen.proposed;
    resolve_doubt(b);
    if (!b->has_position) {
        b->has_position = true;
        b->read = b->delivered = b->seen.committed;
        b->behind = broadcast_position(b->delivered, BROADCAST_BEHIND);
    }
    if (b->is_told)
        return;
    b->is_told = true;
    broadcast_tell(b, &(struct caucus_broadcast_change){.news = CAUCUS_BROADCAST_JOINED,
                                                        .position = b->behind});
}

static void on_commit_read(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    struct machine_watch *w = machine_land_watch(&b->flight, r->rc == 0);
    bool is_ours = lands(b, r->rc);
    b->commit_watch = w != NULL ? w : b->commit_watch;
    if (is_ours && r->rc == CAUCUS_NONODE) {
        broadcast_member_leave(b, r->rc);
    } else if (is_ours) {
        int rc = r->rc == 0 ? check_record(b, r, &b->seen) : r->rc;
        b->commit_is_stale = rc != 0 || b->commit_watch == NULL;
        if (rc == 0) {
            b->m.failures = 0;
            begin_reading(b);
        } else {
            broadcast_fail(b, rc);
        }
    }
    machine_settle(&b->m);
}

static void read_commit(struct caucus_broadcast *b)
{
    machine_take_off(&b->m, &b->flight);
    if (b->commit_watch == NULL)
        b->flight.watch =
            machine_watch_new(&b->m, CAUCUS_KIND_DATA, b->commit_path, on_commit_fired);
    caucus_watch_fn *watch = b->flight.watch != NULL ? machine_on_event : NULL;
    refuse(b, caucus_get(b->m.c, b->commit_path, watch, b->flight.watch, on_commit_read, b));
}

/* ---- Batches ---- */

typedef void message_fn(void *context, struct caucus_broadcast *b,
                        const struct caucus_broadcast_message *message);

static void call(struct caucus_broadcast *b, message_fn *fn, const struct broadcast_reader *r,
                 uint64_t position, bool is_own)
{
    if (fn == NULL || position <= b->behind)
        return;
    struct caucus_broadcast_message message = {
        .position = position, .data = r->message.ptr, .bytes = r->message.len, .is_own = is_own};
    b->m.is_calling = true;
    fn(b->o.context, b, &message);
    b->m.is_calling = false;
}

/* Whatever the user closes in its callbacks. */
static void accept(struct caucus_broadcast *b)
{
    struct broadcast_reader r;
    broadcast_reader_init(&r, buf_slice(&b->batch));
    while (!b->m.is_closed && broadcast_next(&r)) {
        uint64_t position = broadcast_position(b->read, r.place);
        bool is_own = broadcast_sender_accept(b, &r, position);
        call(b, b->o.accept, &r, position, is_own);
    }
}

static void deliver(struct caucus_broadcast *b)
{
    struct broadcast_reader r;
    broadcast_reader_init(&r, buf_slice(&b->batch));
    while (!b->m.is_closed && broadcast_next(&r)) {
        uint64_t position = broadcast_position(b->read, r.place);
        call(b, b->o.deliver, &r, position, broadcast_sender_owns(b, position));
        b->behind = position > b->behind ? position : b->behind;
        if (!b->m.is_closed)
            broadcast_sender_deliver(b, position);
    }
    b->delivered = b->read;
}

static void on_batch_read(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        struct slice data = slice_of(r->data, r->data_bytes);
        bool is_right = r->rc == 0 && broadcast_check_batch(data);
        if (is_right) {
            b->read++;
            buf_clear(&b->batch);
            buf_put_slice(&b->batch, data);
            accept(b);
            resolve_doubt(b);
        } else if (r->rc == CAUCUS_NONODE && b->missing != b->read + 1) {
            b->missing = b->read + 1; /* the oldest one is another by now */
            b->commit_is_stale = true;
        } else {
            broadcast_fail(b, r->rc != 0 ? r->rc : CAUCUS_MARSHALLINGERROR);
        }
    }
    machine_settle(&b->m);
}

static void read_batch(struct caucus_broadcast *b)
{
    char *path = broadcast_batch_path(b, b->read + 1);
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_get(b->m.c, path, NULL, NULL, on_batch_read, b));
    free(path);
}

static void skip_gap(struct caucus_broadcast *b)
{
    struct caucus_broadcast_change gap = {.news = CAUCUS_BROADCAST_GAP, .position = b->behind};
    b->read = b->delivered = b->seen.oldest - 1;
    b->behind = gap.to = broadcast_position(b->delivered, BROADCAST_BEHIND);
    broadcast_tell(b, &gap);
    broadcast_sender_gap(b);
    resolve_doubt(b);
}

/* ---- The slot ---- */

static void on_slot_written(void *context, const struct caucus_result *r)
{
    struct caucus_broadcast *b = context;
    if (lands(b, r->rc)) {
        struct broadcast_slot slot;
        if (r->rc == 0 && broadcast_read_slot(buf_slice(&b->slot_data), &slot)) {
            b->slot_read = slot.read;
            b->slot_number = slot.number;
        } else if (r->rc == CAUCUS_NONODE) {
            broadcast_member_leave(b, r->rc); /* somebody deleted it */
        } else {
            broadcast_fail(b, r->rc);
        }
    }
    machine_settle(&b->m);
}

static void write_slot(struct caucus_broadcast *b)
{
    struct broadcast_submission *s = &b->sender.current;
    bool submits = s->messages.count > 0 && !s->is_doubtful;
    if (submits && !s->is_published) {
        s->is_published = true;
        s->id = b->id;
        s->number = ++b->sender.last_number;
    }
    buf_clear(&b->slot_data);
    broadcast_put_slot(&b->slot_data, b->read, submits ? s->number : 0,
                       submits ? buf_slice(&s->bytes) : slice_of("\0\0\0", 4));
    machine_take_off(&b->m, &b->flight);
    refuse(b, caucus_set(b->m.c, b->slot.path, b->slot_data.ptr, b->slot_data.len,
                         CAUCUS_ANY_VERSION, on_slot_written, b));
}

static bool slot_is_due(struct caucus_broadcast *b)
{
    const struct broadcast_submission *s = &b->sender.current;
    bool is_awaited = b->read > b->seen.committed && b->slot_read < b->read;
    bool is_written = s->is_published && b->slot_number == s->number;
    return is_awaited || (s->messages.count > 0 && !s->is_doubtful && !is_written);
}

/* ---- The machine ---- */

static void go_on_inside(struct caucus_broadcast *b)
{
    if (b->read > b->delivered && b->read <= b->seen.committed) {
        deliver(b);
        if (b->m.is_closed)
            return;
    }
    if (b->commit_is_stale) {
        read_commit(b);
        return;
    }
    if (b->read == b->delivered && b->read + 1 < b->seen.oldest)
        skip_gap(b);
    broadcast_sender_collect(b);
    if (b->m.is_closed)
        return;
    if (b->read == b->delivered && b->read < b->seen.proposed)
        read_batch(b);
    else if (slot_is_due(b))
        write_slot(b);
}

void broadcast_member_advance(struct caucus_broadcast *b)
{
    if (b->flight.is_up || b->m.is_pausing)
        return;
    if (b->phase == BROADCAST_OUT && b->m.has_session && !b->m.is_closed)
        b->phase = BROADCAST_SYNC;
    switch (b->phase) {
    case BROADCAST_OUT:
        if (b->m.is_closed)
            badge_step(&b->slot);
        break;
    case BROADCAST_SYNC:
        sync_first(b);
        break;
    case BROADCAST_READ:
        read_group(b);
        break;
    case BROADCAST_MAKE:
        make_group(b);
        break;
    case BROADCAST_CLEAR:
        if (badge_step(&b->slot))
            break;
        b->phase = BROADCAST_ROOM;
        look_for_room(b);
        break;
    case BROADCAST_ROOM:
        look_for_room(b);
        break;
    case BROADCAST_ENTER:
        if (badge_step(&b->slot))
            break;
        set_entered(b);
        go_on_inside(b);
        break;
    case BROADCAST_IN:
        go_on_inside(b);
        break;
    }
}
