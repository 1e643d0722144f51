#include "client_io/engine.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "caucus/error.h"

enum {
    TAG_WAKE,
    TAG_LINK,
    TAG_PROBE,
    TAG_SASL,
    READ_BYTES = 64 * 1024,
    TICKS_MAX = 64,
    AWAIT_MS_MAX = 60 * 60 * 1000,
    READS_MAX = 16, /* of one turn: pings and other inputs are not kept waiting */
};

int64_t engine_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int engine_init(struct engine *e, const struct csession_config *config, const struct hosts *hosts,
                struct tls_context *tls, struct sasl_identity *sasl)
{
    *e = (struct engine){.hosts = hosts, .sasl = sasl, .alarm_ns = INT64_MAX};
    e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    e->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event wake = {.events = EPOLLIN, .data.u32 = TAG_WAKE};
    if (e->epoll_fd < 0 || e->wake_fd < 0 ||
        epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->wake_fd, &wake) != 0) {
        close(e->epoll_fd);
        close(e->wake_fd);
        return CAUCUS_NORESOURCES;
    }
    dialer_init(&e->link, e->epoll_fd, TAG_LINK, tls);
    dialer_init(&e->probe, e->epoll_fd, TAG_PROBE, tls);
    e->lookups = mem_calloc(hosts->count, sizeof(*e->lookups));
    e->bytes = mem_alloc(READ_BYTES);
    e->loan.bytes = mem_alloc(ENGINE_LOAN_BYTES);
    e->s = csession_new(config, engine_now_ns());
    return 0;
}

void engine_deinit(struct engine *e)
{
    dialer_stop(&e->link);
    dialer_stop(&e->probe);
    sasl_exchange_release(e->exchange);
    for (size_t i = 0; i < e->hosts->count; i++)
        lookup_release(e->lookups[i]);
    free(e->lookups);
    free(e->bytes);
    free(e->loan.bytes);
    csession_free(e->s);
    close(e->epoll_fd);
    close(e->wake_fd);
}

/* What was in the middle of something when the process forked stays as it is, and is lost. */
void engine_disown(struct engine *e)
{
    dialer_disown(&e->link);
    dialer_disown(&e->probe);
    close(e->epoll_fd);
    close(e->wake_fd);
}

void engine_wake(struct engine *e)
{
    ssize_t ignored = write(e->wake_fd, &(uint64_t){1}, sizeof(uint64_t));
    (void)ignored; /* full means awake */
}

/* ---- The connection ---- */

static void link_took(struct engine *e, const uint8_t *bytes, ptrdiff_t n)
{
    if (n < 0)
        csession_disconnected(e->s, engine_now_ns(), e->link.error);
    else if (n > 0)
        csession_received(e->s, engine_now_ns(), slice_of(bytes, (size_t)n));
}

static void link_read(struct engine *e)
{
    for (int i = 0; i < READS_MAX && e->link.state == DIALER_OPEN; i++) {
        ptrdiff_t n = dialer_read(&e->link, e->bytes, READ_BYTES);
        link_took(e, e->bytes, n);
        if (n < READ_BYTES)
            return;
    }
}

/* It cannot be written to. What the server said before it broke off is heard first, and then, most
 * likely, how it ended: by who has borrowed it, if somebody has. */
static void link_broke(struct engine *e)
{
    if (dialer_is_lent(&e->link))
        return;
    link_read(e);
    if (e->link.state != DIALER_OPEN)
        return;
    dialer_stop(&e->link);
    csession_disconnected(e->s, engine_now_ns(), "the connection broke");
}

static void link_write(struct engine *e)
{
    while (e->link.state == DIALER_OPEN) {
        struct slice out = csession_output(e->s);
        if (out.len == 0) {
            dialer_want_write(&e->link, false);
            return;
        }
        ptrdiff_t n = dialer_write(&e->link, out);
        if (n < 0) {
            link_broke(e);
            return;
        }
        csession_written(e->s, (size_t)n);
        if ((size_t)n < out.len) {
            dialer_want_write(&e->link, true);
            return;
        }
    }
}

