/* service.c: life, turns of the loop, what others say. */
#include "election/service.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "election/service_internal.h"
#include "io/log.h"

enum {
    LINK_DEAD_MS = 4000,
    SESSION_TIMEOUT_MS = 6000,
    DRAIN_MS = 3000, /* votes that were taken get their answers, before the session ends */
    HURRY_MS = 2800, /* those that have none by then are answered by the clock */
};

int64_t service_now_ns(const struct service *s)
{
    return loop_now_ns(s->loop);
}

void service_fail(struct service *s, const char *format, ...)
{
    if (s->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(s->trouble, sizeof s->trouble, format, args);
    va_end(args);
    s->failed = true;
    s->options.failed(s->options.arg, s->trouble);
}

/* ---- calls for the end of the turn ---- */

struct later {
    struct list all;
    later_fn *run;
    void *arg;
};

void service_later(struct service *s, later_fn *run, void *arg)
{
    struct later *l = mem_calloc(1, sizeof *l);
    l->run = run;
    l->arg = arg;
    list_append(&s->later, &l->all);
    loop_again(s->loop);
}

static void run_later(struct service *s)
{
    struct list now;
    list_init(&now);
    while (!list_is_empty(&s->later))
        list_append(&now, list_take(&s->later));
    while (!list_is_empty(&now)) {
        struct later *l = list_entry(list_take(&now), struct later, all);
        l->run(l->arg);
        free(l);
    }
}

/* ---- links ---- */

static const char *objection(void *arg, const char *name,
                             const uint8_t incarnation[INCARNATION_BYTES])
{
    struct service *s = arg;
    for (uint32_t i = 0; s->coordination != NULL && i < s->definition->info.state_count; i++) {
        const struct state_view *v = coordination_state(s->coordination, (int)i);
        for (uint32_t m = 0; m < s->definition->replicas; m++) {
            const struct member *member = &v->members[m];
            if (member->known && strcmp(member->server.name, name) == 0 &&
                memcmp(member->server.incarnation, incarnation, INCARNATION_BYTES) != 0)
                return "its disk is not the one that is known by its name";
        }
    }
    return NULL;
}

static void on_link_up(void *arg, struct link *l)
{
    struct service *s = arg;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        if (s->replicas[i] != NULL)
            replica_tell_hosts(s->replicas[i], l);
    }
}

static void on_link_down(void *arg, struct link *l)
{
    struct service *s = arg;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        for (uint32_t m = 0; m < SHARD_MEMBERS_MAX; m++) {
            if (s->hosts[i][m] == l)
                s->hosts[i][m] = NULL;
        }
        if (s->replicas[i] != NULL)
            replica_link_down(s->replicas[i], l);
    }
    pulse_feel(s, l);
    cast_link_down(s, link_number(l));
    question_link_down(s, link_number(l));
}

static void on_hosts(struct service *s, struct link *l, struct slice body)
{
    uint32_t state = body.len == 6 ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    uint32_t member = body.len == 6 ? load_be32(body.ptr + 2) : UINT32_MAX;
    if (state >= s->definition->info.state_count || member >= s->definition->replicas) {
        link_cut(l, "a replica of no state");
        return;
    }
    const char *name = service_member_name(s, (int)state, (int32_t)member);
    struct replica *r = s->replicas[state];
    if ((name != NULL && strcmp(name, link_name(l)) != 0) || s->hosts[state][member] != NULL ||
        (r != NULL && r->shard != NULL && r->member == member)) {
        link_cut(l, "it says that it is a member that another server is");
        return;
    }
    s->hosts[state][member] = l;
    if (r != NULL)
        replica_look_at_links(r);
}

static void on_leads(struct service *s, struct link *l, struct slice body)
{
    uint32_t state = body.len == 10 ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (state >= s->definition->info.state_count) {
        link_cut(l, "it leads no state");
        return;
    }
    for (uint32_t m = 0; m < s->definition->replicas; m++) {
        if (s->hosts[state][m] == l)
            cast_led(s, (int)state, (int32_t)m, load_be64(body.ptr + 2));
    }
}

