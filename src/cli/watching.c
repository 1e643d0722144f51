#include "cli/watching.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/print.h"

int watching_init(struct watching *w)
{
    *w = (struct watching){.events_left = -1, .signal_fd = -1};
    w->changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (w->changed_fd < 0)
        return -1;
    pthread_mutex_init(&w->lock, NULL);
    return 0;
}

void watching_deinit(struct watching *w)
{
    pthread_mutex_destroy(&w->lock);
    close(w->changed_fd);
    if (w->signal_fd >= 0)
        close(w->signal_fd);
}

int watching_take_signals(struct watching *w)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return watching_take_signal_set(w, &set, NULL);
}

int watching_take_signal_set(struct watching *w, const sigset_t *set, sigset_t *ret_before)
{
    pthread_sigmask(SIG_BLOCK, set, ret_before);
    int fd = signalfd(w->signal_fd, set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return -1;
    w->signal_fd = fd;
    return 0;
}

void watching_wake(struct watching *w)
{
    uint64_t one = 1;
    /* It can only fail by being full, and then it is readable as it is. */
    if (write(w->changed_fd, &one, sizeof one) < 0)
        return;
}

static void tell_people(const struct caucus_state_change *change)
{
    switch (change->state) {
    case CAUCUS_SUSPENDED:
        fprintf(stderr, "caucus: connection lost (%s), looking for a server\n", change->reason);
        break;
    case CAUCUS_RECONNECTED:
        fprintf(stderr, change->renewed ? "caucus: connected again, with a new session\n"
                                        : "caucus: connected again\n");
        break;
    case CAUCUS_LOST:
        fprintf(stderr, "caucus: the session is over (%s)\n", change->reason);
        break;
    case CAUCUS_READ_ONLY:
        fprintf(stderr, "caucus: connected to a server without quorum, read-only\n");
        break;
    case CAUCUS_CONNECTING:
    case CAUCUS_CONNECTED:
    case CAUCUS_AUTH_FAILED:
    case CAUCUS_CLOSED:
        break;
    }
}

void watching_on_state(void *watching, struct caucus *c, const struct caucus_state_change *change)
{
    struct watching *w = watching;
    (void)c;
    pthread_mutex_lock(&w->lock);
    snprintf(w->reason, sizeof w->reason, "%s", change->reason != NULL ? change->reason : "");
    if (change->state == CAUCUS_CONNECTED || change->state == CAUCUS_READ_ONLY)
        w->connected = true;
    else if (change->state == CAUCUS_LOST)
        w->lost = true;
    else if (change->state == CAUCUS_AUTH_FAILED)
        w->auth_failed = true;
    if (w->tell_states && !w->closing)
        tell_people(change);
    watching_wake(w);
    pthread_mutex_unlock(&w->lock);
}

static const char *event_word(enum caucus_event_type type)
{
    switch (type) {
    case CAUCUS_NODE_CREATED:
        return "created";
    case CAUCUS_NODE_DELETED:
        return "deleted";
    case CAUCUS_NODE_DATA_CHANGED:
        return "changed";
    case CAUCUS_NODE_CHILDREN_CHANGED:
        return "children";
    case CAUCUS_WATCH_REMOVED:
        return "removed";
    case CAUCUS_WATCH_LOST:
        return "lost";
    case CAUCUS_WATCH_REARMED:
        return "rearmed";
    }
    return "unknown";
}

static void print_event(const struct watching *w, const struct caucus_event *event)
{
    const char *word = event_word(event->type);
    if (w->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", word);
        cli_json_text(&j, "path", event->path);
        if (event->zxid > 0)
            cli_json_id(&j, "zxid", event->zxid);
        cli_json_end(&j);
    } else if (event->zxid > 0) {
        printf("%-8s  0x%llx  %s\n", word, (unsigned long long)event->zxid, event->path);
    } else {
        printf("%-8s  -  %s\n", word, event->path);
    }
    fflush(stdout); /* whoever reads it through a pipe wants it now */
}

void watching_on_event(void *watching, const struct caucus_event *event)
{
    struct watching *w = watching;
    pthread_mutex_lock(&w->lock);
    bool counts = event->type <= CAUCUS_NODE_CHILDREN_CHANGED;
    if (!w->closing && event->type != CAUCUS_WATCH_LOST && w->events_left != 0) {
        print_event(w, event);
        if (counts && w->events_left > 0)
            w->events_left--;
    }
    if (event->last)
        w->open--;
    watching_wake(w);
    pthread_mutex_unlock(&w->lock);
}

void watching_expect(struct watching *w, int more)
{
    pthread_mutex_lock(&w->lock);
    w->open += more;
    pthread_mutex_unlock(&w->lock);
}

void watching_set_json(struct watching *w, bool json)
{
    pthread_mutex_lock(&w->lock);
    w->json = json;
    pthread_mutex_unlock(&w->lock);
}

void watching_tell_states(struct watching *w)
{
    pthread_mutex_lock(&w->lock);
    w->tell_states = true;
    pthread_mutex_unlock(&w->lock);
}

void watching_limit(struct watching *w, int64_t events)
{
    pthread_mutex_lock(&w->lock);
    w->events_left = events;
    pthread_mutex_unlock(&w->lock);
}

void watching_close(struct watching *w)
{
    pthread_mutex_lock(&w->lock);
    w->closing = true;
    pthread_mutex_unlock(&w->lock);
}

typedef bool done_fn(const struct watching *w);

static bool is_connected(const struct watching *w)
{
    return w->connected;
}

static bool has_seen_events(const struct watching *w)
{
    return w->open <= 0 || w->events_left == 0;
}

static bool never(const struct watching *w)
{
    (void)w;
    return false;
}

static enum waited wait_for(struct watching *w, done_fn *done, int64_t timeout_ms)
{
    int64_t deadline_ns = caucus_now_ns() + timeout_ms * 1000000;
    for (;;) {
        pthread_mutex_lock(&w->lock);
        bool lost = w->lost || w->auth_failed;
        bool is_done = done(w);
        pthread_mutex_unlock(&w->lock);
        if (lost)
            return WAITED_LOST;
        if (is_done)
            return WAITED_DONE;

        int64_t left_ms = -1;
        if (timeout_ms >= 0) {
            left_ms = (deadline_ns - caucus_now_ns() + 999999) / 1000000;
            if (left_ms <= 0)
                return WAITED_TIMEOUT;
        }
        struct pollfd fds[2] = {{.fd = w->changed_fd, .events = POLLIN},
                                {.fd = w->signal_fd, .events = POLLIN}};
        int n = poll(fds, 2, left_ms < 0 ? -1 : left_ms > INT32_MAX ? INT32_MAX : (int)left_ms);
        if (n < 0 && errno != EINTR)
            return WAITED_SIGNAL;
        if (n > 0 && fds[1].revents != 0)
            return WAITED_SIGNAL;
        uint64_t count;
        if (n > 0 && read(w->changed_fd, &count, sizeof count) < 0 && errno != EAGAIN)
            return WAITED_SIGNAL;
    }
}

enum waited watching_wait_connected(struct watching *w, int64_t timeout_ms)
{
    return wait_for(w, is_connected, timeout_ms);
}

enum waited watching_wait_events(struct watching *w)
{
    return wait_for(w, has_seen_events, -1);
}

enum waited watching_wait_end(struct watching *w)
{
    return wait_for(w, never, -1);
}
