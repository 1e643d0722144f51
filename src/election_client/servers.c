#include "election_client/servers.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/slice.h"

enum {
    PORT_DIGITS_MAX = 5
};

/* "HOST", and what stands behind it. false: an empty one, or a bracket that is not closed. */
static bool split_host(struct slice text, struct slice *ret_host, struct slice *ret_rest)
{
    bool v6 = text.len > 0 && text.ptr[0] == '[';
    const uint8_t *end = text.len > 0 ? memchr(text.ptr, v6 ? ']' : ':', text.len) : NULL;
    if (v6 && end == NULL)
        return false;
    size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
    *ret_host = v6 ? slice_of(text.ptr + 1, len - 1) : slice_of(text.ptr, len);
    *ret_rest = slice_from(text, v6 ? len + 1 : len);
    return ret_host->len > 0 && ret_host->len < SERVER_HOST_BYTES_MAX;
}

/* ":PORT", or nothing. */
static bool read_port(struct slice text, int port_default, int *ret)
{
    int port = 0;
    if (text.len == 0) {
        *ret = port_default;
        return true;
    }
    if (text.ptr[0] != ':' || text.len < 2 || text.len > 1 + PORT_DIGITS_MAX)
        return false;
    for (size_t i = 1; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        port = port * 10 + text.ptr[i] - '0';
    }
    *ret = port;
    return port >= 1 && port <= UINT16_MAX;
}

static int add_server(struct slice text, int port_default, struct servers *ret, struct err *err)
{
    struct slice host, rest;
    int port;
    if (!split_host(text, &host, &rest) || !read_port(rest, port_default, &port))
        return err_set(err, ERR_INVALID, "'%.*s' is not HOST:PORT", (int)text.len,
                       (const char *)text.ptr);
    if (ret->count == SERVERS_MAX)
        return err_set(err, ERR_INVALID, "more than %d servers", SERVERS_MAX);
    char *copy = ret->hosts[ret->count];
    memcpy(copy, host.ptr, host.len);
    copy[host.len] = 0;
    bool v6 = strchr(copy, ':') != NULL;
    snprintf(ret->texts[ret->count], SERVER_TEXT_BYTES_MAX, v6 ? "[%s]:%d" : "%s:%d", copy, port);
    ret->list[ret->count++] = (struct connect_target){copy, port};
    return 0;
}

int servers_read(const char *text, int port_default, struct servers *ret, struct err *err)
{
    ret->count = 0;
    for (;;) {
        size_t len = strcspn(text, ",");
        int rc = add_server(slice_of(text, len), port_default, ret, err);
        if (rc < 0 || text[len] == 0)
            return rc;
        text += len + 1;
    }
}

void servers_copy(struct servers *to, const struct servers *from)
{
    *to = *from;
    for (uint32_t i = 0; i < to->count; i++)
        to->list[i].host = to->hosts[i];
}

void servers_only(struct servers *to, const struct servers *from, uint32_t server)
{
    to->count = 1;
    memcpy(to->hosts[0], from->hosts[server], sizeof to->hosts[0]);
    memcpy(to->texts[0], from->texts[server], sizeof to->texts[0]);
    to->list[0] = (struct connect_target){to->hosts[0], from->list[server].port};
}

void servers_by_chance(uint32_t count, uint32_t ret[SERVERS_MAX])
{
    uint8_t chance[SERVERS_MAX] = {0};
    if (getrandom(chance, sizeof chance, 0) < 0)
        chance[0] = 0; /* then it is no chance, which does no harm */
    for (uint32_t i = 0; i < count; i++)
        ret[i] = i;
    for (uint32_t i = count; i > 1; i--) {
        uint32_t j = chance[i - 1] % i, kept = ret[i - 1];
        ret[i - 1] = ret[j];
        ret[j] = kept;
    }
}
