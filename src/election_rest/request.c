/* request.c: from a request's head to its route and back. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election_rest/rest_internal.h"

enum {
    /* A body that is too long is passed over up to here, so that its sender gets to read the
     * answer; one that says it is longer is answered at once, and its connection closed. */
    PASSED_OVER_BYTES_MAX = 16 << 20,
};

/* ---- Finding the route ---- */

static bool matches(const char *pattern, const struct url *u, struct slice captures[CAPTURES_MAX])
{
    size_t capture = 0, part = 0;
    const char *at = pattern;
    for (; *at == '/'; part++) {
        const char *from = at + 1;
        at = from + strcspn(from, "/");
        size_t len = (size_t)(at - from);
        if (len == 2 && memcmp(from, "**", 2) == 0)
            return true;
        if (part == u->part_count)
            return false;
        if (len == 2 && memcmp(from, "{}", 2) == 0) {
            if (u->parts[part].len == 0)
                return false;
            captures[capture++] = u->parts[part];
        } else if (!slice_eq(u->parts[part], slice_of(from, len))) {
            return false;
        }
    }
    return part == u->part_count;
}

static const struct route *find_route(struct request *r)
{
    size_t count;
    const struct route *all = routes(&count);
    for (size_t i = 0; i < count; i++) {
        if (matches(all[i].pattern, &r->url, r->captures))
            return &all[i];
    }
    return NULL;
}

/* ---- What is refused before its body ---- */

struct slice request_header(const struct request *r, const char *name)
{
    const char *value = NULL;
    size_t len = 0;
    if (MHD_lookup_connection_value_n(r->http, MHD_HEADER_KIND, name, strlen(name), &value, &len) !=
        MHD_YES)
        return slice_of(NULL, 0);
    return value != NULL ? slice_of(value, len) : slice_str("");
}

bool request_is_committee(const struct request *r)
{
    return r->rest->committee_open || request_role(r) == ROLE_COMMITTEE;
}

bool request_may_count(const struct request *r, enum phase phase)
{
    return r->rest->info->live || phase == PHASE_IDLE || phase == PHASE_CLOSED ||
           request_is_committee(r);
}

static size_t head_bytes(const struct request *r)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->http, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info != NULL ? info->header_size : 0;
}

static bool takes_json(const struct request *r)
{
    return r->route->body == BODY_JSON || r->route->body == BODY_DOCUMENT;
}

static size_t body_bytes_max(const struct request *r)
{
    return r->route->body == BODY_DOCUMENT ? (size_t)ELECTION_REST_DOCUMENT_BYTES_MAX
                                           : (size_t)ELECTION_REST_BODY_BYTES_MAX;
}

static bool method_fits(struct request *r, const char *method)
{
    r->head_only = strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    switch (r->route->body) {
    case BODY_NONE:
        return r->head_only || strcmp(method, MHD_HTTP_METHOD_GET) == 0;
    case BODY_JSON:
    case BODY_DOCUMENT:
        return strcmp(method, MHD_HTTP_METHOD_POST) == 0;
    case BODY_ROLL:
        return r->head_only || strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
               strcmp(method, MHD_HTTP_METHOD_PUT) == 0;
    case BODY_ANYTHING:
        return true;
    }
    return false;
}

static bool check_access(struct request *r)
{
    switch (r->route->access) {
    case ACCESS_PUBLIC:
        return true;
    case ACCESS_COUNTS:
        if (request_may_count(r, service_peek_global(r->rest->service)->phase))
            return true;
        rest_answer_not_shown(r);
        return false;
    case ACCESS_COMMITTEE:
        if (request_is_committee(r))
            return true;
        if (r->rest->wants_certificates && request_role(r) == ROLE_NOBODY)
            rest_answer_error(r, MHD_HTTP_UNAUTHORIZED, "UNAUTHENTICATED",
                              "this takes the certificate of a member of the committee");
        else
            rest_answer_error(r, MHD_HTTP_FORBIDDEN, "FORBIDDEN", "this is for the committee");
        return false;
    }
    return false;
}

