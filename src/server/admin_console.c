/* admin_console.c: the console's page and its answers. */
#include "server/admin_console.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/web_file.h"
#include "console/sessions.h"
#include "server/standing.h"

#define CONTENT_JSON "application/json;charset=utf-8"

extern const struct web_file console_web[]; /* web/console, of cmake/embed.cmake */
extern const size_t console_web_count;

/* ---- Answers ---- */

void console_headers(struct MHD_Response *response)
{
    MHD_add_response_header(response, "Content-Security-Policy", WEB_FILE_POLICY);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header(response, "Cross-Origin-Resource-Policy", "same-origin");
}

static enum MHD_Result queue(struct request *r, unsigned status, struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    console_headers(response);
    enum MHD_Result queued = MHD_queue_response(r->http, status, response);
    MHD_destroy_response(response);
    r->state = REQUEST_ANSWERED;
    return queued;
}

static void give_back(void *bytes)
{
    free(bytes);
}

/* Takes the bytes of `body`; NULL: there is no memory, the connection ends. */
static struct MHD_Response *response_of(struct buf *body, const char *content_type,
                                        const char *cache)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer_with_free_callback(body->len, body->ptr, give_back);
    if (response == NULL) {
        buf_deinit(body);
        return NULL;
    }
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, cache);
    return response;
}

static enum MHD_Result answer_json(struct request *r, unsigned status, struct buf *body)
{
    if (!buf_ok(body)) {
        buf_deinit(body);
        return console_answer_error(r, MHD_HTTP_INSUFFICIENT_STORAGE, "the answer is too long");
    }
    return queue(r, status, response_of(body, CONTENT_JSON, "no-store"));
}

enum MHD_Result console_answer_error(struct request *r, unsigned status, const char *message)
{
    struct buf body = {0};
    struct json_out j;
    json_out_begin(&j, &body);
    json_out_string(&j, "error", message);
    json_out_end(&j);
    return answer_json(r, status, &body);
}

/* ---- The page ---- */

static enum MHD_Result to_page(struct request *r)
{
    struct buf nothing = {0};
    struct MHD_Response *response = response_of(&nothing, "text/plain", "no-cache");
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_LOCATION, CONSOLE_ROOT);
    return queue(r, MHD_HTTP_FOUND, response);
}

static bool is_known(const struct request *r, const char *tag)
{
    const char *has =
        MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_IF_NONE_MATCH);
    return has != NULL && strstr(has, tag) != NULL;
}

static enum MHD_Result answer_file(struct request *r, const struct web_file *file)
{
    bool known = is_known(r, file->tag);
    struct buf body = {0};
    char tag[64];
    snprintf(tag, sizeof tag, "\"%s\"", file->tag);
    if (!known)
        buf_put(&body, file->bytes, file->len);
    struct MHD_Response *response = response_of(&body, file->content_type, "no-cache");
    if (response != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, tag);
    return queue(r, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

/* ---- What it asks for ---- */

static const char *argument(const struct request *r, const char *key)
{
    const char *value = MHD_lookup_connection_value(r->http, MHD_GET_ARGUMENT_KIND, key);
    return value != NULL ? value : "";
}

/* Decimal, or hexadecimal with 0x; false: it is neither. Nothing is 0. */
static bool number_argument(const struct request *r, const char *key, uint64_t *ret)
{
    const char *text = argument(r, key);
    uint64_t number = 0;
    int base = text[0] == '0' && text[1] == 'x' ? 16 : 10;
    for (const char *at = base == 16 ? text + 2 : text; *at != '\0'; at++) {
        int digit = *at >= '0' && *at <= '9'                 ? *at - '0'
                    : base == 16 && *at >= 'a' && *at <= 'f' ? *at - 'a' + 10
                                                             : -1;
        if (digit < 0 || number > (UINT64_MAX - (uint64_t)digit) / (uint64_t)base)
            return false;
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    *ret = number;
    return true;
}

static enum MHD_Result answer_outcome(struct request *r, int32_t err, struct buf *body)
{
    if (err == 0)
        return answer_json(r, MHD_HTTP_OK, body);
    buf_deinit(body);
    return err == ZK_NONODE
               ? console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is no such znode")
               : console_answer_error(r, MHD_HTTP_FORBIDDEN, "its ACL does not let you read it");
}

static enum MHD_Result get_znode(struct request *r, const struct console_eye *eye, struct buf *body)
{
    uint64_t at;
    if (!number_argument(r, "at", &at))
        return console_answer_error(r, MHD_HTTP_BAD_REQUEST, "at: no number");
    return answer_outcome(r, console_znode(eye, slice_str(argument(r, "path")), at, body), body);
}

static enum MHD_Result get_children(struct request *r, const struct console_eye *eye,
                                    struct buf *body)
{
    return answer_outcome(r,
                          console_children(eye, slice_str(argument(r, "path")),
                                           slice_str(argument(r, "after")), body),
                          body);
}

static enum MHD_Result get_sessions(struct request *r, const struct console_eye *eye,
                                    struct buf *body)
{
    const struct server_info *info = r->admin->info;
    uint64_t after;
    (void)eye;
    if (!number_argument(r, "after", &after))
        return console_answer_error(r, MHD_HTTP_BAD_REQUEST, "after: no number");
    console_sessions(info->node, (int64_t)after, info->now_ms(info->driver), body);
    return answer_json(r, MHD_HTTP_OK, body);
}

static enum MHD_Result get_watches(struct request *r, const struct console_eye *eye,
                                   struct buf *body)
{
    uint64_t from;
    if (!number_argument(r, "from", &from))
        return console_answer_error(r, MHD_HTTP_BAD_REQUEST, "from: no number");
    console_watches(eye, from, body);
    return answer_json(r, MHD_HTTP_OK, body);
}

static const struct {
    const char *name;
    bool tree; /* of znodes: what ACLs and logins are about */
    enum MHD_Result (*get)(struct request *r, const struct console_eye *eye, struct buf *body);
} lists[] = {
    {"znode", true, get_znode},
    {"children", true, get_children},
    {"sessions", false, get_sessions},
    {"watches", true, get_watches},
};

bool console_is_foreign(const struct request *r)
{
    const char *site = MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, "Sec-Fetch-Site");
    return site != NULL && strcmp(site, "same-origin") != 0 && strcmp(site, "none") != 0;
}

static enum MHD_Result api_get(struct request *r, const char *name)
{
    const struct server_info *info = r->admin->info;
    if (console_is_foreign(r))
        return console_answer_error(r, MHD_HTTP_FORBIDDEN, "asked by another site's page");
    if (strcmp(name, "stream") == 0)
        return console_stream(r);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (strcmp(name, lists[i].name) != 0)
            continue;
        if (!standing_serves(info))
            return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                        "this server does not serve now");
        struct buf body, id = {0};
        struct identity who;
        bool known = console_identity(r, &id, &who);
        struct console_eye eye = {info->node, {&who, known}};
        enum MHD_Result queued;
        buf_init(&body, CONSOLE_ANSWER_BYTES_MAX);
        if (lists[i].tree && !known && !info->conf.anyone_may_read)
            queued = console_answer_error(r, MHD_HTTP_UNAUTHORIZED,
                                          "clients of this server must show who they are");
        else
            queued = lists[i].get(r, &eye, &body);
        buf_deinit(&id);
        return queued;
    }
    return console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is nothing of this name");
}

