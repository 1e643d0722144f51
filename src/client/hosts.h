/* hosts.h: "host:port,[v6]:port/chroot" taken apart. Owns its strings. Pure. */
#ifndef CAUCUS_CLIENT_HOSTS_H
#define CAUCUS_CLIENT_HOSTS_H

#include <stddef.h>

#include "base/slice.h"

enum {
    HOSTS_MAX = 256,
    HOST_NAME_BYTES_MAX = 255,
    HOST_PORT_DEFAULT = 2181
};

struct host {
    char *name; /* without brackets */
    int port;
};

struct hosts {
    struct host *list;
    size_t count;
    char *chroot; /* "" or "/a/b" */
};

/* 0, or CAUCUS_BADHOSTS. */
int hosts_parse(const char *text, struct hosts *ret);
void hosts_deinit(struct hosts *h);

#endif
