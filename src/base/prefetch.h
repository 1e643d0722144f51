/* prefetch.h: a line of the cache is fetched while something else is done. */
#ifndef CAUCUS_BASE_PREFETCH_H
#define CAUCUS_BASE_PREFETCH_H

/* Any address; nothing is read. The empty asm is what makes it happen: to gcc 12 a function of
 * which nothing but prefetches is left has no effect, and calls of it are left out. */
static inline void prefetch(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile("" : : "r"(at));
}

#endif
