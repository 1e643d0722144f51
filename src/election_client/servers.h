/* servers.h: a list of servers, as it is written: "HOST:PORT,[V6]:PORT,HOST". */
#ifndef CAUCUS_ELECTION_CLIENT_SERVERS_H
#define CAUCUS_ELECTION_CLIENT_SERVERS_H

#include "base/err.h"
#include "io/connect.h"

enum {
    SERVERS_MAX = 64,
    SERVER_HOST_BYTES_MAX = 256,
    SERVER_TEXT_BYTES_MAX = SERVER_HOST_BYTES_MAX + 16,
    GRPC_PORT_DEFAULT = 55555, /* the original's */
    REST_PORT_DEFAULT = 9999,
};

struct servers {
    struct connect_target list[SERVERS_MAX]; /* point into hosts */
    char hosts[SERVERS_MAX][SERVER_HOST_BYTES_MAX];
    char texts[SERVERS_MAX][SERVER_TEXT_BYTES_MAX]; /* HOST:PORT, for people and for HTTP */
    uint32_t count;
};

/* Not to be copied by assignment: servers_copy. ERR_INVALID says which part is wrong. */
int servers_read(const char *text, int port_default, struct servers *ret, struct err *err);
void servers_copy(struct servers *to, const struct servers *from);

/* One of them alone. */
void servers_only(struct servers *to, const struct servers *from, uint32_t server);

/* The numbers below count (at most SERVERS_MAX), in an order by chance. */
void servers_by_chance(uint32_t count, uint32_t ret[SERVERS_MAX]);

#endif
