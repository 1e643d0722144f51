/* recount.c: every replica of a state counts its log again from its files, on a thread of its own,
 * and what they find is compared with Commit.
 *
 *   QUESTION_RECOUNT  state u16 | round u64 | index u64
 *   its answer        1 u8 | chain 32 | root 32 | candidates u32 | districts u32 | voters u64
 *                     | votes u64 ...,  or  0 u8 | why */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "election/service_internal.h"

enum {
    ASKED_BYTES = 2 + 8 + 8,
    TOLD_BYTES_MIN = 1 + 2 * SHA256_BYTES + 2 * 4 + 8,
    RECOUNT_TIMEOUT_MS = 10 * 60 * 1000,
    JOBS_MAX = 4 * STATES_MAX, /* under way: each reads a log */
    WHY_BYTES = 256,
};

/* What one replica found. */
struct finding {
    bool known;
    struct hash chain, root;
    struct tally tally;
    char why[WHY_BYTES];
};

/* ---- from the files ---- */

struct task {
    const struct definition *definition;
    int state;
    uint64_t round, index;
    char path[4096 + 64];
    atomic_bool stop; /* nobody waits for it any more */
};

struct reading {
    int fd;
    uint8_t *window;
    size_t begin, end; /* of the window: what is read and not counted */
};

static int open_log(const struct task *t, struct reading *r, struct log_heading *ret,
                    struct err *err)
{
    uint8_t bytes[LOG_HEADING_BYTES];
    r->fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "open '%s': %s", t->path,
                       strerror(errno));
    if (read(r->fd, bytes, sizeof bytes) != (ssize_t)sizeof bytes ||
        !log_heading_decode(bytes, ret) || ret->round != t->round ||
        !hash_eq(&ret->config, &t->definition->info.config))
        return err_set(err, ERR_CORRUPT, "'%s': not the heading of this round's log", t->path);
    return 0;
}

/* More of the file behind what is in the window; 0 = there is no more. */
static ssize_t read_more(struct reading *r)
{
    memmove(r->window, r->window + r->begin, r->end - r->begin);
    r->end -= r->begin;
    r->begin = 0;
    ssize_t got;
    do
        got = read(r->fd, r->window + r->end, BATCH_BYTES_MAX - r->end);
    while (got < 0 && errno == EINTR);
    r->end += got > 0 ? (size_t)got : 0;
    return got;
}

static int count_log(const struct task *t, struct reading *r, struct recount *count,
                     struct err *err)
{
    while (count->count.tree.size < t->index) {
        struct batch b;
        if (atomic_load(&t->stop))
            return err_set(err, ERR_BUSY, "the server ends");
        struct slice rest = slice_of(r->window + r->begin, r->end - r->begin);
        enum batch_verdict verdict = rest.len > 0 ? batch_read(rest, &b) : BATCH_SHORT;
        if (verdict == BATCH_WRONG)
            return err_set(err, ERR_CORRUPT, "'%s': damaged behind record %" PRIu64, t->path,
                           count->count.tree.size);
        if (verdict == BATCH_SHORT) {
            if (read_more(r) <= 0)
                return err_set(err, ERR_CORRUPT, "'%s': it ends with record %" PRIu64, t->path,
                               count->count.tree.size);
            continue;
        }
        int rc = recount_batch(count, &b, err);
        if (rc < 0)
            return err_wrap(err, rc, "'%s'", t->path);
        r->begin += b.bytes.len;
    }
    if (count->count.tree.size > t->index)
        return err_set(err, ERR_CORRUPT, "'%s': no batch ends at %" PRIu64, t->path, t->index);
    return 0;
}

static int recount_files(const struct task *t, struct finding *ret, struct err *err)
{
    const struct state_info *s = &t->definition->info.states[t->state];
    struct log_heading heading;
    struct voters voters = {0};
    struct reading r = {.fd = -1, .window = mem_alloc(BATCH_BYTES_MAX)};
    struct recount *count = mem_calloc(1, sizeof *count);
    int rc = open_log(t, &r, &heading, err);
    if (rc == 0)
        rc = definition_roll(t->definition, t->state, &voters, err);
    if (rc == 0) {
        struct hash roll = voters_hash(&voters);
        if (!hash_eq(&roll, &heading.roll))
            rc = err_set(err, ERR_CORRUPT, "'%s' is of another roll", t->path);
    }
    if (rc == 0) {
        recount_init(count, &heading, &voters, t->definition->info.candidate_count, s->districts);
        rc = count_log(t, &r, count, err);
    }
    if (rc == 0) {
        ret->known = true;
        ret->chain = count->chain;
        ret->root = merkle_root(&count->count.tree);
        ret->tally = count->count.tally;
    }
    voters_deinit(&voters);
    if (r.fd >= 0)
        close(r.fd);
    free(r.window);
    free(count);
    return rc;
}

/* ---- on a thread ---- */

typedef void job_done_fn(void *arg, const struct finding *f);

