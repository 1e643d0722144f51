/* coordination_command.c: start and stop: what vote/conduct.h decides, carried out.
 *
 * A task is one command under way, or the keeper, which goes on with what others began while our
 * LiveNode among the servers is the smallest. It reads everything, asks conduct_next, writes, and
 * begins again; what came of the write does not matter, the next reading shows it. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/hex.h"
#include "base/mem.h"
#include "election/coordination_internal.h"

enum {
    COMMAND_TIMEOUT_MS = 30000, /* beyond drain_ms */
    WRITES_MAX = 64,            /* of one task without an end: somebody else must be writing */
};

struct task {
    struct list list;
    struct coordination *c;
    struct conduct conduct;
    bool flying;
    uint32_t writes;
    struct alarm again, end;
    struct global global; /* as last read */
    int64_t mzxid;
    bool over; /* answered; freed when nothing is outstanding */
    char detail[DETAIL_BYTES_MAX];
    command_done_fn *done;
    void *arg;
};

static void task_step(struct task *t);

static bool is_keeper(const struct task *t)
{
    return t == t->c->keeper;
}

static void task_free(struct task *t)
{
    list_remove(&t->list);
    alarm_clear(&t->again);
    alarm_clear(&t->end);
    t->c->task_count--;
    free(t);
}

static void task_answer(struct task *t, enum command_outcome outcome, uint64_t not_ready,
                        const char *detail)
{
    int states[STATES_MAX];
    struct command_reply reply = {.outcome = outcome,
                                  .global = t->global,
                                  .zxid = t->mzxid,
                                  .not_ready = states,
                                  .detail = detail};
    for (uint32_t i = 0; i < t->c->state_count; i++) {
        if (not_ready >> i & 1)
            states[reply.not_ready_count++] = (int)i;
    }
    t->over = true;
    alarm_clear(&t->again);
    alarm_clear(&t->end);
    t->done(t->arg, &reply);
    if (!t->flying)
        task_free(t);
}

/* Something outstanding is answered; true: to nobody. */
static bool landed(struct task *t)
{
    t->flying = false;
    if (!t->over)
        return false;
    task_free(t);
    return true;
}

static void step_after(struct task *t, int64_t ms)
{
    alarm_set(t->c, &t->again, caucus_now_ns() + ms * MS_NS);
}

/* ---- writes ---- */

static void on_written(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct task *t = owner;
    (void)slot;
    if (landed(t))
        return;
    bool expected = r->rc == 0 || r->rc == CAUCUS_BADVERSION || r->rc == CAUCUS_NODEEXISTS;
    if (r->rc != 0)
        snprintf(t->detail, sizeof t->detail, "the write: %s", caucus_error_text(r->rc));
    if (!expected)
        step_after(t, COORD_RETRY_MS);
    else
        task_step(t);
}

static bool may_write(struct task *t)
{
    if (t->writes++ < WRITES_MAX)
        return true;
    t->writes = 0;
    if (is_keeper(t))
        step_after(t, COORD_RETRY_MS);
    else
        task_answer(t, COMMAND_UNAVAILABLE, 0, t->detail);
    return false;
}

/* "<hash>\n<text>" */
static void put_definition(const struct coordination *c, struct buf *b)
{
    char hex[2 * SHA256_BYTES + 1];
    hex_write(c->config.bytes, SHA256_BYTES, hex);
    buf_printf(b, "%s\n", hex);
    buf_put_slice(b, c->options.definition);
}

