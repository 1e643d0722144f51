/* links: vote */
/* Whatever is asked of a tree through tiles is what the tree itself says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vote/tiles.h"

enum {
    LEAVES = 66000, /* a whole tile of level 1, and some */
};

static struct hash leaf_of(uint64_t i)
{
    return merkle_leaf(slice_of(&i, sizeof i));
}

struct disk {
    size_t reads;
    bool broken;
};

static bool read_leaves(void *arg, uint64_t place, size_t count, struct hash *ret)
{
    struct disk *d = arg;
    d->reads++;
    for (size_t i = 0; i < count; i++)
        ret[i] = leaf_of(place * TILE_WIDTH + i);
    return !d->broken;
}

static struct tiles *grown(uint64_t size)
{
    struct tiles *t = calloc(1, sizeof *t);
    for (uint64_t i = 0; i < size; i++) {
        struct hash leaf = leaf_of(i);
        tiles_push(t, &leaf);
    }
    return t;
}

static void free_tiles(struct tiles *t)
{
    tiles_deinit(t);
    free(t);
}

static void roots_are_those_of_the_tree(void **state)
{
    (void)state;
    struct tiles *t = grown(LEAVES);
    struct disk disk = {0};
    struct tiles_source s = {.tiles = t, .leaves = read_leaves, .arg = &disk};
    struct merkle m = {.size = 0};
    for (uint64_t i = 0; i < LEAVES; i++) {
        struct hash leaf = leaf_of(i);
        merkle_push(&m, &leaf);
        if (m.size % 1021 != 0 && m.size > 3 && m.size < 65530 && (m.size + 1) % 256 > 2)
            continue;
        struct hash wanted = merkle_root(&m), got = merkle_root_at(m.size, tiles_hash, &s);
        assert_memory_equal(&wanted, &got, sizeof got);
    }
    assert_false(s.failed);
    free_tiles(t);
}

static void proofs_hold(void **state)
{
    (void)state;
    struct tiles *t = grown(LEAVES);
    struct disk disk = {0};
    struct tiles_source s = {.tiles = t, .leaves = read_leaves, .arg = &disk};
    static const uint64_t sizes[] = {1, 255, 256, 257, 4097, 65535, 65536, 65537, LEAVES};
    struct hash path[MERKLE_PROOF_MAX], leaf;
    for (size_t n = 0; n < sizeof sizes / sizeof *sizes; n++) {
        struct hash root = merkle_root_at(sizes[n], tiles_hash, &s);
        uint64_t index = sizes[n] * 2 / 3;
        size_t count = merkle_inclusion(index, sizes[n], tiles_hash, &s, path);
        leaf = leaf_of(index);
        assert_true(merkle_included(&leaf, index, sizes[n], path, count, &root));
        for (size_t o = 0; o <= n; o++) {
            struct hash old = merkle_root_at(sizes[o], tiles_hash, &s);
            count = merkle_consistency(sizes[o], sizes[n], tiles_hash, &s, path);
            assert_true(merkle_consistent(sizes[o], &old, sizes[n], &root, path, count));
        }
    }
    free_tiles(t);
}

static void only_what_is_there_can_be_had(void **state)
{
    (void)state;
    struct tiles *t = grown(600);
    struct disk disk = {0};
    struct tiles_source s = {.tiles = t, .leaves = read_leaves, .arg = &disk};
    struct hash tile[TILE_WIDTH];
    assert_true(tiles_tile(&s, 0, 2, 88, tile));
    assert_false(tiles_tile(&s, 0, 2, 89, tile));
    assert_false(tiles_tile(&s, 0, 3, 1, tile));
    assert_false(tiles_tile(&s, 0, UINT64_MAX, 1, tile));
    assert_true(tiles_tile(&s, 1, 0, 2, tile));
    assert_false(tiles_tile(&s, 1, 0, 3, tile));
    assert_false(tiles_tile(&s, 2, 0, 1, tile));
    assert_false(tiles_tile(&s, TILE_LEVELS, 0, 1, tile));
    assert_false(s.failed);
    disk.broken = true;
    merkle_root_at(600, tiles_hash, &s);
    assert_true(s.failed);
    free_tiles(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_the_tree),
        cmocka_unit_test(proofs_hold),
        cmocka_unit_test(only_what_is_there_can_be_had),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
