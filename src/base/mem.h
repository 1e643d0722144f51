/* mem.h: memory that is there, or the process stops.
 *
 * The core refuses work before it becomes a proposal when its budget is spent; after commit it
 * cannot refuse. So these never return NULL: a failed allocation is a broken invariant. Memory is
 * released with free(). */
#ifndef CAUCUS_BASE_MEM_H
#define CAUCUS_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t bytes);                /* uninitialised; bytes may be 0 */
void *mem_calloc(size_t count, size_t bytes); /* zeroed; aborts on overflow */
void *mem_realloc(void *ptr, size_t bytes);
void *mem_dup(const void *ptr, size_t bytes); /* a copy; NULL only for ptr == NULL */

#endif
