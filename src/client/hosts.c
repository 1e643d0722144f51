#include "client/hosts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "caucus/error.h"
#include "wire/path.h"

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = slice_from(s, 1);
    while (s.len > 0 && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
        s.len--;
    return s;
}

static char *text_of(struct slice s)
{
    char *text = mem_alloc(s.len + 1);
    if (s.len > 0)
        memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    return text;
}

static bool port_parse(struct slice s, int *ret)
{
    int port = 0;
    if (s.len == 0 || s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
        port = port * 10 + (s.ptr[i] - '0');
    }
    *ret = port;
    return port > 0 && port <= 65535;
}

static size_t find(struct slice s, char wanted)
{
    const uint8_t *at = s.len > 0 ? memchr(s.ptr, wanted, s.len) : NULL;
    return at != NULL ? (size_t)(at - s.ptr) : s.len;
}

/* Name and what stands behind it: "" or ":port". */
static bool split(struct slice s, struct slice *ret_name, struct slice *ret_rest)
{
    if (s.len > 0 && s.ptr[0] == '[') {
        size_t end = find(s, ']');
        if (end == s.len)
            return false;
        *ret_name = slice_of(s.ptr + 1, end - 1);
        *ret_rest = slice_from(s, end + 1);
        return true;
    }
    size_t colon = find(s, ':');
    *ret_name = slice_of(s.ptr, colon);
    *ret_rest = slice_from(s, colon);
    return true;
}

static bool host_parse(struct slice s, struct host *ret)
{
    struct slice name, rest;
    if (!split(trim(s), &name, &rest) || name.len == 0 || name.len > HOST_NAME_BYTES_MAX)
        return false;
    ret->port = HOST_PORT_DEFAULT;
    if (rest.len > 0 && (rest.ptr[0] != ':' || !port_parse(slice_from(rest, 1), &ret->port)))
        return false;
    ret->name = text_of(name);
    return true;
}

static bool list_parse(struct slice s, struct hosts *h)
{
    for (;;) {
        size_t comma = find(s, ',');
        if (h->count == HOSTS_MAX || !host_parse(slice_of(s.ptr, comma), &h->list[h->count]))
            return false;
        h->count++;
        if (comma == s.len)
            return true;
        s = slice_from(s, comma + 1);
    }
}

int hosts_parse(const char *text, struct hosts *ret)
{
    if (text == NULL)
        return CAUCUS_BADHOSTS;
    struct slice all = trim(slice_str(text));
    size_t slash = find(all, '/');
    struct slice chroot = slice_from(all, slash);
    if (chroot.len == 1)
        chroot.len = 0;
    if (chroot.len > 0 && path_check(chroot, false) != NULL)
        return CAUCUS_BADHOSTS;

    struct hosts h = {.list = mem_calloc(HOSTS_MAX, sizeof(*h.list))};
    if (!list_parse(slice_of(all.ptr, slash), &h)) {
        hosts_deinit(&h);
        return CAUCUS_BADHOSTS;
    }
    h.chroot = text_of(chroot);
    *ret = h;
    return 0;
}

void hosts_deinit(struct hosts *h)
{
    for (size_t i = 0; i < h->count; i++)
        free(h->list[i].name);
    free(h->list);
    free(h->chroot);
    *h = (struct hosts){0};
}
