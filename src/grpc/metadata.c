#include "grpc/metadata.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "grpc/text.h"

void metadata_deinit(struct metadata *m)
{
    for (size_t i = 0; i < m->count; i++)
        free((void *)(uintptr_t)m->entries[i].key.ptr);
    free(m->entries);
    *m = (struct metadata){NULL, 0, 0};
}

bool metadata_find(const struct metadata *m, const char *key, struct slice *ret_value)
{
    for (size_t i = 0; i < m->count; i++) {
        if (slice_eq_str(m->entries[i].key, key)) {
            *ret_value = m->entries[i].value;
            return true;
        }
    }
    return false;
}

static void append(struct metadata *m, struct slice key, struct slice value)
{
    if (m->count == m->cap) {
        m->cap = m->cap > 0 ? m->cap * 2 : 4;
        m->entries = mem_realloc(m->entries, m->cap * sizeof m->entries[0]);
    }
    uint8_t *both =
        mem_alloc(key.len + value.len + 1); /* never empty: an empty value has an address */
    memcpy(both, key.ptr, key.len);
    if (value.len > 0)
        memcpy(both + key.len, value.ptr, value.len);
    m->entries[m->count++] = (struct grpc_metadata){
        .key = slice_of(both, key.len),
        .value = slice_of(both + key.len, value.len),
    };
}

static bool is_binary(struct slice key)
{
    return key.len > 4 && memcmp(key.ptr + key.len - 4, "-bin", 4) == 0;
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = slice_from(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

static void receive_binary(struct metadata *m, struct slice key, struct slice value)
{
    for (;;) {
        const uint8_t *comma = value.len > 0 ? memchr(value.ptr, ',', value.len) : NULL;
        size_t len = comma != NULL ? (size_t)(comma - value.ptr) : value.len;
        struct buf bytes = {0};
        if (base64_decode(trimmed(slice_of(value.ptr, len)), &bytes))
            append(m, key, buf_slice(&bytes));
        buf_deinit(&bytes);
        if (comma == NULL)
            return;
        value = slice_from(value, len + 1);
    }
}

void metadata_receive(struct metadata *m, struct slice key, struct slice value)
{
    if (is_binary(key))
        receive_binary(m, key, value);
    else
        append(m, key, value);
}

/* ---- Ours ---- */

static bool is_key(struct slice key)
{
    for (size_t i = 0; i < key.len; i++) {
        uint8_t c = key.ptr[i];
        bool ok =
            (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!ok)
            return false;
    }
    return key.len > 0;
}

/* Names whose meaning is fixed by gRPC or forbidden by HTTP/2. */
static bool is_taken(struct slice key)
{
    static const char *const names[] = {
        "content-type",     "te",      "user-agent", "connection",        "keep-alive",
        "proxy-connection", "upgrade", "host",       "transfer-encoding", "content-length"};
    if (slice_starts_with(key, slice_str("grpc-")) && !slice_eq_str(key, "grpc-status-details-bin"))
        return true;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (slice_eq_str(key, names[i]))
            return true;
    return false;
}

static bool is_text(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] < 0x20 || value.ptr[i] > 0x7e)
            return false;
    return value.len == 0 || (value.ptr[0] != ' ' && value.ptr[value.len - 1] != ' ');
}

bool metadata_add(struct metadata *m, struct slice key, struct slice value)
{
    if (!is_key(key) || is_taken(key))
        return false;
    if (is_binary(key)) {
        struct buf text = {0};
        base64_encode(value, &text);
        append(m, key, buf_slice(&text));
        buf_deinit(&text);
        return true;
    }
    if (!is_text(value))
        return false;
    append(m, key, value);
    return true;
}

/* nghttp2 wants writable pointers, and does not write. */
static nghttp2_nv header_with(struct slice name, struct slice value, uint8_t flags)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .value = (uint8_t *)(uintptr_t)value.ptr,
        .namelen = name.len,
        .valuelen = value.len,
        .flags = flags,
    };
}

nghttp2_nv metadata_header(const struct metadata *m, size_t i)
{
    return header_with(m->entries[i].key, m->entries[i].value, NGHTTP2_NV_FLAG_NONE);
}

nghttp2_nv header_of(const char *name, const char *value)
{
    return header_with(slice_str(name), slice_str(value),
                       NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

nghttp2_nv header_of_bytes(const char *name, const void *value, size_t len)
{
    return header_with(slice_str(name), slice_of(value, len), NGHTTP2_NV_FLAG_NO_COPY_NAME);
}
