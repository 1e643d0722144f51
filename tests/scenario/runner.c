/* runner.c: scenarios: a script on a few servers, and what it must print.
 *
 *   scenario FILE...            0 when every file printed what stands in it
 *   scenario --rewrite FILE...  writes what was printed into the files
 *   scenario --trace FILE       prints everything that happens
 *
 * Compiled with -DCAUCUS_PLANT it runs the files that name a bug, with the bug in the code. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/zk.h"
#include "world.h"
#include "zab/fault.h"

enum {
    WORDS_MAX = 24,
    TELL_MAX = 24,
    PATIENCE_MS = 20000,
};

static const int64_t NS_PER_MS = 1000000;

struct script {
    struct world w;
    const char *file;
    struct buf out;
    char tell[TELL_MAX][32];
    size_t tell_count;
    bool begun, trace, failed;
    uint32_t bug;
};

static void say(struct script *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void say(struct script *s, const char *format, ...)
{
    char line[900];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_printf(&s->out, "%s\n", line);
    if (s->trace)
        puts(line);
}

static void wrong(struct script *s, const char *line)
{
    fprintf(stderr, "%s: cannot be understood: %s\n", s->file, line);
    s->failed = true;
}

/* ---- what is told ---- */

static bool wanted(const struct script *s, const char *text)
{
    for (size_t i = 0; i < s->tell_count; i++) {
        if (strstr(text, s->tell[i]) != NULL)
            return true;
    }
    return strncmp(text, "VIOLATION", 9) == 0;
}

static void told(struct world *w, int who, const char *text)
{
    struct script *s = w->tell_arg;
    char name[32] = "";
    if (who >= SERVERS_MAX)
        snprintf(name, sizeof name, "client %d ", who - SERVERS_MAX);
    else if (who >= 0)
        snprintf(name, sizeof name, "%d: ", who + 1);
    if (wanted(s, text))
        say(s, "%s%s", name, text);
    else if (s->trace)
        printf("  . %9.4f %s%s\n", (double)w->now_ns / 1e9, name, text);
}

static const char *const ROLES[] = {"alone", "looking", "leading", "following", "observing"};

static void show(struct script *s)
{
    for (int i = 0; i < s->w.server_count; i++) {
        const struct server *v = &s->w.servers[i];
        if (v->node == NULL) {
            say(s, "%d: down, its log ends at %s", i + 1, zxid_text(disk_last_zxid(&v->disk)).text);
            continue;
        }
        say(s, "%d: %s%s, epochs %lld and %lld, log to %s, applied %s", i + 1,
            ROLES[node_role(v->node)], v->serving ? " and serving" : "",
            (long long)v->disk.accepted_epoch, (long long)v->disk.current_epoch,
            zxid_text(server_tip(v)).text, zxid_text(tree_last_zxid(node_tree(v->node))).text);
    }
}

/* ---- time ---- */

static void run_for_ns(struct script *s, int64_t ns)
{
    struct world *w = &s->w;
    int64_t until = w->now_ns + ns;
    while (w->violation[0] == 0 && w->queue.count > 0 && w->queue.items[0].at_ns <= until)
        world_next(w);
    if (w->violation[0] == 0)
        w->now_ns = until;
}

static int64_t parse_zxid(const char *text)
{
    long long epoch = 0;
    unsigned counter = 0;
    sscanf(text, "%lld.%u", &epoch, &counter);
    return zxid_make(epoch, counter);
}

static bool waits_for(const struct server *v, enum persist_type type)
{
    for (size_t i = 0; i < v->disk.op_count; i++) {
        if (v->disk.ops[i].type == type)
            return true;
    }
    return false;
}

