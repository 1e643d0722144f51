#include "election_client/rest.h"

#include <stdio.h>

#include "base/json_in.h"
#include "election_client/http.h"
#include "io/conn.h"
#include "tls/link.h"

enum {
    CONNECT_TIMEOUT_MS = 3000,
    PIECE_BYTES = 128 << 10,
    STATUS_OK = 200,
    STATUS_BUSY = 429,
    STATUS_UNAVAILABLE = 503,
    STATUS_UNKNOWN = 504,
};

struct attempt {
    struct loop loop;
    const struct rest_question *question;
    struct rest_answer *answer;
    struct conn *conn;
    struct tls_context *tls;
    const char *host;
    uv_timer_t timer;
    int64_t timeout_ms;
    struct slice unsent; /* of the body */
    bool heard;
};

static void end(struct attempt *t, const char *why)
{
    if (why != NULL)
        snprintf(t->answer->detail, sizeof t->answer->detail, "%.400s", why);
    uv_close((uv_handle_t *)&t->timer, NULL);
    loop_stop(&t->loop);
}

/* {"code":…,"message":…}; anything else has no message. */
static void read_message(struct rest_answer *a)
{
    struct json_in in;
    struct buf name = {0}, text = {0};
    json_in_init(&in, buf_slice(&a->body));
    for (bool more = json_in_object(&in); more; more = json_in_next(&in)) {
        struct slice passed_over;
        buf_clear(&name);
        if (!json_in_name(&in, &name))
            break;
        if (!slice_eq_str(buf_slice(&name), "message"))
            json_in_skip(&in, &passed_over);
        else if (!json_in_text(&in, &text))
            break;
    }
    if (text.len > 0)
        snprintf(a->detail, sizeof a->detail, "%.*s", (int)text.len, (const char *)text.ptr);
    else
        snprintf(a->detail, sizeof a->detail, "HTTP status %d", a->status);
    buf_deinit(&name);
    buf_deinit(&text);
}

static void take(struct attempt *t, const struct http_answer *h)
{
    struct rest_answer *a = t->answer;
    a->status = h->status;
    buf_put_slice(&a->body, h->body);
    if (a->status != STATUS_OK)
        read_message(a);
    buf_put_u8(&a->body, 0);
    a->body.len--;
}

static size_t on_bytes(struct conn *c, struct slice bytes, size_t *ret_want)
{
    struct attempt *t = c->owner;
    struct http_answer h;
    bool tls = tls_is_spoken(bytes.ptr[0]);
    enum http_verdict verdict = tls ? HTTP_WRONG : http_read(bytes, REST_BODY_BYTES_MAX, &h);
    t->heard = true;
    if (verdict == HTTP_MORE) {
        *ret_want = h.bytes;
        return 0;
    }
    if (verdict == HTTP_WHOLE)
        take(t, &h);
    conn_close(c);
    end(t, verdict == HTTP_WHOLE ? NULL
           : tls                 ? "the server speaks TLS"
                                 : "this is no server of the election");
    return bytes.len;
}

static void on_end(struct conn *c, const char *reason)
{
    struct attempt *t = c->owner;
    /* Servers of TLS do that with who does not speak it. */
    bool dumb = t->tls == NULL && !t->heard;
    end(t, dumb ? "the server has closed without a word: does it want TLS?" : reason);
}

static void on_overdue(uv_timer_t *timer)
{
    struct attempt *t = timer->data;
    conn_close(t->conn);
    end(t, "no answer in time");
}

/* A long body goes piece by piece; as long as the server takes them, there is time. */
static void send_body(struct conn *c)
{
    struct attempt *t = c->owner;
    size_t len = t->unsent.len < PIECE_BYTES ? t->unsent.len : PIECE_BYTES;
    conn_send(c, t->unsent.ptr, len);
    t->unsent = slice_from(t->unsent, len);
    uv_timer_start(&t->timer, on_overdue, (uint64_t)t->timeout_ms, 0);
    if (t->unsent.len > 0)
        conn_want_room(c);
}

static const struct conn_ops conn_ops = {
    .on_bytes = on_bytes, .on_end = on_end, .on_room = send_body};

static void on_connected(void *arg, int fd, const struct err *err)
{
    struct attempt *t = arg;
    const struct rest_question *q = t->question;
    struct buf request = {0};
    if (fd >= 0)
        t->conn = t->tls != NULL
                      ? conn_open_secure_client(&t->loop, fd, t->tls, t->host, &conn_ops, t)
                      : conn_open(&t->loop, fd, &conn_ops, t);
    if (t->conn == NULL) {
        end(t, fd >= 0 ? "the socket cannot be polled" : err->text);
        return;
    }
    buf_printf(&request, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", q->method, q->path,
               t->answer->server);
    if (strcmp(q->method, "GET") != 0)
        buf_printf(&request, "Content-Type: %s\r\nContent-Length: %zu\r\n",
                   q->type != NULL ? q->type : "application/json", q->body.len);
    buf_printf(&request, "\r\n");
    conn_send(t->conn, request.ptr, request.len);
    t->unsent = q->body;
    send_body(t->conn);
    buf_deinit(&request);
}

static void attempt_at(struct attempt *t, const struct ask_options *o, uint32_t server)
{
    snprintf(t->answer->server, sizeof t->answer->server, "%s", o->servers->texts[server]);
    ask_loop_init(&t->loop);
    uv_timer_init(&t->loop.uv, &t->timer);
    t->timer.data = t;
    t->host = o->servers->hosts[server];
    connect_start(&t->loop, &o->servers->list[server], 1, CONNECT_TIMEOUT_MS, on_connected, t);
    loop_run(&t->loop);
    loop_deinit(&t->loop);
}

static bool is_no_answer(int status)
{
    return status == 0 || status == STATUS_BUSY || status == STATUS_UNAVAILABLE ||
           status == STATUS_UNKNOWN;
}

void rest_ask(const struct ask_options *o, const struct rest_question *q, struct rest_answer *ret)
{
    uint32_t order[SERVERS_MAX], count = o->servers->count;
    bool maybe = false;
    *ret = (struct rest_answer){.status = 0};
    servers_by_chance(count, order);
    for (uint32_t i = 0; i < count * ask_rounds(o); i++) {
        struct attempt t = {
            .question = q, .answer = ret, .tls = o->tls, .timeout_ms = o->timeout_ms};
        ret->status = 0;
        buf_clear(&ret->body);
        maybe = maybe || ret->maybe;
        ret->maybe = false;
        attempt_at(&t, o, order[i % count]);
        ret->maybe = ret->status == STATUS_UNKNOWN || (ret->status == 0 && t.conn != NULL);
        if (!is_no_answer(ret->status))
            break;
    }
    ret->maybe = ret->maybe || maybe;
}
