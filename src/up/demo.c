/* demo.c: an election held before one's eyes; cluster.h says how it goes. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "up/cluster.h"
#include "up/folder.h"

enum {
    ANSWER_BYTES = 8192,
    ANSWER_S_MAX = 3,
    CALM_MS = 3000, /* between two deaths: votes are seen to go on */
    BACK_MS_MAX = 60000,
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
    p->is_tool = true;
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

static bool run_committee(struct cluster *u, const char *servers, const char *verb, bool speaks)
{
    const char *const words[] = {"--server", servers, verb, NULL};
    printf("\n$ committee %s\n", verb);
    return start_tool(u, "committee", words, speaks) && tool_succeeded(u);
}

/* ---- deaths ---- */

static bool pass_time(struct cluster *u)
{
    processes_wait(&u->all, has_ended, &u->tool, CALM_MS);
    return u->tool.pid > 0 && !u->all.interrupted;
}

/* After a while of votes. False: there is nothing more to be shown. */
static bool kill_one(struct cluster *u, struct process *(*find)(struct cluster *u),
                     const char *what)
{
    struct process *p;
    if (!pass_time(u) || (p = find(u)) == NULL || p->pid <= 0)
        return false;
    printf("\nkill -9 of %s, %s\n", p->name, what);
    fflush(stdout);
    struct life life = {p, p->pid};
    kill(p->pid, SIGKILL);
    return processes_wait(&u->all, is_over, &life, BACK_MS_MAX) &&
           processes_wait(&u->all, is_ready, p, BACK_MS_MAX);
}

/* ---- the election ---- */

static bool replay(struct cluster *u, const char *servers)
{
    const char *const words[] = {
        "replay", u->options->election, "--scale", "1/1000", "--server", servers, NULL};
    printf("\n$ electorate replay %s --scale 1/1000\n", u->options->election);
    if (!start_tool(u, "electorate", words, true))
        return false;
    if (kill_one(u, coordination_leader, "the leader of the coordination service"))
        kill_one(u, california_leader, "which leads California and other states");
    return tool_succeeded(u);
}

bool demo_hold(struct cluster *u)
{
    char servers[HOSTS_BYTES];
    int at = 0;
    for (int i = 0; i < SERVERS; i++)
        at += snprintf(servers + at, sizeof servers - (size_t)at, "%s%s", i > 0 ? "," : "",
                       u->servers[i].grpc);
    processes_add(&u->all, &u->tool);
    bool right = run_committee(u, servers, "start", true) && replay(u, servers) &&
                 run_committee(u, servers, "stop", true) &&
                 run_committee(u, servers, "recount", false); /* 153 lines */
    if (right)
        puts("every server has counted its logs again, and all agree");
    if (!right || !run_committee(u, servers, "global_status", true)) {
        if (!u->all.interrupted)
            up_complain("the election did not go as it should; what is above says where, or %s",
                        u->tool.log_path);
        return false;
    }
    printf("\nEvery vote is counted once. The page: http://%s/   Ctrl-C ends the cluster.\n",
           u->servers[0].rest);
    fflush(stdout);
    return true;
}
