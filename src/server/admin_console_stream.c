/* admin_console_stream.c: what is new, to whoever has the page open. One burst at a time for each:
 * it is made when the one before has been sent, of what is new by then. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "server/admin_console.h"

enum {
    BURST_BYTES_MAX = 512 * 1024,
    BLOCK_BYTES = 4096
};

struct stream {
    struct list link;  /* console.streams */
    struct list place; /* console.idle, while it waits */
    struct console *console;
    struct MHD_Connection *http;
    bool ended;
    uint64_t turn, samples, events; /* up to which it was told */
    struct buf burst;
    size_t sent; /* of the burst */
};

static void put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

static void compose(struct stream *s)
{
    const struct console *c = s->console;
    struct buf *b = &s->burst;
    buf_clear(b);
    s->sent = 0;
    if (s->turn != c->turn) {
        put_text(b, "event: ensemble\ndata: ");
        buf_put_slice(b, buf_slice(&c->ensemble));
        put_text(b, "\n\n");
        s->turn = c->turn;
    }
    if (s->samples != c->samples.next) {
        put_text(b, "event: samples\ndata: ");
        samples_put(&c->samples, s->samples, b);
        put_text(b, "\n\n");
        s->samples = c->samples.next;
    }
    if (s->events != c->events.next) {
        put_text(b, "event: events\ndata: ");
        events_put(&c->events, s->events, b);
        put_text(b, "\n\n");
        s->events = c->events.next;
    }
}

static ssize_t give(void *cls, uint64_t position, char *to, size_t room)
{
    (void)position;
    struct stream *s = cls;
    if (s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (s->sent == s->burst.len)
        compose(s);
    if (!buf_ok(&s->burst))
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (s->burst.len == 0) {
        list_append(&s->console->idle, &s->place);
        MHD_suspend_connection(s->http);
        return 0;
    }
    size_t left = s->burst.len - s->sent;
    size_t len = left < room ? left : room;
    memcpy(to, s->burst.ptr + s->sent, len);
    s->sent += len;
    return (ssize_t)len;
}

static void stream_free(void *cls)
{
    struct stream *s = cls;
    list_remove(&s->link);
    list_remove(&s->place);
    s->console->stream_count--;
    buf_deinit(&s->burst);
    free(s);
}

void console_wake_streams(struct console *c)
{
    while (!list_is_empty(&c->idle)) {
        struct stream *s = list_entry(c->idle.next, struct stream, place);
        list_remove(&s->place);
        MHD_resume_connection(s->http);
        c->admin->resumed = true;
    }
}

void console_end_streams(struct console *c)
{
    for (struct list *at = c->streams.next; at != &c->streams; at = at->next)
        list_entry(at, struct stream, link)->ended = true;
    console_wake_streams(c);
}

enum MHD_Result console_stream(struct request *r)
{
    struct console *c = r->admin->console;
    if (c->stream_count >= CONSOLE_STREAMS_MAX)
        return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "too many look at this server already");
    struct stream *s = mem_calloc(1, sizeof *s);
    s->console = c;
    s->http = r->http;
    buf_init(&s->burst, BURST_BYTES_MAX);
    list_init(&s->link);
    list_init(&s->place);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, give, s, stream_free);
    if (response == NULL) {
        free(s);
        return MHD_NO;
    }
    list_append(&c->streams, &s->link);
    if (c->stream_count++ == 0)
        c->sample_due_ms = c->admin->info->now_ms(c->admin->info->driver); /* nobody was asked */
    if (c->turn == 0) {
        console_put_ensemble(c->admin->info, &c->ensemble);
        c->turn = 1;
    }
    console_headers(response);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream");
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    MHD_add_response_header(response, "X-Accel-Buffering", "no"); /* no proxy is to collect it */
    enum MHD_Result queued = MHD_queue_response(r->http, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    r->state = REQUEST_ANSWERED;
    return queued;
}
