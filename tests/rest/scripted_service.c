#include "scripted_service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/list.h"
#include "base/mem.h"
#include "election/loss.h"

enum {
    CANDIDATES = 3,
    VOTERS_MAX = 1 << 16,
    LINE_BYTES_MAX = 512,
    COLUMNS_MAX = 16,
};

/* What is answered in the next turn, or when its time has come. */
struct pending {
    struct list link;
    int64_t due_ms; /* 0 = in the next turn */
    void (*answer)(struct service *s, struct pending *p);
    union {
        cast_done_fn *cast;
        state_result_fn *state;
        national_result_fn *nation;
        voter_result_fn *voter;
        command_done_fn *command;
        recount_done_fn *recount;
        log_done_fn *log;
        roll_done_fn *roll;
        loss_done_fn *loss;
    } done;
    void *arg;
    struct cast_reply reply;
    struct voter_result voter;
    enum command_outcome command;
    struct log_request log;
    int state;
};

struct ballot {
    char voter[64];
    int state;
    uint32_t candidate;
    struct request_id request;
    struct receipt receipt;
};

struct service_watch {
    struct list link;
    service_changed_fn *changed;
    void *arg;
};

struct service {
    struct loop *loop;
    struct scripted_options options;
    struct election_info info;
    struct candidate_info candidates[CANDIDATES];
    struct state_info states[STATES_MAX];
    char texts[STATES_MAX][3][STATE_NAME_BYTES_MAX];
    struct tally tallies[STATES_MAX];
    struct state_result results[STATES_MAX];
    struct global global;
    struct ballot *ballots;
    size_t ballot_count;
    bool ready;
    service_ready_fn *ready_changed;
    void *ready_arg;
    service_metrics_fn *more_metrics;
    void *more_metrics_arg;
    enum loss_outcome loss; /* of whatever is asked about losses */
    bool holds_recounts;
    struct list pending, watches, recounts_held;
    uv_timer_t timer; /* of what is due later */
    uv_idle_t next;   /* of what is due in the next turn */
};

const char *cast_outcome_name(enum cast_outcome o)
{
    static const char *const names[] = {
#define NAME(id, text) text,
        CAST_OUTCOME_MAP(NAME)
#undef NAME
    };
    return names[o];
}

const char *command_outcome_name(enum command_outcome o)
{
    static const char *const names[] = {
#define NAME(id, text) text,
        COMMAND_OUTCOME_MAP(NAME)
#undef NAME
    };
    return names[o];
}

const char *loss_outcome_name(enum loss_outcome o)
{
    static const char *const names[] = {
#define NAME(id, text) text,
        LOSS_OUTCOME_MAP(NAME)
#undef NAME
    };
    return names[o];
}

/* ---- The definition ---- */

static void add_state(struct service *s, const char *code, const char *key, const char *name,
                      uint32_t electors, int row, int column)
{
    uint32_t i = s->info.state_count++;
    snprintf(s->texts[i][0], sizeof s->texts[i][0], "%s", code);
    snprintf(s->texts[i][1], sizeof s->texts[i][1], "%s", key);
    snprintf(s->texts[i][2], sizeof s->texts[i][2], "%s", name);
    uint32_t districts = strcmp(code, "ME") == 0 ? 2 : strcmp(code, "NE") == 0 ? 3 : 1;
    s->states[i] = (struct state_info){
        .names = {s->texts[i][0], s->texts[i][1], s->texts[i][2]},
        .electors = electors,
        .districts = (uint8_t)districts,
        .roll = 1000 * electors,
        .on_ballot = strcmp(code, "OH") == 0 ? 3 : 7,
        .divided = districts > 1,
        .column = column,
        .row = row,
    };
    tally_init(&s->tallies[i], CANDIDATES, districts);
    s->results[i] = (struct state_result){.state = (int)i,
                                          .known = true,
                                          .why = "",
                                          .leader = "s1",
                                          .epoch = 1,
                                          .tally = &s->tallies[i]};
}

static int by_code(const void *a, const void *b)
{
    return strcmp(a, b);
}

static size_t split(char *line, char *fields[COLUMNS_MAX])
{
    size_t count = 0;
    char *rest = line;
    line[strcspn(line, "\r\n")] = '\0';
    while (rest != NULL && count < COLUMNS_MAX)
        fields[count++] = strsep(&rest, ",");
    return count;
}

