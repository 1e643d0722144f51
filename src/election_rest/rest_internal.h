/* rest_internal.h: what the files of this folder share: the door, its requests, and how they are
 * answered.
 *
 * The life of a request: libmicrohttpd calls with its head (request.c finds the route and refuses
 * what can be refused), then with its body, then once more: the route's function answers at once
 * (rest_answer_...) or begins a call of the service and leaves. Then the connection is suspended;
 * the service's callback gets the request back from call_end, answers, and resumes it. */
#ifndef CAUCUS_ELECTION_REST_REST_INTERNAL_H
#define CAUCUS_ELECTION_REST_REST_INTERNAL_H

#include <microhttpd.h>

#include "base/json_out.h"
#include "base/list.h"
#include "election_rest/election_rest.h"
#include "election_rest/stream.h"
#include "election_rest/url.h"

enum {
    ANSWER_BYTES_MAX = 1 << 20,
    CAPTURES_MAX = 2,
    STATUS_SLOTS = 32, /* different status codes that are counted */
};

#define CONTENT_JSON "application/json"
#define CONTENT_TEXT "text/plain; charset=utf-8"
#define CONTENT_CSV  "text/csv; charset=utf-8"

struct request;

enum access {
    ACCESS_PUBLIC,
    ACCESS_COUNTS, /* everybody, while counts are shown; the committee always */
    ACCESS_COMMITTEE,
};

enum body_kind {
    BODY_NONE,     /* GET and HEAD; one that is sent is passed over */
    BODY_JSON,     /* POST */
    BODY_DOCUMENT, /* the same, and longer */
    BODY_ROLL,     /* PUT, of text/csv and any length; GET and HEAD as BODY_NONE */
    BODY_ANYTHING, /* what is not offered, whatever its method */
};

struct route {
    const char *name;    /* in metrics */
    const char *pattern; /* "{}" is a part of any text, kept as a capture; "**" whatever follows */
    enum body_kind body;
    enum access access;
    void (*handle)(struct request *r);
    /* Of routes whose handle is request_wait_for_nation: answers from what was read. */
    void (*handle_nation)(struct request *r, const struct national_result *n);
};
/* The one table, with the number of its rows (routes.c). */
const struct route *routes(size_t *ret_count);

/* A client's TCP connection. */
struct connection {
    struct list link; /* election_rest.connections */
    struct MHD_Connection *http;
    int64_t deadline_ms; /* by when a whole request must have come; INT64_MAX: one is answered */
};

enum request_step {
    REQUEST_HEAD,
    REQUEST_BODY,
    REQUEST_ANSWER, /* the route's function was called */
};

struct request {
    struct election_rest *rest;
    struct MHD_Connection *http;
    struct connection *connection;
    enum request_step step;
    const struct route *route; /* NULL: none has this path */
    bool head_only;            /* HEAD */
    struct roll_upload *roll;  /* of a PUT that is taken; NULL: none */
    char *target;
    struct url url;
    struct slice captures[CAPTURES_MAX];
    struct buf body;
    size_t passed_over; /* bytes of a body that is not wanted */
    struct call *call;  /* under way */
    struct list link;   /* election_rest.suspended while it waits for the call, then ready */
    struct MHD_Response *response;
    unsigned status;
};

struct status_count {
    unsigned status; /* 0 = a free slot */
    uint64_t count;
};

struct election_rest {
    struct loop *loop;
    struct service *service;
    const struct election_info *info;
    struct MHD_Daemon *daemon;
    uv_poll_t poll;
    uv_timer_t timeout; /* libmicrohttpd's */
    uv_timer_t wake;    /* what was answered goes on */
    uv_timer_t sweep;   /* who is too slow is cut off */
    unsigned handles;   /* not yet closed */
    int port;
    bool committee_open, wants_certificates;
    char *console; /* NULL = none */
    bool stopping;
    bool woken; /* the timer `wake` runs */
    uint32_t connections_max;
    bool is_full;
    int64_t idle_timeout_ms, head_timeout_ms;
    struct list connections;
    struct list suspended; /* requests that wait for a call */
    struct list ready;     /* those that were answered, still suspended */
    size_t calls;          /* of the service, under way */
    size_t recounts;
    struct stream_hub hub;
    struct status_count *counted; /* STATUS_SLOTS for each route, and for none */
};

