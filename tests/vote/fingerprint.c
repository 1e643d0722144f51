/* fingerprint.c: one number for a world: equal worlds have equal ones, whatever way led there. */
#include "base/hash.h"
#include "world.h"

static uint64_t hash_commit(uint64_t h, const struct commit *c)
{
    struct buf b = {0};
    commit_encode(c, &b);
    h = hash_bytes(b.ptr, b.len, h);
    buf_deinit(&b);
    return h;
}

static uint64_t hash_request(uint64_t h, const struct world *w, const struct request *r)
{
    if (!r->valid)
        return hash_u64(1, h);
    h = hash_u64(r->what.type, hash_u64(world_session_ended(&w->coord, r->session), h));
    if (r->what.type < COORD_COMMIT)
        return h;
    h = hash_u64(r->what.commit_version,
                 hash_u64(r->what.global_version, hash_u64(r->gone << 8 | r->held, h)));
    return hash_commit(hash_u64(r->what.seat, h), &r->what.commit);
}

static uint64_t hash_disk(uint64_t h, const struct disk *d)
{
    h = hash_u64(d->round, hash_u64(d->promised, h));
    h = hash_u64(d->seen_round << 40 | d->seen_epoch << 20 | d->seen_index, h);
    for (uint32_t i = 0; i < d->batch_count; i++)
        h = hash_u64(d->batches[i]->hash, h);
    for (uint32_t i = 0; i < d->pending_count; i++) {
        const struct disk_op *op = &d->pending[i];
        h = hash_u64(op->type, hash_u64(op->value, hash_u64(op->bytes->hash, h)));
    }
    return h;
}

static uint64_t hash_result(uint64_t h, const struct replica *r)
{
    if (!r->result.valid)
        return hash_u64(2, h);
    h = hash_u64(r->result.outcome, hash_u64(r->result.seat, h));
    if (!r->result.is_read)
        return h;
    const struct coord_view *v = &r->result.view;
    h = hash_u64(v->global_version, hash_u64(v->commit_version, h));
    h = hash_u64(v->own_seat, hash_u64(v->has_seal, h));
    for (size_t i = 0; i < v->live_count; i++)
        h = hash_u64(v->live[i].seat, h);
    return hash_commit(h, &r->result.commit);
}

static uint64_t hash_replica(uint64_t h, const struct world *w, const struct replica *r)
{
    h = hash_u64((uint64_t)r->up | r->connected << 1 | r->changed << 2 | r->lives << 8, h);
    h = hash_u64(r->session != 0,
                 hash_u64(r->session != 0 && world_session_ended(&w->coord, r->session), h));
    h = hash_u64(r->old_session != 0 && !world_session_ended(&w->coord, r->old_session), h);
    h = hash_disk(h, &r->disk);
    for (uint32_t i = 0; i < r->held_count; i++)
        h = hash_u64(r->held[i].bytes->hash, hash_u64(r->held[i].to, h));
    h = hash_request(h, w, &r->asked);
    h = hash_request(h, w, &r->ghost);
    h = hash_result(h, r);
    if (r->admitting)
        h = hash_u64(r->admit_version << 32 | r->admit_kept, h);
    if (r->up)
        h = hash_u64(shard_fingerprint(r->shard), h);
    return h;
}

static uint64_t hash_coord(uint64_t h, const struct coord *c)
{
    h = hash_u64(c->global_version, hash_u64(c->commit_version, h));
    h = hash_u64(c->global.round << 8 | c->global.phase << 1 | c->has_seal, h);
    for (uint32_t i = 0; i < c->live_count; i++)
        h = hash_u64(c->live[i].seat << 8 | c->live[i].member, h);
    return hash_commit(hash_u64(c->seat_last, h), &c->commit);
}

/* The hash of the log before each loss names all that was given up. */
static uint64_t hash_losses(uint64_t h, const struct world *w)
{
    h = hash_u64(w->holders, h);
    for (uint32_t i = 0; i < w->lost_count; i++)
        h = hash_bytes(w->lost[i].chains[w->lost[i].count].bytes, SHA256_BYTES, h);
    for (uint32_t i = 0; i < w->aside_count; i++)
        h = hash_u64(w->aside[i].member, hash_u64(w->aside[i].batch->hash, h));
    for (uint32_t i = 0; i < w->gone_count; i++)
        h = hash_u64(w->gone[i]->hash, h);
    return h;
}

uint64_t world_fingerprint(const struct world *w)
{
    uint64_t h = hash_coord(1, &w->coord);
    for (uint32_t a = 0; a < w->options.replicas; a++) {
        h = hash_replica(h, w, &w->replicas[a]);
        for (uint32_t b = 0; b < w->options.replicas; b++) {
            h = hash_u64(world_linked(w, a, b), h);
            for (uint32_t i = 0; i < w->links[a][b].count; i++)
                h = hash_u64(w->links[a][b].items[i]->hash, h);
        }
    }
    h = hash_losses(h, w);
    for (uint32_t i = 0; i < w->vote_count; i++) {
        const struct vote *v = &w->votes[i];
        h = hash_u64(v->round << 16 | v->sent << 5 | v->told_committed | v->told_closed << 1 |
                         v->settled << 2 | v->lost << 3,
                     h);
    }
    return h;
}
