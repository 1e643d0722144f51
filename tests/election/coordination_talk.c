/* coordination_talk.c: a server of the election as far as the coordination service sees it: does
 * what it reads and writes what it hears, a line each, beginning with its number, 0.
 *
 *   coordination_talk HOSTS TIMEOUT_MS ROOT NAME STATES [OPTION...]
 *
 * STATES: codes with commas. Options: incarnation=HEX  peer=ADDRESS  auth=USER:PASSWORD  creator
 * replace  plain  replicas=N  copies=N  definition=TEXT  config=HEX (of a definition it does not
 * have)
 *
 *   open ST -> claimed ST NUMBER | refused ST WHY      begin ST -> event CONNECTED ST
 *   read ST -> read ST ROUND PHASE GLOBAL_VERSION COMMIT_VERSION EPOCH INDEX OWN_SEAT SEAL LIVE
 *   join|leave|seal ST, commit ST INDEX [sealed], takeover ST -> answer ST OK|REFUSED SEAT
 *   next ST -> next ST VERSION      that of Commit after a write that was OK, without reading it
 *   start|stop [id=HEX] [round=N] [force] [now] [drain=MS]
 *       -> command OUTCOME ROUND PHASE NOT_READY DETAIL
 *   snapshot -> snapshot PHASE ST:INDEX... | snapshot error DETAIL
 *   fresh ST -> fresh ST RC      peek ST -> peek ST EPOCH INDEX SEAL LIVE MEMBERS
 *   session -> session ID PASSWORD      stats -> stats OK REFUSED UNKNOWN      quit
 *
 * By themselves: ready now, failed WHY, event TYPE ST [NODES], nation ROUND PHASE FIRST, changed ST
 * WHAT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "election/coordination_internal.h"

enum {
    CANDIDATES = 2,
};

static uv_loop_t loop;
static uv_pipe_t input;
static struct coordination *c;
static char line[4096];
static size_t line_len;
static bool replace, has_config;

static struct state_info infos[STATES_MAX];
static char codes[STATES_MAX][STATE_CODE_BYTES];
static struct candidate_info candidates[CANDIDATES] = {{"a", "A"}, {"b", "B"}};
static struct election_info election = {
    .id = "test", .title = "Test", .candidates = candidates, .candidate_count = CANDIDATES};

static struct replica {
    struct coordination_shard *shard;
    struct coord_request next; /* by what was read last */
    struct commit commit;
    bool asks;
    uint32_t changed; /* while it asked */
} replicas[STATES_MAX];
static uint32_t self_member[STATES_MAX];

#define OUTCOME_TEXT(name, text) text,
static const char *const outcome_names[] = {COMMAND_OUTCOME_MAP(OUTCOME_TEXT)};
static const char *const phase_names[] = {"IDLE", "OPEN", "CLOSING", "CLOSED"};

/* ---- what is heard ---- */

static void print_live(const struct live *live, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%s%u@%llu", i > 0 ? "," : " ", live[i].member, (unsigned long long)live[i].seat);
    printf("%s\n", count == 0 ? " -" : "");
}

static void on_ready(void *arg)
{
    (void)arg;
    printf("0 ready now\n");
}

static void on_changed(void *arg, int state, uint32_t changes)
{
    (void)arg;
    const struct nation_view *n = coordination_nation(c);
    if (state < 0 && changes & COORDINATION_GLOBAL)
        printf("0 nation %llu %s %d\n", (unsigned long long)n->global.round,
               phase_names[n->global.phase], n->first);
    else if (state < 0)
        printf("0 connection %d %s\n", coordination_is_connected(c), coordination_trouble(c));
    else
        printf("0 changed %s %u\n", codes[state], changes);
}

static void on_failed(void *arg, const char *why)
{
    (void)arg;
    printf("0 failed %s\n", why);
}

static int number_of(const struct replica *r)
{
    return (int)(r - replicas);
}

static void on_claimed(void *arg, uint32_t member)
{
    struct replica *r = arg;
    self_member[number_of(r)] = member;
    printf("0 claimed %s %u\n", codes[number_of(r)], member);
}

