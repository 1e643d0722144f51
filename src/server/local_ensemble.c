#include "server/local_ensemble.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "server/server.h"

enum {
    CLIENT_PORT = 2181, /* and the ones behind it; the other two as in ZooKeeper's examples */
    QUORUM_PORT = 2888,
    ELECTION_PORT = 3888,
    PORT_MAX = 65535,
    PATH_BYTES = 4096,
    LINE_BYTES = LOG_LINE_BYTES + 1,
    STOP_S_MAX = 15, /* then they are killed */
};

struct child {
    pid_t pid; /* 0 = it does not run */
    char dir[PATH_BYTES];
    int client_port, quorum_port, election_port;
    int output; /* its log, as it writes it; -1 = ended */
    int log;    /* where it is kept */
    char line[LINE_BYTES];
    size_t line_len;
    bool serves;
};

struct local_ensemble {
    struct child children[LOCAL_ENSEMBLE_MAX];
    int count;
    const char *address;
    int signals; /* signalfd */
    bool stopping, said;
    int exit_code;
};

/* ---- words ---- */

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("caucusd: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

static void say_where(struct local_ensemble *e)
{
    for (int i = 0; i < e->count; i++)
        printf("%s%s:%d", i > 0 ? "," : "", e->address, e->children[i].client_port);
    putchar('\n');
    fflush(stdout);
    e->said = true;
}

/* ---- ports ---- */

static bool is_free(const char *address, int port)
{
    union resolve_address a;
    int one = 1;
    if (!resolve_literal(address, port, &a))
        return true; /* the server will say */
    int fd = socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return true;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    bool bound = bind(fd, &a.any, resolve_address_bytes(&a)) == 0;
    close(fd);
    return bound;
}

/* The first free one from `*next` on. */
static int take_port(const char *address, int *next)
{
    while (*next <= PORT_MAX && !is_free(address, *next))
        ++*next;
    return (*next)++;
}

static void choose_ports(struct local_ensemble *e, int client_port)
{
    int client = client_port, quorum = QUORUM_PORT, election = ELECTION_PORT;
    for (int i = 0; i < e->count; i++) {
        struct child *c = &e->children[i];
        c->client_port = take_port(e->address, &client);
        c->quorum_port = take_port(e->address, &quorum);
        c->election_port = take_port(e->address, &election);
    }
}

/* ---- folders ---- */

static bool make_dir(const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return true;
    complain("cannot create '%s': %s", path, strerror(errno));
    return false;
}

static bool write_text(const char *dir, const char *name, const char *text)
{
    char path[PATH_BYTES + 32];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    bool ok = f != NULL && fputs(text, f) >= 0;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    if (!ok)
        complain("cannot write '%s': %s", path, strerror(errno));
    return ok;
}

static void put_servers(const struct local_ensemble *e, struct buf *out)
{
    bool v6 = strchr(e->address, ':') != NULL;
    for (int i = 0; i < e->count; i++) {
        const struct child *c = &e->children[i];
        buf_printf(out, v6 ? "server.%d=[%s]:%d:%d\n" : "server.%d=%s:%d:%d\n", i + 1, e->address,
                   c->quorum_port, c->election_port);
    }
}

static bool write_folder(const struct local_ensemble *e, int index, const struct arguments *a)
{
    const struct child *c = &e->children[index];
    struct buf text = {0};
    buf_printf(&text,
               "# Written by caucusd --ensemble; replaced at the next start.\n"
               "dataDir=%s\n"
               "clientPort=%d\n"
               "clientPortAddress=%s\n"
               "tickTime=2000\n"
               "initLimit=10\n"
               "syncLimit=5\n"
               "4lw.commands.whitelist=*\n",
               c->dir, c->client_port, e->address);
    if (a->admin_port != NULL)
        buf_printf(&text, "admin.serverAddress=%s\nadmin.serverPort=%d\n", e->address,
                   atoi(a->admin_port) + index);
    else
        buf_printf(&text, "admin.enableServer=false\n");
    put_servers(e, &text);
    buf_put_u8(&text, 0);
    char id[16];
    snprintf(id, sizeof id, "%d\n", index + 1);
    bool ok = make_dir(c->dir) && write_text(c->dir, "zoo.cfg", (const char *)text.ptr) &&
              write_text(c->dir, "myid", id);
    buf_deinit(&text);
    return ok;
}

static bool make_folders(struct local_ensemble *e, const struct arguments *a)
{
    if (!make_dir(a->data))
        return false;
    char *real = realpath(a->data, NULL);
    bool ok = real != NULL;
    for (int i = 0; ok && i < e->count; i++) {
        struct child *c = &e->children[i];
        ok = snprintf(c->dir, sizeof c->dir, "%s/%d", real, i + 1) < (int)sizeof c->dir &&
             write_folder(e, i, a);
    }
    free(real);
    return ok;
}

/* ---- children ---- */

static void become_server(const struct child *c, char **options, int output)
{
    char config[PATH_BYTES + 16];
    char *argv[ARGUMENTS_PASSED_MAX + 3];
    int count = 0;
    sigset_t none;
    snprintf(config, sizeof config, "%s/zoo.cfg", c->dir);
    argv[count++] = (char *)(uintptr_t) "caucusd";
    while (*options != NULL)
        argv[count++] = *options++;
    argv[count++] = config;
    argv[count] = NULL;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C is for the one who started us */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    dup2(output, STDERR_FILENO);
    execv("/proc/self/exe", argv);
    _exit(SERVER_EXIT_FAILED);
}

static bool start_child(struct child *c, char **options)
{
    char path[PATH_BYTES + 32];
    int ends[2];
    snprintf(path, sizeof path, "%s/caucusd.log", c->dir);
    c->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (c->log < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        complain("cannot start a server in '%s': %s", c->dir, strerror(errno));
        return false;
    }
    pid_t parent = getpid();
    c->pid = fork();
    if (c->pid == 0) {
        if (getppid() != parent)
            _exit(SERVER_EXIT_FAILED);
        become_server(c, options, ends[1]);
    }
    close(ends[1]);
    c->output = ends[0];
    fcntl(c->output, F_SETFL, O_NONBLOCK);
    if (c->pid > 0)
        return true;
    c->pid = 0;
    complain("cannot start a server: %s", strerror(errno));
    return false;
}

static void take_line(struct local_ensemble *e, struct child *c)
{
    int number = (int)(c - e->children) + 1;
    c->line[c->line_len] = 0;
    if (strstr(c->line, " event=serving ") != NULL)
        c->serves = true;
    /* What keeps a server from starting shall not hide in a file. */
    if (strstr(c->line, " level=error ") != NULL)
        complain("server %d: %s", number, c->line);
    c->line_len = 0;
}

static void read_output(struct local_ensemble *e, struct child *c)
{
    char bytes[4096];
    ssize_t got = read(c->output, bytes, sizeof bytes);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        close(c->output);
        c->output = -1;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            take_line(e, c);
        else if (c->line_len < sizeof c->line - 1)
            c->line[c->line_len++] = bytes[i];
    }
    if (got > 0 && write(c->log, bytes, (size_t)got) < 0)
        return; /* a log that cannot be kept stops nobody */
}

