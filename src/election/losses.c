/* losses.c: what is committed and no server has any more: what it is, and that it is given up.
 *
 * Whoever is asked reads Commit, asks every member what it has of it, and writes the notice
 * (loss.h). If that is what people have signed, the one that has the most (the keeper) is asked to
 * go back to that.
 *
 *   QUESTION_KEPT   state u16 | version of Commit u64
 *   its answer      KEPT_LACKS u8 | records u64 | chain 32,  KEPT_ALL u8,  or  KEPT_UNKNOWN u8
 *   QUESTION_ADMIT  state u16 | members that lack it u32 | document
 *   its answer      enum loss_outcome u8 | text for people */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/loss.h"
#include "election/service_internal.h"
#include "io/log.h"

enum {
    KEPT_ASKED_BYTES = 2 + 8,
    KEPT_TOLD_BYTES = 1 + 8 + SHA256_BYTES,
    ADMIT_ASKED_BYTES_MIN = 2 + 4,
    KEPT_TIMEOUT_MS = 3000,
    ADMIT_TIMEOUT_MS = 10000,
    LINE_BYTES_SHOWN = 90,
};

const char *loss_outcome_name(enum loss_outcome o)
{
#define LOSS_OUTCOME_NAME(name, text) [name] = text,
    static const char *const names[LOSS_OUTCOME_COUNT] = {LOSS_OUTCOME_MAP(LOSS_OUTCOME_NAME)};
#undef LOSS_OUTCOME_NAME
    return names[o];
}

enum kept {
    KEPT_NOTHING_HEARD,
    KEPT_UNKNOWN, /* it has not read that Commit yet, or not got it on disk */
    KEPT_LACKS,
    KEPT_ALL,
};

struct finding {
    enum kept kept;
    uint64_t index;
    struct hash chain;
};

/* ---- what a replica here has ---- */

static struct finding look_here(const struct replica *r, uint64_t version)
{
    struct finding f = {.kept = KEPT_UNKNOWN};
    if (r == NULL || r->shard == NULL)
        return f;
    struct shard_status status = shard_status(r->shard);
    if (status.commit_version != version || !shard_kept(r->shard, &f.index, &f.chain))
        return f;
    const struct state_view *v = coordination_state(r->service->coordination, r->state);
    f.kept = v->commit_version != version ? KEPT_UNKNOWN
             : f.index < v->commit.index  ? KEPT_LACKS
                                          : KEPT_ALL;
    return f;
}

void kept_question(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    uint8_t told[KEPT_TOLD_BYTES] = {KEPT_UNKNOWN};
    uint32_t state =
        body.len == KEPT_ASKED_BYTES ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (state < s->definition->info.state_count && s->coordination != NULL) {
        struct finding f = look_here(s->replicas[state], load_be64(body.ptr + 2));
        told[0] = (uint8_t)f.kept;
        store_be64(told + 1, f.index);
        memcpy(told + 9, f.chain.bytes, SHA256_BYTES);
    }
    question_answer(s, link, id, slice_of(told, sizeof told));
}

static struct finding decode_finding(struct slice answer)
{
    struct finding f = {.kept = KEPT_UNKNOWN};
    if (answer.len != KEPT_TOLD_BYTES || answer.ptr[0] < KEPT_UNKNOWN || answer.ptr[0] > KEPT_ALL)
        return f;
    f.kept = (enum kept)answer.ptr[0];
    f.index = load_be64(answer.ptr + 1);
    memcpy(f.chain.bytes, answer.ptr + 9, SHA256_BYTES);
    return f;
}

/* ---- the keeper gives it up ---- */

typedef void admitted_fn(void *arg, enum loss_outcome outcome, const char *detail);

struct admission {
    struct service *service;
    struct loss_notice notice;
    struct buf document;
    enum loss_outcome outcome;
    const char *detail;
    admitted_fn *done;
    void *arg;
};

static void admission_tell(void *arg)
{
    struct admission *a = arg;
    a->done(a->arg, a->outcome, a->detail);
    buf_deinit(&a->document);
    free(a);
}

/* The callback may end what it was called from. */
static void admission_end(struct admission *a, enum loss_outcome outcome, const char *detail)
{
    a->outcome = outcome;
    a->detail = detail;
    service_later(a->service, admission_tell, a);
}