static void write_nation(struct task *t, const struct conduct_decision *d, uint64_t version)
{
    struct coordination *c = t->c;
    struct coord_path nation = coord_path(c, "Global/Commit"), command,
                      config =
                          coord_path(c, "Global/Config/%llu", (unsigned long long)d->next.round);
    struct buf global = {0}, record = {0}, definition = {0};
    struct caucus_create_options options = coord_create_options(c, CAUCUS_PERSISTENT);
    coord_command_path(c, t->conduct.command.id, &command);
    global_encode(&d->next, &global);
    command_record_encode(&d->record, &record);
    struct caucus_op ops[3] = {{.type = CAUCUS_OP_SET,
                                .path = nation.text,
                                .data = global.ptr,
                                .data_bytes = global.len,
                                .version = (int32_t)version}};
    size_t count = 1;
    if (d->has_record)
        ops[count++] = (struct caucus_op){.type = CAUCUS_OP_CREATE,
                                          .path = command.text,
                                          .data = record.ptr,
                                          .data_bytes = record.len,
                                          .options = options};
    if (d->next.phase == PHASE_OPEN) {
        put_definition(c, &definition);
        ops[count++] = (struct caucus_op){.type = CAUCUS_OP_CREATE,
                                          .path = config.text,
                                          .data = definition.ptr,
                                          .data_bytes = definition.len,
                                          .options = options};
    }
    t->flying = true;
    coord_multi(c, ops, count, (struct coord_done){on_written, t, 0});
    buf_deinit(&global);
    buf_deinit(&record);
    buf_deinit(&definition);
}

static void write_seal(struct task *t, const struct survey *y, uint32_t state)
{
    struct buf data = {0};
    commit_encode(&y->states[state].commit, &data);
    t->flying = true;
    coord_create(t->c,
                 coord_path(t->c, "%s/Seal/%llu", t->c->options.election->states[state].names.code,
                            (unsigned long long)y->nation.global.round)
                     .text,
                 buf_slice(&data), CAUCUS_PERSISTENT, (struct coord_done){on_written, t, 0});
    buf_deinit(&data);
}

/* ---- steps ---- */

static void carry_out(struct task *t, const struct survey *y, const struct conduct_decision *d)
{
    switch (d->type) {
    case CONDUCT_WRITE:
        if (may_write(t))
            write_nation(t, d, y->nation.version);
        return;
    case CONDUCT_SEAL:
        if (may_write(t))
            write_seal(t, y, d->state);
        return;
    case CONDUCT_WAIT:
        t->writes = 0;
        if (d->until_ns != INT64_MAX)
            alarm_set(t->c, &t->again, d->until_ns);
        return;
    case CONDUCT_DONE:
        task_answer(t, COMMAND_DONE, d->not_ready, d->detail);
        return;
    case CONDUCT_WRONG_PHASE:
        task_answer(t, COMMAND_WRONG_PHASE, d->not_ready, d->detail);
        return;
    case CONDUCT_NOT_READY:
        task_answer(t, COMMAND_NOT_READY, d->not_ready, d->detail);
        return;
    }
}

static void on_survey(void *owner, int rc, const char *detail, const struct survey *y)
{
    struct task *t = owner;
    if (landed(t))
        return;
    if (y == NULL) {
        snprintf(t->detail, sizeof t->detail, "%s", detail);
        if (!coord_is_passing(rc) || t->c->connected)
            step_after(t, COORD_RETRY_MS);
        return;
    }
    t->global = y->nation.global;
    t->mzxid = y->nation.mzxid;
    follow_saw_nation(t->c, &y->nation);
    struct conduct_view view = {.global = y->nation.global,
                                .version = y->nation.version,
                                .states = y->conduct,
                                .state_count = t->c->state_count,
                                .has_record = y->has_record,
                                .record = y->record};
    uv_timeval64_t wall;
    int64_t wall_ms = uv_gettimeofday(&wall) == 0 ? wall.tv_sec * 1000 + wall.tv_usec / 1000 : 0;
    struct conduct_decision d;
    conduct_next(&t->conduct, &view, caucus_now_ns(), wall_ms, &d);
    carry_out(t, y, &d);
}

/* Whether it is ours to do, as far as is known here; the reading tells. */
static bool keeper_is_wanted(const struct coordination *c)
{
    if (!c->nation.first || !c->nation.known)
        return false;
    if (c->nation.global.phase == PHASE_CLOSING)
        return true;
    bool sealed = true;
    for (uint32_t i = 0; i < c->state_count; i++)
        sealed = sealed && c->states[i].view.has_seal;
    return c->nation.global.phase == PHASE_CLOSED && !sealed;
}