int64_t rest_now_ms(const struct election_rest *r);
/* Something is ready, or was resumed: it does not show on libmicrohttpd's descriptor. */
void rest_wake(struct election_rest *r);
/* Frees it, once nothing is open any more. */
void rest_free_if_over(struct election_rest *r);

/* ---- request.c ---- */

void *request_begin(void *cls, const char *target, struct MHD_Connection *http);
enum MHD_Result request_go_on(void *cls, struct MHD_Connection *http, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **con_cls);
void request_end(void *cls, struct MHD_Connection *http, void **con_cls,
                 enum MHD_RequestTerminationCode how);
/* Nobody waits for their calls any more; they are ready. */
void requests_abandon(struct election_rest *rest);
void requests_resume_ready(struct election_rest *rest);

/* One more answer of a status, in the metrics. */
void request_count(struct election_rest *rest, const struct route *route, unsigned status);
struct slice request_header(const struct request *r, const char *name); /* ptr NULL: none */
bool request_is_committee(const struct request *r);
/* Whether counts of a round in this phase may be shown to whoever asks. */
bool request_may_count(const struct request *r, enum phase phase);

/* ---- answer.c ---- */

/* Takes the bytes of `body`. */
void rest_answer_bytes(struct request *r, unsigned status, const char *content_type,
                       struct buf *body);
void rest_answer_header(struct request *r, const char *name, const char *value);
/* After rest_answer_bytes: it need not be asked for again, which is said of nothing else. */
void rest_answer_never_changes(struct request *r, bool for_everybody);
/* `code` is for programs, `message` for people. */
void rest_answer_error(struct request *r, unsigned status, const char *code, const char *message);
void rest_answer_unavailable(struct request *r, const char *message, uint32_t retry_after_ms);
/* What the service said of a vote or a voter, if it is not fine. */
void rest_answer_outcome(struct request *r, enum cast_outcome outcome, const char *detail,
                         uint32_t retry_after_ms);
void rest_answer_not_shown(struct request *r);

/* ---- calls of the service ---- */

struct call {
    struct election_rest *rest;
    struct request *request; /* NULL: nobody waits any more */
};
/* Before the service is called; the request is suspended when its route's function returns. */
struct call *call_begin(struct request *r);
/* The request, to be answered and resumed; NULL: it is gone, and so may be the door. Ends `c`. */
struct request *call_end(struct call *c);
void rest_resume(struct request *r);

/* ---- role.c ---- */

enum role {
    ROLE_NOBODY, /* has shown no certificate */
    ROLE_OTHER,
    ROLE_COMMITTEE,
};
enum role request_role(const struct request *r);

/* ---- what routes do ---- */

void route_vote(struct request *r); /* route_vote.c */
void route_voter(struct request *r);
void route_ballot(struct request *r);
void route_status(struct request *r); /* route_results.c */
/* A linearizable read of the nation; then handle_nation. */
void request_wait_for_nation(struct request *r);
void route_results(struct request *r, const struct national_result *n);
void route_stream(struct request *r);   /* stream.c */
void route_election(struct request *r); /* route_committee.c */
void route_start(struct request *r);
void route_stop(struct request *r);
void route_recount(struct request *r);
void route_loss(struct request *r); /* route_loss.c */
void route_admit_loss(struct request *r);
void roll_begin(struct request *r); /* route_roll.c */
void roll_add(struct request *r, struct slice piece);
void route_roll(struct request *r);
void route_audit(struct request *r);
void route_checkpoint(struct request *r); /* route_log.c */
void route_inclusion(struct request *r);
void route_consistency(struct request *r);
void route_tile(struct request *r);
void route_openelections(struct request *r, const struct national_result *n); /* route_export.c */
void route_nist(struct request *r, const struct national_result *n);
void route_manifest(struct request *r, const struct national_result *n);
void route_cluster(struct request *r); /* route_servers.c */
void route_metrics(struct request *r);
void route_health(struct request *r);
void route_ready(struct request *r);
void route_page(struct request *r);

#endif