static const char *column(char *const fields[], char *const headings[], size_t count,
                          const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(headings[i], name) == 0)
            return fields[i];
    }
    return "0";
}

/* Only what it needs: commas, no quotes. */
static void read_states(struct service *s, const char *path)
{
    FILE *f = fopen(path, "re");
    char lines[STATES_MAX][LINE_BYTES_MAX], heading[LINE_BYTES_MAX];
    char *headings[COLUMNS_MAX], *fields[COLUMNS_MAX];
    size_t count = 0;
    if (f == NULL || fgets(heading, sizeof heading, f) == NULL)
        abort();
    while (count < STATES_MAX && fgets(lines[count], LINE_BYTES_MAX, f) != NULL)
        count++;
    fclose(f);
    qsort(lines, count, sizeof lines[0], by_code);
    size_t columns = split(heading, headings);
    for (size_t i = 0; i < count; i++) {
        if (split(lines[i], fields) != columns)
            abort();
        add_state(s, column(fields, headings, columns, "usps"),
                  column(fields, headings, columns, "key"),
                  column(fields, headings, columns, "name"),
                  (uint32_t)atoi(column(fields, headings, columns, "electors")),
                  atoi(column(fields, headings, columns, "grid_row")),
                  atoi(column(fields, headings, columns, "grid_col")));
    }
}

const struct election_info *service_election(const struct service *s)
{
    return &s->info;
}

int service_find_state(const struct service *s, struct slice name)
{
    for (uint32_t i = 0; i < s->info.state_count; i++) {
        if (state_is_called(&s->states[i].names, name))
            return (int)i;
    }
    return -1;
}

/* ---- Answering later ---- */

static void answer_due(struct service *s)
{
    struct list due;
    int64_t now = (int64_t)uv_now(&s->loop->uv);
    list_init(&due);
    for (struct list *at = s->pending.next, *after; at != &s->pending; at = after) {
        struct pending *p = list_entry(at, struct pending, link);
        after = at->next;
        if (p->due_ms <= now) {
            list_remove(at);
            list_append(&due, at);
        }
    }
    struct list *at;
    while ((at = list_take(&due)) != NULL) {
        struct pending *p = list_entry(at, struct pending, link);
        p->answer(s, p);
        free(p);
    }
}

static void on_timer(uv_timer_t *timer)
{
    answer_due(timer->data);
}

static void on_next(uv_idle_t *next)
{
    uv_idle_stop(next);
    answer_due(next->data);
}

static struct pending *later(struct service *s, void (*answer)(struct service *, struct pending *),
                             void *arg, int64_t wait_ms)
{
    struct pending *p = mem_calloc(1, sizeof *p);
    p->answer = answer;
    p->arg = arg;
    p->due_ms = wait_ms > 0 ? (int64_t)uv_now(&s->loop->uv) + wait_ms : 0;
    list_append(&s->pending, &p->link);
    if (wait_ms > 0)
        uv_timer_start(&s->timer, on_timer, (uint64_t)wait_ms, 10);
    else
        uv_idle_start(&s->next, on_next);
    return p;
}

/* ---- Change ---- */

static void changed(struct service *s, int state)
{
    if (state >= 0)
        s->results[state].commit_version++;
    for (struct list *at = s->watches.next; at != &s->watches; at = at->next) {
        struct service_watch *w = list_entry(at, struct service_watch, link);
        w->changed(w->arg, state);
    }
}

static void set_phase(struct service *s, enum phase phase)
{
    if (phase == PHASE_OPEN && s->global.phase != PHASE_OPEN) {
        s->global.round++;
        s->global.opened_ms = loop_wall_ms(s->loop);
        s->ballot_count = 0;
        for (uint32_t i = 0; i < s->info.state_count; i++)
            tally_init(&s->tallies[i], CANDIDATES, s->tallies[i].districts);
    }
    s->global.phase = phase;
    s->global.closed_ms = phase == PHASE_CLOSED ? loop_wall_ms(s->loop) : 0;
    for (uint32_t i = 0; i < s->info.state_count; i++) {
        s->results[i].phase = phase;
        s->results[i].round = s->global.round;
        s->results[i].final = phase == PHASE_CLOSED && s->results[i].final;
        if (phase == PHASE_OPEN)
            s->results[i].index = 0;
        changed(s, (int)i);
    }
    changed(s, -1);
}