struct job {
    uv_work_t work;
    struct list all; /* service.jobs; of none: it was answered, the server ends */
    struct service *service;
    struct task task;
    struct finding finding;
    job_done_fn *done;
    void *arg;
};

static void run_job(uv_work_t *work)
{
    struct job *j = work->data;
    struct err err = {""};
    if (recount_files(&j->task, &j->finding, &err) < 0)
        snprintf(j->finding.why, WHY_BYTES, "%.*s", WHY_BYTES - 1, err.text);
}

static void job_done(uv_work_t *work, int status)
{
    struct job *j = work->data;
    (void)status;
    if (!list_is_empty(&j->all)) {
        list_remove(&j->all);
        j->service->job_count--;
        j->done(j->arg, &j->finding);
    }
    free(j);
}

void recounts_end(struct service *s)
{
    struct list *at;
    while ((at = list_take(&s->jobs)) != NULL) {
        struct job *j = list_entry(at, struct job, all);
        struct finding f = {.why = "the server ends"};
        atomic_store(&j->task.stop, true);
        s->job_count--;
        j->done(j->arg, &f);
    }
}

/* Where the disk is behind, the file may still have what was never committed. */
static bool is_on_disk(const struct replica *r, uint64_t round, uint64_t index)
{
    if (r->shard == NULL)
        return true; /* nothing has been added since it was read */
    struct shard_status status = shard_status(r->shard);
    return round != status.round || index <= status.durable;
}

static void recount_here(struct service *s, int state, uint64_t round, uint64_t index,
                         job_done_fn *done, void *arg)
{
    if (!is_on_disk(s->replicas[state], round, index)) {
        struct finding behind = {.why = "not all of it is on its disk yet"};
        done(arg, &behind);
        return;
    }
    struct job *j = mem_calloc(1, sizeof *j);
    j->work.data = j;
    j->service = s;
    j->task.definition = s->definition;
    j->task.state = state;
    j->task.round = round;
    j->task.index = index;
    snprintf(j->task.path, sizeof j->task.path, "%s/log-%016" PRIx64, s->replicas[state]->dir,
             round);
    j->done = done;
    j->arg = arg;
    replica_flush(s->replicas[state]);
    list_append(&s->jobs, &j->all);
    s->job_count++;
    uv_queue_work(&s->loop->uv, &j->work, run_job, job_done);
}

/* ---- asked by another server ---- */

struct owed {
    struct service *service;
    uint64_t link, id;
};

static void encode_finding(const struct finding *f, struct buf *ret)
{
    buf_put_u8(ret, f->known);
    if (!f->known) {
        buf_put(ret, f->why, strlen(f->why));
        return;
    }
    buf_put(ret, f->chain.bytes, SHA256_BYTES);
    buf_put(ret, f->root.bytes, SHA256_BYTES);
    buf_put_i32(ret, (int32_t)f->tally.candidates);
    buf_put_i32(ret, (int32_t)f->tally.districts);
    buf_put_i64(ret, (int64_t)f->tally.voters);
    for (uint32_t i = 0; i < f->tally.candidates * f->tally.districts; i++)
        buf_put_i64(ret, (int64_t)f->tally.votes[i]);
}

static void decode_finding(struct slice b, struct finding *ret)
{
    *ret = (struct finding){.why = "an answer that is none"};
    if (b.len > 0 && b.ptr[0] == 0) {
        size_t len = b.len - 1 < WHY_BYTES - 1 ? b.len - 1 : WHY_BYTES - 1;
        memcpy(ret->why, b.ptr + 1, len);
        ret->why[len] = 0;
        return;
    }
    if (b.len < TOLD_BYTES_MIN)
        return;
    const uint8_t *p = b.ptr + 1 + 2 * SHA256_BYTES;
    uint32_t candidates = load_be32(p), districts = load_be32(p + 4);
    if (candidates > CANDIDATES_MAX || districts > DISTRICTS_MAX ||
        b.len != TOLD_BYTES_MIN + (size_t)candidates * districts * 8)
        return;
    memcpy(ret->chain.bytes, b.ptr + 1, SHA256_BYTES);
    memcpy(ret->root.bytes, b.ptr + 1 + SHA256_BYTES, SHA256_BYTES);
    tally_init(&ret->tally, candidates, districts);
    ret->tally.voters = load_be64(p + 8);
    for (uint32_t i = 0; i < candidates * districts; i++)
        ret->tally.votes[i] = load_be64(p + 16 + (size_t)i * 8);
    ret->known = true;
    ret->why[0] = 0;
}

static void answer_question(void *arg, const struct finding *f)
{
    struct owed *o = arg;
    struct buf b = {0};
    encode_finding(f, &b);
    question_answer(o->service, o->link, o->id, buf_slice(&b));
    buf_deinit(&b);
    free(o);
}