static void on_refused(void *arg, const char *why)
{
    struct replica *r = arg;
    printf("0 refused %s %s\n", codes[number_of(r)], why);
}

static void on_view(struct replica *r, const struct coord_view *v)
{
    r->commit = *v->commit;
    r->next.global_version = v->global_version;
    r->next.commit_version = v->commit_version;
    r->next.seat = v->own_seat;
    printf("0 read %s %llu %s %llu %llu %llu %llu %llu %d", codes[number_of(r)],
           (unsigned long long)v->global.round, phase_names[v->global.phase],
           (unsigned long long)v->global_version, (unsigned long long)v->commit_version,
           (unsigned long long)v->commit->epoch, (unsigned long long)v->commit->index,
           (unsigned long long)v->own_seat, v->has_seal);
    print_live(v->live, v->live_count);
    r->commit.round = v->global.round;
}

/* What changed while something was asked is told after the answer: the answer of a reading that was
 * under way may show it, but sets no watch, so there is another reading to be made. */
static void tell_changed(struct replica *r, uint32_t changed)
{
    r->changed |= changed;
    if (r->asks || r->changed == 0)
        return;
    printf("0 event CHANGED %s %u\n", codes[number_of(r)], r->changed);
    r->changed = 0;
}

static void on_event(void *arg, struct shard_event *ev)
{
    static const char *const names[] = {"TICK", "CONNECTED", "DISCONNECTED", "EXPIRED", "CHANGED"};
    struct replica *r = arg;
    if (ev->type != SHARD_CHANGED)
        r->asks = false;
    if (ev->type == SHARD_COORD && ev->coord.view != NULL)
        on_view(r, ev->coord.view);
    else if (ev->type == SHARD_COORD)
        printf("0 answer %s %s %llu\n", codes[number_of(r)],
               ev->coord.outcome == COORD_OK ? "OK" : "REFUSED",
               (unsigned long long)ev->coord.seat);
    else if (ev->type == SHARD_CHANGED)
        tell_changed(r, ev->changed);
    else
        printf("0 event %s %s\n", names[ev->type], codes[number_of(r)]);
    tell_changed(r, 0);
}

static void on_command(void *arg, const struct command_reply *reply)
{
    (void)arg;
    printf("0 command %s %llu %s ", outcome_names[reply->outcome],
           (unsigned long long)reply->global.round, phase_names[reply->global.phase]);
    for (size_t i = 0; i < reply->not_ready_count; i++)
        printf("%s%s", i > 0 ? "," : "", codes[reply->not_ready[i]]);
    printf("%s %s\n", reply->not_ready_count == 0 ? "-" : "", reply->detail);
}

static void on_snapshot(void *arg, int rc, const char *detail, const struct nation_snapshot *s)
{
    (void)arg;
    if (rc < 0) {
        printf("0 snapshot error %s\n", detail);
        return;
    }
    printf("0 snapshot %s", phase_names[s->nation.global.phase]);
    for (uint32_t i = 0; i < election.state_count; i++)
        printf(" %s:%llu", codes[i], (unsigned long long)s->states[i].commit.index);
    printf("\n");
}

static void on_fresh(void *arg, int rc, const char *detail)
{
    printf("0 fresh %s %d %s\n", codes[number_of(arg)], rc, detail);
}

/* ---- what is asked ---- */

static void ask(struct replica *r, enum coord_type type)
{
    r->next.type = type;
    r->next.commit = r->commit;
    r->asks = true;
    coordination_shard_ask(r->shard, &r->next);
}

static void open_shard(struct replica *r)
{
    struct coordination_shard_options o = {.state = number_of(r),
                                           .replace = replace,
                                           .claimed = on_claimed,
                                           .refused = on_refused,
                                           .event = on_event,
                                           .arg = r};
    r->shard = coordination_shard_open(c, &o);
}

static void write_commit(struct replica *r, const char *more)
{
    char index[32] = "0", word[32] = "";
    sscanf(more, "%31s %31s", index, word);
    r->commit.index = strtoull(index, NULL, 10);
    r->commit.sealed = strcmp(word, "sealed") == 0;
    ask(r, COORD_COMMIT);
}