static void task_step(struct task *t)
{
    struct coordination *c = t->c;
    if (t->flying || t->over || !coord_can_ask(c) || (is_keeper(t) && !keeper_is_wanted(c)))
        return;
    alarm_clear(&t->again);
    t->flying = true;
    bool starts = t->conduct.has_command && t->conduct.command.start;
    survey_read(c, t->conduct.has_command ? t->conduct.command.id : NULL, starts, on_survey, t);
}

static void on_again(void *owner)
{
    task_step(owner);
}

static void on_end(void *owner)
{
    struct task *t = owner;
    task_answer(t, COMMAND_UNAVAILABLE, 0,
                t->detail[0] != '\0' ? t->detail
                                     : "the coordination service did not answer in time");
}

/* ---- all of them ---- */

static struct task *task_new(struct coordination *c)
{
    struct task *t = mem_calloc(1, sizeof *t);
    t->c = c;
    t->conduct.config = c->config;
    t->conduct.copies_min = c->options.copies_min;
    t->conduct.seal_wait_ns = SEAL_WAIT_MS * MS_NS;
    alarm_init(&t->again, on_again, t);
    alarm_init(&t->end, on_end, t);
    list_append(&c->tasks, &t->list);
    c->task_count++;
    return t;
}

static void on_kick(void *owner)
{
    struct coordination *c = owner;
    for (struct list *i = c->tasks.next, *next; i != &c->tasks; i = next) {
        next = i->next;
        task_step(list_entry(i, struct task, list));
    }
}

void tasks_kick(struct coordination *c)
{
    if (!alarm_is_set(&c->kick))
        alarm_set(c, &c->kick, caucus_now_ns() + COORD_KICK_MS * MS_NS);
}

void tasks_init(struct coordination *c)
{
    list_init(&c->tasks);
    alarm_init(&c->kick, on_kick, c);
    c->keeper = task_new(c);
}

/* Those that have something outstanding are freed when it is answered. */
void tasks_end(struct coordination *c)
{
    c->keeper->over = true;
    if (!c->keeper->flying)
        task_free(c->keeper);
    for (struct list *i = c->tasks.next, *next; i != &c->tasks; i = next) {
        struct task *t = list_entry(i, struct task, list);
        next = i->next;
        if (!t->over)
            task_answer(t, COMMAND_UNAVAILABLE, 0, "the server is being closed");
    }
}

/* A command without an id is one of its own. */
static void take_id(const struct command *command, uint8_t ret[COMMAND_ID_BYTES])
{
    static const uint8_t none[COMMAND_ID_BYTES];
    memcpy(ret, command->command_id, COMMAND_ID_BYTES);
    if (memcmp(ret, none, COMMAND_ID_BYTES) == 0 &&
        getrandom(ret, COMMAND_ID_BYTES, 0) != COMMAND_ID_BYTES)
        abort(); /* so few bytes are never cut short */
}

static void on_refused(void *owner)
{
    struct task *t = owner;
    task_answer(t, COMMAND_UNAVAILABLE, 0, "too many commands are under way");
}

void coordination_command(struct coordination *c, const struct command *command,
                          command_done_fn *done, void *arg)
{
    struct task *t = task_new(c);
    int64_t now_ns = caucus_now_ns();
    t->done = done;
    t->arg = arg;
    t->global = c->nation.global;
    t->mzxid = c->nation.mzxid;
    t->conduct.has_command = true;
    t->conduct.command = (struct conduct_command){.start = command->verb == COMMAND_START,
                                                  .round = command->round,
                                                  .force = command->force,
                                                  .now = command->now,
                                                  .drain_ms = command->drain_ms};
    take_id(command, t->conduct.command.id);
    if (c->task_count > COMMANDS_MAX) {
        alarm_init(&t->end, on_refused, t);
        alarm_set(c, &t->end, now_ns);
        return;
    }
    alarm_set(c, &t->end, now_ns + ((int64_t)command->drain_ms + COMMAND_TIMEOUT_MS) * MS_NS);
    alarm_set(c, &t->again, now_ns);
}