void recount_question(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    struct owed *o = mem_calloc(1, sizeof *o);
    *o = (struct owed){s, link, id};
    uint32_t state =
        body.len == ASKED_BYTES ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (s->job_count >= JOBS_MAX) {
        struct finding busy = {.why = "it counts as much as it can"};
        answer_question(o, &busy);
        return;
    }
    if (state < s->definition->info.state_count && s->replicas[state] != NULL) {
        recount_here(s, (int)state, load_be64(body.ptr + 2), load_be64(body.ptr + 10),
                     answer_question, o);
        return;
    }
    struct finding f = {.why = "it has no replica of this state"};
    answer_question(o, &f);
}

/* ---- asked at a door ---- */

struct recounting {
    struct service *service;
    int state;
    struct commit commit;
    char names[SHARD_MEMBERS_MAX][SERVER_NAME_BYTES_MAX];
    struct finding findings[SHARD_MEMBERS_MAX];
    size_t count, missing;
    recount_done_fn *done;
    void *arg;
};

struct part {
    struct recounting *whole;
    size_t place;
};

static bool agrees(const struct finding *f, const struct commit *c)
{
    return f->known && hash_eq(&f->chain, &c->chain) && hash_eq(&f->root, &c->root) &&
           tally_eq(&f->tally, &c->tally);
}

static void tell(struct recounting *w)
{
    struct replica_recount replicas[SHARD_MEMBERS_MAX];
    size_t agreeing = 0, answered = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct finding *f = &w->findings[i];
        replicas[i] = (struct replica_recount){
            .server = w->names[i],
            .known = f->known,
            .index = f->known ? w->commit.index : 0,
            .chain = f->chain,
            .root = f->root,
            .tally = &f->tally,
            .agrees = agrees(f, &w->commit),
            .detail = f->why,
        };
        answered += f->known;
        agreeing += replicas[i].agrees;
    }
    char verdict[128];
    snprintf(verdict, sizeof verdict, "%zu of %zu replicas counted again, %zu agree with Commit",
             answered, w->count, agreeing);
    struct recount_reply reply = {
        .state = w->state,
        .agree = w->count > 0 && agreeing == w->count,
        .verdict = verdict,
        .replicas = replicas,
        .replica_count = w->count,
    };
    w->done(w->arg, &reply);
    free(w);
}

static void part_done(void *arg, const struct finding *f)
{
    struct part *p = arg;
    struct recounting *w = p->whole;
    w->findings[p->place] = *f;
    free(p);
    if (--w->missing == 0)
        tell(w);
}

static void on_told(void *arg, struct slice answer, const char *why)
{
    struct finding f;
    if (why == NULL)
        decode_finding(answer, &f);
    else {
        f = (struct finding){.known = false};
        snprintf(f.why, sizeof f.why, "%s", why);
    }
    part_done(arg, &f);
}

static void ask_member(struct recounting *w, size_t place)
{
    struct service *s = w->service;
    struct part *p = mem_calloc(1, sizeof *p);
    *p = (struct part){w, place};
    if (strcmp(w->names[place], s->self.name) == 0 && s->replicas[w->state] != NULL) {
        recount_here(s, w->state, w->commit.round, w->commit.index, part_done, p);
        return;
    }
    uint8_t body[ASKED_BYTES] = {(uint8_t)(w->state >> 8), (uint8_t)w->state};
    store_be64(body + 2, w->commit.round);
    store_be64(body + 10, w->commit.index);
    question_ask(s, w->names[place], QUESTION_RECOUNT, slice_of(body, sizeof body),
                 RECOUNT_TIMEOUT_MS, on_told, p);
}

static void say_nothing(struct recounting *w, const char *why)
{
    struct recount_reply reply = {.state = w->state, .verdict = why};
    w->done(w->arg, &reply);
    free(w);
}

static void on_read(void *arg, int rc, const char *detail)
{
    struct recounting *w = arg;
    if (rc < 0) { /* also when the session ends: then there is none to look at */
        say_nothing(w, detail);
        return;
    }
    const struct state_view *v = coordination_state(w->service->coordination, w->state);
    if (!v->known || v->commit.round == 0) {
        say_nothing(w, "this state has not begun any round");
        return;
    }
    w->commit = v->commit;
    for (uint32_t m = 0; m < w->service->definition->replicas; m++) {
        if (v->members[m].known)
            snprintf(w->names[w->count++], SERVER_NAME_BYTES_MAX, "%s", v->members[m].server.name);
    }
    w->missing = w->count;
    if (w->count == 0) {
        say_nothing(w, "this state has no members");
        return;
    }
    for (size_t i = 0, count = w->count; i < count; i++)
        ask_member(w, i);
}

static void not_begun(void *arg)
{
    say_nothing(arg, "this server has not begun, or ends");
}

void service_recount(struct service *s, int state, recount_done_fn *done, void *arg)
{
    struct recounting *w = mem_calloc(1, sizeof *w);
    w->service = s;
    w->state = state;
    w->done = done;
    w->arg = arg;
    if (s->coordination != NULL && !s->closing)
        coordination_read(s->coordination, state, true, on_read, w);
    else
        service_later(s, not_begun, w);
}
