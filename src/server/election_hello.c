#include "server/election_hello.h"

#include <stdlib.h>
#include <string.h>

#define VERSION_ONE     (-65536)
#define VERSION_SEVERAL (-65535)

enum {
    VERSION_BYTES = 8,
    HEAD_BYTES = 8 + 8 + 4,
};

static bool parse_port(const char *text, int *ret)
{
    char *end;
    long port = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || port > 65535)
        return false;
    *ret = (int)port;
    return true;
}

/* "host:port" or "[v6]:port"; cuts the text. */
static bool parse_address(char *text, struct connect_target *ret)
{
    char *colon;
    if (*text == '[') {
        char *end = strchr(text, ']');
        if (end == NULL || end[1] != ':')
            return false;
        *end = 0;
        text++;
        colon = end + 1;
    } else {
        colon = strchr(text, ':');
        if (colon == NULL)
            return false;
        *colon = 0;
    }
    ret->host = text;
    return *text != 0 && strpbrk(text, "[]") == NULL && parse_port(colon + 1, &ret->port);
}

/* An address that stands for every address of a machine leads nowhere. */
static bool is_wildcard(const struct connect_target *t)
{
    union resolve_address a;
    if (!resolve_literal(t->host, t->port, &a))
        return false;
    if (a.any.sa_family == AF_INET)
        return a.v4.sin_addr.s_addr == 0;
    return IN6_IS_ADDR_UNSPECIFIED(&a.v6.sin6_addr);
}

static bool parse_addresses(struct election_hello *h)
{
    for (char *at = h->text; at != NULL;) {
        char *next = strchr(at, '|');
        if (next != NULL)
            *next++ = 0;
        struct connect_target target;
        if (!parse_address(at, &target))
            return false;
        if (!is_wildcard(&target) && h->target_count < CONNECT_TARGETS_MAX)
            h->targets[h->target_count++] = target;
        at = next;
    }
    return true;
}

enum election_hello_result election_hello_parse(struct slice bytes, struct election_hello *ret,
                                                size_t *ret_used, size_t *ret_want)
{
    *ret_want = VERSION_BYTES;
    if (bytes.len < VERSION_BYTES)
        return ELECTION_HELLO_MORE;
    int64_t version = (int64_t)load_be64(bytes.ptr);
    ret->target_count = 0;
    if (version >= 0) {
        ret->sid = version;
        *ret_used = VERSION_BYTES;
        return ELECTION_HELLO_WHOLE;
    }
    if (version != VERSION_ONE && version != VERSION_SEVERAL)
        return ELECTION_HELLO_BAD;
    *ret_want = HEAD_BYTES;
    if (bytes.len < HEAD_BYTES)
        return ELECTION_HELLO_MORE;
    uint32_t len = load_be32(bytes.ptr + 16);
    if (len == 0 || len > ELECTION_HELLO_TEXT_MAX)
        return ELECTION_HELLO_BAD;
    *ret_want = HEAD_BYTES + len;
    if (bytes.len < HEAD_BYTES + len)
        return ELECTION_HELLO_MORE;
    ret->sid = (int64_t)load_be64(bytes.ptr + 8);
    memcpy(ret->text, bytes.ptr + HEAD_BYTES, len);
    ret->text[len] = 0;
    *ret_used = HEAD_BYTES + len;
    return parse_addresses(ret) ? ELECTION_HELLO_WHOLE : ELECTION_HELLO_BAD;
}

void election_hello_format(int64_t sid, const struct connect_target *targets, size_t count,
                           bool several, struct buf *out)
{
    buf_put_i64(out, several ? VERSION_SEVERAL : VERSION_ONE);
    buf_put_i64(out, sid);
    size_t len_at = out->len;
    buf_put_i32(out, 0);
    for (size_t i = 0; i < count && (several || i == 0); i++) {
        bool v6 = strchr(targets[i].host, ':') != NULL;
        size_t before = out->len;
        buf_printf(out, v6 ? "%s[%s]:%d" : "%s%s:%d", i > 0 ? "|" : "", targets[i].host,
                   targets[i].port);
        if (out->len - len_at - 4 > ELECTION_HELLO_TEXT_MAX) {
            out->len = before;
            break;
        }
    }
    store_be32(out->ptr + len_at, (uint32_t)(out->len - len_at - 4));
}
