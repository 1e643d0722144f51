#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void *mem_alloc(size_t bytes)
{
    void *ptr = malloc(bytes ? bytes : 1);
    invariant(ptr != NULL && "out of memory");
    return ptr;
}

void *mem_calloc(size_t count, size_t bytes)
{
    void *ptr = calloc(count ? count : 1, bytes ? bytes : 1);
    invariant(ptr != NULL && "out of memory");
    return ptr;
}

void *mem_realloc(void *ptr, size_t bytes)
{
    void *grown = realloc(ptr, bytes ? bytes : 1);
    invariant(grown != NULL && "out of memory");
    return grown;
}

void *mem_dup(const void *ptr, size_t bytes)
{
    if (ptr == NULL)
        return NULL;
    void *copy = mem_alloc(bytes);
    if (bytes > 0)
        memcpy(copy, ptr, bytes);
    return copy;
}
