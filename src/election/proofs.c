/* proofs.c: that the log only grows, and what is in it, for whoever asks: from the files of a
 * replica of this server, on a thread, one question at a time; or from another server.
 *
 *   QUESTION_LOG  state u16 | what u8 | width u16 | level u8 | round, index, from, size u64 each
 *   its answer    outcome u8 | round u64 | root 32 | leaf 32 | hashes u16 | 32 each | entries,
 *                 or, if outcome is not LOG_OK: outcome u8 | why */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/log_tiles.h"
#include "election/service_internal.h"

enum {
    ASKED_BYTES = 2 + 1 + 2 + 1 + 4 * 8,
    TOLD_BYTES_MIN = 1 + 8 + 2 * SHA256_BYTES + 2,
    ASK_TIMEOUT_MS = 30 * 1000, /* the first question reads the whole log */
    PROOFS_MAX = 256,           /* under way; more are refused */
};

/* One question, answered from the files. */
struct proof {
    struct list all; /* service.proofs; the first one is being answered */
    uv_work_t work;
    struct service *service;
    struct log_request request;
    uint64_t round;
    struct log_tiles *tiles;
    int grown; /* as log_tiles_grow */
    struct err err;
    struct buf answer;
    log_done_fn *done; /* or: */
    void *arg;
    uint64_t link, id;
};

/* ---- what is asked ---- */

/* So many leaves must be there. */
static uint64_t leaves_wanted(const struct log_request *r)
{
    switch (r->what) {
    case LOG_TILE:
        return (r->index * TILE_WIDTH + r->width) << (TILE_LEVEL_BITS * r->level);
    case LOG_ENTRIES:
        return r->index * TILE_WIDTH + r->width;
    case LOG_INCLUSION:
    case LOG_CONSISTENCY:
        break;
    }
    return r->size;
}

/* Nothing that makes no sense comes further than here. */
static bool makes_sense(const struct log_request *r)
{
    switch (r->what) {
    case LOG_INCLUSION:
        return r->index < r->size && r->size <= RECORDS_MAX;
    case LOG_CONSISTENCY:
        return r->from <= r->size && r->size <= RECORDS_MAX;
    case LOG_TILE:
    case LOG_ENTRIES:
        return r->level < TILE_LEVELS && r->width >= 1 && r->width <= TILE_WIDTH &&
               r->index <= RECORDS_MAX / TILE_WIDTH &&
               r->index * TILE_WIDTH + r->width <= RECORDS_MAX >> (TILE_LEVEL_BITS * r->level);
    }
    return false;
}

static void encode_request(const struct log_request *r, uint8_t ret[ASKED_BYTES])
{
    ret[0] = (uint8_t)(r->state >> 8);
    ret[1] = (uint8_t)r->state;
    ret[2] = (uint8_t)r->what;
    ret[3] = (uint8_t)(r->width >> 8);
    ret[4] = (uint8_t)r->width;
    ret[5] = (uint8_t)r->level;
    store_be64(ret + 6, r->round);
    store_be64(ret + 14, r->index);
    store_be64(ret + 22, r->from);
    store_be64(ret + 30, r->size);
}

static struct log_request decode_request(const uint8_t *p)
{
    return (struct log_request){
        .state = p[0] << 8 | p[1],
        .what = (enum log_question)p[2],
        .width = (uint32_t)p[3] << 8 | p[4],
        .level = p[5],
        .round = load_be64(p + 6),
        .index = load_be64(p + 14),
        .from = load_be64(p + 22),
        .size = load_be64(p + 30),
    };
}

/* ---- what is answered ---- */

static void answer_failure(struct buf *ret, enum log_outcome outcome, const char *why)
{
    buf_clear(ret);
    buf_put_u8(ret, (uint8_t)outcome);
    buf_put(ret, why, strlen(why));
}

static void put_u16(struct buf *b, size_t v)
{
    buf_put_u8(b, (uint8_t)(v >> 8));
    buf_put_u8(b, (uint8_t)v);
}

