#include "cli/keeper.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caucus/caucus.h"

enum order_kind {
    ORDER_START = 1,
    ORDER_UNTIL,
    ORDER_STOP,
    ORDER_SIGNAL,
};

struct order {
    enum order_kind kind;
    int number; /* SIGNAL */
    int64_t token;
    int64_t kind_at_ns;
    int64_t kill_at_ns;
};

/* ---- The keeper's side ---- */

struct keep {
    int fd; /* to caucus; -1: it is gone */
    int timer_fd;
    int signal_fd; /* SIGCHLD */
    char *const *command;
    const sigset_t *mask;
    pid_t caucus_group;
    bool has_terminal; /* the command's group is in the foreground */

    pid_t main; /* the command; 0: none runs */
    bool main_ended;
    int status;
    bool is_stopping;
    bool is_killed;
    int64_t kind_at_ns;
    int64_t kill_at_ns;
};

static void report(struct keep *k, const struct keeper_report *r)
{
    /* Whoever does not read it is gone or will hear of the end by the socket's. */
    if (k->fd >= 0 && send(k->fd, r, sizeof *r, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

/* As a shell does it for a job, if caucus itself is in the foreground: the command can read the
 * terminal, and Ctrl-C is the command's. SIGTTOU is blocked here. */
static bool lend_terminal(pid_t from, pid_t to)
{
    pid_t foreground = tcgetpgrp(STDIN_FILENO);
    return foreground == to || (foreground == from && tcsetpgrp(STDIN_FILENO, to) == 0);
}

static void take_terminal(struct keep *k)
{
    if (k->has_terminal && tcgetpgrp(STDIN_FILENO) == k->main)
        tcsetpgrp(STDIN_FILENO, k->caucus_group);
    k->has_terminal = false;
}

/* Of fork, in the command's process. */
static _Noreturn void become_command(struct keep *k, int64_t token, pid_t keeper)
{
    char text[32];
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != keeper)
        _exit(127);
    lend_terminal(k->caucus_group, getpid()); /* here as well: it must not read before it may */
    snprintf(text, sizeof text, "%" PRId64, token);
    setenv("CAUCUS_FENCING_TOKEN", text, 1);
    sigprocmask(SIG_SETMASK, k->mask, NULL);
    execvp(k->command[0], k->command);
    int error = errno;
    fprintf(stderr, "caucus: %s: %s\n", k->command[0], strerror(error));
    _exit(error == ENOENT ? 127 : 126); /* as shells do */
}

static void start(struct keep *k, const struct order *o)
{
    if (k->main != 0)
        return;
    if (caucus_now_ns() >= o->kind_at_ns) { /* the order took too long */
        report(k, &(struct keeper_report){.news = KEEPER_ENDED, .was_stopped = true});
        return;
    }
    pid_t keeper = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become_command(k, o->token, keeper);
    if (pid < 0) {
        report(k, &(struct keeper_report){.news = KEEPER_STARTED});
        return;
    }
    setpgid(pid, pid); /* whichever of both comes first */
    k->main = pid;
    k->has_terminal = lend_terminal(k->caucus_group, pid);
    k->main_ended = k->is_stopping = k->is_killed = false;
    k->kind_at_ns = o->kind_at_ns;
    k->kill_at_ns = o->kill_at_ns;
    report(k, &(struct keeper_report){.news = KEEPER_STARTED, .group = pid});
}

static void kill_group(struct keep *k)
{
    k->is_killed = true;
    kill(-k->main, SIGKILL);
}

static void stop(struct keep *k)
{
    if (k->is_stopping)
        return;
    k->is_stopping = true;
    kill(-k->main, SIGTERM);
    kill(-k->main, SIGCONT); /* what is stopped hears nothing */
}

static void pass_on(struct keep *k, int number)
{
    if (number == SIGCONT)
        k->has_terminal = lend_terminal(k->caucus_group, k->main);
    kill(-k->main, number);
}

static void obey(struct keep *k, const struct order *o)
{
    if (o->kind == ORDER_START) {
        start(k, o);
        return;
    }
    if (k->main == 0) /* it ended while the order was on its way */
        return;
    switch (o->kind) {
    case ORDER_START:
        break;
    case ORDER_UNTIL:
        k->kind_at_ns = o->kind_at_ns;
        k->kill_at_ns = o->kill_at_ns;
        break;
    case ORDER_STOP:
        k->kill_at_ns = o->kill_at_ns;
        stop(k);
        break;
    case ORDER_SIGNAL:
        pass_on(k, o->number);
        break;
    }
}

static void hear_orders(struct keep *k)
{
    struct order o;
    ssize_t n;
    while ((n = recv(k->fd, &o, sizeof o, MSG_DONTWAIT)) == (ssize_t)sizeof o)
        obey(k, &o);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    close(k->fd);
    k->fd = -1;
    if (k->main != 0)
        stop(k);
}

/* Orphans of the group are children of the keeper's, the subreaper: when it has no child in the
 * group there is nobody left in it. */
static bool group_is_empty(const struct keep *k)
{
    siginfo_t info;
    return waitid(P_PGID, (id_t)k->main, &info, WEXITED | WNOHANG | WNOWAIT) < 0;
}

static void see_main(struct keep *k)
{
    int status;
    if (waitpid(k->main, &status, WNOHANG | WUNTRACED) != k->main)
        return; /* it was stopped, and goes on */
    if (!WIFSTOPPED(status)) {
        k->main_ended = true;
        k->status = status;
    } else if (k->has_terminal) {
        take_terminal(k);
        report(k, &(struct keeper_report){.news = KEEPER_PAUSED});
    }
}

static void see_end(struct keep *k)
{
    take_terminal(k);
    k->main = 0;
    report(k, &(struct keeper_report){
                  .news = KEEPER_ENDED, .status = k->status, .was_stopped = k->is_stopping});
}

static void reap(struct keep *k)
{
    struct signalfd_siginfo pending;
    while (read(k->signal_fd, &pending, sizeof pending) > 0)
        continue;
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0 || info.si_pid == 0)
            break;
        if (info.si_pid != k->main) {
            waitpid(info.si_pid, NULL, WNOHANG | WUNTRACED);
            continue;
        }
        /* What it left behind; while it is not reaped the group's number is nobody else's. */
        if (info.si_code != CLD_STOPPED && info.si_code != CLD_TRAPPED)
            kill_group(k);
        see_main(k);
    }
    if (k->main != 0 && k->main_ended && group_is_empty(k))
        see_end(k);
}