static void on_shard_message(struct service *s, struct link *l, struct slice body)
{
    uint32_t state = body.len > 2 ? (uint32_t)body.ptr[0] << 8 | body.ptr[1] : UINT32_MAX;
    if (state >= s->definition->info.state_count) {
        link_cut(l, "a message for no state");
        return;
    }
    if (s->replicas[state] != NULL)
        replica_message(s->replicas[state], l, slice_from(body, 2));
}

static void on_frame(void *arg, struct link *l, uint8_t type, struct slice body)
{
    struct service *s = arg;
    switch (type) {
    case FRAME_HOSTS:
        on_hosts(s, l, body);
        return;
    case FRAME_SHARD:
        on_shard_message(s, l, body);
        return;
    case FRAME_CAST:
        cast_on_frame(s, l, body);
        return;
    case FRAME_ANSWER:
        cast_on_answer(s, l, body);
        return;
    case FRAME_ASK:
        question_on_ask(s, l, body);
        return;
    case FRAME_TELL:
        question_on_tell(s, l, body);
        return;
    case FRAME_LEADS:
        on_leads(s, l, body);
        return;
    default:
        link_cut(l, "a frame that is not known here");
        return;
    }
}

/* ---- the coordination service ---- */

static void know_members(struct service *s, int state)
{
    const struct state_view *v = coordination_state(s->coordination, state);
    for (uint32_t m = 0; m < s->definition->replicas; m++) {
        if (v->members[m].known)
            links_know(s->links, v->members[m].server.name, v->members[m].server.peer);
    }
}

static void on_changed(void *arg, int state, uint32_t changes)
{
    struct service *s = arg;
    if ((changes & COORDINATION_MEMBERS) != 0 && state >= 0) {
        know_members(s, state);
        if (s->replicas[state] != NULL)
            replica_look_at_rolls(s->replicas[state]);
    }
    if ((changes & COORDINATION_SESSION) != 0) {
        struct log_line line;
        bool connected = coordination_is_connected(s->coordination);
        log_begin(&line, connected ? LOG_INFO : LOG_WARN,
                  connected ? "coordination_connected" : "coordination_lost");
        if (!connected)
            log_text(&line, "reason", coordination_trouble(s->coordination));
        log_end(&line);
    }
    if ((changes & COORDINATION_COMMIT) != 0 && state >= 0) {
        const struct commit *c = &coordination_state(s->coordination, state)->commit;
        cast_commit(s, state, (int32_t)c->leader, c->epoch);
    }
    if ((changes & (COORDINATION_GLOBAL | COORDINATION_LIVE | COORDINATION_MEMBERS)) != 0)
        balance_changed(s);
    results_changed(s, state, changes);
}

static void on_ready(void *arg)
{
    struct service *s = arg;
    s->coordination_ready = true;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        know_members(s, (int)i);
        if (s->replicas[i] != NULL)
            replica_begin(s->replicas[i]);
    }
}

static void on_coordination_failed(void *arg, const char *why)
{
    service_fail(arg, "the coordination service: %s", why);
}

/* ---- who we are ---- */

static void by_chance(void *ret, size_t len)
{
    ssize_t got = getrandom(ret, len, 0);
    invariant(got == (ssize_t)len);
}

/* The folder's own identity: another disk is another incarnation of the server. */
static int open_identity(struct service *s, struct err *err)
{
    char path[4096];
    if (mkdir(s->options.data, 0700) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "make '%s': %s", s->options.data, strerror(errno));
    snprintf(path, sizeof path, "%s/incarnation", s->options.data);
    s->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (s->lock_fd < 0)
        return err_set(err, ERR_IO, "open '%s': %s", path, strerror(errno));
    if (flock(s->lock_fd, LOCK_EX | LOCK_NB) < 0)
        return err_set(err, ERR_BUSY, "another server uses '%s'", s->options.data);
    ssize_t got = pread(s->lock_fd, s->self.incarnation, INCARNATION_BYTES, 0);
    if (got == INCARNATION_BYTES)
        return 0;
    by_chance(s->self.incarnation, INCARNATION_BYTES);
    if (got < 0 || pwrite(s->lock_fd, s->self.incarnation, INCARNATION_BYTES, 0) < 0 ||
        fsync(s->lock_fd) < 0)
        return err_set(err, ERR_IO, "write '%s': %s", path, strerror(errno));
    return 0;
}

