#include "tree/acl.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"
#include "tree/tree_internal.h"
#include "wire/zk.h"

/* A list longer than this is refused rather than expanded: "auth" entries multiply by the
 * identities of the connection. */
enum {
    ACL_BYTES_MAX = 4 * 1024 * 1024
};

/* ---- lists by id ---- */

struct rec_vec tree_acl_get(const struct tree *t, uint32_t acl_id)
{
    invariant(acl_id < t->acls.entry_count && t->acls.entries[acl_id].bytes != NULL);
    const struct acl_entry *e = &t->acls.entries[acl_id];
    return (struct rec_vec){.count = e->count, .raw = slice_of(e->bytes, e->len)};
}

uint32_t tree_acl_intern(struct tree *t, struct rec_vec acl)
{
    return acl_cache_intern(&t->acls, acl);
}

void tree_acl_retain(struct tree *t, uint32_t acl_id)
{
    acl_cache_retain(&t->acls, acl_id);
}

void tree_acl_release(struct tree *t, uint32_t acl_id)
{
    acl_cache_release(&t->acls, acl_id);
}

uint64_t tree_acl_count(const struct tree *t)
{
    return t->acls.live_count;
}

/* ---- permission ---- */

static bool is_world(const struct rec_id *id)
{
    return slice_eq_str(id->scheme, "world") && slice_eq_str(id->id, "anyone");
}

static bool identity_matches(const struct identity *who, const struct rec_id *id)
{
    if (!slice_eq(who->scheme, id->scheme))
        return false;
    if (slice_eq_str(id->scheme, "ip"))
        return acl_ip_matches(who->id, id->id);
    if (slice_eq_str(id->scheme, "sasl") && slice_eq_str(who->id, "super"))
        return true;
    return slice_eq(who->id, id->id);
}

int32_t acl_check(struct rec_vec acl, int32_t perm, struct identities who, bool skip_acl)
{
    if (skip_acl || acl.count <= 0)
        return 0;
    for (size_t i = 0; i < who.count; i++) {
        if (slice_eq_str(who.items[i].scheme, "super"))
            return 0;
    }

    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count && rec_get_acl(&d, &a); i++) {
        if ((a.perms & perm) == 0)
            continue;
        if (is_world(&a.id))
            return 0;
        for (size_t w = 0; w < who.count; w++) {
            if (identity_matches(&who.items[w], &a.id))
                return 0;
        }
    }
    return ZK_NOAUTH;
}

int32_t tree_acl_check(const struct tree *t, uint32_t acl_id, int32_t perm, struct identities who,
                       bool skip_acl)
{
    if (acl_id == ACL_OPEN)
        return 0; /* all permissions for anyone */
    return acl_check(tree_acl_get(t, acl_id), perm, who, skip_acl);
}

/* ---- what a client may set ---- */

/* "user:hash": what Java's split(":") makes two parts of, trailing colons ignored. */
static bool digest_id_valid(struct slice id)
{
    while (id.len > 0 && id.ptr[id.len - 1] == ':')
        id.len--;
    size_t colons = 0;
    for (size_t i = 0; i < id.len; i++)
        colons += id.ptr[i] == ':';
    return colons == 1;
}

/* What KerberosName of Java takes: no "@", or "service/host@realm" with at most one "/" before. */
static bool principal_valid(struct slice id)
{
    const uint8_t *at = id.len > 0 ? memchr(id.ptr, '@', id.len) : NULL;
    if (at == NULL)
        return true;
    size_t slashes = 0;
    for (const uint8_t *c = id.ptr; c < at; c++)
        slashes += *c == '/';
    struct slice realm = slice_from(id, (size_t)(at - id.ptr) + 1);
    bool plain = realm.len == 0 || (memchr(realm.ptr, '@', realm.len) == NULL &&
                                    memchr(realm.ptr, '/', realm.len) == NULL);
    return slashes <= 1 && plain;
}

/* A scheme needs a provider (ProviderRegistry). The providers, and the question for world:anyone,
 * stumble over a null id; unknown schemes do not get to it. */
static int32_t check_id(const struct rec_id *id, unsigned schemes)
{
    bool is_ip = slice_eq_str(id->scheme, "ip");
    bool is_digest = slice_eq_str(id->scheme, "digest");
    bool is_x509 = (schemes & ACL_SCHEME_X509) != 0 && slice_eq_str(id->scheme, "x509");
    bool is_sasl = (schemes & ACL_SCHEME_SASL) != 0 && slice_eq_str(id->scheme, "sasl");
    bool has_provider = is_ip || is_digest || is_x509 || is_sasl;
    if (slice_is_null(id->id) && (has_provider || slice_eq_str(id->scheme, "world")))
        return ZK_MARSHALLINGERROR;
    bool valid = (is_ip && acl_ip_valid(id->id)) || (is_digest && digest_id_valid(id->id)) ||
                 (is_x509 && acl_x509_valid(id->id)) || (is_sasl && principal_valid(id->id)) ||
                 is_world(id);
    return valid ? 0 : ZK_INVALIDACL;
}