static int find_candidate(const struct service *s, struct slice name)
{
    for (int c = 0; c < CANDIDATES; c++) {
        if (slice_eq_str(name, s->candidates[c].id) || slice_eq_str(name, s->candidates[c].name))
            return c;
    }
    return -1;
}

static void add_votes(struct service *s, int state, int candidate, uint64_t count)
{
    struct tally *t = &s->tallies[state];
    uint64_t *index = &s->results[state].index;
    for (uint64_t d = 0; d < t->districts; d++) {
        uint64_t part = count / t->districts + (d < count % t->districts ? 1 : 0);
        t->votes[d * CANDIDATES + (uint64_t)candidate] += part;
    }
    t->voters += count;
    *index += count;
    s->results[state].commit_mtime_ms = loop_wall_ms(s->loop);
    sha256_of(index, sizeof *index, s->results[state].root.bytes);
    sha256_of(t, sizeof *t, s->results[state].chain.bytes);
    changed(s, state);
}

/* ---- Votes ---- */

static struct ballot *find_ballot(struct service *s, int state, struct slice voter)
{
    for (size_t i = s->ballot_count; i > 0; i--) {
        if (s->ballots[i - 1].state == state && slice_eq_str(voter, s->ballots[i - 1].voter))
            return &s->ballots[i - 1];
    }
    return NULL;
}

static bool is_asked_for(struct slice voter, enum cast_outcome *ret)
{
    static const char prefix[] = "outcome-";
    if (!slice_starts_with(voter, slice_str(prefix)))
        return false;
    for (int o = 0; o < CAST_OUTCOME_COUNT; o++) {
        if (slice_eq_str(slice_from(voter, sizeof prefix - 1), cast_outcome_name(o))) {
            *ret = o;
            return true;
        }
    }
    return false;
}

/* Nothing but a count: for measuring the door. */
static enum cast_outcome count_alone(struct service *s, int state, int candidate)
{
    s->tallies[state].votes[candidate]++;
    s->tallies[state].voters++;
    s->results[state].index++;
    changed(s, state);
    return CAST_COMMITTED;
}

static enum cast_outcome store(struct service *s, const struct cast_request *c, int state,
                               int candidate, struct receipt *ret)
{
    struct ballot *old = find_ballot(s, state, c->voter);
    bool same_request =
        old != NULL && memcmp(old->request.bytes, c->request.bytes, REQUEST_ID_BYTES) == 0;
    if (same_request) {
        *ret = old->receipt;
        return old->candidate == (uint32_t)candidate ? CAST_DUPLICATE : CAST_CONFLICT;
    }
    uint32_t revision = old != NULL ? old->receipt.revision + 1u : 1;
    int32_t before = old != NULL ? (int32_t)old->candidate : -1;
    if (c->expect_revision != 0 && c->expect_revision != revision)
        return CAST_REVISION;
    *ret = (struct receipt){.round = s->global.round,
                            .epoch = 1,
                            .index = s->results[state].index,
                            .revision = (uint8_t)revision,
                            .tree_size = s->results[state].index + 1};
    if (s->ballot_count < VOTERS_MAX) {
        struct ballot *b = &s->ballots[s->ballot_count++];
        *b = (struct ballot){.state = state, .candidate = (uint32_t)candidate};
        snprintf(b->voter, sizeof b->voter, "%.*s", (int)c->voter.len, (const char *)c->voter.ptr);
        b->request = c->request;
        b->receipt = *ret;
    }
    add_votes(s, state, candidate, 1);
    if (before >= 0) { /* only the last vote counts */
        s->tallies[state].votes[before]--;
        s->tallies[state].voters--;
    }
    ret->commit_version = s->results[state].commit_version;
    ret->root = s->results[state].root;
    return CAST_COMMITTED;
}

