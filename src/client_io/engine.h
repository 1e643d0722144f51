/* engine.h: carries out what the session machine wants: sockets, names, time.
 *
 * All of it hangs in one epoll set, whose descriptor becomes readable when there is something to
 * do. One owner thread; only engine_wake may be called from others. */
#ifndef CAUCUS_CLIENT_IO_ENGINE_H
#define CAUCUS_CLIENT_IO_ENGINE_H

#include "client/hosts.h"
#include "client/session.h"
#include "client_io/dialer.h"
#include "client_io/sasl.h"

struct engine {
    struct csession *s;
    const struct hosts *hosts;
    struct lookup **lookups; /* of each host */
    int epoll_fd;
    int wake_fd;
    struct dialer link;
    uint64_t link_attempt;
    struct dialer probe;
    uint64_t probe_attempt;
    struct sasl_identity *sasl;     /* NULL: none */
    struct sasl_exchange *exchange; /* of the last connection that began one; NULL */
    uint64_t sasl_round;
    uint8_t *bytes;   /* to read into */
    int64_t alarm_ns; /* the driver's: engine_wait returns at it. INT64_MAX: none */
};

int64_t engine_now_ns(void);

/* 0, or CAUCUS_NORESOURCES. `hosts`, `tls` (NULL: plain TCP) and `sasl` (NULL: none) are borrowed.
 */
int engine_init(struct engine *e, const struct csession_config *config, const struct hosts *hosts,
                struct tls_context *tls, struct sasl_identity *sasl);
void engine_deinit(struct engine *e);

/* Waits until something is ready, the machine's next deadline or the alarm, at most max_ms (-1: no
 * bound), and handles it. */
void engine_wait(struct engine *e, int64_t max_ms);
/* Carries out what is wanted, and lets time pass. After every input. */
void engine_settle(struct engine *e);
/* Milliseconds to the machine's next deadline or the alarm, rounded up; -1: none. */
int64_t engine_timeout_ms(const struct engine *e);
/* From any thread: engine_wait returns. */
void engine_wake(struct engine *e);

#endif