static void answer_from_tiles(struct log_tiles *t, const struct log_request *r, struct buf *ret)
{
    struct hash root = {{0}}, leaf = {{0}}, hashes[TILE_WIDTH];
    struct buf entries = {0};
    size_t count = 0;
    bool read = false;
    switch (r->what) {
    case LOG_INCLUSION:
        read = log_tiles_root(t, r->size, &root) &&
               log_tiles_inclusion(t, r->index, r->size, hashes, &count);
        if (read) {
            struct hash tile[TILE_WIDTH];
            size_t at = (size_t)(r->index % TILE_WIDTH);
            read = log_tiles_hashes(t, 0, r->index / TILE_WIDTH, at + 1, tile);
            leaf = tile[at];
        }
        break;
    case LOG_CONSISTENCY:
        read = log_tiles_root(t, r->size, &root) &&
               (r->from == 0 || log_tiles_consistency(t, r->from, r->size, hashes, &count));
        break;
    case LOG_TILE:
        count = r->width;
        read = log_tiles_hashes(t, (int)r->level, r->index, count, hashes);
        break;
    case LOG_ENTRIES:
        read = log_tiles_entries(t, r->index * TILE_WIDTH, r->width, &entries);
        break;
    }
    if (!read) {
        answer_failure(ret, LOG_UNAVAILABLE, "the log cannot be read");
    } else {
        buf_put_u8(ret, LOG_OK);
        buf_put_i64(ret, (int64_t)log_tiles_round(t));
        buf_put(ret, root.bytes, SHA256_BYTES);
        buf_put(ret, leaf.bytes, SHA256_BYTES);
        put_u16(ret, count);
        buf_put(ret, hashes, count * sizeof *hashes);
        buf_put_slice(ret, buf_slice(&entries));
    }
    buf_deinit(&entries);
}

static void tell(log_done_fn *done, void *arg, struct slice b)
{
    struct log_reply reply = {.outcome = LOG_UNAVAILABLE, .detail = "an answer that is none"};
    struct hash hashes[TILE_WIDTH];
    char why[DETAIL_BYTES_MAX];
    if (b.len > 0 && b.ptr[0] != LOG_OK && b.ptr[0] <= LOG_UNAVAILABLE) {
        snprintf(why, sizeof why, "%.*s", (int)(b.len - 1), (const char *)b.ptr + 1);
        reply.outcome = (enum log_outcome)b.ptr[0];
        reply.detail = why;
    } else if (b.len >= TOLD_BYTES_MIN && b.ptr[0] == LOG_OK) {
        const uint8_t *p = b.ptr + 9 + 2 * SHA256_BYTES;
        size_t count = (size_t)p[0] << 8 | p[1];
        if (count <= TILE_WIDTH && b.len >= TOLD_BYTES_MIN + count * SHA256_BYTES) {
            reply.outcome = LOG_OK;
            reply.detail = "";
            reply.round = load_be64(b.ptr + 1);
            memcpy(reply.root.bytes, b.ptr + 9, SHA256_BYTES);
            memcpy(reply.leaf.bytes, b.ptr + 9 + SHA256_BYTES, SHA256_BYTES);
            memcpy(hashes, p + 2, count * SHA256_BYTES);
            reply.hashes = hashes;
            reply.count = count;
            reply.entries = slice_from(b, TOLD_BYTES_MIN + count * SHA256_BYTES);
        }
    }
    done(arg, &reply);
}

/* ---- from the files ---- */

static void give(const struct proof *p, const struct buf *answer)
{
    if (p->done != NULL)
        tell(p->done, p->arg, buf_slice(answer));
    else
        question_answer(p->service, p->link, p->id, buf_slice(answer));
}

static void conclude(struct proof *p)
{
    give(p, &p->answer);
    buf_deinit(&p->answer);
    free(p);
}