bool console_owns(const char *url)
{
    return strcmp(url, "/") == 0 || strcmp(url, "/console") == 0 ||
           strncmp(url, CONSOLE_ROOT, strlen(CONSOLE_ROOT)) == 0;
}

enum MHD_Result console_get(struct request *r, const char *url, const char *method)
{
    if (strncmp(url, CONSOLE_ROOT, strlen(CONSOLE_ROOT)) != 0)
        return to_page(r);
    const char *name = url + strlen(CONSOLE_ROOT);
    if (strncmp(url, CONSOLE_API, strlen(CONSOLE_API)) == 0)
        return strcmp(method, MHD_HTTP_METHOD_GET) == 0
                   ? api_get(r, url + strlen(CONSOLE_API))
                   : console_answer_error(r, MHD_HTTP_METHOD_NOT_ALLOWED, "GET alone");
    const struct web_file *file = web_file_find(console_web, console_web_count,
                                                slice_str(name[0] == '\0' ? "index.html" : name));
    return file != NULL ? answer_file(r, file)
                        : console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is no such file");
}

/* ---- Time ---- */

static int64_t now_ms(const struct console *c)
{
    return c->admin->info->now_ms(c->admin->info->driver);
}

struct console *console_create(struct admin *a)
{
    struct console *c = mem_calloc(1, sizeof *c);
    c->admin = a;
    list_init(&c->streams);
    list_init(&c->idle);
    c->sample_due_ms = now_ms(c);
    return c;
}

void console_free(struct console *c)
{
    if (c == NULL)
        return;
    buf_deinit(&c->ensemble);
    free(c);
}

/* The node is asked to say what changes while somebody looks who may see it, and no more of it than
 * is kept. */
static void listen_to_changes(struct console *c)
{
    const struct server_info *info = c->admin->info;
    if (info->node != NULL)
        node_tell_changes(info->node, info->conf.anyone_may_read && c->stream_count > 0 &&
                                          events_have_room(&c->events));
}

void console_trace(struct console *c, const struct trace_effect *t, struct slice bytes)
{
    const struct server_info *info = c->admin->info;
    if (info->node == NULL)
        return;
    events_take(&c->events, info->node, t, bytes, info->wall_ms(info->driver));
    if (!events_have_room(&c->events))
        listen_to_changes(c);
}

static void take_sample(struct console *c)
{
    struct server_info *info = c->admin->info;
    int64_t now = now_ms(c);
    if (info->node != NULL)
        samples_take(&c->samples, node_metrics(info->node), node_outstanding(info->node),
                     info->connection_count(info->driver), now, info->wall_ms(info->driver));
    c->sample_due_ms += CONSOLE_SAMPLE_MS;
    if (c->sample_due_ms <= now)
        c->sample_due_ms = now + CONSOLE_SAMPLE_MS;
    if (c->stream_count > 0 && info->ask_neighbours != NULL)
        info->ask_neighbours(info->driver);
}

static void tell(struct console *c)
{
    c->told_ms = now_ms(c);
    c->told_events = c->events.next;
    c->turn++;
    buf_clear(&c->ensemble);
    console_put_ensemble(c->admin->info, &c->ensemble);
    console_wake_streams(c);
}

void console_tick(struct console *c)
{
    console_write_expire(c);
    int64_t now = now_ms(c);
    bool second = now >= c->sample_due_ms;
    bool paced = now >= c->told_ms + CONSOLE_PACE_MS;
    if (second)
        take_sample(c);
    if (!second && !paced)
        return;
    events_pace(&c->events);
    listen_to_changes(c);
    if (c->stream_count > 0 && (second || c->events.next != c->told_events))
        tell(c);
}

int64_t console_timeout_ms(const struct console *c)
{
    int64_t due = c->sample_due_ms, now = now_ms(c);
    if (c->stream_count > 0 && now + CONSOLE_PACE_MS < due)
        due = now + CONSOLE_PACE_MS;
    return due > now ? due - now : 0;
}
