#include "up/process.h"

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
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"

enum {
    STOP_MS_MAX = 15000, /* then they are killed */
    EXIT_NOT_STARTED = 127,
};

void up_complain(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("caucus: up: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
}

/* ---- one ---- */

void process_word(struct process *p, const char *word)
{
    invariant(p->word_count < PROCESS_WORDS_MAX);
    p->words[p->word_count++] = word;
    p->words[p->word_count] = NULL;
}

static void become(const struct process *p, int output)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0); /* Ctrl-C is for the one who started us */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    int nothing = open("/dev/null", O_RDONLY);
    dup2(nothing, STDIN_FILENO);
    if (!p->speaks) {
        dup2(output, STDOUT_FILENO);
        dup2(output, STDERR_FILENO);
    }
    execv(p->words[0], (char *const *)(uintptr_t)p->words);
    dprintf(STDERR_FILENO, "level=error cannot run '%s': %s\n", p->words[0], strerror(errno));
    _exit(EXIT_NOT_STARTED);
}

bool process_start(struct process *p)
{
    int ends[2];
    p->log = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (p->log < 0) {
        up_complain("cannot write '%s': %s", p->log_path, strerror(errno));
        return false;
    }
    if (pipe2(ends, O_CLOEXEC) != 0) {
        up_complain("cannot start %s: %s", p->name, strerror(errno));
        close(p->log);
        return false;
    }
    p->ready = p->expected_to_end = false;
    p->status = 0;
    p->line_len = 0;
    p->last_error[0] = 0;
    fflush(NULL);
    pid_t parent = getpid();
    p->pid = fork();
    if (p->pid == 0) {
        if (getppid() != parent)
            _exit(EXIT_NOT_STARTED);
        become(p, ends[1]);
    }
    close(ends[1]);
    p->output = ends[0];
    fcntl(p->output, F_SETFL, O_NONBLOCK);
    if (p->pid > 0)
        return true;
    p->pid = 0;
    up_complain("cannot start %s: %s", p->name, strerror(errno));
    close(p->output);
    close(p->log);
    return false;
}

void process_signal(struct process *p, int number)
{
    p->expected_to_end = true;
    if (p->pid > 0)
        kill(p->pid, number);
}

static void take_line(struct process *p)
{
    p->line[p->line_len] = 0;
    if (strstr(p->line, p->ready_mark) != NULL)
        p->ready = true;
    if (strstr(p->line, "level=error") != NULL || p->last_error[0] == 0)
        memcpy(p->last_error, p->line, p->line_len + 1);
    p->line_len = 0;
}

