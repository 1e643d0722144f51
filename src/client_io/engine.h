/* engine.h: carries out what the session machine wants: sockets, names, time.
 *
 * All of it hangs in one epoll set, whose descriptor becomes readable when there is something to
 * do. One owner at a time; only engine_await, engine_wait_link and engine_wake may be called by
 * others. */
#ifndef CAUCUS_CLIENT_IO_ENGINE_H
#define CAUCUS_CLIENT_IO_ENGINE_H

#include <sys/epoll.h>

#include "client/hosts.h"
#include "client/session.h"
#include "client_io/dialer.h"
#include "client_io/sasl.h"

enum {
    ENGINE_LOAN_BYTES = 16 * 1024
};

/* The connection, lent to a thread that waits for an answer and for nothing else. The borrower's,
 * from engine_lend_link to engine_return_link. */
struct engine_loan {
    int fd;
    short events; /* for poll. 0: it is read, not polled */
    bool is_ready;
    ptrdiff_t count; /* of bytes; or recv's failure, with this errno */
    int error;
    uint8_t *bytes;
};

struct engine {
    struct csession *s;
    const struct hosts *hosts;
    struct lookup **lookups; /* of each host */
    int epoll_fd;
    int wake_fd;
    struct dialer link;
    struct engine_loan loan;
    uint64_t link_attempt;
    struct dialer probe;
    uint64_t probe_attempt;
    struct sasl_identity *sasl;     /* NULL: none */
    struct sasl_exchange *exchange; /* of the last connection that began one; NULL */
    uint64_t sasl_round;
    uint8_t *bytes;   /* to read into */
    int64_t alarm_ns; /* the driver's: a deadline of its own. INT64_MAX: none */
};

int64_t engine_now_ns(void);

/* 0, or CAUCUS_NORESOURCES. `hosts`, `tls` (NULL: plain TCP) and `sasl` (NULL: none) are borrowed.
 */
int engine_init(struct engine *e, const struct csession_config *config, const struct hosts *hosts,
                struct tls_context *tls, struct sasl_identity *sasl);
void engine_deinit(struct engine *e);
/* In a process that was forked from the one that has it: closes this one's copies of descriptors,
 * and touches nothing that both share. Its memory stays. */
void engine_disown(struct engine *e);

enum {
    ENGINE_NEWS_MAX = 8
};

/* What is ready. By the time it is handled it may not be any more: that does no harm. */
struct engine_news {
    int count;
    struct epoll_event list[ENGINE_NEWS_MAX];
};

/* Waits until something is ready, at most so long (-1: no bound). */
void engine_await(const struct engine *e, int64_t ms, struct engine_news *ret);
void engine_handle(struct engine *e, const struct engine_news *news);
/* Carries out what is wanted, and lets time pass, which has come to `now_ns`. After every input. */
void engine_settle(struct engine *e, int64_t now_ns);
/* The machine's next deadline, or the alarm; INT64_MAX: none. */
int64_t engine_deadline_ns(const struct engine *e);
/* Milliseconds until then, rounded up; -1: none. */
int64_t engine_timeout_ms(const struct engine *e);
/* From any thread: engine_await returns. */
void engine_wake(struct engine *e);

/* For a thread that waits for an answer and for nothing else. The connection is lent to it, and
 * engine_await does not tell of it meanwhile; false: there is none on which answers come, or
 * somebody has it. While it is lent nobody else reads it. */
bool engine_lend_link(struct engine *e);
/* Without owning the engine. Returns when something came, or the connection ended. */
void engine_wait_link(struct engine *e);
/* What came is given to the machine. engine_lend_link may follow. */
void engine_return_link(struct engine *e);
/* Afterwards, and whenever something was sent: engine_await tells of it again, if it may bring
 * anything by itself but its end. One request after the other needs nobody but who waits. */
void engine_watch_link(struct engine *e);
/* It has bytes that no descriptor tells of: engine_await must not wait. */
bool engine_has_pending(const struct engine *e);

#endif