static bool reached(const struct script *s, char **words, size_t count)
{
    const struct world *w = &s->w;
    if (count == 2 && strcmp(words[1], "settled") == 0) {
        struct world *same = (struct world *)(uintptr_t)w;
        return check_settled(same);
    }
    if (count == 4 && strcmp(words[1], "client") == 0) {
        const struct sim_client *c = &w->clients[atoi(words[2])];
        return strcmp(words[3], "ready") == 0 ? c->ready : c->count == 0;
    }
    const struct server *v = &w->servers[atoi(words[1]) - 1];
    if (v->node == NULL)
        return false;
    if (strcmp(words[2], "leads") == 0)
        return v->role == NODE_LEADING && v->serving;
    if (strcmp(words[2], "serves") == 0)
        return v->serving;
    if (strcmp(words[2], "looks") == 0)
        return node_role(v->node) == NODE_LOOKING;
    if (strcmp(words[2], "installs") == 0)
        return v->disk.installing || waits_for(v, PERSIST_INSTALL_BEGIN);
    if (strcmp(words[2], "truncates") == 0)
        return waits_for(v, PERSIST_TRUNCATE);
    if (strcmp(words[2], "accepted") == 0 && count == 4)
        return v->disk.accepted_epoch == atoll(words[3]);
    if (strcmp(words[2], "at") == 0 && count == 4)
        return tree_last_zxid(node_tree(v->node)) == parse_zxid(words[3]);
    if (strcmp(words[2], "has") == 0 && count == 4)
        return disk_holds(w, &v->disk, parse_zxid(words[3]));
    if (strcmp(words[2], "lacks") == 0 && count == 4)
        return !disk_holds(w, &v->disk, parse_zxid(words[3]));
    return false;
}

static void run_until(struct script *s, char **words, size_t count)
{
    int64_t end = s->w.now_ns + PATIENCE_MS * NS_PER_MS;
    while (s->w.now_ns < end) {
        if (s->w.violation[0] != 0 || reached(s, words, count))
            return;
        run_for_ns(s, NS_PER_MS / 10);
    }
    say(s, "never: %s %s %s", words[1], count > 2 ? words[2] : "", count > 3 ? words[3] : "");
}

/* ---- the world ---- */

static void begin(struct script *s, int voters, int observers)
{
    struct world *w = &s->w;
    struct profile *p = &w->profile;
    *p = (struct profile){
        .servers = voters,
        .observers = observers,
        .tick_ms = 100,
        .init_limit = 10,
        .sync_limit = 5,
        .session_timeout_ms = 1500,
        .finalize_wait_ms = 20,
        .notification_ms_max = 200,
        .commit_log_count = 500,
        .log_sync = true,
        .snap_count = 100000,
        .outstanding_max = 1000,
        .close_session_txn = true,
        .sync_ns = 1000000,
        .think_ns = 10 * NS_PER_MS,
    };
    w->luck = LUCK_MOST;
    w->phase = PHASE_CHAOS;
    w->server_count = voters + observers;
    net_init(w);
    for (int i = 0; i < ENDPOINTS_MAX; i++)
        w->net.delay_ns[i] = 200000;
    first_config_text(w, voters, observers, false);
    quorum_parse(buf_slice(&w->first_config), &w->history.config, NULL);
    for (int i = 0; i < w->server_count; i++)
        server_init(w, &w->servers[i], i);
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_init(w, i);
    s->begun = true;
}

/* A transaction that makes /z<zxid>, as if a leader of that epoch had proposed it. */
static void preload(struct script *s, struct server *v, int64_t zxid)
{
    struct buf b = {0};
    char path[48];
    snprintf(path, sizeof path, "/z%s", zxid_text(zxid).text);
    rec_put_txn_header(&b, &(struct rec_txn_header){.zxid = zxid, .type = ZK_OP_CREATE});
    rec_put_create_txn(&b, &(struct rec_create_txn){.path = slice_str(path),
                                                    .data = slice_str("1"),
                                                    .acl = {.count = -1},
                                                    .parent_cversion = -1});
    int64_t prev = v->disk.log.count > 0 ? v->disk.log.items[v->disk.log.count - 1] : 0;
    if (history_find(&s->w.history, zxid) == NULL)
        history_add(&s->w.history, zxid, prev, buf_slice(&b));
    zxids_push(&v->disk.log, zxid);
    buf_deinit(&b);
}