static void log_admitted(const struct admission *a)
{
    struct log_line line;
    const struct loss_notice *n = &a->notice;
    log_begin(&line, LOG_ERROR, "loss_admitted");
    log_text(&line, "state", n->state);
    log_int(&line, "round", (int64_t)n->round);
    log_int(&line, "committed", (int64_t)n->committed);
    log_int(&line, "kept", (int64_t)n->kept);
    log_text(&line, "text", "votes that no server has any more were given up, as was signed");
    log_end(&line);
}

void loss_admitted(struct replica *r, enum shard_admitted what)
{
    struct admission *a = r->admission;
    r->admission = NULL;
    if (a == NULL) /* this server ends, and it was told so */
        return;
    switch (what) {
    case ADMIT_NOTHING:
        break;
    case ADMIT_DONE:
        log_admitted(a);
        admission_end(a, LOSS_OK, "");
        return;
    case ADMIT_REFUSED:
        admission_end(a, LOSS_NOT_AS_SIGNED, "Commit, or who stands in the state's line, changed");
        return;
    case ADMIT_UNKNOWN:
        admission_end(a, LOSS_UNKNOWN, "the coordination service was lost meanwhile");
        return;
    }
}

void losses_end(struct replica *r)
{
    struct admission *a = r->admission;
    if (a == NULL)
        return;
    r->admission = NULL;
    admission_end(a, LOSS_UNKNOWN, "the server ends");
}

/* What this server has is what was signed. */
static bool is_kept_here(const struct replica *r, const struct loss_notice *n)
{
    uint64_t index;
    struct hash chain;
    return shard_kept(r->shard, &index, &chain) && index == n->kept &&
           hash_eq(&chain, &n->kept_chain);
}

static bool is_of_this_election(const struct service *s, int state, const struct loss_notice *n)
{
    const struct election_info *e = &s->definition->info;
    return strcmp(n->election, e->id) == 0 && hash_eq(&n->config, &e->config) &&
           strcmp(n->state, e->states[state].names.code) == 0;
}

static void admit_here(struct service *s, int state, uint32_t lacking, struct slice document,
                       admitted_fn *done, void *arg)
{
    struct replica *r = s->replicas[state];
    struct err err = {""};
    struct slice signed_part;
    struct admission *a = mem_calloc(1, sizeof *a);
    a->service = s;
    a->done = done;
    a->arg = arg;
    buf_put_slice(&a->document, document);
    if (loss_read(document, &a->notice, &signed_part, &err) < 0 ||
        loss_check_approvals(&s->definition->info, document, &err) < 0) {
        admission_end(a, LOSS_NOT_APPROVED, "it is not approved");
        return;
    }
    if (r == NULL || r->shard == NULL || r->coordination == NULL || r->admission != NULL) {
        admission_end(a, LOSS_UNAVAILABLE, "the keeper cannot do it now");
        return;
    }
    if (!is_of_this_election(s, state, &a->notice) || !is_kept_here(r, &a->notice)) {
        admission_end(a, LOSS_NOT_AS_SIGNED, "the keeper does not keep what was signed");
        return;
    }
    struct shard_event ev = {.type = SHARD_ADMIT};
    ev.admit.commit_version = a->notice.version;
    ev.admit.kept = a->notice.kept;
    ev.admit.lacking = lacking;
    r->admission = a;
    coordination_shard_set_loss(r->coordination, buf_slice(&a->document));
    replica_step(r, &ev);
}

struct owed {
    struct service *service;
    uint64_t link, id;
};

static void answer_admit(void *arg, enum loss_outcome outcome, const char *detail)
{
    struct owed *o = arg;
    struct buf b = {0};
    buf_put_u8(&b, (uint8_t)outcome);
    buf_put(&b, detail, strlen(detail));
    question_answer(o->service, o->link, o->id, buf_slice(&b));
    buf_deinit(&b);
    free(o);
}

void admit_question(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    struct owed *o = mem_calloc(1, sizeof *o);
    *o = (struct owed){s, link, id};
    uint32_t state =
        body.len >= ADMIT_ASKED_BYTES_MIN ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (state >= s->definition->info.state_count)
        answer_admit(o, LOSS_INVALID, "there is no such state");
    else
        admit_here(s, (int)state, load_be32(body.ptr + 2), slice_from(body, ADMIT_ASKED_BYTES_MIN),
                   answer_admit, o);
}

/* ---- asked at a door ---- */