/* ---- ends ---- */

static void stop_all(struct local_ensemble *e, int signal_number)
{
    e->stopping = true;
    for (int i = 0; i < e->count; i++) {
        if (e->children[i].pid > 0)
            kill(e->children[i].pid, signal_number);
    }
}

static void tell_end(struct local_ensemble *e, const struct child *c, int status)
{
    int number = (int)(c - e->children) + 1;
    bool clean = WIFEXITED(status) && WEXITSTATUS(status) == SERVER_EXIT_OK;
    if (!clean)
        e->exit_code = SERVER_EXIT_FAILED;
    if (WIFSIGNALED(status))
        complain("server %d was ended by signal %d", number, WTERMSIG(status));
    else if (!clean || !e->stopping)
        complain("server %d ended with exit code %d", number, WEXITSTATUS(status));
}

static void reap(struct local_ensemble *e)
{
    for (int i = 0; i < e->count; i++) {
        struct child *c = &e->children[i];
        int status;
        if (c->pid <= 0 || waitpid(c->pid, &status, WNOHANG) != c->pid)
            continue;
        c->pid = 0;
        c->serves = false;
        if (c->output >= 0)
            read_output(e, c);
        tell_end(e, c, status);
    }
}

static int running(const struct local_ensemble *e)
{
    int count = 0;
    for (int i = 0; i < e->count; i++)
        count += e->children[i].pid > 0;
    return count;
}