static void on_disk(struct script *s, char **words, size_t count)
{
    struct server *v = &s->w.servers[atoi(words[1]) - 1];
    for (size_t i = 2; i < count; i++) {
        if (strcmp(words[i], "epochs") == 0 && i + 2 < count) {
            v->disk.accepted_epoch = atoll(words[i + 1]);
            v->disk.current_epoch = atoll(words[i + 2]);
            i += 2;
        } else {
            preload(s, v, parse_zxid(words[i]));
        }
    }
}

static void cut(struct script *s, const char *from, const char *to, bool both)
{
    struct world *w = &s->w;
    struct net_cut c = {0};
    for (int i = 0; i < CUTS_MAX; i++) {
        if (w->net.cuts[i].active)
            continue;
        int a = atoi(from) - 1, b = atoi(to) - 1;
        c.to[a] |= 1U << b;
        if (both)
            c.to[b] |= 1U << a;
        net_cut(w, i, &c);
        return;
    }
    wrong(s, "too many cuts");
}

static void heal(struct script *s)
{
    for (int i = 0; i < CUTS_MAX; i++) {
        if (s->w.net.cuts[i].active)
            net_heal(&s->w, i);
    }
}

/* `silent`: with its machine, and nothing of what is under way arrives any more. */
static void crash(struct script *s, int server, const char *how, bool silent)
{
    s->w.luck = LUCK_LEAST;
    if (silent)
        net_owner_gone(&s->w, server, true);
    s->w.luck = strcmp(how, "lose") == 0 ? LUCK_LEAST : LUCK_MOST;
    server_crash(&s->w, &s->w.servers[server], silent);
    s->w.luck = LUCK_MOST;
}

static void attach(struct script *s, int client, int server)
{
    struct sim_client *c = &s->w.clients[client];
    bool known = c->enabled;
    if (c->server != server - 1)
        client_leave(&s->w, c);
    c->pinned = server - 1;
    c->enabled = c->quiet = true;
    if (!known)
        queue_put(&s->w.queue,
                  (struct event){.at_ns = s->w.now_ns, .type = EVENT_CLIENT, .who = client});
}

static void ask(struct script *s, char **words, size_t count)
{
    struct sim_client *c = &s->w.clients[atoi(words[1])];
    int path = count > 3 ? atoi(words[3] + 2) : 0;
    int32_t op = strcmp(words[2], "create") == 0   ? ZK_OP_CREATE
                 : strcmp(words[2], "set") == 0    ? ZK_OP_SET_DATA
                 : strcmp(words[2], "delete") == 0 ? ZK_OP_DELETE
                 : strcmp(words[2], "get") == 0    ? ZK_OP_GET_DATA
                                                   : ZK_OP_SYNC;
    if (!c->ready)
        say(s, "client %d has no session", c->index);
    client_ask(&s->w, c, op, path);
}

static void choose_bug(struct script *s, const char *name)
{
    static const char *const NAMES[] = {"3911", "4394", "4643", "4646",
                                        "4685", "4785", "4882", "4925"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(name + strlen("ZOOKEEPER-"), NAMES[i]) == 0)
            s->bug = 1U << i;
    }
#ifdef CAUCUS_PLANT
    s->w.protocol_plant = s->bug;
#endif
}

static void server_command(struct script *s, char **words, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct server *v = &s->w.servers[atoi(words[i]) - 1];
        if (strcmp(words[0], "start") == 0)
            server_start(&s->w, v);
        else if (strcmp(words[0], "stop") == 0)
            server_stop(&s->w, v);
        else if (strcmp(words[0], "stick") == 0)
            disk_set_stuck(&s->w, v, true);
        else if (strcmp(words[0], "unstick") == 0)
            disk_set_stuck(&s->w, v, false);
        else if (strcmp(words[0], "purge") == 0)
            disk_purge(&s->w, &v->disk);
        else if (strcmp(words[0], "snapshot") == 0)
            server_step(&s->w, v, &(struct node_event){.type = NODE_SNAPSHOT_REQUEST});
    }
}