static void run_proof(uv_work_t *work)
{
    struct proof *p = work->data;
    p->grown = log_tiles_grow(p->tiles, leaves_wanted(&p->request), &p->err);
    if (p->grown > 0)
        answer_from_tiles(p->tiles, &p->request, &p->answer);
}

static void next_proof(struct service *s);

static void proof_done(uv_work_t *work, int status)
{
    struct proof *p = work->data;
    struct service *s = p->service;
    (void)status;
    if (s == NULL) { /* it was answered, and left to itself */
        log_tiles_free(p->tiles);
        buf_deinit(&p->answer);
        free(p);
        return;
    }
    s->proving = NULL;
    if (p->grown < 0)
        answer_failure(&p->answer, LOG_UNAVAILABLE, "the log cannot be read");
    list_remove(&p->all);
    if (p->grown == 0) /* there is more to read: others first */
        list_append(&s->proofs, &p->all);
    else
        conclude(p);
    next_proof(s);
    loop_again(s->loop);
}

static struct log_tiles *tiles_of(struct service *s, int state, uint64_t round)
{
    struct log_tiles **t = &s->tiles[state];
    if (*t != NULL && (log_tiles_round(*t) != round || s->tiles_are_old[state])) {
        log_tiles_free(*t);
        *t = NULL;
    }
    s->tiles_are_old[state] = false;
    if (*t == NULL) {
        char path[sizeof s->replicas[state]->dir + 64];
        snprintf(path, sizeof path, "%s/log-%016" PRIx64, s->replicas[state]->dir, round);
        *t = log_tiles_create(path, round);
    }
    return *t;
}

void proofs_forget(struct service *s, int state)
{
    s->tiles_are_old[state] = true; /* a thread may have them */
}

static void next_proof(struct service *s)
{
    if (s->proving || list_is_empty(&s->proofs))
        return;
    struct proof *p = list_entry(s->proofs.next, struct proof, all);
    s->proving = p;
    p->tiles = tiles_of(s, p->request.state, p->round);
    replica_flush(s->replicas[p->request.state]);
    p->work.data = p;
    uv_queue_work(&s->loop->uv, &p->work, run_proof, proof_done);
}

/* NULL: it is for the files. Otherwise why not now. */
static const char *objection(struct service *s, const struct log_request *r, uint64_t *ret_round,
                             enum log_outcome *ret)
{
    struct shard_status status = shard_status(s->replicas[r->state]->shard);
    *ret_round = status.round;
    *ret = LOG_NOT_THERE;
    if (status.round == 0)
        return "no round has begun";
    if (status.superseded_by != 0) {
        *ret = LOG_UNAVAILABLE;
        return "what this server has was given up";
    }
    if (r->round != 0 && r->round != status.round)
        return "the log is of another round";
    uint64_t wanted = leaves_wanted(r);
    /* Where the disk is behind, the file may still have what was never committed. */
    if (wanted <= status.counted && wanted <= status.durable)
        return NULL;
    *ret = wanted <= status.committed ? LOG_UNAVAILABLE : LOG_NOT_THERE;
    return *ret == LOG_UNAVAILABLE ? "this server is still counting" : "the log is not that long";
}

/* Takes it, or says why not. */
static const char *take(struct service *s, const struct log_request *r, const struct proof *whom,
                        enum log_outcome *ret)
{
    uint64_t round;
    size_t under_way = 0;
    for (struct list *at = s->proofs.next; at != &s->proofs; at = at->next)
        under_way++;
    *ret = LOG_UNAVAILABLE;
    if (under_way >= PROOFS_MAX)
        return "too many questions about logs";
    const char *why = objection(s, r, &round, ret);
    if (why != NULL)
        return why;
    struct proof *p = mem_calloc(1, sizeof *p);
    *p = *whom;
    p->service = s;
    p->request = *r;
    p->round = round;
    list_append(&s->proofs, &p->all);
    next_proof(s);
    return NULL;
}

