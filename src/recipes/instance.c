#include "recipes/instance.h"

#include <stdlib.h>

#include "base/json_in.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "recipes/copy.h"

enum {
    PORT_MAX = 65535
};

/* ---- One block ---- */

/* Copies the text behind the others. */
static const char *pack(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    char *copy = *at;
    *at = stpcpy(copy, text) + 1;
    return copy;
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

struct caucus_instance *instance_copy(const struct caucus_instance *i)
{
    struct caucus_instance *copy =
        mem_alloc(sizeof(*copy) + text_bytes(i->name) + text_bytes(i->id) + text_bytes(i->address) +
                  text_bytes(i->payload));
    char *at = (char *)(copy + 1);
    *copy = *i;
    copy->name = pack(&at, i->name);
    copy->id = pack(&at, i->id);
    copy->address = pack(&at, i->address);
    copy->payload = pack(&at, i->payload);
    return copy;
}

void caucus_instance_free(struct caucus_instance *instance)
{
    free(instance);
}

/* ---- Writing ---- */

static bool is_text(const char *text)
{
    return text == NULL || utf8_is_valid(text, strlen(text));
}

static bool is_json(const char *text)
{
    struct json_in in;
    struct slice value;
    json_in_init(&in, slice_str(text));
    return json_in_skip(&in, &value) && json_in_is_over(&in);
}

static bool is_port(int32_t port)
{
    return port >= 0 && port <= PORT_MAX;
}

bool instance_is_sound(const struct caucus_instance *i)
{
    return copy_is_name(i->name) && copy_is_name(i->id) && is_text(i->name) && is_text(i->id) &&
           is_text(i->address) && is_port(i->port) && is_port(i->tls_port) && !i->is_disabled &&
           i->registered_ms >= 0 &&
           (i->payload_is_json ? i->payload != NULL && is_json(i->payload) : is_text(i->payload));
}

static void put(struct buf *out, const char *text)
{
    buf_put(out, text, strlen(text));
}

static void put_text(struct buf *out, const char *text)
{
    if (text == NULL) {
        put(out, "null");
        return;
    }
    buf_put_u8(out, '"');
    for (const char *p = text; *p != '\0'; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            buf_put_u8(out, '\\');
        if (c >= 0x20)
            buf_put_u8(out, c);
        else
            buf_printf(out, "\\u%04x", c);
    }
    buf_put_u8(out, '"');
}

static void put_port(struct buf *out, int32_t port)
{
    if (port == 0)
        put(out, "null");
    else
        buf_printf(out, "%d", port);
}

void instance_write(struct buf *out, const struct caucus_instance *i)
{
    put(out, "{\"name\":");
    put_text(out, i->name);
    put(out, ",\"id\":");
    put_text(out, i->id);
    put(out, ",\"address\":");
    put_text(out, i->address);
    put(out, ",\"port\":");
    put_port(out, i->port);
    put(out, ",\"sslPort\":");
    put_port(out, i->tls_port);
    put(out, ",\"payload\":");
    if (i->payload_is_json)
        put(out, i->payload);
    else
        put_text(out, i->payload);
    put(out, ",\"registrationTimeUTC\":");
    buf_printf(out, "%lld", (long long)i->registered_ms);
    put(out, ",\"serviceType\":\"DYNAMIC\",\"uriSpec\":null}");
}

/* ---- Reading ---- */

struct reading {
    struct caucus_instance instance;
    struct buf name, id, address, payload;
};

/* A text with its zero, or null. */
static void read_text(struct json_in *in, struct buf *b, const char **ret)
{
    *ret = NULL;
    buf_clear(b);
    if (json_in_null(in))
        return;
    if (json_in_text(in, b)) {
        buf_put_u8(b, 0);
        *ret = (const char *)b->ptr;
    }
}

static void read_port(struct json_in *in, int32_t *ret)
{
    int64_t port = 0;
    if (!json_in_null(in))
        json_in_number(in, 0, PORT_MAX, &port);
    *ret = (int32_t)port;
}

static void read_payload(struct json_in *in, struct reading *r)
{
    char first = json_in_peek(in);
    r->instance.payload_is_json = first != '"' && first != 'n';
    if (!r->instance.payload_is_json) {
        read_text(in, &r->payload, &r->instance.payload);
        return;
    }
    struct slice value;
    buf_clear(&r->payload);
    if (json_in_skip(in, &value)) {
        buf_put(&r->payload, value.ptr, value.len);
        buf_put_u8(&r->payload, 0);
        r->instance.payload = (const char *)r->payload.ptr;
    }
}

static void read_enabled(struct json_in *in, bool *ret_disabled)
{
    bool is_enabled = true;
    json_in_flag(in, &is_enabled);
    *ret_disabled = !is_enabled;
}

static void read_member(struct json_in *in, struct slice name, struct reading *r)
{
    struct caucus_instance *i = &r->instance;
    struct slice skipped;
    if (slice_eq_str(name, "name"))
        read_text(in, &r->name, &i->name);
    else if (slice_eq_str(name, "id"))
        read_text(in, &r->id, &i->id);
    else if (slice_eq_str(name, "address"))
        read_text(in, &r->address, &i->address);
    else if (slice_eq_str(name, "port"))
        read_port(in, &i->port);
    else if (slice_eq_str(name, "sslPort"))
        read_port(in, &i->tls_port);
    else if (slice_eq_str(name, "payload"))
        read_payload(in, r);
    else if (slice_eq_str(name, "registrationTimeUTC"))
        json_in_number(in, 0, INT64_MAX, &i->registered_ms);
    else if (slice_eq_str(name, "enabled"))
        read_enabled(in, &i->is_disabled);
    else
        json_in_skip(in, &skipped);
}

struct caucus_instance *instance_read(struct slice json)
{
    struct json_in in;
    struct reading r = {.instance = {0}};
    struct buf name = {0};
    json_in_init(&in, json);
    for (bool more = json_in_object(&in); more; more = json_in_next(&in)) {
        buf_clear(&name);
        if (json_in_name(&in, &name))
            read_member(&in, buf_slice(&name), &r);
    }
    bool is_instance = json_in_is_over(&in) && r.instance.name != NULL && r.instance.id != NULL;
    struct caucus_instance *copy = is_instance ? instance_copy(&r.instance) : NULL;
    buf_deinit(&name);
    buf_deinit(&r.name);
    buf_deinit(&r.id);
    buf_deinit(&r.address);
    buf_deinit(&r.payload);
    return copy;
}
