/* gen.h: requests, transactions and their parts, made from the decisions in a fuzz input.
 *
 * Most of them are well-formed and meet nodes that exist, since there are few names; a part of them
 * is spoiled. */
#ifndef TESTS_FUZZ_GEN_H
#define TESTS_FUZZ_GEN_H

#include "fuzz.h"
#include "tree/acl.h"

enum {
    GEN_SESSIONS = 4,
    GEN_IDENTITY_SETS = 6
};

void gen_path(struct fz *f, struct buf *out);     /* the text alone */
void gen_put_path(struct fz *f, struct buf *out); /* as ustring, sometimes null */
void gen_put_acl(struct fz *f, struct buf *out);  /* as vector<ACL> */
int64_t gen_session(struct fz *f);                /* one of GEN_SESSIONS */
struct identities gen_identities(struct fz *f);   /* one of the sets */

int32_t gen_op(struct fz *f); /* opcodes, mostly known ones */
int32_t gen_write_op(struct fz *f);
void gen_put_request(struct fz *f, int32_t op, struct buf *out); /* the record behind the header */

int32_t gen_txn_type(struct fz *f);
void gen_put_txn(struct fz *f, int32_t type, struct buf *out); /* the body behind the header */

/* A tree that has been in use: quotas, ACLs, ephemerals, a container and a TTL node. Ends with zxid
 * GEN_POPULATED_ZXID. */
enum {
    GEN_POPULATED_ZXID = 13
};
struct tree;
void gen_populate(struct tree *t);
/* The body of a create txn for the `number`-th of many nodes; every 8th with an ACL of its own. */
void gen_put_numbered_create(uint32_t number, struct buf *out);

/* Cuts, lengthens or overwrites what stands in `out` from `at` on; mostly does nothing. */
void gen_spoil(struct fz *f, struct buf *out, size_t at);

#endif
