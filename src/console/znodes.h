/* znodes.h: a znode for people to look at, as JSON: its Stat, its ACL, a piece of its data, a page
 * of its children.
 *
 * What is shown is what a client with these identities could read (ZooKeeper's rules: getData and
 * getChildren need READ, getACL READ or ADMIN, and who is not ADMIN sees no hash of a password).
 * The work of one call has a bound: a piece of data, a page of children; children are sorted by
 * name up to CONSOLE_SORTED_MAX of them, beyond that they come in the order of their creation.
 *
 * Pure. Nothing is written if it fails. */
#ifndef CAUCUS_CONSOLE_ZNODES_H
#define CAUCUS_CONSOLE_ZNODES_H

#include "base/json_out.h"
#include "node/node.h"
#include "wire/zk.h"

enum {
    CONSOLE_DATA_BYTES_MAX = 32 * 1024, /* in one answer */
    CONSOLE_PAGE = 100,                 /* children, sessions, paths in one answer */
    CONSOLE_SORTED_MAX = 10 * 1000,
    CONSOLE_ACLS_MAX = 100,
};

/* Who looks at what. The node is borrowed for a call; no identities: world:anyone. */
struct console_eye {
    const struct node *node;
    struct identities who;
};

bool console_may(const struct console_eye *e, struct slice path, int32_t perms);

/* {"path","kind",...,"stat","acl","data"}; the data from byte `at` on. 0, ZK_NONODE, ZK_NOAUTH. */
int32_t console_znode(const struct console_eye *e, struct slice path, uint64_t at, struct buf *out);

/* {"path","count","sorted","children":[...],"next"}: those behind the child `after` ("" = from the
 * first). 0, ZK_NONODE, ZK_NOAUTH. Unsorted, and the child `after` is gone: from the first. */
int32_t console_children(const struct console_eye *e, struct slice path, struct slice after,
                         struct buf *out);

/* A zxid or the number of a session: as text, since JSON's numbers end at 2^53 for most readers. */
void console_hex(struct json_out *j, const char *name, int64_t number);

#endif
