/* links: vote */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vote/merkle.h"

/* The leaves, roots and proofs of Certificate Transparency's own tests of RFC 6962. */
static const char *const leaf_hex[8] = {
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
};
static const char *const root_hex[9] = {
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
};

struct known_proof {
    uint64_t from, to; /* inclusion: leaf, size */
    const char *path[4];
};
static const struct known_proof inclusions[] = {
    {0, 1, {NULL}},
    {0,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {5,
     8,
     {"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2, 3, {"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
    {1,
     5,
     {"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};
static const struct known_proof consistencies[] = {
    {1, 1, {NULL}},
    {1,
     8,
     {"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
    {6,
     8,
     {"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
    {2,
     5,
     {"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
      "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
};

static size_t unhex(const char *hex, uint8_t *ret)
{
    size_t len = strlen(hex) / 2;
    for (size_t i = 0; i < len; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + i * 2, "%2x", &byte), 1);
        ret[i] = (uint8_t)byte;
    }
    return len;
}

static void assert_hash(const struct hash *h, const char *hex)
{
    struct hash want;
    assert_int_equal(unhex(hex, want.bytes), sizeof want.bytes);
    assert_memory_equal(h->bytes, want.bytes, sizeof want.bytes);
}

/* Inner hashes by definition, from all leaves. */
struct leaves {
    struct hash hashes[300];
    size_t count;
};

static struct hash inner(void *arg, int level, uint64_t place)
{
    struct leaves *l = arg;
    struct merkle m = {0};
    for (uint64_t i = place << level; i < (place + 1) << level; i++) {
        assert_true(i < l->count);
        merkle_push(&m, &l->hashes[i]);
    }
    return merkle_root(&m);
}

static void known_leaves(struct leaves *ret)
{
    ret->count = 8;
    for (int i = 0; i < 8; i++) {
        uint8_t bytes[16];
        ret->hashes[i] = merkle_leaf(slice_of(bytes, unhex(leaf_hex[i], bytes)));
    }
}

static void some_leaves(struct leaves *ret, size_t count)
{
    ret->count = count;
    for (size_t i = 0; i < count; i++)
        ret->hashes[i] = merkle_leaf(slice_of(&i, sizeof i));
}

static void roots_are_those_of_rfc_6962(void **state)
{
    (void)state;
    struct leaves l;
    struct merkle m = {0};
    known_leaves(&l);
    for (uint64_t size = 0; size <= 8; size++) {
        struct hash root = merkle_root(&m), again = merkle_root_at(size, inner, &l);
        assert_hash(&root, root_hex[size]);
        assert_hash(&again, root_hex[size]);
        if (size < 8)
            merkle_push(&m, &l.hashes[size]);
    }
}

static void assert_path(const struct known_proof *p, const struct hash *path, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_hash(&path[i], p->path[i]);
    assert_null(p->path[count]);
}

static void proofs_are_those_of_rfc_6962(void **state)
{
    (void)state;
    struct leaves l;
    struct hash path[MERKLE_PROOF_MAX];
    known_leaves(&l);
    for (size_t i = 0; i < sizeof inclusions / sizeof *inclusions; i++) {
        const struct known_proof *p = &inclusions[i];
        assert_path(p, path, merkle_inclusion(p->from, p->to, inner, &l, path));
    }
    for (size_t i = 0; i < sizeof consistencies / sizeof *consistencies; i++) {
        const struct known_proof *p = &consistencies[i];
        assert_path(p, path, merkle_consistency(p->from, p->to, inner, &l, path));
    }
}

static void flip(struct hash *h)
{
    h->bytes[7] ^= 0x10;
}

/* Every leaf of every tree; and no proof survives a change of any of its parts. */
static void every_inclusion_is_proved_and_no_other(void **state)
{
    (void)state;
    struct leaves l;
    struct hash path[MERKLE_PROOF_MAX];
    some_leaves(&l, 40);
    for (uint64_t size = 1; size <= l.count; size++) {
        struct hash root = merkle_root_at(size, inner, &l);
        for (uint64_t i = 0; i < size; i++) {
            size_t n = merkle_inclusion(i, size, inner, &l, path);
            assert_true(merkle_included(&l.hashes[i], i, size, path, n, &root));
            assert_false(merkle_included(&l.hashes[(i + 1) % 40], i, size, path, n, &root));
            assert_false(merkle_included(&l.hashes[i], i, size, path, n + 1, &root));
            assert_false(merkle_included(&l.hashes[i], size, size, path, n, &root));
            if (size > 1) {
                assert_false(merkle_included(&l.hashes[i], i ^ 1, size, path, n, &root));
                assert_false(merkle_included(&l.hashes[i], i, size, path, n - 1, &root));
            }
            for (size_t k = 0; k < n; k++) {
                flip(&path[k]);
                assert_false(merkle_included(&l.hashes[i], i, size, path, n, &root));
                flip(&path[k]);
            }
        }
    }
}

static void every_prefix_is_consistent_and_nothing_else_is(void **state)
{
    (void)state;
    struct leaves l;
    struct hash path[MERKLE_PROOF_MAX];
    some_leaves(&l, 40);
    for (uint64_t to = 1; to <= l.count; to++) {
        struct hash new = merkle_root_at(to, inner, &l);
        for (uint64_t from = 1; from <= to; from++) {
            struct hash old = merkle_root_at(from, inner, &l), other = old;
            size_t n = merkle_consistency(from, to, inner, &l, path);
            assert_true(merkle_consistent(from, &old, to, &new, path, n));
            assert_false(merkle_consistent(from, &old, to, &new, path, n + 1));
            flip(&other);
            assert_false(merkle_consistent(from, &other, to, &new, path, n));
            if (n > 0)
                assert_false(merkle_consistent(from, &old, to, &new, path, n - 1));
            for (size_t k = 0; k < n; k++) {
                flip(&path[k]);
                assert_false(merkle_consistent(from, &old, to, &new, path, n));
                flip(&path[k]);
            }
        }
        assert_false(merkle_consistent(0, &new, to, &new, path, 0));
        assert_false(merkle_consistent(to + 1, &new, to, &new, path, 0));
    }
}

static void growing_is_the_same_as_building(void **state)
{
    (void)state;
    struct leaves l;
    struct merkle m = {0};
    some_leaves(&l, 300);
    for (uint64_t size = 0; size < l.count; size++) {
        struct hash grown = merkle_root(&m), built = merkle_root_at(size, inner, &l);
        assert_true(hash_eq(&grown, &built));
        merkle_push(&m, &l.hashes[size]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots_are_those_of_rfc_6962),
        cmocka_unit_test(proofs_are_those_of_rfc_6962),
        cmocka_unit_test(every_inclusion_is_proved_and_no_other),
        cmocka_unit_test(every_prefix_is_consistent_and_nothing_else_is),
        cmocka_unit_test(growing_is_the_same_as_building),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