/* Whether the request may go on; else it has its answer. */
static bool check_head(struct request *r, const char *method)
{
    if (head_bytes(r) > ELECTION_REST_HEAD_BYTES_MAX) {
        rest_answer_error(r, MHD_HTTP_REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE",
                          "line and headers are longer than 8 KiB");
        return false;
    }
    if (!url_read(r->target, strlen(r->target), &r->url)) {
        rest_answer_error(r, MHD_HTTP_BAD_REQUEST, "INVALID_REQUEST", "the address makes no sense");
        return false;
    }
    r->route = find_route(r);
    if (r->route == NULL) {
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", "there is nothing of this name");
        return false;
    }
    if (!method_fits(r, method)) {
        rest_answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED",
                          "not by this method; see the header Allow");
        rest_answer_header(r, MHD_HTTP_HEADER_ALLOW,
                           takes_json(r)                 ? "POST"
                           : r->route->body == BODY_ROLL ? "GET, HEAD, PUT"
                                                         : "GET, HEAD");
        return false;
    }
    /* Also where no body is needed: a page of another origin cannot send this type unasked. */
    if (takes_json(r) &&
        !text_is_media_type(request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE), CONTENT_JSON)) {
        rest_answer_error(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE",
                          "Content-Type is to be application/json");
        return false;
    }
    bool is_put = strcmp(method, MHD_HTTP_METHOD_PUT) == 0;
    if (is_put && r->route->body == BODY_ROLL &&
        !text_is_media_type(request_header(r, MHD_HTTP_HEADER_CONTENT_TYPE), "text/csv")) {
        rest_answer_error(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE",
                          "Content-Type is to be text/csv");
        return false;
    }
    if (!check_access(r))
        return false;
    if (is_put && r->route->body == BODY_ROLL)
        roll_begin(r);
    return r->response == NULL;
}

static void refuse_body(struct request *r)
{
    char what[64];
    snprintf(what, sizeof what, "the body is longer than %zu KiB", body_bytes_max(r) / 1024);
    rest_answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "BODY_TOO_LARGE", what);
}

/* Refuses a body that says it is too long; whether its sender is not to send it at all. */
static bool refuse_announced_body(struct request *r)
{
    uint64_t bytes = 0;
    struct slice announced = request_header(r, MHD_HTTP_HEADER_CONTENT_LENGTH);
    if (!text_number(announced, 0, UINT64_MAX, &bytes))
        bytes = slice_is_null(announced) ? 0 : UINT64_MAX;
    if (r->response == NULL && takes_json(r) && bytes > body_bytes_max(r))
        refuse_body(r);
    if (r->response == NULL)
        return false;
    return bytes > PASSED_OVER_BYTES_MAX ||
           !slice_is_null(request_header(r, MHD_HTTP_HEADER_EXPECT));
}

/* ---- Its life ---- */

void *request_begin(void *cls, const char *target, struct MHD_Connection *http)
{
    struct election_rest *rest = cls;
    struct request *r = mem_calloc(1, sizeof *r);
    r->rest = rest;
    r->http = http;
    r->target = mem_dup(target, strlen(target) + 1);
    list_init(&r->link);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->connection = info != NULL ? info->socket_context : NULL;
    return r;
}

void request_count(struct election_rest *rest, const struct route *route, unsigned status)
{
    size_t count;
    const struct route *all = routes(&count);
    struct status_count *row =
        rest->counted + STATUS_SLOTS * (route != NULL ? (size_t)(route - all) : count);
    for (size_t i = 0; i < STATUS_SLOTS; i++) {
        if (row[i].status == 0)
            row[i].status = status;
        if (row[i].status == status) {
            row[i].count++;
            return;
        }
    }
}

static enum MHD_Result send_answer(struct request *r)
{
    struct MHD_Response *response = r->response;
    if (response == NULL)
        return MHD_NO;
    r->response = NULL;
    request_count(r->rest, r->route, r->status);
    enum MHD_Result queued = MHD_queue_response(r->http, r->status, response);
    MHD_destroy_response(response);
    return queued;
}

static void set_deadline(struct request *r, int64_t deadline_ms)
{
    if (r->connection != NULL)
        r->connection->deadline_ms = deadline_ms;
}

