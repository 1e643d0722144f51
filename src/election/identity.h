/* identity.h: what servers write about themselves, and which member of a shard one is.
 *
 * Text, "key=value" in lines, so that people can read it; keys that are not known are passed over:
 *   name incarnation peer rest grpc        and in LiveNodes: config, the definition's hash;
 *                                          in Members: roll, the hash of the roll it has
 *
 * A member number is taken once, by a name, and stays that name's. What a member has on disk counts
 * as a copy, so it matters that it is the same disk: the incarnation is drawn by chance when the
 * data directory is made. The same name with another incarnation is a server that lost its disk, or
 * two servers by one name, and is refused.
 *
 * Asked to `replace`, it may have the number. What that can harm: the copies on the old disk are
 * gone, so what was committed may have one copy less than copies_min until the new disk has caught
 * up. What it cannot: make anything else count. A member with an empty disk leads nobody (it lacks
 * what Commit names), acknowledges only what it has from the beginning on, and has promised
 * nothing, but neither does any leader still count what the old disk acknowledged: links begin
 * anew. */
#ifndef CAUCUS_ELECTION_IDENTITY_H
#define CAUCUS_ELECTION_IDENTITY_H

#include "election/coordination.h"

enum {
    IDENTITY_BYTES_MAX = 2048,
};

/* NULL, or what is wrong with it. */
const char *identity_objection(const struct server_identity *s);

/* config NULL: not in it. */
void identity_encode(const struct server_identity *s, const struct hash *config, struct buf *out);
/* ret_config (may be NULL): all zero if there is none. */
bool identity_decode(struct slice text, struct server_identity *ret, struct hash *ret_config);
bool identity_same(const struct server_identity *a,
                   const struct server_identity *b); /* and addresses */

/* What stands in Members/<number>; `known` is not in it. A roll of zeros: none was said. */
void member_encode(const struct member *m, struct buf *out);
/* `known`, and no name and no address where it does not decode: somebody's, who cannot be reached.
 */
void member_decode(struct slice text, struct member *ret);
bool member_same(const struct member *a, const struct member *b);

/* Whether a state's round would begin with another roll if this member led: of all that say which
 * one they have, not more than half have ours. Two against one is a mistake of the one; one against
 * one is anybody's. */
bool member_roll_is_disputed(const struct member *members, uint32_t replicas, uint32_t self,
                             const struct hash *roll);

enum claim_verdict {
    CLAIM_TAKE,    /* `number` is free */
    CLAIM_OURS,    /* `number` is ours */
    CLAIM_REPLACE, /* `number` is to become ours */
    CLAIM_REFUSED, /* why */
};

struct claim {
    enum claim_verdict verdict;
    uint32_t number;
    const char *why; /* static */
};

/* By the members below `replicas`, as they are now. */
struct claim claim_decide(const struct member *members, uint32_t replicas,
                          const struct server_identity *self, bool replace);

#endif