void proofs_end(struct service *s)
{
    struct buf answer = {0};
    struct list *at;
    answer_failure(&answer, LOG_UNAVAILABLE, "this server ends");
    while ((at = list_take(&s->proofs)) != NULL) {
        struct proof *p = list_entry(at, struct proof, all);
        give(p, &answer);
        if (p == s->proving) {
            s->tiles[p->request.state] = NULL; /* a thread has them */
            p->service = NULL;
        } else {
            free(p);
        }
    }
    s->proving = NULL;
    buf_deinit(&answer);
}

void proofs_free(struct service *s)
{
    for (int i = 0; i < STATES_MAX; i++)
        log_tiles_free(s->tiles[i]);
}

/* ---- asked by another server ---- */

void log_question(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    struct proof whom = {.link = link, .id = id};
    enum log_outcome outcome = LOG_UNAVAILABLE;
    const char *why = "a question that makes no sense";
    struct log_request r = {.state = -1};
    if (body.len == ASKED_BYTES)
        r = decode_request(body.ptr);
    if (r.state >= 0 && r.state < (int)s->definition->info.state_count && makes_sense(&r))
        why = s->closing || s->replicas[r.state] == NULL || s->replicas[r.state]->shard == NULL
                  ? "it has no replica of this state"
                  : take(s, &r, &whom, &outcome);
    if (why == NULL)
        return;
    struct buf answer = {0};
    answer_failure(&answer, outcome, why);
    question_answer(s, link, id, buf_slice(&answer));
    buf_deinit(&answer);
}

/* ---- asked at a door ---- */

struct forwarded {
    log_done_fn *done;
    void *arg;
    enum log_outcome outcome;
    const char *why;
};

static void on_told(void *arg, struct slice answer, const char *why)
{
    struct forwarded *f = arg;
    struct log_reply reply = {.outcome = LOG_UNAVAILABLE, .detail = why};
    if (why != NULL)
        f->done(f->arg, &reply);
    else
        tell(f->done, f->arg, answer);
    free(f);
}

static void refuse(void *arg)
{
    struct forwarded *f = arg;
    struct log_reply reply = {.outcome = f->outcome, .detail = f->why};
    f->done(f->arg, &reply);
    free(f);
}

static const char *forward(struct service *s, const struct log_request *r, struct forwarded *f)
{
    uint8_t body[ASKED_BYTES];
    encode_request(r, body);
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        struct link *host = s->hosts[r->state][m];
        if (host == NULL)
            continue;
        question_ask(s, link_name(host), QUESTION_LOG, slice_of(body, sizeof body), ASK_TIMEOUT_MS,
                     on_told, f);
        return NULL;
    }
    return "none of the state's servers can be reached";
}

void service_log(struct service *s, const struct log_request *r, log_done_fn *done, void *arg)
{
    struct proof whom = {.done = done, .arg = arg};
    struct forwarded *f = mem_calloc(1, sizeof *f);
    *f = (struct forwarded){done, arg, LOG_UNAVAILABLE, NULL};
    const struct replica *own = s->replicas[r->state];
    if (!makes_sense(r)) {
        f->outcome = LOG_NO_SENSE;
        f->why = "there can be no such tree";
    } else if (s->closing || s->coordination == NULL) {
        f->why = "this server has not begun, or ends";
    } else if (own != NULL && own->shard != NULL) {
        f->why = take(s, r, &whom, &f->outcome);
        if (f->why == NULL)
            free(f);
        else
            service_later(s, refuse, f);
        return;
    } else {
        f->why = forward(s, r, f);
    }
    if (f->why != NULL)
        service_later(s, refuse, f);
}

/* ---- heads ---- */

bool service_head(const struct service *s, int state, struct log_head *ret)
{
    const struct state_view *v =
        s->coordination != NULL ? coordination_state(s->coordination, state) : NULL;
    if (v == NULL || !v->known || v->commit.round == 0)
        return false;
    *ret = (struct log_head){v->commit.round, v->commit.index, v->commit.root};
    return true;
}