static enum MHD_Result on_head(struct request *r, const char *method)
{
    r->step = REQUEST_BODY;
    set_deadline(r, rest_now_ms(r->rest) + r->rest->head_timeout_ms);
    if (check_head(r, method))
        buf_init(&r->body, body_bytes_max(r));
    return refuse_announced_body(r) ? send_answer(r) : MHD_YES;
}

static enum MHD_Result on_body(struct request *r, const char *bytes, size_t *count)
{
    size_t len = *count;
    *count = 0;
    if (r->response == NULL && takes_json(r)) {
        buf_put(&r->body, bytes, len);
        if (!buf_ok(&r->body))
            refuse_body(r);
        return MHD_YES;
    }
    if (r->roll != NULL) {
        set_deadline(r, rest_now_ms(r->rest) + r->rest->head_timeout_ms);
        roll_add(r, slice_of(bytes, len));
        return MHD_YES;
    }
    r->passed_over += len;
    return r->passed_over <= PASSED_OVER_BYTES_MAX ? MHD_YES : MHD_NO;
}

static enum MHD_Result on_whole(struct request *r)
{
    r->step = REQUEST_ANSWER;
    set_deadline(r, INT64_MAX);
    if (r->response == NULL)
        r->route->handle(r);
    if (r->call == NULL)
        return send_answer(r);
    list_append(&r->rest->suspended, &r->link);
    MHD_suspend_connection(r->http);
    return MHD_YES;
}

/* Called with the head, with each piece of the body, with none: the time to answer; and again when
 * it is resumed. */
enum MHD_Result request_go_on(void *cls, struct MHD_Connection *http, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **con_cls)
{
    (void)cls, (void)http, (void)url, (void)version;
    struct request *r = *con_cls;
    switch (r->step) {
    case REQUEST_HEAD:
        return on_head(r, method);
    case REQUEST_BODY:
        return *upload_bytes > 0 ? on_body(r, upload, upload_bytes) : on_whole(r);
    case REQUEST_ANSWER:
        *upload_bytes = 0;
        return r->call != NULL ? MHD_YES : send_answer(r);
    }
    return MHD_NO;
}

void request_end(void *cls, struct MHD_Connection *http, void **con_cls,
                 enum MHD_RequestTerminationCode how)
{
    (void)cls, (void)http, (void)how;
    struct request *r = *con_cls;
    *con_cls = NULL;
    if (r == NULL)
        return;
    if (r->call != NULL)
        r->call->request = NULL;
    if (r->roll != NULL)
        service_roll_drop(r->roll);
    if (r->response != NULL)
        MHD_destroy_response(r->response);
    set_deadline(r, rest_now_ms(r->rest) + r->rest->idle_timeout_ms + r->rest->head_timeout_ms);
    list_remove(&r->link);
    buf_deinit(&r->body);
    free(r->target);
    free(r);
}

/* ---- Calls of the service ---- */

struct call *call_begin(struct request *r)
{
    struct call *c = mem_calloc(1, sizeof *c);
    c->rest = r->rest;
    c->request = r;
    r->call = c;
    r->rest->calls++;
    return c;
}

struct request *call_end(struct call *c)
{
    struct election_rest *rest = c->rest;
    struct request *r = c->request;
    free(c);
    rest->calls--;
    if (r != NULL)
        r->call = NULL;
    else
        rest_free_if_over(rest);
    return r;
}

void rest_resume(struct request *r)
{
    list_remove(&r->link);
    list_append(&r->rest->ready, &r->link);
    rest_wake(r->rest);
}

void requests_resume_ready(struct election_rest *rest)
{
    struct list *at;
    while ((at = list_take(&rest->ready)) != NULL)
        MHD_resume_connection(list_entry(at, struct request, link)->http);
}

void requests_abandon(struct election_rest *rest)
{
    while (!list_is_empty(&rest->suspended)) {
        struct request *r = list_entry(rest->suspended.next, struct request, link);
        if (r->call != NULL)
            r->call->request = NULL;
        r->call = NULL;
        list_remove(&r->link);
        list_append(&rest->ready, &r->link);
    }
}