static void take_over(struct replica *r)
{
    r->commit.epoch++;
    r->commit.leader = self_member[number_of(r)];
    r->commit.seat = r->next.seat;
    ask(r, COORD_TAKEOVER);
}

static void peek(struct replica *r)
{
    const struct state_view *v = coordination_state(c, number_of(r));
    printf("0 peek %s %llu %llu %d", codes[number_of(r)], (unsigned long long)v->commit.epoch,
           (unsigned long long)v->commit.index, v->has_seal);
    for (int i = 0; i < SHARD_MEMBERS_MAX; i++) {
        if (v->members[i].known)
            printf(" %d=%s=%s", i, v->members[i].server.name, v->members[i].server.peer);
    }
    print_live(v->live, v->live_count);
}

static void command(const char *verb, char *more)
{
    struct command k = {.verb = strcmp(verb, "start") == 0 ? COMMAND_START : COMMAND_STOP};
    for (char *word = strtok(more, " "); word != NULL; word = strtok(NULL, " ")) {
        k.force = k.force || strcmp(word, "force") == 0;
        k.now = k.now || strcmp(word, "now") == 0;
        if (strncmp(word, "id=", 3) == 0)
            hex_read(word + 3, sizeof k.command_id, k.command_id);
        if (strncmp(word, "round=", 6) == 0)
            k.round = strtoull(word + 6, NULL, 10);
        if (strncmp(word, "drain=", 6) == 0)
            k.drain_ms = (uint32_t)strtoul(word + 6, NULL, 10);
    }
    coordination_command(c, &k, on_command, NULL);
}

static void session(void)
{
    struct caucus_session s;
    caucus_get_session(c->zk, &s);
    char hex[2 * sizeof s.password + 1];
    hex_write(s.password, sizeof s.password, hex);
    printf("0 session %lld %s\n", (long long)s.id, hex);
}

static void on_closed(void *arg)
{
    (void)arg;
    printf("quit\n");
    uv_close((uv_handle_t *)&input, NULL);
}

static struct replica *replica_of(const char *code)
{
    for (uint32_t i = 0; i < election.state_count; i++) {
        if (strcmp(codes[i], code) == 0)
            return &replicas[i];
    }
    fprintf(stderr, "no state %s\n", code);
    exit(2);
}

static void obey_of_state(const char *word, const char *code, const char *more)
{
    struct replica *r = replica_of(code);
    if (strcmp(word, "open") == 0)
        open_shard(r);
    else if (strcmp(word, "begin") == 0)
        coordination_shard_begin(r->shard);
    else if (strcmp(word, "read") == 0)
        ask(r, COORD_READ);
    else if (strcmp(word, "join") == 0)
        ask(r, COORD_JOIN);
    else if (strcmp(word, "leave") == 0)
        ask(r, COORD_LEAVE);
    else if (strcmp(word, "seal") == 0)
        ask(r, COORD_SEAL);
    else if (strcmp(word, "commit") == 0)
        write_commit(r, more);
    else if (strcmp(word, "takeover") == 0)
        take_over(r);
    else if (strcmp(word, "next") == 0)
        printf("0 next %s %llu\n", code, (unsigned long long)++r->next.commit_version);
    else if (strcmp(word, "fresh") == 0)
        coordination_read(c, number_of(r), true, on_fresh, r);
    else if (strcmp(word, "peek") == 0)
        peek(r);
    else
        exit(2);
}

static void obey(char *text)
{
    char word[32] = "", code[32] = "";
    int at = 0;
    sscanf(text, "%31s %n", word, &at);
    const struct coordination_stats *stats = coordination_stats(c);
    if (strcmp(word, "start") == 0 || strcmp(word, "stop") == 0)
        command(word, text + at);
    else if (strcmp(word, "snapshot") == 0)
        coordination_snapshot(c, on_snapshot, NULL);
    else if (strcmp(word, "session") == 0)
        session();
    else if (strcmp(word, "stats") == 0)
        printf("0 stats %llu %llu %llu\n", (unsigned long long)stats->writes_ok,
               (unsigned long long)stats->writes_refused,
               (unsigned long long)stats->writes_unknown);
    else if (strcmp(word, "quit") == 0)
        coordination_close(c, on_closed, NULL);
    else if (sscanf(text + at, "%31s %n", code, &at) == 1)
        obey_of_state(word, code, strstr(text, code) + strlen(code));
}

