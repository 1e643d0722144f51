/* admin_internal.h: shared by admin.c (listening, time), admin_http.c (requests) and
 * admin_transfer.c (snapshot and restore). */
#ifndef CAUCUS_SERVER_ADMIN_INTERNAL_H
#define CAUCUS_SERVER_ADMIN_INTERNAL_H

#include <microhttpd.h>

#include "base/list.h"
#include "server/admin.h"
#include "server/admin_command.h"

/* An interval in which one is allowed (server/util/RateLimiter). */
struct rate_limit {
    int64_t interval_ms;
    int64_t since_ms;
    bool used;
};

struct endpoint {
    struct admin *admin;
    struct MHD_Daemon *daemon; /* NULL = not enabled */
    int port;
    bool metrics_only;
};

/* A client's TCP connection, for the limit on how long a request's head may take. */
struct admin_connection {
    struct list link; /* admin.connections */
    struct MHD_Connection *http;
    int64_t idle_since_ms;
    bool busy; /* a request's head was read, its answer is not yet out */
};

struct console;

struct admin {
    struct server_info *info;
    struct endpoint main, metrics;
    struct console *console; /* NULL = off */
    char *command_url;
    char *spool_path;
    int epoll_fd; /* watches the daemons' own epoll descriptors */
    struct list connections;
    struct list waiting;       /* requests that wait for a snapshot */
    struct request *restoring; /* the one upload, from its first byte until the state is replaced */
    bool restore_running;      /* info->restore was called and has not reported */
    size_t answer_bytes;       /* of all answers on their way */
    bool resumed; /* a suspended connection goes on: run without waiting for its socket */
    struct rate_limit snapshot_limit, restore_limit;
};

enum request_state {
    REQUEST_NEW,
    REQUEST_UPLOADING,
    REQUEST_READING, /* the console's: its body */
    REQUEST_WAITING, /* suspended: for a snapshot, or for the restore to end */
    REQUEST_READY,   /* what it waited for is there */
    REQUEST_ANSWERED,
};

struct request {
    struct admin *admin;
    struct MHD_Connection *http;
    struct admin_connection *connection;
    enum request_state state;
    const struct admin_command *command; /* of a snapshot or restore */
    struct list link;                    /* admin.waiting */
    size_t answer_bytes;
    const char *post; /* of the console: what is to be done; else NULL */
    struct buf body;  /* likewise */

    /* snapshot */
    int64_t wanted_zxid; /* the snapshot must have at least this */
    int64_t zxid;        /* what it has; also the restored state's last one */
    int status;
    struct err why; /* of a restore that failed; empty otherwise */
    int file;       /* -1 = none: of the snapshot to send, or of the upload */
    int64_t file_bytes;
};

/* admin_http.c */
enum MHD_Result admin_on_request(void *cls, struct MHD_Connection *http, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_bytes, void **con_cls);
void on_request_completed(void *cls, struct MHD_Connection *http, void **con_cls,
                          enum MHD_RequestTerminationCode how);
/* The answer of a command without values: {"command": ..., "error": error or null}. */
enum MHD_Result answer_command_error(struct request *r, unsigned status, const char *error);
/* Takes the bytes of `body`. */
enum MHD_Result answer_bytes(struct request *r, unsigned status, const char *content_type,
                             struct buf *body, const char *allow);

/* admin_transfer.c */
/* NULL = allowed, else the error; the HTTP status in *ret_status. */
const char *transfer_authorize(struct request *r, unsigned *ret_status);
enum MHD_Result snapshot_begin_or_answer(struct request *r);
/* At the head of an upload: MHD_YES and state UPLOADING, or an answer. */
enum MHD_Result restore_begin(struct request *r);
enum MHD_Result restore_upload(struct request *r, const char *bytes, size_t *count);
enum MHD_Result restore_end_or_answer(struct request *r);
void transfer_forget(struct request *r); /* the request is over, whatever it was doing */

/* Lets a suspended request go on in the next admin_run. */
void request_resume(struct request *r, int status);

bool rate_allow(struct rate_limit *l, int64_t now_ms);

#endif
