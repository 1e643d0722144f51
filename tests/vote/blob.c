#include "blob.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

enum {
    TABLE_SLOTS = 1 << 16,
};

static struct blob *table[TABLE_SLOTS];

const struct blob *blob_of(struct slice bytes)
{
    uint64_t hash = hash_slice(bytes, 1);
    struct blob **slot = &table[hash % TABLE_SLOTS];
    for (struct blob *b = *slot; b != NULL; b = b->next) {
        if (b->hash == hash && slice_eq(b->bytes, bytes))
            return b;
    }
    struct blob *b = mem_alloc(sizeof *b + bytes.len);
    uint8_t *copy = (uint8_t *)(b + 1);
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    *b = (struct blob){hash, slice_of(copy, bytes.len), *slot};
    *slot = b;
    return b;
}

void blob_forget_all(void)
{
    for (size_t i = 0; i < TABLE_SLOTS; i++) {
        while (table[i] != NULL) {
            struct blob *b = table[i];
            table[i] = b->next;
            free(b);
        }
    }
}
