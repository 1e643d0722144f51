/* admin_http.c: from a request's line to the answer (JettyAdminServer.CommandServlet). */
#include <stdlib.h>

#include "base/mem.h"
#include "server/admin_console.h"
#include "server/metrics.h"
#include "server/standing.h"

#define CONTENT_JSON    "application/json;charset=utf-8"
#define CONTENT_HTML    "text/html;charset=utf-8"
#define CONTENT_TEXT    "text/plain;charset=utf-8"
#define CONTENT_METRICS "text/plain; version=0.0.4; charset=utf-8"

static void give_back(void *bytes)
{
    free(bytes);
}

static enum MHD_Result queue_and_drop(struct request *r, unsigned status,
                                      struct MHD_Response *response)
{
    enum MHD_Result queued = MHD_queue_response(r->http, status, response);
    MHD_destroy_response(response);
    r->state = REQUEST_ANSWERED;
    return queued;
}

enum MHD_Result answer_bytes(struct request *r, unsigned status, const char *content_type,
                             struct buf *body, const char *allow)
{
    if (!buf_ok(body)) {
        buf_clear(body);
        buf_printf(body, "answer too long\n");
        status = MHD_HTTP_SERVICE_UNAVAILABLE;
        content_type = CONTENT_TEXT;
    }
    r->answer_bytes = body->len;
    r->admin->answer_bytes += body->len;
    /* An empty body needs no memory, but free() may have NULL. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(body->len, body->ptr, give_back);
    if (response == NULL) {
        buf_deinit(body);
        return MHD_NO;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    if (allow != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    return queue_and_drop(r, status, response);
}

static void body_init(struct request *r, struct buf *body)
{
    size_t used = r->admin->answer_bytes;
    buf_init(body, used < ADMIN_ANSWER_BYTES_MAX ? ADMIN_ANSWER_BYTES_MAX - used : 1);
}

static enum MHD_Result answer_text(struct request *r, unsigned status, const char *text,
                                   const char *allow)
{
    struct buf body = {0};
    buf_printf(&body, "%s\n", text);
    return answer_bytes(r, status, CONTENT_TEXT, &body, allow);
}

enum MHD_Result answer_command_error(struct request *r, unsigned status, const char *error)
{
    struct buf body = {0};
    admin_command_error(r->command->name, error, &body);
    return answer_bytes(r, status, CONTENT_JSON, &body, NULL);
}

static enum MHD_Result answer_list(struct request *r)
{
    struct buf body;
    body_init(r, &body);
    const struct admin_command *c;
    for (size_t i = 0; (c = admin_command_at(i)) != NULL; i++)
        buf_printf(&body, "<a href=\"%s/%s\">%s</a>\n<br/>\n", r->admin->command_url, c->name,
                   c->name);
    return answer_bytes(r, MHD_HTTP_OK, CONTENT_HTML, &body, NULL);
}

static enum MHD_Result answer_unknown(struct request *r, const char *name)
{
    struct buf body, error = {0};
    body_init(r, &body);
    buf_printf(&error, "Unknown command: %s", name);
    buf_put_u8(&error, 0);
    admin_command_error(name, (const char *)error.ptr, &body);
    buf_deinit(&error);
    return answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body, NULL);
}

static enum MHD_Result answer_metrics(struct request *r)
{
    struct buf body;
    body_init(r, &body);
    metrics_prometheus(r->admin->info, &body);
    return answer_bytes(r, MHD_HTTP_OK, CONTENT_METRICS, &body, NULL);
}

static enum MHD_Result answer_ready(struct request *r)
{
    const char *why = standing_not_ready(r->admin->info);
    return why == NULL ? answer_text(r, MHD_HTTP_OK, "ok", NULL)
                       : answer_text(r, MHD_HTTP_SERVICE_UNAVAILABLE, why, NULL);
}

static const char *query_argument(void *arg, const char *key)
{
    return MHD_lookup_connection_value(arg, MHD_GET_ARGUMENT_KIND, key);
}

static enum MHD_Result answer_json(struct request *r)
{
    struct admin_call call = {r->admin->info, query_argument, r->http};
    struct buf body;
    body_init(r, &body);
    admin_command_answer(r->command, &call, &body);
    return answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body, NULL);
}

/* What stands behind the command URL: NULL = not ours, "" or "/" = the list, else "/name". */
static const char *command_part(const struct admin *a, const char *url)
{
    size_t len = strlen(a->command_url);
    if (strncmp(url, a->command_url, len) != 0 || (url[len] != '\0' && url[len] != '/'))
        return NULL;
    return url + len;
}

static bool is_get(const char *method)
{
    return strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
}

static enum MHD_Result not_allowed(struct request *r, const char *allow)
{
    return answer_text(r, MHD_HTTP_METHOD_NOT_ALLOWED, "method not allowed", allow);
}

static enum MHD_Result on_get(struct request *r, const struct endpoint *e, const char *url,
                              const char *method)
{
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(r);
    if (strcmp(url, "/livez") == 0)
        return answer_text(r, MHD_HTTP_OK, "ok", NULL);
    if (strcmp(url, "/readyz") == 0)
        return answer_ready(r);

    const char *part = e->metrics_only ? NULL : command_part(r->admin, url);
    if (part == NULL && !e->metrics_only && r->admin->console != NULL && console_owns(url))
        return console_get(r, url, method);
    if (part == NULL)
        return answer_text(r, MHD_HTTP_NOT_FOUND, "not found", NULL);
    if (part[0] == '\0' || part[1] == '\0')
        return answer_list(r);
    r->command = admin_command_find(part + 1);
    if (r->command == NULL)
        return answer_unknown(r, part + 1);
    switch (r->command->kind) {
    case ADMIN_JSON:
        return answer_json(r);
    case ADMIN_SNAPSHOT:
        if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
            return not_allowed(r, "GET");
        return snapshot_begin_or_answer(r);
    case ADMIN_RESTORE:
        return not_allowed(r, "POST");
    }
    return MHD_NO;
}

/* Looks at a POST before its body: what is not wanted is refused without reading it. */
static enum MHD_Result on_post_head(struct request *r, const struct endpoint *e, const char *url)
{
    const char *part = e->metrics_only ? NULL : command_part(r->admin, url);
    if (part == NULL && !e->metrics_only && r->admin->console != NULL && console_owns(url))
        return console_post_head(r, url);
    if (part == NULL || part[0] == '\0' || part[1] == '\0')
        return answer_text(r, MHD_HTTP_NOT_FOUND, "not found", NULL);
    r->command = admin_command_find(part + 1);
    if (r->command == NULL)
        return answer_unknown(r, part + 1);
    if (r->command->kind != ADMIN_RESTORE)
        return not_allowed(r, "GET, HEAD");
    return restore_begin(r);
}

static struct request *request_create(const struct endpoint *e, struct MHD_Connection *http)
{
    struct request *r = mem_calloc(1, sizeof *r);
    r->admin = e->admin;
    r->http = http;
    r->file = -1;
    list_init(&r->link);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(http, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    r->connection = info != NULL ? info->socket_context : NULL;
    if (r->connection != NULL)
        r->connection->busy = true;
    return r;
}

/* Called once with the head, then with each piece of a body, then with none: the time to answer. */
enum MHD_Result admin_on_request(void *cls, struct MHD_Connection *http, const char *url,
                                 const char *method, const char *version, const char *upload,
                                 size_t *upload_bytes, void **con_cls)
{
    (void)version;
    const struct endpoint *e = cls;
    struct request *r = *con_cls;
    if (r == NULL) {
        r = *con_cls = request_create(e, http);
        if (strcmp(method, MHD_HTTP_METHOD_POST) == 0)
            return on_post_head(r, e, url);
        return is_get(method) ? MHD_YES : not_allowed(r, "GET, HEAD, POST");
    }
    switch (r->state) {
    case REQUEST_UPLOADING:
        return *upload_bytes > 0 ? restore_upload(r, upload, upload_bytes)
                                 : restore_end_or_answer(r);
    case REQUEST_READING:
        return *upload_bytes > 0 ? console_post_body(r, upload, upload_bytes) : console_post_end(r);
    case REQUEST_NEW:
        if (*upload_bytes > 0) { /* a GET with a body: of no interest */
            *upload_bytes = 0;
            return MHD_YES;
        }
        return on_get(r, e, url, method);
    case REQUEST_READY:
        if (r->post != NULL)
            return console_write_answer(r);
        return r->command->kind == ADMIN_SNAPSHOT ? snapshot_begin_or_answer(r)
                                                  : restore_end_or_answer(r);
    case REQUEST_WAITING:
    case REQUEST_ANSWERED:
        *upload_bytes = 0;
        return MHD_YES;
    }
    return MHD_NO;
}

void on_request_completed(void *cls, struct MHD_Connection *http, void **con_cls,
                          enum MHD_RequestTerminationCode how)
{
    (void)http;
    (void)how;
    const struct endpoint *e = cls;
    struct request *r = *con_cls;
    if (r == NULL)
        return;
    *con_cls = NULL;
    e->admin->answer_bytes -= r->answer_bytes;
    if (r->connection != NULL) {
        r->connection->busy = false;
        r->connection->idle_since_ms = e->admin->info->now_ms(e->admin->info->driver);
    }
    transfer_forget(r);
    console_write_forget(r);
    free(r);
}