/* ---- life ---- */

static void on_disk_report(void *arg)
{
    struct service *s = arg;
    loop_wake(s->loop);
}

static int open_links(struct service *s, struct err *err)
{
    struct links_options o = {
        .loop = s->loop,
        .host = s->options.peer_host,
        .port = s->options.peer_port,
        .dead_ms = LINK_DEAD_MS,
        .dials_all = s->options.states == 0,
        .config = s->definition->info.config,
        .life = s->life,
        .accept_tls = s->options.accept_tls,
        .dial_tls = s->options.dial_tls,
        .objection = objection,
        .on_up = on_link_up,
        .on_down = on_link_down,
        .on_frame = on_frame,
        .arg = s,
    };
    memcpy(o.name, s->self.name, sizeof o.name);
    memcpy(o.incarnation, s->self.incarnation, sizeof o.incarnation);
    int rc = links_open(&o, &s->links, err);
    if (rc == 0)
        snprintf(s->self.peer, sizeof s->self.peer, "%s:%d",
                 s->options.peer_host != NULL ? s->options.peer_host : "localhost",
                 links_port(s->links));
    return rc;
}

/* Before any log is opened: the journal brings them up to its end. */
static int open_disk(struct service *s, struct err *err)
{
    struct disk_options o = {.on_report = on_disk_report, .arg = s};
    struct journal_found found;
    int rc =
        journal_open(files_posix(), s->options.data, JOURNAL_HALF_BYTES, &s->journal, &found, err);
    if (rc < 0)
        return rc;
    s->disk = disk_start(s->journal, &o);
    if (found.records > 0) {
        struct log_line line;
        log_begin(&line, LOG_INFO, "journal");
        log_int(&line, "records", (int64_t)found.records);
        log_int(&line, "torn", found.torn);
        log_text(&line, "text", "the logs were brought up to what was durable");
        log_end(&line);
    }
    return 0;
}

