/* acl.h: interned ACL lists and the permission check (ReferenceCountedACLCache,
 * ZooKeeperServer.checkACL, PrepRequestProcessor.fixupACL, server/auth).
 *
 * A list is kept once, in the wire form of vector<ACL>, under a small id; id 0 is the open list
 * (world:anyone, all) that ZooKeeper's files write as -1. Snapshot files carry `file_index`
 * numbers. */
#ifndef CAUCUS_TREE_ACL_H
#define CAUCUS_TREE_ACL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "wire/records.h"

enum {
    ACL_OPEN = 0
};

/* An identity of a connection: borrowed text, owned by the connection. `authenticated` is false for
 * "ip" and true for what the auth scheme expands to (AuthenticationProvider.isAuthenticated). */
struct identity {
    struct slice scheme;
    struct slice id;
};

struct identities {
    const struct identity *items;
    size_t count;
};

struct tree;

/* The list under an id, as jute's vector<ACL> without the count: iterate `count` times with
 * rec_get_acl. */
struct rec_vec tree_acl_get(const struct tree *t, uint32_t acl_id);

/* For holders of ids outside of the tree (outstanding creates): intern gives an id with one
 * reference, retain adds one; the id stays valid until as many releases. Ids of znodes are valid
 * until the next tree_apply. */
uint32_t tree_acl_intern(struct tree *t, struct rec_vec acl);
void tree_acl_retain(struct tree *t, uint32_t acl_id);
void tree_acl_release(struct tree *t, uint32_t acl_id);

uint64_t tree_acl_count(const struct tree *t); /* distinct lists, the open one not counted */

/* 0 or ZK_NOAUTH. `perm` is ZK_PERM_READ..ADMIN, or several (any of them is enough, as ZooKeeper
 * has it). skip_acl: zookeeper.skipACL. Identity "super" passes always. */
int32_t acl_check(struct rec_vec acl, int32_t perm, struct identities who, bool skip_acl);
int32_t tree_acl_check(const struct tree *t, uint32_t acl_id, int32_t perm, struct identities who,
                       bool skip_acl);

/* Schemes for which a server has a provider only if it is configured to. */
enum {
    ACL_SCHEME_X509 = 1,
    ACL_SCHEME_SASL = 2,
};

/* Checks and expands what a client sent (duplicates removed, `auth` replaced, ids validated by
 * scheme: world, auth, digest, ip, and those of `schemes`; any other is refused); the result is
 * appended to `out` as vector<ACL> with count. 0, ZK_INVALIDACL, or ZK_MARSHALLINGERROR for a null
 * id where ZooKeeper looks at it (`out` as it was). */
int32_t acl_fixup(struct rec_vec acl, struct identities who, unsigned schemes, struct buf *out);

/* ip scheme: is `id` (address or CIDR, IPv4 or IPv6) valid; does `address` match it. */
bool acl_ip_valid(struct slice id);
bool acl_ip_matches(struct slice address, struct slice id);

/* x509: is it a distinguished name as Java's X500Principal takes it. */
bool acl_x509_valid(struct slice id);

#endif