struct losing {
    struct service *service;
    int state;
    struct buf document; /* empty: only to be told */
    struct state_view view;
    struct finding findings[SHARD_MEMBERS_MAX];
    uint32_t left;
    struct loss_notice notice;
    loss_done_fn *done;
    void *arg;
};

struct part {
    struct losing *whole;
    uint32_t member;
};

static void finish(struct losing *l, enum loss_outcome outcome, const char *detail)
{
    struct loss_reply reply = {.state = l->state, .outcome = outcome, .detail = detail};
    struct buf text = {0};
    if (outcome == LOSS_OK) {
        loss_notice_text(&l->notice, &text);
        reply.notice = &l->notice;
        reply.text = buf_slice(&text);
    }
    l->done(l->arg, &reply);
    buf_deinit(&text);
    buf_deinit(&l->document);
    free(l);
}

static void finish_of(struct losing *l, enum loss_outcome outcome, uint32_t member,
                      const char *what)
{
    char detail[DETAIL_BYTES_MAX];
    snprintf(detail, sizeof detail, "%s %s", l->view.members[member].server.name, what);
    finish(l, outcome, detail);
}

static void on_admitted(void *arg, enum loss_outcome outcome, const char *detail)
{
    finish(arg, outcome, detail);
}

static void on_admit_told(void *arg, struct slice answer, const char *why)
{
    char detail[DETAIL_BYTES_MAX];
    if (why != NULL || answer.len < 1 || answer.ptr[0] >= LOSS_OUTCOME_COUNT) {
        finish(arg, LOSS_UNKNOWN, why != NULL ? why : "the keeper's answer cannot be read");
        return;
    }
    snprintf(detail, sizeof detail, "%.*s", (int)(answer.len - 1), (const char *)answer.ptr + 1);
    finish(arg, (enum loss_outcome)answer.ptr[0], detail);
}

static uint32_t lacking(const struct losing *l)
{
    uint32_t lacking = 0;
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++)
        lacking |= (uint32_t)(l->findings[m].kept == KEPT_LACKS) << m;
    return lacking;
}

static void admit_there(struct losing *l)
{
    struct service *s = l->service;
    struct buf body = {0};
    uint8_t head[ADMIT_ASKED_BYTES_MIN] = {(uint8_t)(l->state >> 8), (uint8_t)l->state};
    store_be32(head + 2, lacking(l));
    buf_put(&body, head, sizeof head);
    buf_put_slice(&body, buf_slice(&l->document));
    if (strcmp(l->notice.keeper, s->self.name) == 0)
        admit_here(s, l->state, lacking(l), buf_slice(&l->document), on_admitted, l);
    else
        question_ask(s, l->notice.keeper, QUESTION_ADMIT, buf_slice(&body), ADMIT_TIMEOUT_MS,
                     on_admit_told, l);
    buf_deinit(&body);
}

static int line_bytes(struct slice text)
{
    int len = 0;
    while ((size_t)len < text.len && len < LINE_BYTES_SHOWN && text.ptr[len] != '\n')
        len++;
    return len;
}

/* What was signed is not what is so now: where they part. */
static void finish_not_as_signed(struct losing *l, struct slice was, struct slice now)
{
    char detail[DETAIL_BYTES_MAX];
    size_t line = 0;
    for (size_t i = 0; i < was.len && i < now.len && was.ptr[i] == now.ptr[i]; i++)
        line = was.ptr[i] == '\n' ? i + 1 : line;
    was = slice_from(was, line);
    now = slice_from(now, line);
    snprintf(detail, sizeof detail, "\"%.*s\" was signed, and it is \"%.*s\" now", line_bytes(was),
             (const char *)was.ptr, line_bytes(now), (const char *)now.ptr);
    finish(l, LOSS_NOT_AS_SIGNED, detail);
}

static void compare(struct losing *l)
{
    struct loss_notice was;
    struct slice signed_part;
    struct err err = {""};
    struct buf now = {0};
    if (l->document.len == 0) {
        finish(l, LOSS_OK, "");
        return;
    }
    loss_notice_text(&l->notice, &now);
    loss_read(buf_slice(&l->document), &was, &signed_part, &err); /* it could be before */
    if (slice_eq(signed_part, buf_slice(&now)))
        admit_there(l);
    else
        finish_not_as_signed(l, signed_part, buf_slice(&now));
    buf_deinit(&now);
}

