#include "canvass/verify.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "canvass/files.h"
#include "canvass/log.h"
#include "canvass/roll.h"

/* What is listed in SHA256SUMS, once each, and is as it says. */
static const char *const state_files[] = {CANVASS_LOG, CANVASS_SEAL, CANVASS_ROLL};

enum {
    STATE_FILES = sizeof state_files / sizeof *state_files
};

static void path_of(const char *dir, const char *name, char ret[CANVASS_PATH_BYTES_MAX])
{
    snprintf(ret, CANVASS_PATH_BYTES_MAX, "%s/%s", dir, name);
}

static void state_path(const char *dir, const struct canvass_state *s, const char *name,
                       char ret[CANVASS_PATH_BYTES_MAX])
{
    snprintf(ret, CANVASS_PATH_BYTES_MAX, "%s/%s/%s", dir, s->code, name);
}

static int read_small(const char *dir, const char *name, size_t bytes_max, struct buf *ret,
                      struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    path_of(dir, name, path);
    return canvass_file_read(path, bytes_max, ret, err);
}

/* ---- all files are as they were exported ---- */

static int check_sum(const char *dir, const struct canvass_sum *sum, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct hash hash;
    path_of(dir, sum->name, path);
    int rc = canvass_file_hash(path, &hash, err);
    if (rc == 0 && !hash_eq(&hash, &sum->hash))
        rc = err_set(err, ERR_CORRUPT, "'%s' is not as it was exported (SHA256SUMS)", path);
    return rc;
}

static bool is_listed(struct slice sums, const char *name)
{
    struct canvass_sum sum;
    while (sums.len > 0 && canvass_sum_take(&sums, &sum, NULL) == 0)
        if (strcmp(sum.name, name) == 0)
            return true;
    return false;
}

static int check_listed(const struct canvass_definition *d, struct slice sums, struct err *err)
{
    char name[CANVASS_LISTED_BYTES_MAX];
    if (!is_listed(sums, CANVASS_DEFINITION) || !is_listed(sums, CANVASS_GLOBAL))
        return err_set(err, ERR_CORRUPT, "SHA256SUMS lacks %s or %s", CANVASS_DEFINITION,
                       CANVASS_GLOBAL);
    for (uint32_t i = 0; i < d->state_count; i++)
        for (int f = 0; f < STATE_FILES; f++) {
            snprintf(name, sizeof name, "%s/%s", d->states[i].code, state_files[f]);
            if (!is_listed(sums, name))
                return err_set(err, ERR_CORRUPT, "SHA256SUMS lacks %s", name);
        }
    return 0;
}

static int check_sums(const char *dir, struct canvass *a, struct err *err)
{
    struct buf text;
    struct canvass_sum sum;
    int rc = read_small(dir, CANVASS_SUMS, CANVASS_SUMS_BYTES_MAX, &text, err);
    if (rc == 0)
        rc = check_listed(&a->definition, buf_slice(&text), err);
    for (struct slice rest = buf_slice(&text); rc == 0 && rest.len > 0;) {
        rc = canvass_sum_take(&rest, &sum, err);
        if (rc == 0)
            rc = check_sum(dir, &sum, err);
    }
    sha256_of(text.ptr, text.len, a->sums.bytes);
    buf_deinit(&text);
    return rc;
}

static int read_definition(const char *dir, struct canvass_definition *ret, struct err *err)
{
    struct buf text;
    int rc = read_small(dir, CANVASS_DEFINITION, CANVASS_DEFINITION_BYTES_MAX, &text, err);
    if (rc == 0)
        rc = canvass_definition_read(buf_slice(&text), ret, err);
    buf_deinit(&text);
    return rc < 0 ? err_wrap(err, rc, CANVASS_DEFINITION) : 0;
}

static int read_global(const char *dir, struct canvass *a, struct err *err)
{
    struct buf bytes;
    int rc = read_small(dir, CANVASS_GLOBAL, GLOBAL_BYTES, &bytes, err);
    if (rc == 0 && !global_decode(buf_slice(&bytes), &a->global))
        rc = err_set(err, ERR_CORRUPT, "%s: no phase of a nation", CANVASS_GLOBAL);
    if (rc == 0 && a->global.phase != PHASE_CLOSED)
        rc = err_set(err, ERR_INVALID, "%s: the round is not closed", CANVASS_GLOBAL);
    if (rc == 0 && !hash_eq(&a->global.config, &a->definition.config))
        rc = err_set(err, ERR_CORRUPT, "%s: the round was held on another definition",
                     CANVASS_GLOBAL);
    buf_deinit(&bytes);
    return rc;
}

