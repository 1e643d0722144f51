#include <stdio.h>

#include "grpc/call_internal.h"
#include "grpc/text.h"

void rpc_begin_heads(struct grpc_call *c)
{
    c->heads = (struct call_heads){.grpc_status = -1, .timeout_ms = -1};
}

static void on_timeout(struct grpc_call *c, struct slice value)
{
    if (!timeout_parse(value, &c->heads.timeout_ms))
        c->heads.bad_timeout = true;
}

/* "application/grpc", also "+proto" and parameters: how messages are written is not our affair. */
static void on_content_type(struct grpc_call *c, struct slice value)
{
    struct slice type = slice_str("application/grpc");
    c->heads.is_grpc =
        slice_starts_with(value, type) &&
        (value.len == type.len || value.ptr[type.len] == '+' || value.ptr[type.len] == ';');
}

static void on_encoding(struct grpc_call *c, struct slice value)
{
    c->heads.encoded = !slice_eq_str(value, "identity");
}

static void on_http_status(struct grpc_call *c, struct slice value)
{
    c->heads.has_http_status = true;
    if (!code_parse(value, &c->heads.http_status))
        c->heads.http_status = 0;
}

static void on_grpc_status(struct grpc_call *c, struct slice value)
{
    if (!code_parse(value, &c->heads.grpc_status))
        c->heads.grpc_status = GRPC_UNKNOWN;
}

static void on_grpc_message(struct grpc_call *c, struct slice value)
{
    buf_clear(&c->message);
    percent_decode(value, &c->message);
}

static void on_method(struct grpc_call *c, struct slice value)
{
    c->heads.is_post = slice_eq_str(value, "POST");
}

static void on_path(struct grpc_call *c, struct slice value)
{
    c->h2->ops->on_path(c->h2, c, value);
}

static void ignore(struct grpc_call *c, struct slice value)
{
    (void)c;
    (void)value;
}

enum side {
    SERVER = 1,
    CLIENT = 2,
    BOTH = 3,
};

/* What is not metadata. The longest common ones first would gain nothing: lengths differ. */
static const struct {
    const char *name;
    enum side side;
    void (*take)(struct grpc_call *c, struct slice value);
} known[] = {
    {":method", SERVER, on_method},
    {":path", SERVER, on_path},
    {":scheme", SERVER, ignore},
    {":authority", SERVER, ignore},
    {":status", CLIENT, on_http_status},
    {"te", SERVER, ignore},
    {"content-type", BOTH, on_content_type},
    {"user-agent", SERVER, ignore},
    {"grpc-timeout", SERVER, on_timeout},
    {"grpc-encoding", BOTH, on_encoding},
    {"grpc-accept-encoding", BOTH, ignore},
    {"accept-encoding", BOTH, ignore},
    {"grpc-status", CLIENT, on_grpc_status},
    {"grpc-message", CLIENT, on_grpc_message},
};

static bool take_known(struct grpc_call *c, struct slice name, struct slice value)
{
    enum side side = c->is_server ? SERVER : CLIENT;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if ((known[i].side & side) == 0 || !slice_eq_str(name, known[i].name))
            continue;
        known[i].take(c, value);
        return true;
    }
    return false;
}

void rpc_on_header(struct grpc_call *c, struct slice name, struct slice value)
{
    enum {
        ENTRY_BYTES = 32 /* RFC 9113, section 6.5.2 */
    };
    c->heads.bytes += (uint32_t)(name.len + value.len + ENTRY_BYTES);
    if (c->heads.bytes > GRPC_HEADER_BYTES_MAX)
        c->heads.too_big = true;
    if (c->heads.too_big || take_known(c, name, value))
        return;
    bool first = c->is_server ? !c->begun : c->heads.has_http_status;
    metadata_receive(first ? &c->metadata : &c->trailer, name, value);
}

/* ---- A client's: the reply begins, or it ends ---- */

static void on_reply_begins(struct grpc_call *c)
{
    const struct call_heads *heads = &c->heads;
    if (heads->http_status >= 100 && heads->http_status < 200)
        return; /* an interim word */
    if (heads->http_status != 200 || !heads->is_grpc) {
        char text[64];
        snprintf(text, sizeof text, "the server answers with HTTP %d, not gRPC",
                 heads->http_status);
        rpc_fail(c, code_of_http(heads->http_status), text);
        return;
    }
    c->half_close_told = true;
    if (c->handlers->on_headers != NULL)
        c->handlers->on_headers(c);
}

static void on_reply_ends(struct grpc_call *c)
{
    const struct call_heads *heads = &c->heads;
    if (heads->grpc_status >= 0) {
        c->code = heads->grpc_status;
    } else if (heads->has_http_status && heads->http_status != 200) {
        c->code = code_of_http(heads->http_status);
    } else {
        rpc_set_status(c, GRPC_UNKNOWN, slice_str("the server has not said how it ended"));
    }
    /* A reply that is nothing but an end has its metadata there. */
    if (heads->has_http_status) {
        c->trailer = c->metadata;
        c->metadata = (struct metadata){NULL, 0, 0};
    }
}

void rpc_on_heads(struct grpc_call *c, bool end)
{
    if (c->ending)
        return;
    if (c->heads.too_big)
        rpc_fail(c, GRPC_RESOURCE_EXHAUSTED, "the server's metadata are too long");
    else if (end)
        on_reply_ends(c);
    else if (c->heads.has_http_status)
        on_reply_begins(c);
}
