/* ACL lists and addresses: what acl_fixup lets through is well-formed, decided and stable;
 * acl_check agrees with a plain second opinion; addresses agree with inet_pton where both
 * understand them. */
#include <arpa/inet.h>

#include "gen.h"
#include "wire/zk.h"

enum {
    ALL_SCHEMES = ACL_SCHEME_X509 | ACL_SCHEME_SASL
};

static bool has_super(struct identities who)
{
    for (size_t i = 0; i < who.count; i++)
        if (slice_eq_str(who.items[i].scheme, "super"))
            return true;
    return false;
}

static bool grants(const struct rec_acl *a, int32_t perm, struct identities who)
{
    if ((a->perms & perm) == 0)
        return false;
    if (slice_eq_str(a->id.scheme, "world") && slice_eq_str(a->id.id, "anyone"))
        return true;
    for (size_t i = 0; i < who.count; i++) {
        const struct identity *w = &who.items[i];
        if (!slice_eq(w->scheme, a->id.scheme))
            continue;
        bool matches = slice_eq_str(w->scheme, "ip") ? acl_ip_matches(w->id, a->id.id)
                                                     : slice_eq(w->id, a->id.id);
        if (matches || (slice_eq_str(w->scheme, "sasl") && slice_eq_str(w->id, "super")))
            return true;
    }
    return false;
}

static void check_permissions(struct rec_vec acl, struct identities who)
{
    for (int32_t perm = 1; perm <= ZK_PERM_ADMIN; perm <<= 1) {
        bool expected = acl.count <= 0 || has_super(who);
        struct dec d = dec_of(acl.raw);
        struct rec_acl a;
        for (int32_t i = 0; i < acl.count; i++) {
            FUZZ_CHECK(rec_get_acl(&d, &a), "every entry can be read");
            expected |= grants(&a, perm, who);
        }
        FUZZ_CHECK((acl_check(acl, perm, who, false) == 0) == expected, "both opinions agree");
        FUZZ_CHECK(acl_check(acl, perm, who, true) == 0, "skipACL skips");
    }
}

static bool is_decided(const struct rec_acl *a)
{
    return !slice_is_null(a->id.scheme) && !slice_eq_str(a->id.scheme, "auth") &&
           !slice_eq_str(a->id.scheme, "super");
}

/* What was fixed once is fixed for good, as far as its schemes can be given by a client. */
static void check_fixed(struct slice fixed)
{
    struct dec d = dec_of(fixed);
    struct rec_vec acl = rec_get_vec_acl(&d);
    FUZZ_CHECK(!d.bad && dec_left(&d) == 0 && acl.count > 0, "the result is a list");
    bool plain = true;
    struct dec entries = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count; i++) {
        rec_get_acl(&entries, &a);
        FUZZ_CHECK(is_decided(&a), "no entry is left open");
        plain &= slice_eq_str(a.id.scheme, "world") || slice_eq_str(a.id.scheme, "ip") ||
                 slice_eq_str(a.id.id, "u:hash");
    }
    struct buf again = {0};
    int32_t err = acl_fixup(acl, (struct identities){0}, ALL_SCHEMES, &again);
    if (plain)
        FUZZ_CHECK(err == 0 && again.len <= fixed.len, "a fixed list is valid");
    buf_deinit(&again);
}

static void fuzz_list(struct fz *f)
{
    struct identities who = gen_identities(f);
    struct buf list = {0}, fixed = {0};
    if (fz_u8(f) & 1)
        buf_put_slice(&list, fz_rest(f));
    else
        gen_put_acl(f, &list);
    struct dec d = dec_of(buf_slice(&list));
    struct rec_vec acl = rec_get_vec_acl(&d);
    if (!d.bad) {
        check_permissions(acl, who);
        buf_put_u8(&fixed, 'x');
        if (acl_fixup(acl, who, ALL_SCHEMES, &fixed) == 0)
            check_fixed(slice_from(buf_slice(&fixed), 1));
        else
            FUZZ_CHECK(fixed.len == 1, "a refused list leaves nothing behind");
    }
    buf_deinit(&list);
    buf_deinit(&fixed);
}

/* ---- addresses ---- */

static size_t system_address(struct slice text, uint8_t ret[16])
{
    char copy[64];
    if (text.len >= sizeof copy || (text.len > 0 && memchr(text.ptr, 0, text.len) != NULL))
        return 0;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    if (inet_pton(AF_INET, copy, ret) == 1)
        return 4;
    /* ::1.2.3.4 is none of ZooKeeper's forms. */
    return strchr(copy, '.') == NULL && inet_pton(AF_INET6, copy, ret) == 1 ? 16 : 0;
}

static bool same_bits(const uint8_t *a, const uint8_t *b, uint32_t bits)
{
    for (uint32_t i = 0; i < bits; i++)
        if ((a[i / 8] ^ b[i / 8]) >> (7 - i % 8) & 1)
            return false;
    return true;
}

static void fuzz_address(struct fz *f)
{
    uint8_t bits = fz_u8(f);
    uint8_t len = fz_u8(f) & 63;
    struct slice all = fz_rest(f);
    size_t cut = len < all.len ? len : all.len;
    struct slice network = slice_of(all.ptr, cut), address = slice_from(all, cut);
    acl_ip_valid(all);
    acl_ip_matches(network, address);

    uint8_t a[16], b[16];
    size_t network_len = system_address(network, a), address_len = system_address(address, b);
    if (network_len == 0)
        return;
    struct buf range = {0};
    buf_put_slice(&range, network);
    buf_printf(&range, "/%u", bits);
    bool fits = bits <= network_len * 8;
    FUZZ_CHECK(acl_ip_valid(network), "an address is valid");
    FUZZ_CHECK(acl_ip_valid(buf_slice(&range)) == fits, "so is a network of enough bits");
    FUZZ_CHECK(acl_ip_matches(network, network), "an address matches itself");
    if (address_len > 0) {
        bool expected = fits && address_len == network_len && same_bits(a, b, bits);
        FUZZ_CHECK(acl_ip_matches(address, buf_slice(&range)) == expected, "bit by bit");
    }
    buf_deinit(&range);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    if (fz_u8(&f) & 1)
        fuzz_address(&f);
    else
        fuzz_list(&f);
    return 0;
}
