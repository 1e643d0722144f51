/* coordination_fresh.c: a state as it is now. */
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"

enum fresh_slot {
    FRESH_SYNC,
    FRESH_NATION,
    FRESH_COMMIT,
    FRESH_LIVE,
    FRESH_SEALS,
};

static void blame(struct fresh *r, int rc, const char *detail)
{
    if (r->rc != 0)
        return;
    r->rc = rc;
    r->detail = detail;
}

/* What was made by this process, whatever came of it. */
static void find_own(struct fresh *r, const struct caucus_result *result)
{
    for (size_t i = 0; i < result->name_count && r->own_count < SHARD_LIVE_MAX; i++) {
        struct seat_name n;
        if (seat_parse(result->names[i], &n) &&
            memcmp(n.process, r->c->process, sizeof n.process) == 0)
            r->own[r->own_count++] = n;
    }
}

static void take(struct fresh *r, uint32_t slot, const struct caucus_result *result)
{
    switch ((enum fresh_slot)slot) {
    case FRESH_SYNC:
        break;
    case FRESH_NATION:
        if (!follow_read_nation(result->stat, coord_data(result), &r->nation))
            blame(r, ERR_CORRUPT, "Global/Commit cannot be read");
        break;
    case FRESH_COMMIT:
        if (!follow_read_commit(result->stat, coord_data(result), &r->commit))
            blame(r, ERR_CORRUPT, "Commit cannot be read");
        break;
    case FRESH_LIVE:
        r->live_count = follow_read_live(r->c, result->names, result->name_count, r->live);
        find_own(r, result);
        break;
    case FRESH_SEALS:
        r->seal_last = follow_read_seals(result->names, result->name_count);
        break;
    }
}

static void absorb(const struct fresh *r)
{
    follow_saw_nation(r->c, &r->nation);
    follow_saw_commit(r->f, &r->commit);
    follow_saw_live(r->f, r->live, r->live_count);
    follow_saw_seals(r->f, r->seal_last);
}

static void on_part(void *owner, uint32_t slot, const struct caucus_result *result)
{
    struct fresh *r = owner;
    if (result->rc != 0)
        blame(r, result->rc, caucus_error_text(result->rc));
    else
        take(r, slot, result);
    if (--r->left > 0)
        return;
    if (r->rc == 0 && !r->c->closing)
        absorb(r);
    r->done(r->owner, r->serial, r);
    free(r);
}

void fresh_read(struct state_follow *f, bool sync,
                void (*done)(void *owner, uint64_t serial, const struct fresh *r), void *owner,
                uint64_t serial)
{
    struct coordination *c = f->c;
    struct fresh *r = mem_calloc(1, sizeof *r);
    r->c = c;
    r->f = f;
    r->done = done;
    r->owner = owner;
    r->serial = serial;
    r->detail = "";
    r->left = sync ? 5 : 4;
    c->stats.reads++;
    if (sync)
        coord_sync(c, (struct coord_done){on_part, r, FRESH_SYNC});
    coord_get(c, coord_path(c, "Global/Commit").text, &c->nation_watched,
              (struct coord_done){on_part, r, FRESH_NATION});
    coord_get(c, coord_state_path(c, f->state, "Commit").text, &f->commit,
              (struct coord_done){on_part, r, FRESH_COMMIT});
    coord_children(c, coord_state_path(c, f->state, "LiveNodes").text, &f->live,
                   (struct coord_done){on_part, r, FRESH_LIVE});
    coord_children(c, coord_state_path(c, f->state, "Seal").text, &f->seals,
                   (struct coord_done){on_part, r, FRESH_SEALS});
}

/* ---- coordination_read ---- */

struct read_request {
    coordination_read_fn *done;
    void *arg;
};

static void on_read(void *owner, uint64_t serial, const struct fresh *r)
{
    struct read_request *q = owner;
    (void)serial;
    q->done(q->arg, r->rc, r->detail);
    free(q);
}

void coordination_read(struct coordination *c, int state, bool linearizable,
                       coordination_read_fn *done, void *arg)
{
    struct read_request *q = mem_calloc(1, sizeof *q);
    q->done = done;
    q->arg = arg;
    fresh_read(&c->states[state], linearizable, on_read, q, 0);
}
