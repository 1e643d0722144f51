#include "cli/holding.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS_NS INT64_C(1000000)

enum {
    RENEWALS = 12, /* of the moments told to the keeper, in a session's timeout */
    MARGIN = 20,   /* a 20th of it between SIGKILL and the end of what is sure */
    GRACE = 5,     /* a 5th of it between SIGTERM and SIGKILL */
};

static int64_t grace_ms_max(int64_t timeout_ms)
{
    return timeout_ms * 3 / 10;
}

/* ---- Before there is a session ---- */

static const int ending[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
static const int passed_on[] = {SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

static void add_signals(sigset_t *set, const int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sigaddset(set, numbers[i]);
}

static int read_policy(struct holding *h)
{
    if (h->policy_name == NULL || strcmp(h->policy_name, "strict") == 0)
        h->policy = CAUCUS_STRICT;
    else if (strcmp(h->policy_name, "until-lost") == 0)
        h->policy = CAUCUS_UNTIL_LOST;
    else
        return cli_usage(h->cli, "--policy: '%s' is neither strict nor until-lost", h->policy_name);
    return CLI_OK;
}

static int check_grace(struct holding *h)
{
    int64_t most = grace_ms_max(h->cli->timeout_ms);
    if (h->grace_ms >= 0 && h->grace_ms <= most)
        return CLI_OK;
    return cli_usage(h->cli, "--grace: %lld is not from 1 to %lld, 3/10 of the session's timeout",
                     (long long)h->grace_ms, (long long)most);
}

/* What will not run is told before anybody waits for its turn. */
static bool can_be_found(const char *name)
{
    if (strchr(name, '/') != NULL)
        return access(name, X_OK) == 0;
    char file[4096];
    const char *folder = getenv("PATH");
    if (folder == NULL)
        return true; /* where execvp looks then is the system's secret */
    for (;;) {
        size_t bytes = strcspn(folder, ":");
        int n =
            snprintf(file, sizeof file, "%.*s%s%s", (int)bytes, folder, bytes > 0 ? "/" : "", name);
        if (n > 0 && n < (int)sizeof file && access(file, X_OK) == 0)
            return true;
        if (folder[bytes] == 0)
            return false;
        folder += bytes + 1;
    }
}

static void set_environment(const struct holding *h)
{
    setenv("CAUCUS_HOSTS", h->cli->hosts, 1);
    setenv("CAUCUS_PATH", h->path, 1);
    setenv("CAUCUS_ID", h->id, 1);
}

static int open_keeper(struct holding *h, const sigset_t *mask)
{
    if (!can_be_found(h->command[0])) {
        int error = errno;
        cli_usage(h->cli, "%s: %s", h->command[0], strerror(error));
        return error == ENOENT ? HOLDING_NOT_FOUND : HOLDING_NOT_RUN;
    }
    set_environment(h);
    if (keeper_open(&h->keeper, h->command, mask) < 0) {
        cli_usage(h->cli, "no process for the command: %s", strerror(errno));
        return CLI_CONNECTION;
    }
    h->has_keeper = true;
    return CLI_OK;
}

static int open_holding(struct holding *h)
{
    pthread_mutex_init(&h->lock, NULL);
    int code = read_policy(h);
    if (code == CLI_OK)
        code = check_grace(h);
    if (code != CLI_OK)
        return code;
    if (h->id == NULL) {
        char host[64] = "";
        gethostname(host, sizeof host - 1);
        snprintf(h->own_id, sizeof h->own_id, "%s/%d", host, (int)getpid());
        h->id = h->own_id;
    }
    sigset_t set, before;
    sigemptyset(&set);
    add_signals(&set, ending, sizeof ending / sizeof *ending);
    if (watching_take_signal_set(&h->cli->watching, &set, &before) < 0)
        return cli_usage(h->cli, "signals cannot be waited for");
    return h->command != NULL ? open_keeper(h, &before) : CLI_OK;
}

static void take_all_signals(struct holding *h)
{
    sigset_t set;
    sigemptyset(&set);
    add_signals(&set, ending, sizeof ending / sizeof *ending);
    add_signals(&set, passed_on, sizeof passed_on / sizeof *passed_on);
    watching_take_signal_set(&h->cli->watching, &set, NULL);
}

static void tell_grace(struct holding *h)
{
    struct caucus_session session;
    caucus_get_session(h->cli->handle, &session);
    int64_t most = grace_ms_max(session.timeout_ms);
    if (h->grace_ms > most && session.timeout_ms > 0)
        fprintf(stderr, "caucus: the server's timeout is %d ms: --grace is %lld\n",
                (int)session.timeout_ms, (long long)most);
}

static void close_holding(struct holding *h)
{
    if (h->has_keeper)
        keeper_close(&h->keeper);
    pthread_mutex_destroy(&h->lock);
}

int holding_do(struct holding *h, int (*hold)(void *held))
{
    h->cli->outlives_sessions = true;
    int code = open_holding(h);
    if (code == CLI_OK)
        code = cli_connect(h->cli);
    if (code == CLI_OK) {
        watching_tell_states(&h->cli->watching);
        if (h->command != NULL) {
            take_all_signals(h);
            tell_grace(h);
        }
        code = hold(h->held);
    }
    close_holding(h);
    return code;
}

/* ---- Time ---- */

struct times {
    int64_t renew_ms;
    int64_t grace_ns;
    int64_t kind_at_ns;
    int64_t kill_at_ns;
};

/* Before the token is asked for: if it is still held afterwards, this was its session. */
static struct times times_now(struct holding *h)
{
    struct caucus_session session;
    caucus_get_session(h->cli->handle, &session);
    int64_t timeout_ms = session.timeout_ms;
    int64_t most_ms = grace_ms_max(timeout_ms);
    int64_t grace_ms = h->grace_ms == 0 ? timeout_ms / GRACE : h->grace_ms;
    struct times t = {.renew_ms = timeout_ms / RENEWALS + 1,
                      .grace_ns = (grace_ms < most_ms ? grace_ms : most_ms) * MS_NS,
                      .kill_at_ns = session.safe_until_ns - timeout_ms * MS_NS / MARGIN};
    t.kind_at_ns = t.kill_at_ns - t.grace_ns;
    return t;
}

static bool is_connected(struct holding *h)
{
    enum caucus_state state = caucus_get_state(h->cli->handle);
    return state == CAUCUS_CONNECTED || state == CAUCUS_RECONNECTED;
}

/* A command may begin (0), or look again after so many ms, or (-1) when something has changed. */
static int64_t begin_in_ms(struct holding *h, int64_t token)
{
    struct times t = times_now(h);
    if (token == 0 || token == h->last_token || h->token(h->held) != token)
        return -1;
    bool may = h->policy == CAUCUS_UNTIL_LOST || is_connected(h);
    return may && caucus_now_ns() < t.kind_at_ns ? 0 : t.renew_ms;
}

/* ---- Trouble ---- */

void holding_trouble(struct holding *h, int rc, bool is_over)
{
    pthread_mutex_lock(&h->lock);
    h->trouble = rc;
    h->is_over |= is_over;
    watching_wake(&h->cli->watching);
    pthread_mutex_unlock(&h->lock);
}

/* What trying again does not mend. */
static bool is_refusal(int rc)
{
    return rc == CAUCUS_NOAUTH || rc == CAUCUS_AUTHFAILED || rc == CAUCUS_INVALIDACL ||
           rc == CAUCUS_NOCHILDRENFOREPHEMERALS || rc == CAUCUS_EPHEMERALONLOCALSESSION;
}

int holding_hear_trouble(struct holding *h)
{
    pthread_mutex_lock(&h->lock);
    int rc = h->trouble;
    bool is_final = h->is_over || is_refusal(rc);
    h->trouble = 0;
    pthread_mutex_unlock(&h->lock);
    /* Parents are made where they are missing, but the chroot is nobody's. */
    if (rc == CAUCUS_NONODE &&
        caucus_exists_wait(h->cli->handle, "/", NULL, NULL, NULL) == CAUCUS_NONODE)
        return cli_failed(h->cli, "/", rc);
    if (rc != 0 && is_final)
        return cli_failed(h->cli, h->path, rc);
    if (rc != 0)
        fprintf(stderr, "caucus: %s: %s (%s), trying again\n", h->path, caucus_error_text(rc),
                caucus_error_name(rc));
    return CLI_OK;
}

/* ---- Waiting ---- */

static void stop_self(void)
{
    raise(SIGSTOP); /* the keeper goes on */
}

static bool asks_for_end(int number)
{
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (ending[i] == number)
            return true;
    return false;
}

/* The next signal that has come; 0: none. */
static int take_signal(struct holding *h)
{
    struct signalfd_siginfo info;
    ssize_t n = read(h->cli->watching.signal_fd, &info, sizeof info);
    return n == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

static void sleep_until_changed(struct holding *h, int64_t timeout_ms)
{
    struct watching *w = &h->cli->watching;
    struct pollfd fds[] = {{.fd = w->changed_fd, .events = POLLIN},
                           {.fd = w->signal_fd, .events = POLLIN},
                           {.fd = h->has_keeper ? h->keeper.fd : -1, .events = POLLIN}};
    poll(fds, 3, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
    uint64_t count;
    while (read(w->changed_fd, &count, sizeof count) > 0)
        continue;
}

int holding_wait(struct holding *h, int64_t timeout_ms)
{
    sleep_until_changed(h, timeout_ms);
    int number;
    while ((number = take_signal(h)) != 0) {
        if (asks_for_end(number))
            return number;
        if (number == SIGTSTP)
            stop_self();
    }
    return 0;
}

static bool is_over(struct holding *h)
{
    pthread_mutex_lock(&h->lock);
    bool is_so = h->is_over;
    pthread_mutex_unlock(&h->lock);
    return is_so;
}

int holding_await(struct holding *h, int64_t until_ns, int64_t *ret_token)
{
    for (;;) {
        int code = holding_hear_trouble(h);
        if (code != CLI_OK)
            return code;
        int64_t token = h->token(h->held);
        int64_t wait_ms = begin_in_ms(h, token);
        int64_t left_ms = (until_ns - caucus_now_ns()) / MS_NS;
        if (wait_ms == 0 || left_ms < 0 || is_over(h)) {
            *ret_token = h->last_token = wait_ms == 0 ? token : 0;
            return CLI_OK;
        }
        if (until_ns != INT64_MAX && (wait_ms < 0 || left_ms < wait_ms))
            wait_ms = left_ms + 1;
        int number = holding_wait(h, wait_ms);
        if (number != 0)
            return HOLDING_SIGNAL + number;
    }
}

/* ---- While the command runs ---- */

struct stint {
    struct holding *h;
    int64_t token;
    bool is_stopping;
    int64_t give_up_ns; /* while stopping: when the grace is over */
    int64_t kill_at_ns; /* as told last */
};

/* After it was done: a terminal that was stopped (Ctrl-S) takes no words. */
static void tell_stop(struct stint *s, const char *why)
{
    fprintf(stderr, "caucus: %s: %s: the command is stopped\n", s->h->path, why);
}

static void begin_to_stop(struct stint *s, const struct times *t, const char *why)
{
    s->is_stopping = true;
    s->give_up_ns = caucus_now_ns() + t->grace_ns;
    s->kill_at_ns = s->give_up_ns < t->kill_at_ns ? s->give_up_ns : t->kill_at_ns;
    keeper_stop(&s->h->keeper, s->kill_at_ns);
    tell_stop(s, why);
}

static void renew(struct stint *s)
{
    struct holding *h = s->h;
    struct times t = times_now(h);
    if (h->token(h->held) != s->token) {
        bool is_news = !s->is_stopping;
        s->is_stopping = true;
        s->kill_at_ns = 0;
        keeper_stop(&h->keeper, 0);
        if (is_news)
            tell_stop(s, "not held any more");
    } else if (s->is_stopping) {
        s->kill_at_ns = s->give_up_ns < t.kill_at_ns ? s->give_up_ns : t.kill_at_ns;
        keeper_until(&h->keeper, 0, s->kill_at_ns);
    } else if (h->policy == CAUCUS_STRICT && !is_connected(h)) {
        begin_to_stop(s, &t, "no connection");
    } else if (caucus_now_ns() >= t.kind_at_ns) {
        begin_to_stop(s, &t, "no answer from a server");
    } else {
        s->kill_at_ns = t.kill_at_ns;
        keeper_until(&h->keeper, t.kind_at_ns, t.kill_at_ns);
    }
    /* A keeper that somebody stopped does not keep time; a group that is dead is not harmed. */
    if (caucus_now_ns() > s->kill_at_ns)
        keeper_kill(&h->keeper);
}

static void pass_signals_on(struct holding *h)
{
    int number;
    while ((number = take_signal(h)) != 0) {
        if (asks_for_end(number) && number != SIGHUP) /* by which some are asked to reload */
            h->end_signal = number;
        keeper_signal(&h->keeper, number);
        if (number == SIGTSTP)
            stop_self();
    }
}

static int code_of_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : HOLDING_SIGNAL + WTERMSIG(status);
}

/* True: it is over. */
static bool hear_keeper(struct holding *h, int *ret_code, enum holding_end *ret_end)
{
    struct keeper_report r;
    int n;
    while ((n = keeper_hear(&h->keeper, &r)) > 0) {
        if (r.news == KEEPER_PAUSED)
            stop_self(); /* as jobs do; what wakes us up is passed on */
        if (r.news == KEEPER_STARTED && r.group == 0) {
            cli_usage(h->cli, "no process for the command");
            *ret_end = HOLDING_BROKEN;
            return true;
        }
        if (r.news == KEEPER_ENDED) {
            *ret_code = code_of_status(r.status);
            *ret_end = r.was_stopped ? HOLDING_STOPPED : HOLDING_ENDED;
            return true;
        }
    }
    if (n == 0)
        return false;
    keeper_kill(&h->keeper);
    cli_usage(h->cli, "the process that keeps the command was killed, and the command with it");
    *ret_end = HOLDING_BROKEN;
    return true;
}

enum holding_end holding_run(struct holding *h, int64_t token, int *ret_code)
{
    struct stint s = {.h = h, .token = token};
    struct times t = times_now(h);
    if (h->token(h->held) != token)
        return HOLDING_STOPPED; /* it was lost before it was begun with */
    s.kill_at_ns = t.kill_at_ns;
    keeper_start(&h->keeper, token, t.kind_at_ns, t.kill_at_ns);
    enum holding_end end;
    while (!hear_keeper(h, ret_code, &end)) {
        pass_signals_on(h);
        renew(&s);
        sleep_until_changed(h, t.renew_ms);
    }
    if (end == HOLDING_STOPPED && !s.is_stopping)
        tell_stop(&s, "this process stood still");
    return end;
}
