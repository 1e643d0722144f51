#include "up/up.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "up/cluster.h"
#include "up/folder.h"
#include "up/foreign.h"

enum {
    START_MS_MAX = 60000,
    DOWN_S_MAX = 40,
    BAR_CELLS = 24,
    PORTS = 4, /* of a coordination server */
    PORT_FIRST = 20000,
    PORT_COUNT = 12000, /* below 32768 */
    PORT_TRIES = 100,
    LOOPBACK_MS_MAX = 3000,
};

/* ---- ports ---- */

/* By chance, from a range from which the system takes none for connections: those come and go all
 * the time, and one of them would sit where a server is to listen. */
static bool bind_one(int fd, int *ret_port)
{
    for (int tries = 0; tries < PORT_TRIES; tries++) {
        uint16_t chance;
        if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance)
            return false;
        *ret_port = PORT_FIRST + chance % PORT_COUNT;
        struct sockaddr_in a = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)*ret_port)};
        if (bind(fd, (struct sockaddr *)&a, sizeof a) == 0)
            return true;
        if (errno != EADDRINUSE)
            return false;
    }
    return false;
}

/* Bound all at the same time, so that no two are the same; somebody else may still take one before
 * its server does, and the server will say so. */
static bool choose_ports(int *ports[], size_t count)
{
    int fds[PORTS * SERVERS];
    size_t opened = 0;
    bool ok = true;
    for (; ok && opened < count; opened++) {
        fds[opened] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ok = fds[opened] >= 0 && bind_one(fds[opened], ports[opened]);
    }
    if (!ok)
        up_complain("cannot take ports of 127.0.0.1: %s", strerror(errno));
    while (opened-- > 0)
        close(fds[opened]);
    return ok;
}

/* A port that we listen at is reached by us, at once: the system does both. */
static bool reach_ourselves(int listener, int client)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof a;
    int error = 0;
    socklen_t error_bytes = sizeof error;
    if (bind(listener, (struct sockaddr *)&a, sizeof a) != 0 || listen(listener, 1) != 0 ||
        getsockname(listener, (struct sockaddr *)&a, &bytes) != 0)
        return false;
    if (connect(client, (struct sockaddr *)&a, sizeof a) == 0)
        return true;
    struct pollfd connected = {.fd = client, .events = POLLOUT};
    if (errno == EINPROGRESS && poll(&connected, 1, LOOPBACK_MS_MAX) == 0)
        errno = ETIMEDOUT;
    else if (errno == EINPROGRESS &&
             getsockopt(client, SOL_SOCKET, SO_ERROR, &error, &error_bytes) == 0)
        errno = error;
    return errno == 0;
}

/* Without it (a network namespace of its own, a container) servers would look for each other until
 * our patience ends. */
static bool check_loopback(void)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool ok = listener >= 0 && client >= 0 && reach_ourselves(listener, client);
    if (!ok)
        up_complain("127.0.0.1 cannot be reached: %s; is the interface lo up? (ip link set lo up)",
                    strerror(errno));
    close(listener);
    close(client);
    return ok;
}

/* ---- the coordination service ---- */

static bool write_config(struct cluster *u, int index)
{
    struct coordination *c = &u->coordination[index];
    char dir[UP_PATH_BYTES], path[UP_PATH_BYTES], text[2 * UP_PATH_BYTES];
    if (!folder_path(dir, u->dir, "coordination/%d", index + 1) || !folder_make(dir) ||
        !folder_path(c->config, dir, "zoo.cfg") || !folder_path(path, dir, "myid"))
        return false;
    int at = snprintf(text, sizeof text,
                      "# Written by caucus up; replaced at the next start.\n"
                      "dataDir=%s\n"
                      "tickTime=500\ninitLimit=20\nsyncLimit=8\n"
                      "admin.serverAddress=127.0.0.1\nadmin.serverPort=%d\n"
                      "4lw.commands.whitelist=*\n",
                      dir, c->admin_port);
    for (int i = 0; i < SERVERS; i++) {
        const struct coordination *s = &u->coordination[i];
        at += snprintf(text + at, sizeof text - (size_t)at,
                       "server.%d=127.0.0.1:%d:%d;127.0.0.1:%d\n", i + 1, s->quorum_port,
                       s->election_port, s->client_port);
    }
    char id[16];
    snprintf(id, sizeof id, "%d\n", index + 1);
    return folder_write(c->config, text) && folder_write(path, id);
}

