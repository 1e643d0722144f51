/* quorum.h: the configuration of an ensemble, as text and as a rule who is a quorum
 * (QuorumVerifier, QuorumMaj, QuorumHierarchical, QuorumOracleMaj; facts A.18, A.19).
 *
 * The text is what /zookeeper/config, NEWLEADER and notifications carry: lines server.N=... in the
 * order of a Java hash map (ascending, unless there are numbers above 15), group.N and weight.N
 * if there are any, and version=<hex> last, without a newline behind it.
 *
 * Pure. A struct quorum is immutable after it was made; quorum_copy makes another, quorum_free
 * ends it. */
#ifndef CAUCUS_WIRE_QUORUM_H
#define CAUCUS_WIRE_QUORUM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum {
    QUORUM_SID_MAX = 255,     /* the number of a server is also the high byte of session ids */
    QUORUM_ADDRESSES_MAX = 64 /* of one server */
};

/* A set of servers. Ids outside of 0..QUORUM_SID_MAX are never in it. */
struct sid_set {
    uint64_t bits[4];
};

static inline void sid_set_add(struct sid_set *s, int64_t sid)
{
    if (sid >= 0 && sid <= QUORUM_SID_MAX)
        s->bits[sid / 64] |= 1ULL << (sid % 64);
}

static inline void sid_set_remove(struct sid_set *s, int64_t sid)
{
    if (sid >= 0 && sid <= QUORUM_SID_MAX)
        s->bits[sid / 64] &= ~(1ULL << (sid % 64));
}

static inline bool sid_set_has(const struct sid_set *s, int64_t sid)
{
    return sid >= 0 && sid <= QUORUM_SID_MAX && (s->bits[sid / 64] >> (sid % 64) & 1) != 0;
}

struct quorum_address {
    char *host; /* a name or an address; IPv6 without brackets and without "::", as Java has it */
    int quorum_port, election_port;
};

struct quorum_server {
    int64_t sid;
    bool observer;
    struct quorum_address *addresses; /* one, or more (whether that is allowed, the owner says) */
    size_t address_count;
    char *client_host; /* NULL = none given; "0.0.0.0" if only a port was */
    int client_port;   /* -1 = none given */
    int64_t group;     /* -1 = none */
    int64_t weight;    /* 1 unless given; in a hierarchical configuration an observer's is -1 */
};

struct quorum {
    struct quorum_server *servers; /* in ascending order of sid */
    size_t server_count, voter_count;
    int64_t version; /* zxid of the reconfig that made it; 0 = from the static file */
    bool hierarchical;
    bool ahead;  /* the text has the line QUORUM_AHEAD; quorum_format does not write it */
    bool oracle; /* of two voters one is enough if the oracle says so (QuorumOracleMaj). Not in the
                  * text: who parsed it says it, before anybody else sees it. */
};

/* A comment in the file of a proposed configuration: it was written in front of its transaction,
 * which may have got lost. Without it somebody's history has the transaction (node/ensemble.c). */
#define QUORUM_AHEAD "# ahead of its transaction"

/* The text of a configuration; blank lines and comments are passed over. ERR_INVALID with the key
 * and what is wrong; *ret is then untouched. A configuration without voters is an error. */
int quorum_parse(struct slice text, struct quorum **ret, struct err *err);
struct quorum *quorum_copy(const struct quorum *q);
void quorum_free(struct quorum *q); /* NULL is fine */

/* One server, from what stands behind "server.N=" (QuorumPeer.QuorumServer). ERR_INVALID with what
 * is wrong; *ret is then untouched. */
int quorum_parse_server(int64_t sid, struct slice text, struct quorum_server *ret, struct err *err);
void quorum_server_deinit(struct quorum_server *s); /* a zeroed one is fine */

/* QuorumVerifier.toString: what quorum_parse reads, byte for byte what Apache writes. */
void quorum_format(const struct quorum *q, struct buf *out);
/* One server as it stands behind "server.N=". */
void quorum_format_server(const struct quorum_server *s, struct buf *out);

const struct quorum_server *quorum_find(const struct quorum *q, int64_t sid); /* NULL = not in it */
bool quorum_is_voter(const struct quorum *q, int64_t sid);
int64_t quorum_weight(const struct quorum *q, int64_t sid); /* of a voter; 0 = nobody's leader */

/* Whether the servers in `set` are a quorum. `oracle_says`: what the oracle answered, for a
 * configuration with one (false otherwise). */
bool quorum_has(const struct quorum *q, const struct sid_set *set, bool oracle_says);
/* The same voters, with the same weights and groups, and the same observers (addresses aside)? */
bool quorum_same_members(const struct quorum *a, const struct quorum *b);

#endif