/* AuthenticationProvider.isAuthenticated: an address proves nothing, and "super" is no provider. */
static bool is_authenticated(struct slice scheme)
{
    return slice_eq_str(scheme, "digest") || slice_eq_str(scheme, "sasl") ||
           slice_eq_str(scheme, "x509");
}

struct element {
    struct slice bytes;
    bool repeated;
};

static int compare_bytes(const void *a, const void *b)
{
    const struct element *x = a;
    const struct element *y = b;
    size_t len = x->bytes.len < y->bytes.len ? x->bytes.len : y->bytes.len;
    int order = memcmp(x->bytes.ptr, y->bytes.ptr, len);
    return order != 0 ? order : (x->bytes.len > len) - (y->bytes.len > len);
}

/* Marks the elements that are equal to an earlier one. By sorting: a frame holds tens of thousands
 * of elements, and comparing all pairs would take seconds. */
static void mark_repeated(struct element *elements, size_t count)
{
    void **sorted = mem_calloc(count, sizeof *sorted);
    for (size_t i = 0; i < count; i++)
        sorted[i] = &elements[i];
    sort_pointers(sorted, count, compare_bytes);
    for (size_t i = 1; i < count; i++) {
        struct element *e = sorted[i];
        e->repeated = compare_bytes(sorted[i - 1], e) == 0;
    }
    free(sorted);
}

/* Appends what `a` stands for and counts it. 0, or why it cannot stand. */
static int32_t expand(const struct rec_acl *a, struct identities who, unsigned schemes,
                      struct buf *out, int32_t *count)
{
    if (slice_is_null(a->id.scheme))
        return ZK_INVALIDACL;
    if (!slice_eq_str(a->id.scheme, "auth")) {
        int32_t err = check_id(&a->id, schemes);
        if (err == 0) {
            rec_put_acl(out, a);
            (*count)++;
        }
        return err;
    }

    int32_t before = *count;
    for (size_t i = 0; i < who.count; i++) {
        if (!is_authenticated(who.items[i].scheme))
            continue;
        struct rec_acl own = {
            .perms = a->perms,
            .id = {.scheme = who.items[i].scheme, .id = who.items[i].id},
        };
        rec_put_acl(out, &own);
        (*count)++;
    }
    return *count > before ? 0 : ZK_INVALIDACL;
}

/* The elements of a list as bytes; false when they are not `count` well-formed ones. */
static bool split_elements(struct rec_vec acl, struct element *ret_elements)
{
    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count; i++) {
        const uint8_t *start = d.at;
        if (!rec_get_acl(&d, &a))
            return false;
        ret_elements[i].bytes = slice_of(start, (size_t)(d.at - start));
    }
    return true;
}

static int32_t expand_all(const struct element *elements, size_t count, struct identities who,
                          unsigned schemes, struct buf *out)
{
    size_t start = out->len;
    int32_t total = 0;
    buf_put_i32(out, 0);
    for (size_t i = 0; i < count; i++) {
        if (elements[i].repeated)
            continue;
        struct dec d = dec_of(elements[i].bytes);
        struct rec_acl a;
        bool taken = rec_get_acl(&d, &a);
        invariant(taken); /* split_elements has seen it */
        int32_t err = expand(&a, who, schemes, out, &total);
        if (err != 0)
            return err;
        if (out->len - start > ACL_BYTES_MAX || !buf_ok(out))
            return ZK_INVALIDACL;
    }
    store_be32(out->ptr + start, (uint32_t)total);
    return 0;
}

int32_t acl_fixup(struct rec_vec acl, struct identities who, unsigned schemes, struct buf *out)
{
    if (acl.count <= 0)
        return ZK_INVALIDACL;

    size_t start = out->len;
    size_t count = (size_t)acl.count;
    struct element *elements = mem_calloc(count, sizeof *elements);
    bool valid = split_elements(acl, elements);
    if (valid && count > 1)
        mark_repeated(elements, count);
    int32_t err = valid ? expand_all(elements, count, who, schemes, out) : ZK_INVALIDACL;
    free(elements);

    if (err != 0)
        out->len = start;
    return err;
}
