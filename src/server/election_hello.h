/* election_hello.h: the first message on a connection to an election port
 * (QuorumCnxManager.InitialMessage).
 *
 *   8   version: -65536 (one address), -65535 (several, when multiAddress is enabled);
 *       a number >= 0 is the sender's sid itself, and nothing follows (servers before 3.5)
 *   8   sid of the sender
 *   4   length of the addresses, 1 .. 2048
 *   n   host:port, or host:port|host:port...; IPv6 in brackets
 *
 * Pure. */
#ifndef CAUCUS_SERVER_ELECTION_HELLO_H
#define CAUCUS_SERVER_ELECTION_HELLO_H

#include "base/buf.h"
#include "io/connect.h"

enum {
    ELECTION_HELLO_TEXT_MAX = 2048
};

struct election_hello {
    int64_t sid;
    struct connect_target targets[CONNECT_TARGETS_MAX]; /* point into text */
    size_t target_count;                                /* addresses that mean a host */
    char text[ELECTION_HELLO_TEXT_MAX + 1];
};

enum election_hello_result {
    ELECTION_HELLO_MORE, /* *ret_want bytes are needed */
    ELECTION_HELLO_WHOLE,
    ELECTION_HELLO_BAD,
};

/* *ret_used: bytes of it. */
enum election_hello_result election_hello_parse(struct slice bytes, struct election_hello *ret,
                                                size_t *ret_used, size_t *ret_want);
/* `several`: all targets in the second form; else the first one. */
void election_hello_format(int64_t sid, const struct connect_target *targets, size_t count,
                           bool several, struct buf *out);

#endif