static enum cast_outcome judge(struct service *s, const struct cast_request *c, int state,
                               struct receipt *ret)
{
    enum cast_outcome asked;
    int candidate = find_candidate(s, c->candidate);
    if (s->options.auth && slice_is_null(c->credential))
        return CAST_UNAUTHENTICATED;
    if (s->options.auth && !slice_eq_str(c->credential, "good"))
        return CAST_FORBIDDEN;
    if (state < 0)
        return CAST_NO_STATE;
    if (slice_starts_with(c->voter, slice_str("nobody")) || !roll_id_is_valid(c->voter))
        return CAST_NO_VOTER;
    if (is_asked_for(c->voter, &asked))
        return asked;
    if (s->global.phase != PHASE_OPEN)
        return s->global.phase == PHASE_IDLE      ? CAST_NOT_STARTED
               : s->global.phase == PHASE_CLOSING ? CAST_CLOSING
                                                  : CAST_CLOSED;
    if (candidate < 0 || !(s->states[state].on_ballot >> candidate & 1))
        return CAST_NO_CANDIDATE;
    if (slice_starts_with(c->voter, slice_str("bench-")))
        return count_alone(s, state, candidate);
    return store(s, c, state, candidate, ret);
}

static void answer_cast(struct service *s, struct pending *p)
{
    (void)s;
    p->done.cast(p->arg, &p->reply);
}

void service_cast(struct service *s, const struct cast_request *request, cast_done_fn *done,
                  void *arg)
{
    int state = service_find_state(s, request->state);
    struct cast_reply reply = {.state = state, .detail = "as scripted", .retry_after_ms = 250};
    bool never = slice_eq_str(request->voter, "never");
    reply.outcome = never ? CAST_UNKNOWN : judge(s, request, state, &reply.receipt);
    struct pending *p = later(s, answer_cast, arg,
                              never ? (request->timeout_ms > 0 ? request->timeout_ms : 5000) : 0);
    p->reply = reply;
    p->done.cast = done;
}

static void answer_voter(struct service *s, struct pending *p)
{
    (void)s;
    p->done.voter(p->arg, &p->voter);
}

void service_voter(struct service *s, struct slice state, struct slice voter,
                   struct slice credential, voter_result_fn *done, void *arg)
{
    int i = service_find_state(s, state);
    struct pending *p = later(s, answer_voter, arg, 0);
    struct ballot *b = i >= 0 ? find_ballot(s, i, voter) : NULL;
    p->done.voter = done;
    p->voter = (struct voter_result){.outcome = CAST_COMMITTED, .voted = b != NULL, .detail = ""};
    if (b != NULL) {
        p->voter.revision = b->receipt.revision;
        p->voter.receipt = b->receipt;
    }
    if (s->options.auth && !slice_eq_str(credential, "good"))
        p->voter.outcome = CAST_UNAUTHENTICATED;
    else if (i < 0)
        p->voter.outcome = CAST_NO_STATE;
    else if (slice_starts_with(voter, slice_str("nobody")))
        p->voter.outcome = CAST_NO_VOTER;
}

/* ---- Counts ---- */

static void answer_state(struct service *s, struct pending *p)
{
    p->done.state(p->arg, &s->results[p->state]);
}

void service_state(struct service *s, int state, bool linearizable, state_result_fn *done,
                   void *arg)
{
    (void)linearizable;
    struct pending *p = later(s, answer_state, arg, 0);
    p->state = state;
    p->done.state = done;
}

static void answer_nation(struct service *s, struct pending *p)
{
    struct state_count counts[STATES_MAX];
    for (uint32_t i = 0; i < s->info.state_count; i++)
        counts[i] = (struct state_count){.tally = s->results[i].known ? &s->tallies[i] : NULL,
                                         .electors = s->states[i].electors,
                                         .divided = s->states[i].divided,
                                         .final = s->results[i].final};
    struct national_result n = {.global = s->global, .states = s->results, .zxid = 0x100000001};
    nation_sum(&n.nation, counts, s->info.state_count, CANDIDATES);
    p->done.nation(p->arg, s->ready ? 0 : ERR_IO, s->ready ? "" : "the service is away",
                   s->ready ? &n : NULL);
}

/* Takes a while, as a read of the coordination service does. */
void service_nation(struct service *s, national_result_fn *done, void *arg)
{
    struct pending *p = later(s, answer_nation, arg, 20);
    p->done.nation = done;
}