/* ---- a state ---- */

struct state_check {
    const char *dir;
    const struct canvass *canvass;
    const struct canvass_state *state;
    struct canvass_count *ret;
    struct voters voters;
    struct recount recount;
};

static int read_seal(struct state_check *k, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct buf bytes;
    struct commit *seal = &k->ret->seal;
    state_path(k->dir, k->state, CANVASS_SEAL, path);
    int rc = canvass_file_read(path, COMMIT_BYTES_MAX, &bytes, err);
    if (rc == 0 && !commit_decode(buf_slice(&bytes), seal))
        rc = err_set(err, ERR_CORRUPT, "the seal is none");
    if (rc == 0 && seal->round != k->canvass->global.round)
        rc = err_set(err, ERR_CORRUPT, "the seal is of round %" PRIu64 ", not %" PRIu64,
                     seal->round, k->canvass->global.round);
    if (rc == 0)
        k->ret->closing = commit_closing(seal);
    buf_deinit(&bytes);
    return rc;
}

static int check_heading(struct state_check *k, const struct log_heading *h, struct err *err)
{
    struct hash roll = voters_hash(&k->voters);
    char code[STATE_CODE_BYTES + 1] = {0};
    memcpy(code, h->state, STATE_CODE_BYTES);
    if (strcmp(code, k->state->code) != 0)
        return err_set(err, ERR_CORRUPT, "the log is of another state");
    if (h->round != k->canvass->global.round)
        return err_set(err, ERR_CORRUPT, "the log is of another round");
    if (!hash_eq(&h->config, &k->canvass->definition.config))
        return err_set(err, ERR_CORRUPT, "the log was begun on another definition");
    if (!hash_eq(&h->roll, &roll))
        return err_set(err, ERR_CORRUPT, "the log was begun on another roll");
    return 0;
}

/* What counting does not look at: whom this state's voters could choose. */
static int check_ballot(const struct state_check *k, const struct batch *b, struct err *err)
{
    for (uint32_t i = 0; i < b->count; i++) {
        struct record r = record_decode(batch_record(b, i).ptr);
        if (r.candidate < CANDIDATES_MAX && (k->state->on_ballot >> r.candidate & 1) == 0)
            return err_set(err, ERR_CORRUPT,
                           "record %" PRIu64 ": the candidate is not on this state's ballot",
                           b->first + i);
    }
    return 0;
}

/* What a loss has kept is still in the log, unless a later one has kept less. */
static bool is_kept(const struct commit *seal, uint32_t loss)
{
    for (uint32_t i = loss + 1; i < seal->loss_count; i++) {
        if (seal->losses[i].to < seal->losses[loss].to)
            return false;
    }
    return true;
}

static int check_losses(const struct state_check *k, struct err *err)
{
    const struct commit *seal = &k->ret->seal;
    const struct recount *r = &k->recount;
    for (uint32_t i = 0; i < seal->loss_count; i++) {
        const struct loss *l = &seal->losses[i];
        if (l->batches == r->batches && is_kept(seal, i) &&
            (l->to != r->count.tree.size || !hash_eq(&l->chain, &r->chain)))
            return err_set(err, ERR_CORRUPT,
                           "the log does not begin with what was kept when records were given up "
                           "in epoch %" PRIu64,
                           l->epoch);
    }
    return 0;
}

static int count_log(struct state_check *k, struct canvass_log *log, struct err *err)
{
    struct batch batch;
    int more = 0;
    recount_init(&k->recount, &log->heading, &k->voters, k->canvass->definition.candidate_count,
                 k->state->districts);
    int rc = check_losses(k, err);
    while (rc == 0 && (more = canvass_log_next(log, &batch, err)) > 0) {
        rc = recount_batch(&k->recount, &batch, err);
        if (rc == 0)
            rc = check_ballot(k, &batch, err);
        if (rc == 0)
            rc = check_losses(k, err);
    }
    return rc < 0 ? rc : more;
}