static bool start_coordination(struct cluster *u)
{
    int *ports[PORTS * SERVERS];
    size_t count = 0;
    for (int i = 0; i < SERVERS; i++) {
        ports[count++] = &u->coordination[i].admin_port;
        ports[count++] = &u->coordination[i].client_port;
        ports[count++] = &u->coordination[i].quorum_port;
        ports[count++] = &u->coordination[i].election_port;
    }
    if (!choose_ports(ports, count))
        return false;
    size_t at = 0;
    for (int i = 0; i < SERVERS; i++) {
        struct coordination *c = &u->coordination[i];
        struct process *p = &c->process;
        snprintf(c->name, sizeof c->name, "coordination server %d", i + 1);
        p->name = c->name;
        p->ready_mark = " event=serving ";
        if (!write_config(u, i) || !folder_path(c->program, u->options->programs, "caucusd") ||
            !folder_path(p->log_path, u->dir, "log/caucusd-%d.log", i + 1))
            return false;
        process_word(p, c->program);
        process_word(p, c->config);
        processes_add(&u->all, p);
        if (!process_start(p))
            return false;
        at += (size_t)snprintf(u->hosts + at, sizeof u->hosts - at, "%s127.0.0.1:%d",
                               i > 0 ? "," : "", c->client_port);
    }
    return true;
}

/* ---- the election's servers ---- */