static void link_news(struct engine *e, enum dialer_news news)
{
    if (news == DIALER_CONNECTED)
        csession_connected(e->s, engine_now_ns());
    else if (news == DIALER_FAILED)
        csession_disconnected(e->s, engine_now_ns(), e->link.error);
}

static void link_ready(struct engine *e, uint32_t events)
{
    if (e->link.state != DIALER_OPEN)
        link_news(e, dialer_step(&e->link));
    else if (!dialer_is_lent(&e->link))
        link_read(e);
    else if ((events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP)) != 0)
        dialer_deafen(&e->link); /* the borrower hears it, too */
}

static void link_reconcile(struct engine *e)
{
    struct csession_link wanted = csession_link(e->s);
    bool is_other = wanted.attempt != e->link_attempt;
    if (e->link.state != DIALER_IDLE && (!wanted.wanted || is_other))
        dialer_stop(&e->link);
    if (!wanted.wanted || !is_other)
        return;
    e->link_attempt = wanted.attempt;
    link_news(e, dialer_start(&e->link, &e->hosts->list[wanted.host], &e->lookups[wanted.host],
                              wanted.pick));
}

/* ---- SASL ---- */

static void sasl_end(struct engine *e)
{
    if (e->exchange != NULL)
        epoll_ctl(e->epoll_fd, EPOLL_CTL_DEL, sasl_exchange_fd(e->exchange), NULL);
    sasl_exchange_release(e->exchange);
    e->exchange = NULL;
}

static bool sasl_begin_at(struct engine *e, size_t host)
{
    sasl_end(e);
    e->exchange = sasl_exchange_begin(e->sasl, e->hosts->list[host].name);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = TAG_SASL};
    return e->exchange != NULL &&
           epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, sasl_exchange_fd(e->exchange), &event) == 0;
}

static void sasl_reconcile(struct engine *e)
{
    struct csession_sasl wanted = csession_sasl(e->s);
    if (!wanted.wanted || wanted.round == e->sasl_round)
        return;
    e->sasl_round = wanted.round;
    bool begun = wanted.first ? sasl_begin_at(e, wanted.host)
                              : sasl_exchange_continue(e->exchange, wanted.challenge);
    if (!begun)
        csession_sasl_stepped(e->s, engine_now_ns(),
                              &(struct csession_sasl_step){.failure = "SASL: no thread for it"});
}

/* A step that ends when its connection is gone finds nobody who wants it. */
static void sasl_ready(struct engine *e)
{
    struct csession_sasl_step step;
    if (e->exchange == NULL || !sasl_exchange_done(e->exchange, &step))
        return;
    struct csession_sasl wanted = csession_sasl(e->s);
    if (wanted.wanted && wanted.round == e->sasl_round)
        csession_sasl_stepped(e->s, engine_now_ns(), &step);
}

/* ---- "isro": "rw" from a server with a quorum, "ro" from one without ---- */

static void probe_end(struct engine *e, bool has_quorum)
{
    dialer_stop(&e->probe);
    csession_probed(e->s, engine_now_ns(), has_quorum);
}

static void probe_news(struct engine *e, enum dialer_news news)
{
    if (news == DIALER_FAILED)
        probe_end(e, false);
    else if (news == DIALER_CONNECTED && dialer_write(&e->probe, slice_str("isro")) != 4)
        probe_end(e, false);
}

static void probe_ready(struct engine *e)
{
    if (e->probe.state != DIALER_OPEN) {
        probe_news(e, dialer_step(&e->probe));
        return;
    }
    char answer[2]; /* all that is sent: nothing stays pending */
    ptrdiff_t n = dialer_read(&e->probe, answer, sizeof(answer));
    if (n != 0)
        probe_end(e, n == 2 && memcmp(answer, "rw", 2) == 0);
}

/* A lookup belongs to one dialer at a time: a host that the link looks up is not asked meanwhile.
 */
static void probe_reconcile(struct engine *e)
{
    struct csession_probe wanted = csession_probe(e->s);
    bool is_other = wanted.attempt != e->probe_attempt;
    if (e->probe.state != DIALER_IDLE && (!wanted.wanted || is_other))
        dialer_stop(&e->probe);
    if (!wanted.wanted || !is_other)
        return;
    e->probe_attempt = wanted.attempt;
    probe_news(e, dialer_start(&e->probe, &e->hosts->list[wanted.host], &e->lookups[wanted.host],
                               wanted.attempt));
}