static void write_notice(struct losing *l, uint32_t keeper)
{
    const struct election_info *e = &l->service->definition->info;
    const struct commit *c = &l->view.commit;
    struct loss_notice *n = &l->notice;
    snprintf(n->election, sizeof n->election, "%s", e->id);
    n->config = e->config;
    snprintf(n->state, sizeof n->state, "%s", e->states[l->state].names.code);
    n->round = c->round;
    n->version = l->view.commit_version;
    n->epoch = c->epoch;
    n->committed = c->index;
    n->chain = c->chain;
    n->kept = l->findings[keeper].index;
    n->kept_chain = l->findings[keeper].chain;
    snprintf(n->keeper, sizeof n->keeper, "%s", l->view.members[keeper].server.name);
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if (l->view.members[m].known && l->findings[m].kept == KEPT_NOTHING_HEARD)
            snprintf(n->missing[n->missing_count++], SERVER_NAME_BYTES_MAX, "%s",
                     l->view.members[m].server.name);
    }
}

static bool stands_in_line(const struct state_view *v, uint32_t member)
{
    for (size_t i = 0; i < v->live_count; i++) {
        if (v->live[i].member == member)
            return true;
    }
    return false;
}

/* Those whom Commit names as holders took their numbers; Members may not have been read yet. */
static bool knows_holders(const struct state_view *v)
{
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if ((v->commit.holders >> m & 1) != 0 && !v->members[m].known)
            return false;
    }
    return true;
}

static int32_t find_kept(const struct losing *l, enum kept kept)
{
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        if (l->view.members[m].known && l->findings[m].kept == kept)
            return (int32_t)m;
    }
    return -1;
}

static void judge(struct losing *l)
{
    int32_t keeper = -1, has_all = find_kept(l, KEPT_ALL);
    if (l->service->closing) { /* whoever has not answered yet is not missing for that */
        finish(l, LOSS_UNAVAILABLE, "this server ends");
        return;
    }
    if (has_all >= 0) {
        finish_of(l, LOSS_NOTHING, (uint32_t)has_all, "has all that is committed");
        return;
    }
    for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
        const struct finding *f = &l->findings[m];
        if (!l->view.members[m].known)
            continue;
        if (f->kept == KEPT_UNKNOWN) {
            finish_of(l, LOSS_UNAVAILABLE, m, "cannot tell yet what it has");
            return;
        }
        if (f->kept == KEPT_NOTHING_HEARD && stands_in_line(&l->view, m)) {
            finish_of(l, LOSS_UNAVAILABLE, m, "lives and cannot be heard: it may have all of it");
            return;
        }
        if (f->kept == KEPT_LACKS && (keeper < 0 || f->index > l->findings[keeper].index))
            keeper = (int32_t)m;
    }
    if (keeper < 0) {
        finish(l, LOSS_UNAVAILABLE, "none of the state's servers can be heard");
        return;
    }
    write_notice(l, (uint32_t)keeper);
    compare(l);
}

static void on_kept(void *arg, struct slice answer, const char *why)
{
    struct part *p = arg;
    struct losing *l = p->whole;
    l->findings[p->member] =
        why != NULL ? (struct finding){.kept = KEPT_NOTHING_HEARD} : decode_finding(answer);
    free(p);
    if (--l->left == 0)
        judge(l);
}

static void ask_member(struct losing *l, uint32_t m)
{
    struct service *s = l->service;
    const char *name = l->view.members[m].server.name;
    uint8_t body[KEPT_ASKED_BYTES] = {(uint8_t)(l->state >> 8), (uint8_t)l->state};
    if (strcmp(name, s->self.name) == 0) {
        l->findings[m] = look_here(s->replicas[l->state], l->view.commit_version);
        return;
    }
    struct part *p = mem_calloc(1, sizeof *p);
    *p = (struct part){l, m};
    l->left++;
    store_be64(body + 2, l->view.commit_version);
    question_ask(s, name, QUESTION_KEPT, slice_of(body, sizeof body), KEPT_TIMEOUT_MS, on_kept, p);
}

