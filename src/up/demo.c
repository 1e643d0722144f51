/* demo.c: an election held before one's eyes; cluster.h says how it goes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "up/cluster.h"
#include "up/folder.h"

enum {
    ANSWER_BYTES = 8192,
    ANSWER_S_MAX = 3,
    CALM_MS = 3000, /* between two deaths: votes are seen to go on */
    BACK_MS_MAX = 60000,
    GAP_BEGINS_MS = 1500, /* after a kill: batches that were under way may still be committed */
    DEATHS_MAX = 2,
};
/* So slow that there is time to see who dies, on machines of today. */
#define BALLOTS_A_SECOND "12000"

struct death {
    const char *who, *what;
    int64_t at_ms; /* since 1970 */
    int64_t gap_ms,
        back_ms; /* until votes of California were acknowledged again; until it serves */
};

struct demo {
    struct cluster *cluster;
    char servers[HOSTS_BYTES], pauses[UP_PATH_BYTES];
    struct death deaths[DEATHS_MAX];
    size_t death_count;
};

/* ---- questions to servers ---- */

/* What 127.0.0.1:port says to `question` until it ends, or as much as fits; "" = nothing. */
static void ask(int port, const char *question, char ret[ANSWER_BYTES])
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                            .sin_port = htons((uint16_t)port)};
    struct timeval patience = {.tv_sec = ANSWER_S_MAX};
    size_t len = 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) == 0 &&
        connect(fd, (struct sockaddr *)&a, sizeof a) == 0 &&
        send(fd, question, strlen(question), MSG_NOSIGNAL) == (ssize_t)strlen(question)) {
        ssize_t got;
        while (len < ANSWER_BYTES - 1 && (got = recv(fd, ret + len, ANSWER_BYTES - 1 - len, 0)) > 0)
            len += (size_t)got;
    }
    ret[len] = 0;
    if (fd >= 0)
        close(fd);
}

static struct process *coordination_leader(struct cluster *u)
{
    char answer[ANSWER_BYTES];
    for (int i = 0; u->options->zookeeper == NULL && i < SERVERS; i++) {
        ask(u->coordination[i].client_port, "srvr", answer);
        if (strstr(answer, "Mode: leader") != NULL)
            return &u->coordination[i].process;
    }
    return NULL;
}