static bool is_one_of(const char *word, const char *words)
{
    const char *found = strstr(words, word);
    size_t len = strlen(word);
    return found != NULL && (found == words || found[-1] == ' ') &&
           (found[len] == ' ' || found[len] == 0);
}

static void command(struct script *s, char **words, size_t count, const char *line)
{
    const char *verb = words[0];
    if (strcmp(verb, "bug") == 0 && count == 2) {
        choose_bug(s, words[1]);
    } else if (strcmp(verb, "servers") == 0 && count >= 2) {
        begin(s, atoi(words[1]), count > 2 ? atoi(words[2]) : 0);
    } else if (!s->begun) {
        wrong(s, line);
    } else if (strcmp(verb, "tell") == 0) {
        s->tell_count = 0;
        for (size_t i = 1; i < count && i <= TELL_MAX; i++)
            snprintf(s->tell[s->tell_count++], sizeof s->tell[0], "%s", words[i]);
    } else if (is_one_of(verb, "start stop stick unstick purge snapshot")) {
        server_command(s, words, count);
    } else if (strcmp(verb, "disk") == 0 && count > 2) {
        on_disk(s, words, count);
    } else if (strcmp(verb, "run") == 0 && count == 2) {
        run_for_ns(s, atoll(words[1]) * NS_PER_MS);
    } else if (strcmp(verb, "until") == 0 && count >= 2) {
        run_until(s, words, count);
    } else if (strcmp(verb, "cut") == 0 && count == 4) {
        cut(s, words[1], words[3], strcmp(words[2], "--") == 0);
    } else if (strcmp(verb, "break") == 0 && count == 3) {
        net_break_between(&s->w, atoi(words[1]) - 1, atoi(words[2]) - 1);
    } else if (strcmp(verb, "heal") == 0) {
        heal(s);
    } else if ((strcmp(verb, "crash") == 0 || strcmp(verb, "vanish") == 0) && count == 3) {
        crash(s, atoi(words[1]) - 1, words[2], strcmp(verb, "vanish") == 0);
    } else if (strcmp(verb, "pause") == 0 && count == 3) {
        server_pause(&s->w, &s->w.servers[atoi(words[1]) - 1], atoll(words[2]) * NS_PER_MS);
    } else if (strcmp(verb, "dies") == 0 && count == 3) {
        s->w.servers[atoi(words[1]) - 1].crash_after = atoi(words[2]);
    } else if (strcmp(verb, "client") == 0 && count == 4) {
        attach(s, atoi(words[1]), atoi(words[3]));
    } else if (strcmp(verb, "ask") == 0 && count >= 3) {
        ask(s, words, count);
    } else if (strcmp(verb, "say") == 0) {
        say(s, "-- %s", line + 4);
    } else if (strcmp(verb, "show") == 0) {
        show(s);
    } else if (strcmp(verb, "shorten") == 0 && count == 3) {
        world_shorten_epoch(s->w.servers[atoi(words[1]) - 1].node, (uint32_t)atoi(words[2]));
    } else if (strcmp(verb, "window") == 0 && count == 2) {
        s->w.profile.commit_log_count = (size_t)atoll(words[1]);
    } else if (strcmp(verb, "no-log-sync") == 0) {
        s->w.profile.log_sync = false;
    } else {
        wrong(s, line);
    }
}

static void run_line(struct script *s, const char *line)
{
    char copy[512];
    char *words[WORDS_MAX];
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", line);
    for (char *w = strtok(copy, " \t"); w != NULL && count < WORDS_MAX; w = strtok(NULL, " \t"))
        words[count++] = w;
    if (count == 0 || words[0][0] == '#')
        return;
    if (s->trace)
        printf("> %s\n", line);
    if (s->w.violation[0] == 0)
        command(s, words, count, line);
}

