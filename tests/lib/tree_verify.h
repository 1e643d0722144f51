/* tree_verify.h: is a tree whole? Everything the tree keeps beside its znodes (counts, digests,
 * owners, references to ACLs, the table) is worked out again from the znodes alone.
 *
 * For tests and fuzzers; costs a walk over the whole tree. */
#ifndef TESTS_TREE_VERIFY_H
#define TESTS_TREE_VERIFY_H

#include "tree/tree.h"

/* NULL when everything holds, else what does not: static text.
 * acls_shared: somebody else (outstanding proposals) may hold references to ACLs as well. */
const char *tree_verify(const struct tree *t, bool acls_shared);

/* NULL when both hold the same: paths, data, Stats, ACLs; the last zxid apart. The first asks for
 * the same order of children too. */
const char *tree_differ(const struct tree *a, const struct tree *b);
const char *tree_differ_unordered(const struct tree *a, const struct tree *b);

#endif