/* All that is there. False: it has ended. */
static bool read_output(struct process *p)
{
    char bytes[4096];
    ssize_t got;
    while ((got = read(p->output, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (bytes[i] == '\n')
                take_line(p);
            else if (p->line_len < sizeof p->line - 1)
                p->line[p->line_len++] = bytes[i];
        }
        if (write(p->log, bytes, (size_t)got) < 0)
            continue; /* a log that cannot be kept stops nobody */
    }
    return got < 0 && (errno == EAGAIN || errno == EINTR);
}

static void close_output(struct process *p)
{
    if (p->output >= 0)
        close(p->output);
    p->output = -1;
}

/* ---- all ---- */

bool processes_init(struct processes *c)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    *c = (struct processes){.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (c->signals < 0)
        up_complain("cannot wait for signals: %s", strerror(errno));
    return c->signals >= 0;
}

void processes_deinit(struct processes *c)
{
    if (c->signals >= 0)
        close(c->signals);
}

void processes_add(struct processes *c, struct process *p)
{
    invariant(c->count < PROCESSES_MAX);
    p->pid = 0;
    p->output = p->log = -1;
    c->members[c->count++] = p;
}

static void tell_end(const struct process *p, int status, bool again)
{
    const char *then = again ? "; it is started again" : "";
    if (WIFSIGNALED(status))
        up_complain("%s was ended by signal %d%s; its log is %s", p->name, WTERMSIG(status), then,
                    p->log_path);
    else
        up_complain("%s ended with exit code %d; its log is %s", p->name, WEXITSTATUS(status),
                    p->log_path);
    if (!again && p->last_error[0] != 0)
        up_complain("%s: %s", p->name, p->last_error);
}

static void bury(struct process *p)
{
    p->pid = 0;
    read_output(p);
    close_output(p);
    close(p->log);
    p->log = -1;
}

/* Whoever served and was killed is to be seen coming back. Whoever ends by himself, or before he
 * serves, would do so again. False: it is over. */
static bool mourn(struct process *p, int status)
{
    bool again = p->ready && WIFSIGNALED(status);
    bury(p);
    p->ready = false;
    p->status = status;
    if (p->expected_to_end || p->is_tool)
        return true;
    tell_end(p, status, again);
    return again && process_start(p);
}

/* False: one ended for good that was not to. */
static bool reap(struct processes *c)
{
    bool fine = true;
    for (size_t i = 0; i < c->count; i++) {
        struct process *p = c->members[i];
        int status;
        if (p->pid > 0 && waitpid(p->pid, &status, WNOHANG) == p->pid)
            fine = mourn(p, status) && fine;
    }
    return fine;
}

static bool take_signals(struct processes *c)
{
    struct signalfd_siginfo info;
    bool fine = true;
    while (read(c->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGCHLD)
            fine = reap(c) && fine;
        else
            c->interrupted = true;
    }
    return fine;
}

/* False: a member ended that was not to. */
static bool look_once(struct processes *c, int timeout_ms)
{
    struct pollfd fds[PROCESSES_MAX + 1];
    fds[0] = (struct pollfd){.fd = c->signals, .events = POLLIN};
    for (size_t i = 0; i < c->count; i++)
        fds[i + 1] = (struct pollfd){.fd = c->members[i]->output, .events = POLLIN};
    if (poll(fds, (nfds_t)c->count + 1, timeout_ms) <= 0)
        return true;
    for (size_t i = 0; i < c->count; i++) {
        if (fds[i + 1].revents != 0 && !read_output(c->members[i]))
            close_output(c->members[i]);
    }
    if (fds[0].revents != 0 && !take_signals(c))
        c->one_ended = true;
    return !c->one_ended;
}

static int64_t clock_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool processes_wait(struct processes *c, bool (*done)(void *arg), void *arg, int timeout_ms)
{
    int64_t until_ms = clock_ms() + timeout_ms;
    while (!done(arg)) {
        int64_t left_ms = timeout_ms < 0 ? -1 : until_ms - clock_ms();
        if (c->interrupted || (timeout_ms >= 0 && left_ms <= 0))
            return false;
        if (!look_once(c, (int)left_ms))
            return false;
    }
    return true;
}

bool processes_all_ready(void *processes)
{
    const struct processes *c = processes;
    for (size_t i = 0; i < c->count; i++) {
        if (!c->members[i]->ready && !c->members[i]->is_tool)
            return false;
    }
    return true;
}

bool processes_all_ended(void *processes)
{
    const struct processes *c = processes;
    for (size_t i = 0; i < c->count; i++) {
        if (c->members[i]->pid > 0)
            return false;
    }
    return true;
}

static void signal_all(struct processes *c, int number)
{
    for (size_t i = c->count; i-- > 0;)
        process_signal(c->members[i], number);
}

/* Another Ctrl-C does not keep us from seeing them off. */
static bool see_off(struct processes *c, int timeout_ms)
{
    int64_t until_ms = clock_ms() + timeout_ms;
    int64_t left_ms;
    while (!processes_all_ended(c) && (left_ms = until_ms - clock_ms()) > 0)
        look_once(c, (int)left_ms);
    return processes_all_ended(c);
}

void processes_stop(struct processes *c)
{
    signal_all(c, SIGTERM);
    if (see_off(c, STOP_MS_MAX))
        return;
    signal_all(c, SIGKILL);
    see_off(c, STOP_MS_MAX);
}