/* ---- files ---- */

#ifdef CAUCUS_PLANT
static const char MARK[] = "---- with the bug\n";
static const char OTHER_MARK[] = "----\n";
#else
static const char MARK[] = "----\n";
static const char OTHER_MARK[] = "---- with the bug\n";
#endif

static bool read_file(const char *path, struct buf *out)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    char piece[4096];
    size_t n;
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_put(out, piece, n);
    fclose(f);
    buf_put_u8(out, 0);
    return true;
}

/* The part of the text behind a mark (a line of its own), up to the next; NULL = there is none. */
static char *part(const char *text, const char *mark)
{
    const char *found = text;
    while ((found = strstr(found, mark)) != NULL && found != text && found[-1] != '\n')
        found++;
    if (found == NULL)
        return NULL;
    found += strlen(mark);
    const char *end = strstr(found, "\n----");
    if (strncmp(found, "----", 4) == 0)
        end = found - 1;
    return end != NULL ? strndup(found, (size_t)(end + 1 - found)) : strdup(found);
}

static void run_script(struct script *s, const char *text)
{
    const char *at = text;
    while (*at != 0 && strncmp(at, "----", 4) != 0) {
        size_t len = strcspn(at, "\n");
        char line[512];
        snprintf(line, sizeof line, "%.*s", (int)len, at);
        run_line(s, line);
        at += len + (at[len] == '\n');
    }
}

static bool rewrite(const char *path, const char *text, const struct buf *out)
{
    char *other = part(text, OTHER_MARK);
    FILE *f = fopen(path, "w");
    if (f == NULL)
        return false;
    const char *end = strncmp(text, "----", 4) == 0 ? text : strstr(text, "\n----");
    fwrite(text, 1, end != NULL ? (size_t)(end + 1 - text) : strlen(text), f);
    bool mine_first = strcmp(MARK, "----\n") == 0;
    if (!mine_first && other != NULL)
        fprintf(f, "%s%s", OTHER_MARK, other);
    fprintf(f, "%s%.*s", MARK, (int)out->len, (const char *)out->ptr);
    if (mine_first && other != NULL)
        fprintf(f, "%s%s", OTHER_MARK, other);
    free(other);
    return fclose(f) == 0;
}

static bool run_file(const char *path, bool trace, bool rewriting)
{
    struct buf text = {0};
    if (!read_file(path, &text)) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return false;
    }
    struct script *s = calloc(1, sizeof *s);
    s->file = path;
    s->trace = trace;
    world_init(&s->w, 1);
    s->w.tracing = true;
    s->w.tell = told;
    s->w.tell_arg = s;
    run_script(s, (const char *)text.ptr);

    char *expected = part((const char *)text.ptr, MARK);
    bool same = expected != NULL && strlen(expected) == s->out.len &&
                memcmp(expected, s->out.ptr, s->out.len) == 0;
    bool ok = !s->failed && (same || rewriting);
    if (rewriting && !same && !s->failed)
        ok = rewrite(path, (const char *)text.ptr, &s->out);
    else if (!ok)
        printf("%s: printed\n%.*sinstead of\n%s", path, (int)s->out.len,
               s->out.len > 0 ? (const char *)s->out.ptr : "", expected ? expected : "");
    free(expected);
    world_deinit(&s->w);
    buf_deinit(&s->out);
    buf_deinit(&text);
    free(s);
    return ok;
}

int main(int argc, char **argv)
{
    bool trace = false, rewriting = false;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        trace = trace || strcmp(argv[at], "--trace") == 0;
        rewriting = rewriting || strcmp(argv[at], "--rewrite") == 0;
    }
    int failed = 0;
    for (; at < argc; at++)
        failed += !run_file(argv[at], trace, rewriting);
    return failed > 0;
}
