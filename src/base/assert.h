/* assert.h: what we ourselves promise.
 *
 * invariant(x) aborts with the expression and its place when x is false, in every build: NDEBUG is
 * never defined. It is for our own mistakes only; nothing that comes from outside may reach one. */
#ifndef CAUCUS_BASE_ASSERT_H
#define CAUCUS_BASE_ASSERT_H

#include <assert.h>

#ifdef NDEBUG
#error "invariants must hold in release too: build without NDEBUG"
#endif

#define invariant(condition) assert(condition)

#endif
