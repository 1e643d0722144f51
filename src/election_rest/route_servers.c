/* route_servers.c: what operators look at, and the page. */
#include <inttypes.h>

#include "base/web_file.h"
#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

#define CONTENT_METRICS "text/plain; version=0.0.4; charset=utf-8"

/* ---- Cluster ---- */

static void put_replica(struct json_out *j, const struct replica_info *p)
{
    json_out_object(j, NULL);
    json_out_unsigned(j, "member", p->member);
    json_out_string(j, "server", p->server);
    json_out_string(j, "rest", p->rest);
    json_out_string(j, "grpc", p->grpc);
    json_out_flag(j, "live", p->live);
    json_out_flag(j, "leading", p->leading);
    json_out_flag(j, "known", p->known);
    if (p->known) {
        json_out_unsigned(j, "epoch", p->epoch);
        json_out_unsigned(j, "last", p->last);
        json_out_unsigned(j, "committed", p->committed);
        json_out_unsigned(j, "counted", p->counted);
    }
    json_out_object_end(j);
}

static void put_shard(struct json_out *j, struct service *s, const struct election_info *e,
                      uint32_t state)
{
    struct replica_info replicas[SHARD_MEMBERS_MAX];
    const struct state_result *result = service_peek(s, (int)state);
    size_t count = service_replicas(s, (int)state, replicas);
    json_out_object(j, NULL);
    json_out_string(j, "state", e->states[state].names.code);
    json_out_string(j, "leader", result->known ? result->leader : "");
    json_out_unsigned(j, "epoch", result->epoch);
    json_out_list(j, "replicas");
    for (size_t i = 0; i < count; i++)
        put_replica(j, &replicas[i]);
    json_out_list_end(j);
    json_out_object_end(j);
}

void route_cluster(struct request *r)
{
    struct service *s = r->rest->service;
    const struct election_info *e = r->rest->info;
    struct slice name = url_argument(&r->url, "state");
    int state = slice_is_null(name) ? -1 : service_find_state(s, name);
    if (!slice_is_null(name) && state < 0) {
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
        return;
    }
    const char *why = "";
    struct buf body;
    struct json_out j;
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    json_out_string(&j, "server", service_server_name(s));
    json_out_flag(&j, "ready", service_is_ready(s, &why));
    json_out_string(&j, "phase", phase_name(service_peek_global(s)->phase));
    json_out_unsigned(&j, "round", service_peek_global(s)->round);
    json_out_list(&j, "states");
    for (uint32_t i = 0; i < e->state_count; i++) {
        if (state < 0 || state == (int)i)
            put_shard(&j, s, e, i);
    }
    json_out_list_end(&j);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}

/* ---- Probes and metrics ---- */

static void answer_text(struct request *r, unsigned status, const char *text)
{
    struct buf body = {0};
    buf_printf(&body, "%s\n", text);
    rest_answer_bytes(r, status, CONTENT_TEXT, &body);
}

void route_health(struct request *r)
{
    answer_text(r, MHD_HTTP_OK, "ok");
}

void route_ready(struct request *r)
{
    const char *why = "";
    if (service_is_ready(r->rest->service, &why))
        answer_text(r, MHD_HTTP_OK, "ok");
    else
        answer_text(r, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static void put_counted(struct buf *b, const struct status_count *row, const char *route)
{
    for (size_t i = 0; i < STATUS_SLOTS && row[i].status != 0; i++)
        buf_printf(b, "http_requests_total{route=\"%s\",code=\"%u\"} %" PRIu64 "\n", route,
                   row[i].status, row[i].count);
}

void route_metrics(struct request *r)
{
    const struct election_rest *rest = r->rest;
    size_t count;
    const struct route *all = routes(&count);
    struct buf body;
    buf_init(&body, ANSWER_BYTES_MAX);
    service_metrics(rest->service, &body);
    buf_printf(&body, "# HELP http_requests_total Answers to requests of HTTP.\n"
                      "# TYPE http_requests_total counter\n");
    for (size_t i = 0; i <= count; i++)
        put_counted(&body, rest->counted + i * STATUS_SLOTS, i < count ? all[i].name : "none");
    buf_printf(&body,
               "# HELP sse_clients Spectators of results as they change.\n"
               "# TYPE sse_clients gauge\nsse_clients %zu\n",
               rest->hub.count);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_METRICS, &body);
}

/* ---- The page ---- */

extern const struct web_file election_web[]; /* web/, of cmake/embed.cmake */
extern const size_t election_web_count;

void route_page(struct request *r)
{
    struct slice name = r->url.parts[0];
    if (name.len == 0)
        name = slice_str("index.html");
    const struct web_file *file = web_file_find(election_web, election_web_count, name);
    if (file == NULL) {
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", "there is nothing of this name");
        return;
    }
    struct slice has = request_header(r, MHD_HTTP_HEADER_IF_NONE_MATCH);
    bool known = !slice_is_null(has) && text_has_tag(has, slice_str(file->tag));
    struct buf body = {0}, tag = {0};
    if (!known)
        buf_put(&body, file->bytes, file->len);
    rest_answer_bytes(r, known ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, file->content_type, &body);
    buf_printf(&tag, "\"%s\"", file->tag);
    buf_put_u8(&tag, 0);
    rest_answer_header(r, MHD_HTTP_HEADER_ETAG, (const char *)tag.ptr);
    buf_deinit(&tag);
    rest_answer_header(r, "Content-Security-Policy", WEB_FILE_POLICY);
    rest_answer_header(r, "Referrer-Policy", "no-referrer");
}
