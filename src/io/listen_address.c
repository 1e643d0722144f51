/* listen_address.c: addresses of peers as text. */
#include <arpa/inet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "io/listen.h"

static const struct sockaddr_in6 *as_v6(const struct sockaddr *a)
{
    return (const struct sockaddr_in6 *)(const void *)a;
}

static const struct sockaddr_in *as_v4(const struct sockaddr *a)
{
    return (const struct sockaddr_in *)(const void *)a;
}

void listen_address_bytes(const struct sockaddr *a, uint8_t ret[16])
{
    memset(ret, 0, 16);
    if (a->sa_family == AF_INET6) {
        memcpy(ret, &as_v6(a)->sin6_addr, 16);
    } else if (a->sa_family == AF_INET) {
        ret[10] = ret[11] = 0xff;
        memcpy(ret + 12, &as_v4(a)->sin_addr, 4);
    }
}

int listen_address_port(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET6)
        return ntohs(as_v6(a)->sin6_port);
    return a->sa_family == AF_INET ? ntohs(as_v4(a)->sin_port) : 0;
}

static bool is_v4(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(bytes, mapped, sizeof mapped) == 0;
}

void listen_address_text(const struct sockaddr *a, char ret[LISTEN_ADDRESS_BYTES])
{
    uint8_t b[16];
    listen_address_bytes(a, b);
    if (a->sa_family != AF_INET6 || is_v4(b)) {
        snprintf(ret, LISTEN_ADDRESS_BYTES, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
        return;
    }
    int len = 0;
    for (int i = 0; i < 16; i += 2)
        len += snprintf(ret + len, LISTEN_ADDRESS_BYTES - (size_t)len, "%s%x", i > 0 ? ":" : "",
                        (unsigned)b[i] << 8 | b[i + 1]);

    /* A link-local address means something only together with the interface. */
    char name[IF_NAMESIZE];
    uint32_t scope = as_v6(a)->sin6_scope_id;
    if (scope != 0 && if_indextoname(scope, name) != NULL)
        snprintf(ret + len, LISTEN_ADDRESS_BYTES - (size_t)len, "%%%s", name);
}