static bool all_serve(const struct local_ensemble *e)
{
    for (int i = 0; i < e->count; i++) {
        if (!e->children[i].serves)
            return false;
    }
    return true;
}

static void take_signal(struct local_ensemble *e)
{
    struct signalfd_siginfo info;
    if (read(e->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    if (info.ssi_signo == SIGCHLD)
        reap(e);
    else
        stop_all(e, SIGTERM);
}

/* ---- the whole ---- */

static void wait_once(struct local_ensemble *e, int timeout_ms)
{
    struct pollfd fds[LOCAL_ENSEMBLE_MAX + 1];
    fds[0] = (struct pollfd){.fd = e->signals, .events = POLLIN};
    for (int i = 0; i < e->count; i++)
        fds[i + 1] = (struct pollfd){.fd = e->children[i].output, .events = POLLIN};
    if (poll(fds, (nfds_t)e->count + 1, timeout_ms) <= 0)
        return;
    for (int i = 0; i < e->count; i++) {
        if (fds[i + 1].revents != 0)
            read_output(e, &e->children[i]);
    }
    if (fds[0].revents != 0)
        take_signal(e);
}

static void run(struct local_ensemble *e)
{
    struct timespec begun, now;
    bool timed = false;
    while (running(e) > 0) {
        wait_once(e, timed ? 1000 : -1);
        if (!e->said && !e->stopping && all_serve(e))
            say_where(e);
        if (!e->stopping)
            continue;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (!timed)
            begun = now;
        timed = true;
        if (now.tv_sec - begun.tv_sec > STOP_S_MAX)
            stop_all(e, SIGKILL);
    }
}

static bool catch_signals(struct local_ensemble *e)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    e->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return e->signals >= 0;
}

static void close_files(struct local_ensemble *e)
{
    for (int i = 0; i < e->count; i++) {
        if (e->children[i].output >= 0)
            close(e->children[i].output);
        if (e->children[i].log >= 0)
            close(e->children[i].log);
    }
    if (e->signals >= 0)
        close(e->signals);
}

int local_ensemble_run(int argc, char **argv, const struct arguments *a)
{
    struct local_ensemble *e = mem_calloc(1, sizeof *e);
    char *options[ARGUMENTS_PASSED_MAX + 1];
    e->count = a->ensemble;
    e->address = a->address != NULL ? a->address : "127.0.0.1";
    for (int i = 0; i < e->count; i++)
        e->children[i].output = e->children[i].log = -1;
    arguments_passed_on(argc, argv, options);
    choose_ports(e, a->port != NULL ? atoi(a->port) : CLIENT_PORT);

    bool ok = catch_signals(e) && make_folders(e, a);
    for (int i = 0; ok && i < e->count; i++)
        ok = start_child(&e->children[i], options);
    if (!ok) {
        stop_all(e, SIGTERM);
        e->exit_code = SERVER_EXIT_FAILED;
    }
    run(e);
    close_files(e);
    int code = e->exit_code;
    free(e);
    return code;
}