/* NULL, or why nothing is to be given up. */
static const char *nothing_is_lost(const struct nation_view *n, const struct state_view *v)
{
    if (!v->known || v->commit.round == 0 || v->commit.round != n->global.round)
        return "the state has no votes in this round";
    if (n->global.phase == PHASE_CLOSED)
        return "the round is closed: its counts stand in the seal";
    if (v->commit.index == 0)
        return "no votes are committed";
    if (v->commit.loss_count == LOSSES_MAX)
        return "no more losses can be admitted in this round";
    return NULL;
}

/* What the document says was admitted before: its answer may have been lost. */
static bool is_done_already(struct losing *l)
{
    struct slice signed_part;
    struct err err = {""};
    const struct commit *c = &l->view.commit;
    struct loss_notice *n = &l->notice;
    if (l->document.len == 0 || loss_read(buf_slice(&l->document), n, &signed_part, &err) < 0)
        return false;
    bool done = false;
    for (uint32_t i = 0; i < c->loss_count && c->round == n->round; i++) {
        const struct loss *loss = &c->losses[i];
        done = done || (loss->epoch == n->epoch + 1 && loss->from == n->committed &&
                        loss->to == n->kept && hash_eq(&loss->chain, &n->kept_chain));
    }
    if (!done)
        memset(n, 0, sizeof *n);
    return done;
}

static void on_read(void *arg, int rc, const char *detail)
{
    struct losing *l = arg;
    if (rc < 0) { /* also when the session ends: then there is none to look at */
        finish(l, LOSS_UNAVAILABLE, detail);
        return;
    }
    struct service *s = l->service;
    l->view = *coordination_state(s->coordination, l->state);
    if (is_done_already(l)) {
        finish(l, LOSS_OK, "");
        return;
    }
    const char *why = nothing_is_lost(coordination_nation(s->coordination), &l->view);
    if (why != NULL) {
        finish(l, LOSS_NOTHING, why);
        return;
    }
    if (!knows_holders(&l->view)) {
        finish(l, LOSS_UNAVAILABLE, "this server has not read yet who the state's servers are");
        return;
    }
    l->left = 1;
    for (uint32_t m = 0; m < s->definition->replicas; m++) {
        if (l->view.members[m].known)
            ask_member(l, m);
    }
    if (--l->left == 0)
        judge(l);
}

static void not_begun(void *arg)
{
    finish(arg, LOSS_UNAVAILABLE, "this server has not begun, or ends");
}

struct refusal {
    int state;
    enum loss_outcome outcome;
    struct err err;
    loss_done_fn *done;
    void *arg;
};

static void refuse(void *arg)
{
    struct refusal *r = arg;
    struct loss_reply reply = {.state = r->state, .outcome = r->outcome, .detail = r->err.text};
    r->done(r->arg, &reply);
    free(r);
}

/* What can be said of the document alone. */
static bool is_refused(struct service *s, int state, struct slice document, loss_done_fn *done,
                       void *arg)
{
    struct loss_notice notice;
    struct slice signed_part;
    struct err err = {""};
    enum loss_outcome outcome = LOSS_OK;
    if (loss_read(document, &notice, &signed_part, &err) < 0)
        outcome = LOSS_INVALID;
    else if (strcmp(notice.state, s->definition->info.states[state].names.code) != 0) {
        outcome = LOSS_INVALID;
        err_set(&err, ERR_INVALID, "it is of state %s", notice.state);
    } else if (loss_check_approvals(&s->definition->info, document, &err) < 0)
        outcome = LOSS_NOT_APPROVED;
    if (outcome == LOSS_OK)
        return false;
    struct refusal *r = mem_calloc(1, sizeof *r);
    *r = (struct refusal){state, outcome, err, done, arg};
    service_later(s, refuse, r);
    return true;
}

static void begin(struct service *s, int state, struct slice document, loss_done_fn *done,
                  void *arg)
{
    struct losing *l = mem_calloc(1, sizeof *l);
    l->service = s;
    l->state = state;
    l->done = done;
    l->arg = arg;
    buf_put_slice(&l->document, document);
    if (s->coordination != NULL && !s->closing)
        coordination_read(s->coordination, state, true, on_read, l);
    else
        service_later(s, not_begun, l);
}

void service_loss(struct service *s, int state, loss_done_fn *done, void *arg)
{
    begin(s, state, slice_of(NULL, 0), done, arg);
}

void service_admit_loss(struct service *s, int state, struct slice document, loss_done_fn *done,
                        void *arg)
{
    if (!is_refused(s, state, document, done, arg))
        begin(s, state, document, done, arg);
}
