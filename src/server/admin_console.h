/* admin_console.h: the console on the admin port: the page, and what it asks for (caucus.console).
 *
 *   GET  /                             to /console/
 *   GET  /console/, /console/FILE      the page: web/console
 *   GET  /console/api/stream           server-sent events: ensemble, samples, events
 *   GET  /console/api/znode?path=&at=  console/znodes.h
 *   GET  /console/api/children?path=&after=
 *   GET  /console/api/sessions?after=  console/sessions.h
 *   GET  /console/api/watches?from=
 *   POST /console/api/login, create, set, delete     admin_console_write.c
 *
 * Everything is read from this server's tree, as world:anyone or as who is logged in
 * (Authorization: digest user:password). Where a client of this server has to show who it is before
 * it may read, nothing is read here without a login. Nothing is written unless caucus.console.write
 * is set.
 *
 * Bounds: CONSOLE_STREAMS_MAX streams; something new is told at most every CONSOLE_PACE_MS, once a
 * second usually, and who reads slowly gets the newest of what he missed in one piece. An answer
 * and the work for it have the bounds of src/console. A request from another site's page is
 * refused. Core thread. */
#ifndef CAUCUS_SERVER_ADMIN_CONSOLE_H
#define CAUCUS_SERVER_ADMIN_CONSOLE_H

#include "console/events.h"
#include "console/samples.h"
#include "server/admin_internal.h"

enum {
    CONSOLE_STREAMS_MAX = 16,
    CONSOLE_PACE_MS = 250,
    CONSOLE_SAMPLE_MS = 1000,
    CONSOLE_ANSWER_BYTES_MAX = 1 << 20,
    CONSOLE_BODY_BYTES_MAX = 256 * 1024,
    CONSOLE_WRITE_MS_MAX = 10 * 1000,
};

struct console {
    struct admin *admin;
    struct console_events events;
    struct console_samples samples;
    struct list streams, idle; /* all; those that wait for news, suspended */
    size_t stream_count;
    int64_t sample_due_ms, told_ms;
    uint64_t told_events; /* number of the next one when it was last told of */
    uint64_t turn;        /* of `ensemble` */
    struct buf ensemble;  /* its newest event */
    bool write_busy;
    int64_t write_due_ms;
    struct request *writing; /* who waits for it; NULL = nobody any more */
};

#define CONSOLE_ROOT "/console/"
#define CONSOLE_API  CONSOLE_ROOT "api/"

struct console *console_create(struct admin *a);
void console_free(struct console *c); /* NULL is fine; the streams are over already */
/* Before the daemons are stopped. */
void console_end_streams(struct console *c);

/* What is due: at the latest after console_timeout_ms. */
void console_tick(struct console *c);
int64_t console_timeout_ms(const struct console *c);
void console_trace(struct console *c, const struct trace_effect *t, struct slice bytes);

/* Is it the console's address, and then its answer. */
bool console_owns(const char *url);
enum MHD_Result console_get(struct request *r, const char *url, const char *method);

/* ---- admin_console_ensemble.c ---- */
/* {"wall_ms","self",...,"servers":[...]} */
void console_put_ensemble(const struct server_info *info, struct buf *out);

/* ---- admin_console_stream.c ---- */
enum MHD_Result console_stream(struct request *r);
void console_wake_streams(struct console *c);

/* ---- admin_console_write.c ---- */
/* Who is logged in; false = nobody. `id` has the bytes of it. */
bool console_identity(const struct request *r, struct buf *id, struct identity *ret);
/* A POST: at its head, with each piece of its body, behind it, and when the write is done. */
enum MHD_Result console_post_head(struct request *r, const char *url);
enum MHD_Result console_post_body(struct request *r, const char *bytes, size_t *count);
enum MHD_Result console_post_end(struct request *r);
enum MHD_Result console_write_answer(struct request *r);
void console_write_expire(struct console *c);
void console_write_forget(struct request *r); /* the request is over */

/* ---- admin_console.c ---- */
bool console_is_foreign(const struct request *r); /* asked by another site's page */
void console_headers(struct MHD_Response *response);
enum MHD_Result console_answer_error(struct request *r, unsigned status, const char *message);

#endif
