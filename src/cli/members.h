/* members.h: the text of /zookeeper/config taken apart, as far as people want to see it:
 *
 *   server.1=host:2888:3888:participant;0.0.0.0:2181
 *   version=100000000
 *
 * Lines of other kinds (groups, weights) are passed over. What cannot be understood stays as it is
 * in `address`: the servers are the judges of it, not we. */
#ifndef CAUCUS_CLI_MEMBERS_H
#define CAUCUS_CLI_MEMBERS_H

#include <stddef.h>

struct member {
    const char *id;
    const char *address; /* "host:2888:3888", or several with '|' */
    const char *role;    /* "participant" */
    const char *client;  /* "0.0.0.0:2181"; "": not known */
};

struct members {
    char *text;
    struct member *list;
    size_t count;
    const char *version; /* "": none */
};

void members_read(const char *text, struct members *ret);
void members_deinit(struct members *m);

/* Where a client finds it, "host:port"; NULL: not known. The caller's. */
char *member_client_place(const struct member *m);

#endif
