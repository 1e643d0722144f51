/* admin.h: the HTTP side: commands in JSON, snapshot and restore, metrics, probes (server/admin of
 * ZooKeeper).
 *
 *   GET  <commandURL>             HTML list of the commands
 *   GET  <commandURL>/<name>      JSON, the keys of ZooKeeper 3.9.5, "command" and "error" last
 *   GET  <commandURL>/snapshot    the snapshot file as a stream (needs Authorization)
 *   POST <commandURL>/restore     the body is a snapshot (needs Authorization)
 *   GET  /metrics                 for Prometheus; also on a port of its own
 *   GET  /livez /readyz           200 or 503, without white list and authorization
 *   GET  / /console/...           the console (admin_console.h), if it is on
 *
 * libmicrohttpd without a thread of its own: everything happens inside admin_run, in the core
 * thread. The driver polls admin_fd for reading and calls admin_run when it is readable or
 * admin_timeout_ms has passed; it asks for the timeout again after each admin_run and each
 * admin_..._done.
 *
 * Bounds: ADMIN_CONNECTIONS_MAX connections, ADMIN_ANSWER_BYTES_MAX for all answers (beyond it:
 * 503), request heads of 16 KiB; who neither sends nor takes anything for idle_timeout_ms is cut
 * off, and so is who takes longer than ADMIN_HEAD_MS_MAX over a request's head. Uploads go to a
 * file in small pieces, one at a time. */
#ifndef CAUCUS_SERVER_ADMIN_H
#define CAUCUS_SERVER_ADMIN_H

#include "base/err.h"
#include "server/server_info.h"

enum {
    ADMIN_CONNECTIONS_MAX = 64,
    ADMIN_ANSWER_BYTES_MAX = 256 << 20,
    ADMIN_HEAD_MS_MAX = 60 * 1000,
};

struct admin_options {
    bool enabled;                /* admin.enableServer */
    const char *address;         /* admin.serverAddress, "0.0.0.0" */
    int port;                    /* admin.serverPort; 0 = any free one, admin_port says which */
    int64_t idle_timeout_ms;     /* admin.idleTimeout, 30000 */
    const char *command_url;     /* admin.commandURL, "/commands" */
    bool metrics_enabled;        /* metricsProvider.httpPort is set */
    const char *metrics_address; /* metricsProvider.httpHost, "0.0.0.0" */
    int metrics_port;
    bool console;          /* caucus.console: admin_console.h */
    const char *spool_dir; /* where an upload is kept until it is taken over; must be writable */
};

struct admin;

/* Listens on what is enabled. ERR_INVALID (an address), ERR_IO (a port is taken) with the address
 * in err. The options' texts are copied, info is borrowed until admin_free. */
int admin_create(const struct admin_options *options, struct server_info *info, struct admin **ret,
                 struct err *err);
/* Closes every connection; NULL is fine. */
void admin_free(struct admin *a);

int admin_fd(const struct admin *a);
void admin_run(struct admin *a);
/* How long the driver may wait for admin_fd before it calls admin_run anyway; -1 = as long as it
 * likes. */
int64_t admin_timeout_ms(const struct admin *a);
int admin_port(const struct admin *a);         /* where it listens; -1 = not enabled */
int admin_metrics_port(const struct admin *a); /* likewise */

/* What a step said (effects.h), for the console; `bytes`: of TRACE_COMMITTED. */
void admin_trace(struct admin *a, const struct trace_effect *t, struct slice bytes);

/* A snapshot ended: its file, or status < 0. Called for every snapshot the server takes. */
void admin_snapshot_done(struct admin *a, int status, int64_t zxid, const char *path);
/* The restore asked for ended: 0 and the last zxid of the new state, or an error. */
void admin_restore_done(struct admin *a, int status, int64_t last_zxid);

#endif
