#include "vote/merkle.h"

#include "base/assert.h"

struct hash merkle_leaf(struct slice record)
{
    struct hash h;
    struct sha256 s;
    sha256_begin(&s);
    sha256_add(&s, "\0", 1);
    sha256_add(&s, record.ptr, record.len);
    sha256_end(&s, h.bytes);
    return h;
}

static struct hash node_of(const struct hash *left, const struct hash *right)
{
    struct hash h;
    uint8_t bytes[1 + 2 * SHA256_BYTES] = {1};
    memcpy(bytes + 1, left->bytes, SHA256_BYTES);
    memcpy(bytes + 1 + SHA256_BYTES, right->bytes, SHA256_BYTES);
    sha256_of(bytes, sizeof bytes, h.bytes);
    return h;
}

static struct hash of_nothing(void)
{
    struct hash h;
    sha256_of("", 0, h.bytes);
    return h;
}

/* As a binary counter: each carry joins two complete subtrees. */
void merkle_push(struct merkle *m, const struct hash *leaf)
{
    invariant(m->size < (UINT64_C(1) << MERKLE_LEVELS_MAX) - 1);
    struct hash carry = *leaf;
    int level = 0;
    for (; (m->size >> level & 1) != 0; level++)
        carry = node_of(&m->peaks[level], &carry);
    m->peaks[level] = carry;
    m->size++;
}

struct hash merkle_root(const struct merkle *m)
{
    struct hash root;
    bool any = false;
    for (int level = 0; level < MERKLE_LEVELS_MAX; level++) {
        if ((m->size >> level & 1) == 0)
            continue;
        root = any ? node_of(&m->peaks[level], &root) : m->peaks[level];
        any = true;
    }
    return any ? root : of_nothing();
}

/* The largest power of two below n, as an exponent; n >= 2. */
static int split_level(uint64_t n)
{
    return 63 - __builtin_clzll(n - 1);
}

/* Of the `count` leaves from `first` on; `first` is a multiple of the power of two that holds them.
 */
static struct hash hash_of(uint64_t first, uint64_t count, merkle_source *source, void *arg)
{
    struct hash right;
    bool any = false;
    /* From the right: each set bit of count is a complete subtree. */
    for (int level = 0; count > 0; level++) {
        if ((count >> level & 1) == 0)
            continue;
        count -= UINT64_C(1) << level;
        struct hash left = source(arg, level, (first + count) >> level);
        right = any ? node_of(&left, &right) : left;
        any = true;
    }
    invariant(any);
    return right;
}

struct hash merkle_root_at(uint64_t size, merkle_source *source, void *arg)
{
    return size == 0 ? of_nothing() : hash_of(0, size, source, arg);
}

/* Down from the root to the leaf, the sibling at each turn; then turned round. */
static void reverse(struct hash *path, size_t count)
{
    for (size_t i = 0; i < count / 2; i++) {
        struct hash h = path[i];
        path[i] = path[count - 1 - i];
        path[count - 1 - i] = h;
    }
}

size_t merkle_inclusion(uint64_t index, uint64_t size, merkle_source *source, void *arg,
                        struct hash ret[MERKLE_PROOF_MAX])
{
    invariant(index < size);
    size_t count = 0;
    for (uint64_t first = 0; size > 1;) {
        uint64_t left = UINT64_C(1) << split_level(size);
        if (index - first < left) {
            ret[count++] = hash_of(first + left, size - left, source, arg);
            size = left;
        } else {
            ret[count++] = hash_of(first, left, source, arg);
            first += left;
            size -= left;
        }
    }
    reverse(ret, count);
    return count;
}

size_t merkle_consistency(uint64_t from, uint64_t to, merkle_source *source, void *arg,
                          struct hash ret[MERKLE_PROOF_MAX])
{
    invariant(from > 0 && from <= to);
    size_t count = 0;
    uint64_t first = 0, size = to, old = from; /* old: of the leaves from `first` on */
    bool whole = true;                         /* the old tree is still the one that is known */
    while (old < size) {
        uint64_t left = UINT64_C(1) << split_level(size);
        if (old <= left) {
            ret[count++] = hash_of(first + left, size - left, source, arg);
            size = left;
        } else {
            ret[count++] = hash_of(first, left, source, arg);
            first += left;
            size -= left;
            old -= left;
            whole = false;
        }
    }
    if (!whole)
        ret[count++] = hash_of(first, size, source, arg);
    reverse(ret, count);
    return count;
}

/* RFC 9162, 2.1.3.2. */
bool merkle_included(const struct hash *leaf, uint64_t index, uint64_t size,
                     const struct hash *path, size_t count, const struct hash *root)
{
    if (index >= size)
        return false;
    uint64_t at = index, last = size - 1;
    struct hash h = *leaf;
    for (size_t i = 0; i < count; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            h = node_of(&path[i], &h);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            h = node_of(&h, &path[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_eq(&h, root);
}

/* RFC 9162, 2.1.4.2. */
bool merkle_consistent(uint64_t from, const struct hash *from_root, uint64_t to,
                       const struct hash *to_root, const struct hash *path, size_t count)
{
    if (from == 0 || from > to)
        return false;
    if (from == to)
        return count == 0 && hash_eq(from_root, to_root);

    uint64_t at = from - 1, last = to - 1;
    while ((at & 1) != 0) {
        at >>= 1;
        last >>= 1;
    }
    size_t i = 0;
    struct hash old = *from_root, new = *from_root;
    if (at != 0) { /* `from` is no power of two: the proof begins with what both have */
        if (count == 0)
            return false;
        old = new = path[i++];
    }
    for (; i < count; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            old = node_of(&path[i], &old);
            new = node_of(&path[i], &new);
            while ((at & 1) == 0 && at != 0) {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new = node_of(&new, &path[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && hash_eq(&old, from_root) && hash_eq(&new, to_root);
}