struct service_watch *service_watch(struct service *s, service_changed_fn *on_changed, void *arg)
{
    struct service_watch *w = mem_calloc(1, sizeof *w);
    w->changed = on_changed;
    w->arg = arg;
    list_append(&s->watches, &w->link);
    return w;
}

void service_unwatch(struct service_watch *w)
{
    list_remove(&w->link);
    free(w);
}

const struct state_result *service_peek(struct service *s, int state)
{
    return &s->results[state];
}

const struct global *service_peek_global(const struct service *s)
{
    return &s->global;
}

/* ---- The committee ---- */

static void answer_command(struct service *s, struct pending *p)
{
    static const int not_ready[] = {0};
    bool refused = p->command == COMMAND_NOT_READY;
    struct command_reply reply = {.outcome = p->command,
                                  .global = s->global,
                                  .zxid = 0x100000002,
                                  .not_ready = not_ready,
                                  .not_ready_count = refused ? 1 : 0,
                                  .detail = "as scripted"};
    p->done.command(p->arg, &reply);
}

static enum command_outcome carry_out(struct service *s, const struct command *c)
{
    static const uint8_t none[16];
    bool given = memcmp(c->command_id, none, sizeof none) != 0;
    if (given && memcmp(c->command_id, s->global.command_id, sizeof none) == 0)
        return COMMAND_DONE;
    if (!s->ready)
        return COMMAND_UNAVAILABLE;
    bool open = s->global.phase == PHASE_OPEN;
    if (open != (c->verb == COMMAND_STOP))
        return COMMAND_WRONG_PHASE;
    bool lost = false;
    for (uint32_t i = 0; i < s->info.state_count; i++)
        lost = lost || !s->results[i].known;
    if (c->verb == COMMAND_START && lost && !c->force)
        return COMMAND_NOT_READY;
    memcpy(s->global.command_id, c->command_id, sizeof none);
    set_phase(s, open ? PHASE_CLOSED : PHASE_OPEN);
    return COMMAND_DONE;
}

void service_command(struct service *s, const struct command *command, command_done_fn *done,
                     void *arg)
{
    enum command_outcome outcome = carry_out(s, command);
    struct pending *p = later(s, answer_command, arg, 0);
    p->command = outcome;
    p->done.command = done;
}

static void answer_recount(struct service *s, struct pending *p)
{
    const struct state_result *result = &s->results[p->state];
    struct replica_recount replicas[] = {
        {"s1", true, result->index, result->chain, result->root, result->tally, true, ""},
        {"s2", false, 0, {{0}}, {{0}}, NULL, false, "away"},
    };
    struct recount_reply reply = {.state = p->state,
                                  .agree = false,
                                  .verdict = "s2 did not answer",
                                  .replicas = replicas,
                                  .replica_count = 2};
    p->done.recount(p->arg, &reply);
}

void service_recount(struct service *s, int state, recount_done_fn *done, void *arg)
{
    struct pending *p = later(s, answer_recount, arg, 0);
    p->state = state;
    p->done.recount = done;
    if (s->holds_recounts) {
        list_remove(&p->link);
        list_append(&s->recounts_held, &p->link);
    }
}

static void answer_held_recounts(struct service *s)
{
    struct list *at;
    s->holds_recounts = false;
    while ((at = list_take(&s->recounts_held)) != NULL)
        list_append(&s->pending, at);
    uv_idle_start(&s->next, on_next);
}

static size_t held_recounts(const struct service *s)
{
    size_t count = 0;
    for (const struct list *at = s->recounts_held.next; at != &s->recounts_held; at = at->next)
        count++;
    return count;
}

/* ---- Logs: 300 records, of which nothing but a number is known ---- */

enum {
    LOG_RECORDS = 300
};

static struct hash log_hash(void *arg, int level, uint64_t place)
{
    struct merkle m = {.size = 0};
    (void)arg;
    for (uint64_t i = place << level; i < (place + 1) << level; i++) {
        struct hash leaf = merkle_leaf(slice_of(&i, sizeof i));
        merkle_push(&m, &leaf);
    }
    return m.peaks[level];
}

static uint64_t log_end(const struct log_request *q)
{
    bool tile = q->what == LOG_TILE || q->what == LOG_ENTRIES;
    return tile ? (q->index * 256 + q->width) << (8 * q->level) : q->size;
}