static struct process *california_leader(struct cluster *u)
{
    char answer[ANSWER_BYTES], mark[CLUSTER_NAME_BYTES + 32];
    ask(u->servers[0].rest_port,
        "GET /v1/states/ca/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        answer);
    for (int i = 0; i < SERVERS; i++) {
        snprintf(mark, sizeof mark, "\"shard_leader\":\"%s\"", u->servers[i].id);
        if (strstr(answer, mark) != NULL)
            return &u->servers[i].process;
    }
    return NULL;
}

/* ---- tools ---- */

static bool has_ended(void *process)
{
    return ((struct process *)process)->pid <= 0;
}

static bool is_ready(void *process)
{
    return ((struct process *)process)->ready;
}

struct life {
    const struct process *process;
    pid_t pid;
};

static bool is_over(void *life)
{
    const struct life *l = life;
    return l->process->pid != l->pid;
}

static bool start_tool(struct cluster *u, const char *program, const char *const *words,
                       bool speaks)
{
    static char path[UP_PATH_BYTES];
    struct process *p = &u->tool;
    p->name = program;
    p->speaks = speaks;
    p->ready_mark = "\n"; /* none */
    p->word_count = 0;
    if (!folder_path(path, u->options->programs, "%s", program) ||
        !folder_path(p->log_path, u->dir, "log/%s.log", program))
        return false;
    process_word(p, path);
    for (; *words != NULL; words++)
        process_word(p, *words);
    fflush(stdout);
    return process_start(p);
}

/* True: it did what it was to. It says itself what is wrong. */
static bool tool_succeeded(struct cluster *u)
{
    return processes_wait(&u->all, has_ended, &u->tool, -1) && WIFEXITED(u->tool.status) &&
           WEXITSTATUS(u->tool.status) == 0;
}

bool cluster_run_tool(struct cluster *u, const char *program, const char *const *words, bool speaks)
{
    return start_tool(u, program, words, speaks) && tool_succeeded(u);
}

static bool run_committee(struct demo *d, const char *verb, bool speaks)
{
    const char *const words[] = {"--server", d->servers, verb, NULL};
    printf("\n$ committee %s\n", verb);
    return cluster_run_tool(d->cluster, "committee", words, speaks);
}

/* ---- deaths ---- */

static int64_t wall_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool pass_time(struct cluster *u)
{
    processes_wait(&u->all, has_ended, &u->tool, CALM_MS);
    return u->tool.pid > 0 && !u->all.interrupted && !u->all.one_ended;
}

/* After a while of votes. False: there is nothing more to be shown. */
static bool kill_one(struct demo *d, struct process *(*find)(struct cluster *u), const char *what)
{
    struct cluster *u = d->cluster;
    struct process *p;
    if (!pass_time(u) || (p = find(u)) == NULL || p->pid <= 0)
        return false;
    struct life life = {p, p->pid};
    struct death *death = &d->deaths[d->death_count++];
    *death = (struct death){.who = p->name, .what = what, .at_ms = wall_ms()};
    printf("\nkill -9 of %s, %s\n", p->name, what);
    fflush(stdout);
    kill(p->pid, SIGKILL);
    if (!processes_wait(&u->all, is_over, &life, BACK_MS_MAX) ||
        !processes_wait(&u->all, is_ready, p, BACK_MS_MAX))
        return false;
    death->back_ms = wall_ms() - death->at_ms;
    return true;
}

/* The longest pause of California that begins when it dies, or was going on then. electorate writes
 * them: its --help has the format. */
static void find_gap(struct death *death, FILE *pauses)
{
    long long begin_ms, length_ms;
    char state[8];
    rewind(pauses);
    while (fscanf(pauses, "%lld %lld %7s", &begin_ms, &length_ms, state) == 3) {
        bool then =
            begin_ms + length_ms >= death->at_ms && begin_ms <= death->at_ms + GAP_BEGINS_MS;
        if (then && strcmp(state, "CA") == 0 && length_ms > death->gap_ms)
            death->gap_ms = length_ms;
    }
}

static void print_deaths(struct demo *d)
{
    FILE *pauses = fopen(d->pauses, "re");
    if (pauses == NULL)
        return;
    printf("\n%-24s%-12s%28s%16s\n", "killed", "at", "no vote of California for", "back after");
    for (size_t i = 0; i < d->death_count; i++) {
        struct death *death = &d->deaths[i];
        time_t at = (time_t)(death->at_ms / 1000);
        struct tm when;
        char clock[16];
        find_gap(death, pauses);
        strftime(clock, sizeof clock, "%H:%M:%S", localtime_r(&at, &when));
        printf("%-24s%-12s%25lld ms%13lld ms\n", death->who, clock, (long long)death->gap_ms,
               (long long)death->back_ms);
    }
    fclose(pauses);
}

/* ---- the election ---- */

static bool replay(struct demo *d)
{
    struct cluster *u = d->cluster;
    const char *const words[] = {
        "replay",   u->options->election, "--scale",  "1/1000",  "--rate", BALLOTS_A_SECOND,
        "--server", d->servers,           "--pauses", d->pauses, NULL};
    printf("\n$ electorate replay %s --scale 1/1000 --rate %s\n", u->options->election,
           BALLOTS_A_SECOND);
    if (!start_tool(u, "electorate", words, true))
        return false;
    bool whole = u->options->zookeeper != NULL ||
                 kill_one(d, coordination_leader, "the leader of the coordination service");
    if (whole)
        kill_one(d, california_leader, "which leads California and other states");
    return tool_succeeded(u);
}

/* What the committee would give to whoever wants to count himself, and such a count. */
static bool verify(struct demo *d)
{
    struct cluster *u = d->cluster;
    char export[UP_PATH_BYTES];
    if (!folder_path(export, u->dir, "export"))
        return false;
    const char *const exporting[] = {
        "export", export,  "--election", u->options->election, "--zookeeper", u->hosts,
        "--root", u->root, "--from",     u->servers[0].data,   NULL};
    const char *const verifying[] = {"verify", export, NULL};
    printf("\n$ committee export %s ... ; committee verify %s\n", export, export);
    return cluster_run_tool(u, "committee", exporting, false) &&
           cluster_run_tool(u, "committee", verifying, false);
}

static bool hold(struct demo *d)
{
    if (!run_committee(d, "start", true) || !replay(d) || !run_committee(d, "stop", true) ||
        !run_committee(d, "recount", false)) /* 153 lines */
        return false;
    puts("every server has counted its logs again, and all agree");
    if (!verify(d)) /* 51 lines */
        return false;
    puts("counted once more from the exported files alone: the same");
    return run_committee(d, "global_status", true);
}

bool demo_hold(struct cluster *u)
{
    struct demo d = {.cluster = u};
    int at = 0;
    for (int i = 0; i < SERVERS; i++)
        at += snprintf(d.servers + at, sizeof d.servers - (size_t)at, "%s%s", i > 0 ? "," : "",
                       u->servers[i].grpc);
    if (!folder_path(d.pauses, u->dir, "log/pauses"))
        return false;
    if (!hold(&d)) {
        if (!u->all.interrupted)
            up_complain("the election did not go as it should; what is above says where, or %s",
                        u->tool.log_path);
        return false;
    }
    print_deaths(&d);
    printf("\nEvery vote is counted once. The page: http://%s/   Ctrl-C ends the cluster.\n",
           u->servers[0].rest);
    fflush(stdout);
    return true;
}
