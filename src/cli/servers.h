/* servers.h: every server of an ensemble, and what each says of itself.
 *
 * Those of --hosts, and those they know of (not with TLS: they know each other by their ports
 * without it). Each is asked by four letter words, so one without
 * quorum answers too. */
#ifndef CAUCUS_CLI_SERVERS_H
#define CAUCUS_CLI_SERVERS_H

#include "cli/cli.h"
#include "cli/probe.h"

enum {
    SERVERS_MAX = 256,
    LATENCY_DIGITS = 32,
    EPOCH_SHIFT = 32, /* of a zxid */
};

/* What one server says of itself. Numbers it does not tell are -1. */
struct standing {
    bool reached; /* it answered, whatever it said */
    bool serves;
    char mode[32]; /* "leader"; what else it is: "not serving", "unreachable" */
    char version[32];
    char latency[LATENCY_DIGITS]; /* min/avg/max ms */
    uint64_t zxid;
    int64_t connections, nodes, outstanding, received, sent;
    const char *trouble; /* "": none */

    /* Of mntr, if that was asked for and may be asked. */
    int64_t watches;
    int64_t latency_count; /* requests whose latency is in the sum: reads and updates */
    double latency_sum_ms;
};

struct servers {
    struct probe *probes;
    struct standing *standings;
    bool *silent; /* mntr is not in its white list */
    size_t count;
    struct tls_context *tls; /* NULL: plain TCP */
};

/* CLI_OK, or a code after having told why: the list of hosts cannot be understood. Every server was
 * asked once. Free it with servers_deinit in either case. */
int servers_find(struct cli *cli, bool with_details, struct servers *ret);
void servers_ask(struct cli *cli, struct servers *s, bool with_details);
void servers_deinit(struct servers *s);

/* CLI_OK: all serve; CLI_NO: some do not; CLI_CONNECTION: none could be reached. */
int servers_verdict(const struct servers *s);

/* The newest transaction anybody has: the leader's, if it was reached. */
uint64_t servers_newest(const struct servers *s);
/* Transactions behind; -1: of another epoch. */
int64_t standing_lag(const struct standing *s, uint64_t newest_zxid);

#endif