static int open_replicas(struct service *s, struct err *err)
{
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        if ((s->options.states >> i & 1) == 0)
            continue;
        int rc = replica_open(s, (int)i, &s->replicas[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void make_keys(struct service *s)
{
    const struct election_info *info = &s->definition->info;
    for (uint32_t i = 0; i < info->state_count; i++) {
        definition_key(s->definition, DEFINITION_PSEUDONYMS, (int)i, &s->pseudonyms[i]);
        definition_key(s->definition, DEFINITION_CREDENTIALS, (int)i, &s->credentials[i]);
        tally_init(&s->empty[i], info->candidate_count, info->states[i].districts);
    }
}

int service_open(const struct service_options *options, struct service **ret, struct err *err)
{
    struct service *s = mem_calloc(1, sizeof *s);
    s->options = *options;
    s->definition = options->definition;
    s->loop = options->loop;
    s->lock_fd = -1;
    list_init(&s->questions);
    list_init(&s->watches);
    list_init(&s->later);
    list_init(&s->jobs);
    list_init(&s->pulses);
    list_init(&s->proofs);
    list_init(&s->nation.waiting);
    list_init(&s->nation.reading);
    snprintf(s->self.name, sizeof s->self.name, "%s", options->name);
    by_chance(&s->life, sizeof s->life);
    castings_init(s);
    balance_init(s);
    pace_init(s);
    make_keys(s);
    int rc = open_identity(s, err);
    if (rc == 0)
        rc = open_disk(s, err);
    if (rc == 0)
        rc = open_replicas(s, err);
    if (rc == 0)
        rc = open_links(s, err);
    if (rc < 0) {
        service_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

int service_begin(struct service *s, const char *rest, const char *grpc, struct err *err)
{
    struct buf text = {0};
    snprintf(s->self.rest, sizeof s->self.rest, "%s", rest);
    snprintf(s->self.grpc, sizeof s->self.grpc, "%s", grpc);
    definition_text(s->definition, &text);
    struct coordination_options o = {
        .hosts = s->options.zookeeper,
        .root = s->options.root,
        .auth = s->options.zookeeper_auth,
        .ca = s->options.zookeeper_ca,
        .identity = s->options.zookeeper_identity,
        .creator_only = s->options.zookeeper_auth != NULL,
        .session_timeout_ms =
            s->options.session_timeout_ms > 0 ? s->options.session_timeout_ms : SESSION_TIMEOUT_MS,
        .election = &s->definition->info,
        .definition = buf_slice(&text),
        .replicas = s->definition->replicas,
        .copies_min = s->definition->copies_min,
        .self = s->self,
        .life = s->life,
        .ready = on_ready,
        .changed = on_changed,
        .failed = on_coordination_failed,
        .arg = s,
    };
    int rc = coordination_open(&s->loop->uv, &o, &s->coordination, err);
    buf_deinit(&text);
    return rc;
}

const char *service_peer_address(const struct service *s)
{
    return s->self.peer;
}

void service_free(struct service *s)
{
    if (s == NULL)
        return;
    recounts_end(s);
    pulses_end(s);
    proofs_end(s);
    roll_upload_end(s);
    if (s->links != NULL)
        links_close(s->links);
    disk_stop(s->disk);
    journal_close(s->journal);
    for (uint32_t i = 0; i < STATES_MAX; i++)
        replica_free(s->replicas[i]);
    castings_deinit(s);
    proofs_free(s);
    if (s->lock_fd >= 0)
        close(s->lock_fd);
    free(s);
}

/* ---- the end ---- */

static void on_coordination_closed(void *arg)
{
    struct service *s = arg;
    s->closed(s->closed_arg);
}

static bool is_drained(const struct service *s)
{
    return s->castings.used == 0 && list_is_empty(&s->jobs);
}

/* A state goes on with another leader as soon as what this one took is committed, whatever other
 * votes are waited for here. */
static void hand_over(struct service *s, bool at_once)
{
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        struct replica *r = s->replicas[i];
        if (r == NULL || r->coordination == NULL)
            continue;
        if (!at_once && r->shard != NULL && !shard_is_idle(r->shard))
            continue;
        coordination_shard_close(r->coordination);
        r->coordination = NULL;
        losses_end(r); /* no answer will come; whoever asked is told while there are links */
    }
}

static void go_on_closing(struct service *s)
{
    if (s->close_at_ns != 0)
        hand_over(s, false);
    if (s->close_at_ns == 0 || (!is_drained(s) && service_now_ns(s) < s->close_at_ns))
        return;
    s->close_at_ns = 0;
    questions_end(s);
    recounts_end(s);
    proofs_end(s);
    roll_upload_end(s);
    hand_over(s, true);
    /* From here on nobody may ask it anything, though `closed` comes later. */
    struct coordination *c = s->coordination;
    s->coordination = NULL;
    coordination_close(c, on_coordination_closed, s);
}

static void nothing_to_close(void *arg)
{
    struct service *s = arg;
    s->closed(s->closed_arg);
}

void service_close(struct service *s, void (*closed)(void *arg), void *arg)
{
    if (s->closing)
        return;
    s->closing = true;
    s->closed = closed;
    s->closed_arg = arg;
    cast_hurry(s, service_now_ns(s) + (int64_t)HURRY_MS * 1000000);
    if (s->coordination == NULL)
        service_later(s, nothing_to_close, s);
    else
        s->close_at_ns = service_now_ns(s) + (int64_t)DRAIN_MS * 1000000;
    loop_again(s->loop);
}

/* ---- a turn ---- */

static void look_at_disk(struct service *s)
{
    struct err err = {""};
    uint64_t ticket = 0;
    for (struct replica *r; (r = disk_poll(s->disk, &ticket)) != NULL;)
        replica_durable(r, ticket);
    if (!s->failed && disk_status(s->disk, &err) < 0)
        service_fail(s, "the disk: %s", err.text);
}

static int64_t tick_replicas(struct service *s)
{
    int64_t now_ns = service_now_ns(s), next_ns = INT64_MAX;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        struct replica *r = s->replicas[i];
        if (r == NULL || r->shard == NULL)
            continue;
        if (now_ns >= r->deadline_ns) {
            struct shard_event ev = {.type = SHARD_TICK};
            replica_step(r, &ev);
        }
        next_ns = r->deadline_ns < next_ns ? r->deadline_ns : next_ns;
    }
    return next_ns;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Only while somebody wants to know: it means to look at every replica. */
static void look_whether_ready(struct service *s)
{
    const char *why;
    if (s->told_ready && s->ready_changed == NULL)
        return;
    bool ready = service_is_ready(s, &why);
    if (ready && !s->told_ready && !s->closing) {
        s->told_ready = true;
        s->options.ready(s->options.arg);
    }
    if (ready != s->was_ready && s->ready_changed != NULL)
        s->ready_changed(s->ready_arg);
    s->was_ready = ready;
}

void service_on_ready(struct service *s, service_ready_fn *changed, void *arg)
{
    const char *why;
    s->ready_changed = changed;
    s->ready_arg = arg;
    s->was_ready = service_is_ready(s, &why);
}

/* Answers leave before the disk is given more to do, so that what they bring about (the next vote
 * of the same client) is part of it. */
void service_turn(struct service *s)
{
    if (s->failed)
        return;
    look_at_disk(s);
    question_turn(s);
    pulse_turn(s);
    balance_turn(s);
    pace_turn(s);
    cast_turn(s);
    run_later(s);
    int64_t next_ns = tick_replicas(s); /* last, as votes that were taken wait for it */
    go_on_closing(s);
    look_whether_ready(s);
    disk_submit(s->disk);
    links_flush(s->links);
    next_ns = earlier(next_ns, cast_deadline(s));
    next_ns = earlier(next_ns, question_deadline(s));
    next_ns = earlier(next_ns, pulse_deadline(s));
    next_ns = earlier(next_ns, balance_deadline(s));
    if (s->close_at_ns != 0)
        next_ns = earlier(next_ns, s->close_at_ns);
    loop_set_deadline(s->loop, next_ns);
    if (cast_has_more(s))
        loop_again(s->loop);
}

/* ---- what is asked of it ---- */

const struct election_info *service_election(const struct service *s)
{
    return &s->definition->info;
}

int service_find_state(const struct service *s, struct slice name)
{
    return definition_find_state(s->definition, name);
}

const char *service_server_name(const struct service *s)
{
    return s->self.name;
}

/* It begins no round, or cannot follow the one that the others began. */
static bool has_another_roll(const struct service *s, const struct replica *r)
{
    uint64_t round = coordination_nation(s->coordination)->global.round;
    bool begun = round > 0 && coordination_state(s->coordination, r->state)->commit.round == round;
    return r->roll_disputed && (!begun || !shard_is_current(r->shard));
}

/* So that a round can begin with this server: a start counts those who stand in their lines. */
static bool stands_in_every_line(const struct service *s)
{
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        const struct replica *r = s->replicas[i];
        if (r != NULL && !shard_status(r->shard).live)
            return false;
    }
    return true;
}

bool service_is_ready(const struct service *s, const char **ret_why)
{
    *ret_why = "the coordination service has not answered yet";
    if (s->coordination == NULL || !s->coordination_ready)
        return false;
    *ret_why = "no connection to the coordination service";
    if (!coordination_is_connected(s->coordination))
        return false;
    for (uint32_t i = 0; i < s->definition->info.state_count; i++) {
        const struct replica *r = s->replicas[i];
        *ret_why = "a replica does not know yet which member it is";
        if (r != NULL && r->shard == NULL)
            return false;
        *ret_why = "a replica has another roll than most of its state's servers";
        if (r != NULL && has_another_roll(s, r))
            return false;
        *ret_why = "votes that are committed are on no disk that can be reached";
        if (r != NULL && r->out_of_reach)
            return false;
        *ret_why = "a replica has not caught up yet";
        if (r != NULL && !shard_is_current(r->shard))
            return false;
    }
    *ret_why = "a replica does not stand in its state's line yet";
    if (!s->told_ready && !stands_in_every_line(s))
        return false; /* later on it may leave it for a moment, to stand behind another */
    *ret_why = "";
    return true;
}
