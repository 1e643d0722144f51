#include "base/sort.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

enum {
    INSERTION_MAX = 12
};

static void insertion_sort(void **items, size_t count, sort_compare *compare)
{
    for (size_t i = 1; i < count; i++) {
        void *item = items[i];
        size_t at = i;
        for (; at > 0 && compare(items[at - 1], item) > 0; at--)
            items[at] = items[at - 1];
        items[at] = item;
    }
}

static void merge_sort(void **items, void **spare, size_t count, sort_compare *compare)
{
    if (count <= INSERTION_MAX) {
        insertion_sort(items, count, compare);
        return;
    }
    size_t half = count / 2;
    merge_sort(items, spare, half, compare);
    merge_sort(items + half, spare, count - half, compare);
    if (compare(items[half - 1], items[half]) <= 0)
        return;

    memcpy(spare, items, half * sizeof *items);
    size_t left = 0, right = half;
    for (size_t out = 0; left < half; out++) {
        if (right == count || compare(spare[left], items[right]) <= 0)
            items[out] = spare[left++];
        else
            items[out] = items[right++];
    }
}

void sort_pointers(void **items, size_t count, sort_compare *compare)
{
    if (count < 2)
        return;
    void **spare = mem_calloc(count / 2 + 1, sizeof *spare);
    merge_sort(items, spare, count, compare);
    free(spare);
}