/* What the servers sealed is what was counted here. */
static int compare(const struct state_check *k, struct err *err)
{
    const struct commit *seal = &k->ret->seal;
    const struct recount *r = &k->recount;
    struct hash root = merkle_root(&r->count.tree);
    if (r->count.tree.size != seal->index)
        return err_set(err, ERR_CORRUPT,
                       "the log has %" PRIu64 " records, and %" PRIu64 " were sealed",
                       r->count.tree.size, seal->index);
    if (r->bytes != seal->bytes || r->batches != seal->batches)
        return err_set(err, ERR_CORRUPT, "the log has other batches than were sealed");
    for (uint32_t i = 0; i < seal->loss_count; i++)
        if (seal->losses[i].batches > r->batches && is_kept(seal, i))
            return err_set(err, ERR_CORRUPT, "the log is shorter than what a loss has kept");
    if (!hash_eq(&r->chain, &seal->chain))
        return err_set(err, ERR_CORRUPT, "the log ends with another hash than was sealed");
    if (!hash_eq(&root, &seal->root))
        return err_set(err, ERR_CORRUPT,
                       "the tree over the records has another root than was sealed");
    if (!tally_eq(&r->count.tally, &seal->tally))
        return err_set(err, ERR_CORRUPT, "the count is not the one that was sealed");
    return 0;
}

static int check_log(struct state_check *k, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct canvass_log log;
    state_path(k->dir, k->state, CANVASS_LOG, path);
    int rc = canvass_log_open(path, &log, err);
    if (rc < 0)
        return rc;
    rc = check_heading(k, &log.heading, err);
    if (rc == 0)
        rc = count_log(k, &log, err);
    canvass_log_close(&log);
    return rc < 0 ? rc : compare(k, err);
}

static int check_state(struct state_check *k, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    int rc = read_seal(k, err);
    if (rc < 0)
        return rc;
    state_path(k->dir, k->state, CANVASS_ROLL, path);
    rc = canvass_roll_read(path, k->state->code, k->state->districts, &k->voters, err);
    if (rc < 0)
        return rc;
    k->ret->roll = k->voters.count;
    rc = check_log(k, err);
    if (rc == 0) {
        k->ret->right = true;
        k->ret->tally = k->recount.count.tally;
    }
    voters_deinit(&k->voters);
    return rc;
}

static void check_states(const char *dir, canvass_progress_fn *progress, void *arg,
                         struct canvass *a)
{
    for (uint32_t i = 0; i < a->definition.state_count; i++) {
        struct err err = {""};
        struct state_check *k = mem_calloc(1, sizeof *k);
        *k = (struct state_check){
            .dir = dir, .canvass = a, .state = &a->definition.states[i], .ret = &a->states[i]};
        if (check_state(k, &err) < 0) {
            memcpy(a->states[i].problem, err.text, sizeof a->states[i].problem);
            a->wrong++;
        }
        free(k);
        if (progress != NULL)
            progress(arg, a, i);
    }
}

static void add_up(struct canvass *a)
{
    struct state_count counts[CANVASS_STATES_MAX];
    for (uint32_t i = 0; i < a->definition.state_count; i++)
        counts[i] = (struct state_count){
            .tally = a->states[i].right ? &a->states[i].tally : NULL,
            .electors = a->definition.states[i].electors,
            .divided = a->definition.states[i].divided,
            .final = a->states[i].right,
        };
    nation_sum(&a->nation, counts, a->definition.state_count, a->definition.candidate_count);
}

int canvass_verify(const char *dir, canvass_progress_fn *progress, void *arg, struct canvass **ret,
                   struct err *err)
{
    struct canvass *a = mem_calloc(1, sizeof *a);
    int rc = read_definition(dir, &a->definition, err);
    if (rc == 0)
        rc = read_global(dir, a, err);
    if (rc == 0)
        rc = check_sums(dir, a, err);
    if (rc < 0) {
        canvass_free(a);
        return rc;
    }
    check_states(dir, progress, arg, a);
    add_up(a);
    *ret = a;
    return 0;
}

void canvass_free(struct canvass *a)
{
    free(a);
}