static bool start_server(struct cluster *u, int index)
{
    struct server *s = &u->servers[index];
    struct process *p = &s->process;
    static const char *const names[SERVERS] = {"one", "two", "three"};
    snprintf(s->name, sizeof s->name, "election server %d", index + 1);
    s->id = names[index];
    p->name = s->name;
    p->ready_mark = " event=ready ";
    snprintf(s->rest, sizeof s->rest, "127.0.0.1:%d", s->rest_port);
    snprintf(s->grpc, sizeof s->grpc, "127.0.0.1:%d", s->grpc_port);
    if (!folder_path(s->data, u->dir, "election/%d", index + 1) || !folder_make(s->data) ||
        !folder_path(s->program, u->options->programs, "electiond") ||
        !folder_path(p->log_path, u->dir, "log/electiond-%d.log", index + 1))
        return false;
    const char *words[] = {
        s->program,    "--zookeeper", u->hosts,      "--election", u->options->election,
        "--data",      s->data,       "--name",      s->id,        "--peer",
        "127.0.0.1:0", "--rest",      s->rest,       "--grpc",     s->grpc,
        "--auth",      "none",        "--committee", "open",       "--session-timeout",
        "3000",        "--root",      u->root,
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        process_word(p, words[i]);
    if (u->options->zookeeper == NULL) { /* nobody knows where another ensemble has its own */
        snprintf(s->console, sizeof s->console, "http://127.0.0.1:%d/console/",
                 u->coordination[index].admin_port);
        process_word(p, "--console");
        process_word(p, s->console);
    }
    processes_add(&u->all, p);
    return process_start(p);
}

/* The same after it was started again: those who look at its page find it. */
static bool choose_server_ports(struct cluster *u)
{
    int *ports[2 * SERVERS];
    size_t count = 0;
    for (int i = 0; i < SERVERS; i++) {
        ports[count++] = &u->servers[i].rest_port;
        ports[count++] = &u->servers[i].grpc_port;
    }
    if (!choose_ports(ports, count))
        return false;
    if (u->options->rest_port > 0)
        u->servers[0].rest_port = u->options->rest_port;
    return true;
}

/* ---- words ---- */

static void say_where(struct cluster *u)
{
    printf("\nThe cluster is up. Ctrl-C ends it; its data stays in %s.\n\n", u->dir);
    for (int i = 0; i < SERVERS; i++) {
        const struct server *s = &u->servers[i];
        printf("  election server %d   page http://%s/   gRPC %s\n", i + 1, s->rest, s->grpc);
    }
    if (u->options->zookeeper == NULL)
        printf("  coordination        console http://127.0.0.1:%d/console/\n",
               u->coordination[0].admin_port);
    printf("  coordination        %s   (caucus --hosts %s status)\n"
           "  logs                %s/log\n\n"
           "Things to try in another terminal:\n\n"
           "  curl -d '{}' -H 'Content-Type: application/json' http://%s/v1/election/start\n"
           "  curl -d '{\"candidate\":\"harris\"}' -H 'Content-Type: application/json' \\\n"
           "       http://%s/states/california/voters/CA-1/vote\n"
           "  curl http://%s/v1/results\n\n",
           u->hosts, u->hosts, u->dir, u->servers[0].rest, u->servers[1].rest, u->servers[2].rest);
    fflush(stdout);
}

struct start {
    struct processes *all;
    const char *what;
    size_t ready, first; /* of `all`, those that are started now */
};

/* A bar on a terminal, drawn anew whenever one more serves. */
static void draw_start(const struct start *s)
{
    size_t count = s->all->count - s->first;
    if (!isatty(STDOUT_FILENO))
        return;
    printf("\r%-28s [", s->what);
    for (size_t i = 0; i < BAR_CELLS; i++)
        putchar(i * count < s->ready * BAR_CELLS ? '#' : '.');
    printf("] %zu of %zu", s->ready, count);
    fflush(stdout);
}

static bool all_serve(void *start)
{
    struct start *s = start;
    size_t ready = 0;
    for (size_t i = s->first; i < s->all->count; i++)
        ready += s->all->members[i]->ready;
    if (ready != s->ready) {
        s->ready = ready;
        draw_start(s);
    }
    return processes_all_ready(s->all);
}

static void tell_late(const struct process *p)
{
    up_complain("%s does not serve after %d s; its log is %s", p->name, START_MS_MAX / 1000,
                p->log_path);
    if (p->last_error[0] != 0)
        up_complain("%s: %s", p->name, p->last_error);
}

static bool wait_ready(struct cluster *u, const char *what, size_t first)
{
    struct start s = {.all = &u->all, .what = what, .first = first};
    if (!isatty(STDOUT_FILENO))
        printf("%s ...", what);
    draw_start(&s);
    fflush(stdout);
    bool ready = processes_wait(&u->all, all_serve, &s, START_MS_MAX);
    puts(ready ? " up" : " no");
    fflush(stdout);
    for (size_t i = 0; !ready && !u->all.interrupted && !u->all.one_ended && i < u->all.count;
         i++) {
        const struct process *p = u->all.members[i];
        if (p->pid > 0 && !p->ready)
            tell_late(p);
    }
    return ready;
}

/* ---- the whole ---- */

static bool prepare(struct cluster *u)
{
    static const char *const parts[] = {"coordination", "election", "log"};
    bool anew = u->options->clean || u->options->demo;
    if (anew)
        foreign_clean(u);
    if ((anew && !folder_clean(u->dir)) || !foreign_root(u))
        return false;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[UP_PATH_BYTES];
        if (!folder_path(path, u->dir, "%s", parts[i]) || !folder_make(path))
            return false;
    }
    return true;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

/* True: it served until it was asked to end. */
static bool serve(struct cluster *u)
{
    if (u->options->zookeeper != NULL)
        snprintf(u->hosts, sizeof u->hosts, "%s", u->options->zookeeper);
    else if (!start_coordination(u) ||
             !wait_ready(u, "three coordination servers", u->all.count - SERVERS))
        return false;
    if (!choose_server_ports(u))
        return false;
    for (int i = 0; i < SERVERS; i++) {
        if (!start_server(u, i))
            return false;
    }
    if (!wait_ready(u, "three election servers", u->all.count - SERVERS))
        return false;
    say_where(u);
    if (u->options->demo && !demo_hold(u))
        return false;
    processes_wait(&u->all, never, NULL, -1);
    return u->all.interrupted;
}

int up_run(const struct up_options *o)
{
    if (o->zookeeper != NULL && strlen(o->zookeeper) >= HOSTS_BYTES) {
        up_complain("'%s' are too many hosts", o->zookeeper);
        return EXIT_FAILURE;
    }
    if (!check_loopback() || !folder_make(o->dir))
        return EXIT_FAILURE;
    int lock = folder_lock(o->dir);
    if (lock < 0)
        return EXIT_FAILURE;
    struct cluster *u = mem_calloc(1, sizeof *u);
    u->options = o;
    bool served = false;
    if (realpath(o->dir, u->dir) == NULL)
        up_complain("'%s': %s", o->dir, strerror(errno));
    else if (processes_init(&u->all)) {
        u->tool.is_tool = true;
        processes_add(&u->all, &u->tool);
        served = prepare(u) && serve(u);
        puts(u->all.interrupted ? "\ninterrupted; stopping" : "stopping");
        fflush(stdout);
        processes_stop(&u->all);
        processes_deinit(&u->all);
        puts("everything has ended");
    }
    int code = served ? EXIT_SUCCESS : u->all.interrupted ? UP_INTERRUPTED : EXIT_FAILURE;
    free(u);
    close(lock);
    return code;
}

int up_down(const char *dir)
{
    int fd;
    int owner = folder_owner(dir, &fd);
    if (owner < 0)
        return EXIT_FAILURE;
    if (owner == 0) {
        up_complain("nothing runs on '%s'", dir);
        return EXIT_FAILURE;
    }
    bool over = kill(owner, SIGTERM) == 0 && folder_wait_unlocked(fd, DOWN_S_MAX);
    if (!over)
        up_complain("process %d on '%s' does not end", owner, dir);
    close(fd);
    return over ? EXIT_SUCCESS : EXIT_FAILURE;
}