/* ---- lines ---- */

static void on_alloc(uv_handle_t *h, size_t size, uv_buf_t *ret)
{
    (void)h;
    (void)size;
    *ret = uv_buf_init(line + line_len, (unsigned)(sizeof line - 1 - line_len));
}

static void on_bytes(uv_stream_t *s, ssize_t len, const uv_buf_t *buf)
{
    (void)buf;
    if (len < 0) {
        uv_read_stop(s);
        exit(3);
    }
    line_len += (size_t)len;
    line[line_len] = '\0';
    for (char *end; (end = strchr(line, '\n')) != NULL;) {
        char one[sizeof line];
        size_t used = (size_t)(end - line) + 1;
        memcpy(one, line, used - 1);
        one[used - 1] = '\0';
        line_len -= used;
        memmove(line, line + used, line_len + 1);
        obey(one);
    }
}

static const char *value_of(const char *argument, const char *key)
{
    size_t len = strlen(key);
    return strncmp(argument, key, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static void take_option(struct coordination_options *o, const char *a)
{
    const char *v;
    if ((v = value_of(a, "incarnation")) != NULL)
        hex_read(v, INCARNATION_BYTES, o->self.incarnation);
    else if ((v = value_of(a, "peer")) != NULL)
        snprintf(o->self.peer, sizeof o->self.peer, "%s", v);
    else if ((v = value_of(a, "auth")) != NULL)
        o->auth = v;
    else if ((v = value_of(a, "replicas")) != NULL)
        o->replicas = (uint32_t)atoi(v);
    else if ((v = value_of(a, "copies")) != NULL)
        o->copies_min = (uint32_t)atoi(v);
    else if ((v = value_of(a, "definition")) != NULL)
        o->definition = slice_str(v);
    else if ((v = value_of(a, "config")) != NULL)
        has_config = hex_read(v, SHA256_BYTES, election.config.bytes);
    else if (strcmp(a, "creator") == 0)
        o->creator_only = true;
    else if (strcmp(a, "replace") == 0)
        replace = true;
    else if (strcmp(a, "plain") == 0)
        o->plain = true;
}

static void take_states(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *word = strtok(copy, ","); word != NULL && election.state_count < STATES_MAX;
         word = strtok(NULL, ",")) {
        uint32_t i = election.state_count++;
        snprintf(codes[i], sizeof codes[i], "%s", word);
        infos[i] = (struct state_info){
            .names = {codes[i], codes[i], codes[i]}, .electors = 1, .districts = 1, .on_ballot = 3};
    }
    election.states = infos;
}

int main(int argc, char **argv)
{
    if (argc < 6)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    take_states(argv[5]);
    struct coordination_options o = {.hosts = argv[1],
                                     .session_timeout_ms = atoi(argv[2]),
                                     .root = argv[3],
                                     .election = &election,
                                     .definition = slice_str("definition"),
                                     .replicas = 3,
                                     .copies_min = 1,
                                     .ready = on_ready,
                                     .changed = on_changed,
                                     .failed = on_failed};
    snprintf(o.self.name, sizeof o.self.name, "%s", argv[4]);
    snprintf(o.self.peer, sizeof o.self.peer, "%s:1", argv[4]);
    memset(o.self.incarnation, argv[4][0], INCARNATION_BYTES);
    for (int i = 6; i < argc; i++)
        take_option(&o, argv[i]);
    if (!has_config)
        sha256_of(o.definition.ptr, o.definition.len, election.config.bytes);

    uv_loop_init(&loop);
    uv_pipe_init(&loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, on_alloc, on_bytes);
    struct err err;
    if (coordination_open(&loop, &o, &c, &err) < 0) {
        printf("0 failed %s\n", err.text);
        return 1;
    }
    coordination_set_pace(c, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    return 0;
}