/* ---- Turns ---- */

void engine_settle(struct engine *e, int64_t now_ns)
{
    for (int i = 0; i < TICKS_MAX; i++) {
        bool is_due = csession_deadline(e->s) <= now_ns;
        if (is_due)
            csession_tick(e->s, now_ns);
        probe_reconcile(e);
        link_reconcile(e);
        sasl_reconcile(e);
        link_write(e);
        if (!is_due)
            return;
        now_ns = engine_now_ns();
    }
}

int64_t engine_deadline_ns(const struct engine *e)
{
    int64_t deadline_ns = csession_deadline(e->s);
    return deadline_ns < e->alarm_ns ? deadline_ns : e->alarm_ns;
}

int64_t engine_timeout_ms(const struct engine *e)
{
    if (dialer_has_pending(&e->link))
        return 0;
    int64_t deadline_ns = engine_deadline_ns(e);
    if (deadline_ns == INT64_MAX)
        return -1;
    int64_t left_ns = deadline_ns - engine_now_ns();
    return left_ns > 0 ? (left_ns + 999999) / 1000000 : 0;
}

static void wake_ready(struct engine *e)
{
    uint64_t count;
    ssize_t ignored = read(e->wake_fd, &count, sizeof(count));
    (void)ignored;
}

void engine_await(const struct engine *e, int64_t ms, struct engine_news *ret)
{
    if (ms > AWAIT_MS_MAX)
        ms = AWAIT_MS_MAX;
    ret->count = epoll_wait(e->epoll_fd, ret->list, ENGINE_NEWS_MAX, (int)ms);
}

void engine_handle(struct engine *e, const struct engine_news *news)
{
    for (int i = 0; i < news->count; i++) {
        if (news->list[i].data.u32 == TAG_WAKE)
            wake_ready(e);
        else if (news->list[i].data.u32 == TAG_LINK)
            link_ready(e, news->list[i].events);
        else if (news->list[i].data.u32 == TAG_SASL)
            sasl_ready(e);
        else
            probe_ready(e);
    }
    if (dialer_has_pending(&e->link) && !dialer_is_lent(&e->link))
        link_read(e);
}

/* ---- One who waits for an answer ---- */

/* Only while the session stands: then answers come on this connection or with its end, and never
 * because time has passed. */
bool engine_lend_link(struct engine *e)
{
    if (e->link.state != DIALER_OPEN || e->link.lent_fd >= 0 || !csession_is_up(e->s))
        return false;
    dialer_mute(&e->link, true);
    bool is_plain = e->link.tls == NULL;
    short events = dialer_reads_by_writing(&e->link) ? POLLIN | POLLOUT : POLLIN;
    e->loan.fd = dialer_lend(&e->link);
    e->loan.events = is_plain ? 0 : events;
    e->loan.is_ready = dialer_has_pending(&e->link);
    return true;
}

void engine_wait_link(struct engine *e)
{
    struct engine_loan *l = &e->loan;
    if (l->is_ready)
        return;
    if (l->events != 0) {
        poll(&(struct pollfd){.fd = l->fd, .events = l->events}, 1, -1);
        return;
    }
    l->count = recv(l->fd, l->bytes, ENGINE_LOAN_BYTES, 0);
    l->error = errno;
}

void engine_return_link(struct engine *e)
{
    if (!dialer_take_back(&e->link))
        return;
    const struct engine_loan *l = &e->loan;
    bool is_read = l->events == 0;
    if (is_read)
        link_took(e, l->bytes, dialer_judge_read(&e->link, l->count, l->error));
    if (!is_read || l->count == ENGINE_LOAN_BYTES)
        link_read(e);
}

void engine_watch_link(struct engine *e)
{
    if (e->link.state != DIALER_OPEN || dialer_is_lent(&e->link))
        return;
    bool may_rest = csession_is_up(e->s) && !csession_expects_news(e->s);
    if (e->link.is_mute && (!may_rest || e->link.is_deaf))
        dialer_mute(&e->link, false);
}

bool engine_has_pending(const struct engine *e)
{
    return dialer_has_pending(&e->link);
}