static void answer_log(struct service *s, struct pending *p)
{
    const struct log_request *q = &p->log;
    struct hash hashes[256];
    struct log_reply reply = {.outcome = LOG_OK, .detail = "", .round = s->global.round};
    reply.hashes = hashes;
    reply.entries = slice_str("");
    if (log_end(q) > LOG_RECORDS || (q->round != 0 && q->round != s->global.round)) {
        reply.outcome = LOG_NOT_THERE;
        reply.detail = "the log is not that long";
    } else if (q->what == LOG_INCLUSION ? q->index >= q->size : q->from > q->size) {
        reply.outcome = LOG_NO_SENSE;
        reply.detail = "there can be no such tree";
    } else if (q->what == LOG_TILE) {
        for (; reply.count < q->width; reply.count++)
            hashes[reply.count] = log_hash(NULL, 8 * (int)q->level, q->index * 256 + reply.count);
    } else if (q->what == LOG_ENTRIES) {
        reply.entries = slice_str("records");
    } else {
        reply.root = merkle_root_at(q->size, log_hash, NULL);
        reply.leaf = log_hash(NULL, 0, q->index);
        reply.count = q->what == LOG_INCLUSION
                          ? merkle_inclusion(q->index, q->size, log_hash, NULL, hashes)
                      : q->from > 0 ? merkle_consistency(q->from, q->size, log_hash, NULL, hashes)
                                    : 0;
    }
    p->done.log(p->arg, &reply);
}

void service_log(struct service *s, const struct log_request *request, log_done_fn *done, void *arg)
{
    struct pending *p = later(s, answer_log, arg, 0);
    p->log = *request;
    p->done.log = done;
}

bool service_head(const struct service *s, int state, struct log_head *ret)
{
    *ret = (struct log_head){s->global.round, LOG_RECORDS,
                             merkle_root_at(LOG_RECORDS, log_hash, NULL)};
    return s->global.round > 0 && s->results[state].known;
}

void service_sign_receipt(const struct service *s, int state, const struct receipt *r,
                          uint8_t ret[SIGNATURE_BYTES_OF_RECEIPT])
{
    (void)s, (void)state, (void)r;
    memset(ret, 0x5a, SIGNATURE_BYTES_OF_RECEIPT);
}

void service_sign_head(const struct service *s, int state, const struct log_head *h,
                       struct buf *ret)
{
    buf_printf(ret, "caucus/scripted/%s/%" PRIu64 "\n%" PRIu64 "\n",
               s->info.states[state].names.code, h->round, h->size);
}

/* ---- Rolls: of which a line is a voter ---- */

struct roll_upload {
    struct service *service;
    int state;
    uint64_t lines;
};

enum roll_outcome service_roll_begin(struct service *s, int state, struct roll_upload **ret,
                                     struct err *err)
{
    if (!s->ready || s->global.round > 0) {
        err_set(err, ERR_BUSY, "as scripted");
        return s->ready ? ROLL_NOT_NOW : ROLL_UNAVAILABLE;
    }
    *ret = mem_calloc(1, sizeof **ret);
    **ret = (struct roll_upload){s, state, 0};
    return ROLL_OK;
}

enum roll_outcome service_roll_add(struct roll_upload *u, struct slice piece, struct err *err)
{
    for (size_t i = 0; i < piece.len; i++)
        u->lines += piece.ptr[i] == '\n';
    bool wrong = piece.len > 0 && memchr(piece.ptr, '!', piece.len) != NULL;
    return wrong ? (err_set(err, ERR_INVALID, "line 1, column 1: as scripted"), ROLL_WRONG)
                 : ROLL_OK;
}

static void answer_roll(struct service *s, struct pending *p)
{
    struct roll_reply reply = {.outcome = ROLL_OK, .detail = "", .voters = p->reply.retry_after_ms};
    (void)s;
    p->done.roll(p->arg, &reply);
}

void service_roll_end(struct roll_upload *u, roll_done_fn *done, void *arg)
{
    struct pending *p = later(u->service, answer_roll, arg, 0);
    p->reply.retry_after_ms = (uint32_t)u->lines;
    p->done.roll = done;
    free(u);
}

void service_roll_drop(struct roll_upload *u)
{
    free(u);
}