static void keep_time(struct keep *k)
{
    if (k->main == 0)
        return;
    int64_t now_ns = caucus_now_ns();
    if (!k->is_killed && now_ns >= k->kill_at_ns) {
        k->is_stopping = true;
        kill_group(k);
    } else if (now_ns >= k->kind_at_ns) {
        stop(k);
    }
}

static void set_timer(const struct keep *k)
{
    int64_t at_ns = 0; /* never */
    if (k->main != 0 && !k->is_killed) {
        at_ns = k->is_stopping || k->kill_at_ns < k->kind_at_ns ? k->kill_at_ns : k->kind_at_ns;
        at_ns = at_ns > 0 ? at_ns : 1;
    }
    struct itimerspec t = {.it_value = {.tv_sec = (time_t)(at_ns / 1000000000),
                                        .tv_nsec = (long)(at_ns % 1000000000)}};
    timerfd_settime(k->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

static _Noreturn void keep(struct keep *k)
{
    while (k->fd >= 0 || k->main != 0) {
        set_timer(k);
        struct pollfd fds[] = {{.fd = k->fd, .events = POLLIN},
                               {.fd = k->timer_fd, .events = POLLIN},
                               {.fd = k->signal_fd, .events = POLLIN}};
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            break;
        if (fds[0].revents != 0)
            hear_orders(k);
        if (fds[2].revents != 0)
            reap(k);
        keep_time(k); /* last: what was heard may have moved the times */
    }
    _exit(0);
}

/* Deaf to all signals but the end of children: what is meant for the command comes as an order, and
 * what is sent to everything named caucus is caucus' to pass on. */
static _Noreturn void become_keeper(int fd, char *const *command, const sigset_t *mask)
{
    struct keep k = {.fd = fd, .command = command, .mask = mask, .caucus_group = getpgrp()};
    sigset_t all, children;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    sigemptyset(&children);
    sigaddset(&children, SIGCHLD);
    prctl(PR_SET_NAME, "caucus-keeper");
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    setpgid(0, 0);
    signal(SIGCHLD, SIG_DFL); /* ignored, there would be nothing to wait for */
    k.signal_fd = signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
    k.timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (k.signal_fd < 0 || k.timer_fd < 0)
        _exit(1);
    keep(&k);
}

/* ---- caucus' side ---- */

int keeper_open(struct keeper *k, char *const *command, const sigset_t *mask)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        become_keeper(fds[1], command, mask);
    }
    int error = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        errno = error;
        return -1;
    }
    *k = (struct keeper){.fd = fds[0], .pid = pid};
    return 0;
}

void keeper_close(struct keeper *k)
{
    close(k->fd);
    kill(k->pid, SIGCONT); /* one that somebody stopped would be waited for in vain */
    while (waitpid(k->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

static void order(struct keeper *k, const struct order *o)
{
    /* It does not listen, or is gone: then keeper_kill is what is left. */
    if (send(k->fd, o, sizeof *o, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        return;
}

void keeper_start(struct keeper *k, int64_t token, int64_t kind_at_ns, int64_t kill_at_ns)
{
    order(k, &(struct order){ORDER_START, 0, token, kind_at_ns, kill_at_ns});
}

void keeper_until(struct keeper *k, int64_t kind_at_ns, int64_t kill_at_ns)
{
    order(k, &(struct order){ORDER_UNTIL, 0, 0, kind_at_ns, kill_at_ns});
}

void keeper_stop(struct keeper *k, int64_t kill_at_ns)
{
    order(k, &(struct order){ORDER_STOP, 0, 0, 0, kill_at_ns});
}

void keeper_signal(struct keeper *k, int number)
{
    order(k, &(struct order){ORDER_SIGNAL, number, 0, 0, 0});
}

void keeper_kill(struct keeper *k)
{
    if (k->group > 0)
        kill(-k->group, SIGKILL);
}

int keeper_hear(struct keeper *k, struct keeper_report *ret)
{
    ssize_t n = recv(k->fd, ret, sizeof *ret, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n != (ssize_t)sizeof *ret)
        return -1;
    if (ret->news == KEEPER_STARTED)
        k->group = ret->group;
    else if (ret->news == KEEPER_ENDED)
        k->group = 0;
    return 1;
}
