/* sort.h: a stable sort of pointers, for what must come out in one order whatever a hash table
 * says. (qsort is the C library's: it may allocate, and is not stable.) */
#ifndef CAUCUS_BASE_SORT_H
#define CAUCUS_BASE_SORT_H

#include <stddef.h>

typedef int sort_compare(const void *a, const void *b); /* the items themselves, not their places */

/* Merge sort: count log2(count) comparisons, one array of `count` pointers beside it. */
void sort_pointers(void **items, size_t count, sort_compare *compare);

#endif