bool service_roll(const struct service *s, int state, uint64_t *ret_voters, struct hash *ret)
{
    *ret_voters = s->info.states[state].roll;
    *ret = (struct hash){{0}};
    return s->results[state].known;
}

/* ---- Losses ---- */

static void answer_loss(struct service *s, struct pending *p)
{
    struct loss_notice n = {.round = s->global.round, .committed = 1037, .kept = 1000};
    struct loss_reply reply = {.state = p->state, .outcome = s->loss, .detail = "as scripted"};
    snprintf(n.state, sizeof n.state, "%s", s->info.states[p->state].names.code);
    snprintf(n.keeper, sizeof n.keeper, "s3");
    snprintf(n.missing[n.missing_count++], sizeof n.missing[0], "s1");
    snprintf(n.missing[n.missing_count++], sizeof n.missing[0], "s2");
    if (s->loss == LOSS_OK) {
        reply.notice = &n;
        reply.text = slice_str("caucus loss 1\nas scripted\n");
    }
    p->done.loss(p->arg, &reply);
}

void service_loss(struct service *s, int state, loss_done_fn *done, void *arg)
{
    struct pending *p = later(s, answer_loss, arg, 0);
    p->state = state;
    p->done.loss = done;
}

void service_admit_loss(struct service *s, int state, struct slice document, loss_done_fn *done,
                        void *arg)
{
    if (document.len == 0)
        s->loss = LOSS_INVALID;
    service_loss(s, state, done, arg);
}

/* ---- Servers ---- */

size_t service_replicas(const struct service *s, int state,
                        struct replica_info ret[SHARD_MEMBERS_MAX])
{
    const struct state_result *r = &s->results[state];
    ret[0] = (struct replica_info){1,    "s1",     "s1:9999", "s1:55555", true,    true,
                                   true, r->epoch, r->index,  r->index,   r->index};
    ret[1] = (struct replica_info){.member = 2, .server = "s2", .rest = "", .grpc = ""};
    return 2;
}

bool service_is_ready(const struct service *s, const char **ret_why)
{
    *ret_why = s->ready ? "" : "reading the log of CA";
    return s->ready;
}

const char *service_server_name(const struct service *s)
{
    (void)s;
    return "s1";
}

void service_on_ready(struct service *s, service_ready_fn *told, void *arg)
{
    s->ready_changed = told;
    s->ready_arg = arg;
}

void service_more_metrics(struct service *s, service_metrics_fn *put, void *arg)
{
    s->more_metrics = put;
    s->more_metrics_arg = arg;
}

void service_metrics(const struct service *s, struct buf *out)
{
    buf_printf(out, "# TYPE scripted_total counter\nscripted_total 1\n");
    if (s->more_metrics != NULL)
        s->more_metrics(s->more_metrics_arg, out);
}

/* ---- Script ---- */

static bool obey_about_state(struct service *s, const char *verb, const char *name)
{
    int state = service_find_state(s, slice_str(name));
    if (state < 0)
        return false;
    struct state_result *r = &s->results[state];
    if (strcmp(verb, "final") == 0)
        r->final = true;
    else if (strcmp(verb, "lose") == 0)
        *r = (struct state_result){
            .state = state, .why = "no leader", .leader = "", .commit_version = r->commit_version};
    else if (strcmp(verb, "find") == 0)
        *r = (struct state_result){.state = state,
                                   .known = true,
                                   .why = "",
                                   .leader = "s1",
                                   .epoch = 2,
                                   .phase = s->global.phase,
                                   .round = s->global.round,
                                   .commit_version = r->commit_version,
                                   .index = s->tallies[state].voters,
                                   .tally = &s->tallies[state]};
    else if (strcmp(verb, "touch") != 0)
        return false;
    changed(s, state);
    return true;
}

static bool obey_phase(struct service *s, const char *name)
{
    static const char *const names[] = {"IDLE", "OPEN", "CLOSING", "CLOSED"};
    for (int p = 0; p < PHASE_COUNT; p++) {
        if (strcmp(name, names[p]) == 0) {
            set_phase(s, p);
            return true;
        }
    }
    return false;
}

static bool obey_loss(struct service *s, const char *outcome)
{
    for (int o = 0; o < LOSS_OUTCOME_COUNT; o++) {
        if (strcmp(outcome, loss_outcome_name((enum loss_outcome)o)) == 0) {
            s->loss = (enum loss_outcome)o;
            return true;
        }
    }
    return false;
}

static bool obey_at_once(struct service *s, const char *line)
{
    char verb[16] = "", first[64] = "", second[64] = "";
    uint64_t count = 0;
    sscanf(line, "%15s %63s %63s %" SCNu64, verb, first, second, &count);
    if (strcmp(verb, "votes") == 0) {
        int state = service_find_state(s, slice_str(first)),
            candidate = find_candidate(s, slice_str(second));
        if (state < 0 || candidate < 0)
            return false;
        add_votes(s, state, candidate, count);
        return true;
    }
    if (strcmp(verb, "phase") == 0)
        return obey_phase(s, first);
    if (strcmp(verb, "loss") == 0)
        return obey_loss(s, first);
    if (strcmp(verb, "ready") == 0) {
        s->ready = strcmp(first, "yes") == 0;
        if (s->ready_changed != NULL)
            s->ready_changed(s->ready_arg);
        return true;
    }
    return obey_about_state(s, verb, first);
}

static enum scripted_answer obey_about_recounts(struct service *s, const char *verb,
                                                const char *count)
{
    if (strcmp(verb, "await") == 0)
        return held_recounts(s) >= strtoull(count, NULL, 10) ? SCRIPTED_OK : SCRIPTED_NOT_YET;
    if (strcmp(verb, "hold") == 0)
        s->holds_recounts = true;
    else if (strcmp(verb, "answer") == 0)
        answer_held_recounts(s);
    else
        return SCRIPTED_NO;
    return SCRIPTED_OK;
}

enum scripted_answer scripted_obey(struct service *s, const char *line)
{
    char verb[16] = "", first[64] = "", second[64] = "";
    sscanf(line, "%15s %63s %63s", verb, first, second);
    if (strcmp(first, "recounts") == 0 || strcmp(second, "recounts") == 0)
        return obey_about_recounts(s, verb, first);
    return obey_at_once(s, line) ? SCRIPTED_OK : SCRIPTED_NO;
}

struct service *scripted_create(struct loop *loop, const struct scripted_options *options)
{
    struct service *s = mem_calloc(1, sizeof *s);
    s->loop = loop;
    s->options = *options;
    s->ready = true;
    s->ballots = mem_calloc(VOTERS_MAX, sizeof *s->ballots);
    s->candidates[0] = (struct candidate_info){"harris", "Kamala D. Harris"};
    s->candidates[1] = (struct candidate_info){"trump", "Donald J. Trump"};
    s->candidates[2] = (struct candidate_info){"other", "Somebody \"Else\""};
    s->info = (struct election_info){.id = "us-2024",
                                     .title = "Presidential election 2024",
                                     .candidates = s->candidates,
                                     .candidate_count = CANDIDATES,
                                     .states = s->states,
                                     .live = options->live,
                                     .approvers = {{.name = "alice"}, {.name = "bob"}},
                                     .approver_count = 2,
                                     .approvals_min = 2};
    if (options->states_csv != NULL) {
        read_states(s, options->states_csv);
    } else {
        add_state(s, "CA", "california", "California", 54, 4, 1);
        add_state(s, "ME", "maine", "Maine", 4, 1, 11);
        add_state(s, "OH", "ohio", "Ohio", 17, 3, 7);
    }
    list_init(&s->pending);
    list_init(&s->watches);
    list_init(&s->recounts_held);
    s->timer.data = s->next.data = s;
    uv_timer_init(&loop->uv, &s->timer);
    uv_idle_init(&loop->uv, &s->next);
    return s;
}

void scripted_free(struct service *s)
{
    struct list *at;
    answer_held_recounts(s);
    while ((at = list_take(&s->pending)) != NULL) {
        struct pending *p = list_entry(at, struct pending, link);
        p->answer(s, p);
        free(p);
    }
    uv_close((uv_handle_t *)&s->timer, NULL);
    uv_close((uv_handle_t *)&s->next, NULL);
    uv_run(&s->loop->uv, UV_RUN_NOWAIT);
    free(s->ballots);
    free(s);
}
