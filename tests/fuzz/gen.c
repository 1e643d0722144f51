#include "gen.h"

#include "tree/apply.h"
#include "wire/records.h"
#include "wire/zk.h"

int64_t fz_i64(struct fz *f)
{
    static const int64_t turns[] = {
        -1,         INT64_MIN,     INT64_MAX, INT32_MAX, INT32_MIN,     (int64_t)1 << 32,
        0xffffffff, INT64_MIN + 1, 1000,      30000,     ZK_TTL_MS_MAX, ZK_TTL_MS_MAX + 1,
    };
    uint8_t b = fz_u8(f);
    if (b < 0xc0)
        return b;
    if (b < 0xc0 + sizeof turns / sizeof turns[0])
        return turns[b - 0xc0];
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | fz_u8(f);
    return (int64_t)v;
}

int32_t fz_i32(struct fz *f)
{
    return (int32_t)fz_i64(f);
}

struct slice fz_blob(struct fz *f)
{
    static const uint8_t zeros[1 << 16];
    uint8_t len = fz_u8(f);
    if (len == 0xff)
        return (struct slice){0};
    if (len == 0xfe)
        return slice_of(zeros, fz_u16(f));
    size_t have = (size_t)(f->end - f->at);
    struct slice s = slice_of(fz_more(f) ? f->at : (const uint8_t *)"", len < have ? len : have);
    f->at += s.len;
    return s;
}

struct slice fz_rest(struct fz *f)
{
    struct slice s = slice_of(f->at, (size_t)(f->end - f->at));
    f->at = f->end;
    return s;
}

/* ---- paths ---- */

static const char *const NAMES[] = {
    "a",
    "b",
    "c",
    "zookeeper_limits",
    "zookeeper_stats",
    "zookeeper",
    "quota",
    "config",
    "d",
    "\xc3\xa9",
    "",
    ".",
    "a0000000001",
    "..",
    "\xf0\x9f\x98\x80",
    "longer-than-its-cell-was",
};

void gen_path(struct fz *f, struct buf *out)
{
    uint8_t shape = fz_u8(f);
    if (shape >= 0xf0) {
        buf_put_slice(out, fz_blob(f));
        return;
    }
    if (shape & 0x40)
        buf_put_slice(out, slice_str("/zookeeper/quota"));
    uint32_t components = shape & 0x07;
    bool limits = (shape & 0x70) == 0x70, stats = (shape & 0x70) == 0x60;
    if (components == 0 && (shape & 0x40) == 0)
        buf_put_u8(out, '/');
    for (uint32_t i = 0; i < components; i++) {
        buf_put_u8(out, '/');
        /* Three quarters of all names are one of four. */
        uint8_t b = fz_u8(f);
        buf_put_slice(out, slice_str(NAMES[b < 0xc0 ? b & 3 : b & 15]));
    }
    if (limits || stats)
        buf_put_slice(out, slice_str(limits ? "/zookeeper_limits" : "/zookeeper_stats"));
}

static void put_prefixed(struct buf *out, size_t at)
{
    store_be32(out->ptr + at, (uint32_t)(out->len - at - 4));
}

void gen_put_path(struct fz *f, struct buf *out)
{
    size_t at = out->len;
    buf_put_i32(out, 0);
    gen_path(f, out);
    put_prefixed(out, at);
    if (out->len == at + 4 && fz_one_in(f, 4))
        store_be32(out->ptr + at, UINT32_MAX);
}

/* ---- access ---- */

static const struct {
    const char *scheme, *id;
} IDS[] = {
    {"world", "anyone"},  {"auth", ""},       {"digest", "u:hash"},    {"digest", "v:other"},
    {"ip", "10.0.0.0/8"}, {"ip", "10.1.2.3"}, {"ip", "2001:db8::/32"}, {"digest", "nocolon"},
    {"sasl", "me"},       {"super", ""},      {"world", "nobody"},     {"x509", "CN=me"},
};

void gen_put_acl(struct fz *f, struct buf *out)
{
    uint8_t count = fz_u8(f);
    if (count >= 0xf8) {
        buf_put_i32(out, count == 0xff ? -1 : count == 0xfe ? 0 : INT32_MAX);
        return;
    }
    count = count < 0x80 ? 1 : count & 7;
    buf_put_i32(out, count);
    for (uint8_t i = 0; i < count; i++) {
        uint8_t which = fz_u8(f);
        buf_put_i32(out, which < 0x80 ? ZK_PERM_ALL : fz_u8(f));
        size_t id = which & 15;
        bool raw = id >= sizeof IDS / sizeof IDS[0];
        rec_put_slice(out, raw ? fz_blob(f) : slice_str(IDS[id].scheme));
        rec_put_slice(out, raw ? fz_blob(f) : slice_str(IDS[id].id));
    }
}

int64_t gen_session(struct fz *f)
{
    static const int64_t sessions[GEN_SESSIONS] = {0x1000, 0x1001, -5, 0x7f00000000000001};
    return sessions[fz_below(f, GEN_SESSIONS)];
}

struct identities gen_identities(struct fz *f)
{
    static struct identity all[5];
    static const char *const texts[5][2] = {{"ip", "10.1.2.3"},
                                            {"digest", "u:hash"},
                                            {"sasl", "me"},
                                            {"digest", "broken"},
                                            {"super", ""}};
    for (size_t i = 0; i < 5; i++)
        all[i] = (struct identity){slice_str(texts[i][0]), slice_str(texts[i][1])};
    return (struct identities){all, fz_below(f, GEN_IDENTITY_SETS)};
}

/* ---- requests ---- */

int32_t gen_write_op(struct fz *f)
{
    static const int32_t ops[] = {
        ZK_OP_CREATE,
        ZK_OP_CREATE,
        ZK_OP_CREATE2,
        ZK_OP_DELETE,
        ZK_OP_SET_DATA,
        ZK_OP_SET_ACL,
        ZK_OP_MULTI,
        ZK_OP_MULTI,
        ZK_OP_CREATE_TTL,
        ZK_OP_CREATE_TTL,
        ZK_OP_CREATE_CONTAINER,
        ZK_OP_DELETE_CONTAINER,
        ZK_OP_CREATE,
        ZK_OP_DELETE,
        ZK_OP_RECONFIG,
        ZK_OP_CLOSE_SESSION,
    };
    return ops[fz_below(f, sizeof ops / sizeof ops[0])];
}

int32_t gen_op(struct fz *f)
{
    static const int32_t reads[] = {
        ZK_OP_EXISTS,        ZK_OP_GET_DATA,
        ZK_OP_GET_ACL,       ZK_OP_GET_CHILDREN,
        ZK_OP_GET_CHILDREN2, ZK_OP_SYNC,
        ZK_OP_PING,          ZK_OP_CHECK,
        ZK_OP_CHECK_WATCHES, ZK_OP_REMOVE_WATCHES,
        ZK_OP_MULTI_READ,    ZK_OP_AUTH,
        ZK_OP_SET_WATCHES,   ZK_OP_SASL,
        ZK_OP_SET_WATCHES2,  ZK_OP_GET_EPHEMERALS,
        ZK_OP_ADD_WATCH,     ZK_OP_WHO_AM_I,
        ZK_OP_ADD_WATCH,     ZK_OP_GET_ALL_CHILDREN_NUMBER,
        ZK_OP_GET_DATA,      ZK_OP_GET_CHILDREN,
        ZK_OP_EXISTS,
    };
    uint8_t b = fz_u8(f);
    if (b < 0x70)
        return gen_write_op(f);
    if (b < 0xf8)
        return reads[b % (sizeof reads / sizeof reads[0])];
    return fz_i32(f);
}

static void put_paths(struct fz *f, struct buf *out)
{
    uint8_t count = fz_u8(f);
    if (count == 0xff) {
        buf_put_i32(out, -1);
        return;
    }
    count &= 3;
    buf_put_i32(out, count);
    for (uint8_t i = 0; i < count; i++)
        gen_put_path(f, out);
}

/* "count=5,bytes=10" and the like make quotas out of some of the data. */
static void put_data(struct fz *f, struct buf *out)
{
    static const char *const quotas[] = {
        "count=2,bytes=10",
        "count=-1,bytes=-1=;byteHardLimit=20;countHardLimit=3",
        "count=0,bytes=0",
        "count=9223372036854775807,bytes=-9223372036854775808",
    };
    uint8_t b = fz_u8(f);
    rec_put_slice(out, b < 0xe0 ? fz_blob(f) : slice_str(quotas[b & 3]));
}

static void put_multi(struct fz *f, bool reads, struct buf *out)
{
    static const int32_t write_ops[] = {
        ZK_OP_CREATE,           ZK_OP_CREATE2,    ZK_OP_DELETE, ZK_OP_SET_DATA,
        ZK_OP_CREATE_CONTAINER, ZK_OP_CREATE_TTL, ZK_OP_CHECK,  ZK_OP_CREATE};
    uint8_t parts = fz_u8(f) & 7;
    for (uint8_t i = 0; i < parts; i++) {
        uint8_t b = fz_u8(f);
        int32_t type = write_ops[b & 7];
        if (reads && b < 0xe0)
            type = b & 1 ? ZK_OP_GET_DATA : ZK_OP_GET_CHILDREN;
        if (b >= 0xfc)
            type = fz_i32(f);
        rec_put_multi_header(out, &(struct rec_multi_header){.type = type, .err = -1});
        if (type != ZK_OP_MULTI && type != ZK_OP_MULTI_READ)
            gen_put_request(f, type, out);
    }
    if (!fz_one_in(f, 64))
        rec_put_multi_header(out, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
}

void gen_put_request(struct fz *f, int32_t op, struct buf *out)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL: {
        gen_put_path(f, out);
        put_data(f, out);
        gen_put_acl(f, out);
        uint8_t flags = fz_u8(f);
        buf_put_i32(out, flags < 0xf0 ? flags % 7 : flags - 0xf8);
        if (op == ZK_OP_CREATE_TTL)
            buf_put_i64(out, fz_i64(f));
        break;
    }
    case ZK_OP_DELETE:
    case ZK_OP_CHECK: {
        gen_put_path(f, out);
        uint8_t version = fz_u8(f);
        buf_put_i32(out, version < 0xc0 ? -1 : version - 0xc0);
        break;
    }
    case ZK_OP_SET_DATA: {
        gen_put_path(f, out);
        put_data(f, out);
        uint8_t version = fz_u8(f);
        buf_put_i32(out, version < 0xc0 ? -1 : version - 0xc0);
        break;
    }
    case ZK_OP_SET_ACL:
        gen_put_path(f, out);
        gen_put_acl(f, out);
        buf_put_i32(out, fz_one_in(f, 4) ? fz_i32(f) : -1);
        break;
    case ZK_OP_EXISTS:
    case ZK_OP_GET_DATA:
    case ZK_OP_GET_CHILDREN:
    case ZK_OP_GET_CHILDREN2:
        gen_put_path(f, out);
        buf_put_u8(out, fz_u8(f) & 1);
        break;
    case ZK_OP_ADD_WATCH:
    case ZK_OP_CHECK_WATCHES:
    case ZK_OP_REMOVE_WATCHES:
        gen_put_path(f, out);
        buf_put_i32(out, fz_below(f, 7));
        break;
    case ZK_OP_SET_WATCHES:
    case ZK_OP_SET_WATCHES2:
        buf_put_i64(out, fz_i64(f));
        for (int i = 0; i < (op == ZK_OP_SET_WATCHES ? 3 : 5); i++)
            put_paths(f, out);
        break;
    case ZK_OP_MULTI:
    case ZK_OP_MULTI_READ:
        put_multi(f, op == ZK_OP_MULTI_READ, out);
        break;
    case ZK_OP_RECONFIG:
        for (int i = 0; i < 3; i++)
            rec_put_slice(out, fz_blob(f));
        buf_put_i64(out, fz_i64(f));
        break;
    case ZK_OP_AUTH: {
        static const char *const schemes[] = {"digest",   "digest", "ip",
                                              "ensemble", "sasl",   "world"};
        static const char *const secrets[] = {"u:p", "super:secret", "", "v:q:r"};
        uint8_t which = fz_u8(f);
        buf_put_i32(out, 0);
        rec_put_slice(out, slice_str(schemes[which % 6]));
        rec_put_slice(out, which < 0xc0 ? slice_str(secrets[which & 3]) : fz_blob(f));
        break;
    }
    case ZK_OP_PING:
    case ZK_OP_WHO_AM_I:
    case ZK_OP_CLOSE_SESSION:
        break;
    default: /* a path alone, or what else */
        gen_put_path(f, out);
        break;
    }
}

/* ---- transactions ---- */

int32_t gen_txn_type(struct fz *f)
{
    static const int32_t types[] = {
        ZK_OP_CREATE,         ZK_OP_CREATE2,
        ZK_OP_CREATE,         ZK_OP_DELETE,
        ZK_OP_SET_DATA,       ZK_OP_SET_ACL,
        ZK_OP_CREATE_TTL,     ZK_OP_CREATE_CONTAINER,
        ZK_OP_MULTI,          ZK_OP_DELETE_CONTAINER,
        ZK_OP_CREATE_SESSION, ZK_OP_CLOSE_SESSION,
        ZK_OP_RECONFIG,       ZK_OP_ERROR,
        ZK_OP_CREATE,         ZK_OP_DELETE,
    };
    uint8_t b = fz_u8(f);
    return b < 0xf8 ? types[b & 15] : fz_i32(f);
}

static void put_multi_txn(struct fz *f, struct buf *out)
{
    uint8_t parts = fz_u8(f) & 7;
    buf_put_i32(out, parts);
    for (uint8_t i = 0; i < parts; i++) {
        int32_t type = fz_one_in(f, 16) ? ZK_OP_CHECK : gen_txn_type(f);
        buf_put_i32(out, type);
        size_t at = out->len;
        buf_put_i32(out, 0);
        if (type != ZK_OP_MULTI)
            gen_put_txn(f, type, out);
        put_prefixed(out, at);
    }
}

void gen_put_txn(struct fz *f, int32_t type, struct buf *out)
{
    switch (type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
        gen_put_path(f, out);
        put_data(f, out);
        gen_put_acl(f, out);
        buf_put_u8(out, fz_u8(f) & 1);
        if (!fz_one_in(f, 16))
            buf_put_i32(out, fz_i32(f));
        break;
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
        gen_put_path(f, out);
        put_data(f, out);
        gen_put_acl(f, out);
        buf_put_i32(out, fz_i32(f));
        if (type == ZK_OP_CREATE_TTL)
            buf_put_i64(out, fz_i64(f));
        break;
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        gen_put_path(f, out);
        break;
    case ZK_OP_SET_DATA:
    case ZK_OP_RECONFIG:
        gen_put_path(f, out);
        put_data(f, out);
        buf_put_i32(out, fz_i32(f));
        break;
    case ZK_OP_SET_ACL:
        gen_put_path(f, out);
        gen_put_acl(f, out);
        buf_put_i32(out, fz_i32(f));
        break;
    case ZK_OP_CHECK:
        gen_put_path(f, out);
        buf_put_i32(out, fz_i32(f));
        break;
    case ZK_OP_MULTI:
        put_multi_txn(f, out);
        break;
    case ZK_OP_CREATE_SESSION:
    case ZK_OP_ERROR:
        buf_put_i32(out, fz_i32(f));
        break;
    case ZK_OP_CLOSE_SESSION:
        if (!fz_one_in(f, 4))
            put_paths(f, out);
        break;
    default:
        buf_put_slice(out, fz_blob(f));
        break;
    }
}

/* ---- trees ---- */

static void put_create(const char *path, const char *data, struct slice acl, bool ephemeral,
                       struct buf *out)
{
    rec_put_slice(out, slice_str(path));
    rec_put_slice(out, slice_str(data));
    buf_put_slice(out, acl);
    buf_put_u8(out, ephemeral);
    buf_put_i32(out, -1);
}

static void put_acl_of(const char *scheme, const char *id, struct buf *out)
{
    buf_put_i32(out, 1);
    struct rec_acl acl = {.perms = ZK_PERM_ALL, .id = {slice_str(scheme), slice_str(id)}};
    rec_put_acl(out, &acl);
}

void gen_put_numbered_create(uint32_t number, struct buf *out)
{
    struct buf acl = {0};
    char path[32], id[32];
    snprintf(path, sizeof path, "/bulk/n%u", number);
    snprintf(id, sizeof id, "u:%u", number);
    put_acl_of(number % 8 ? "world" : "digest", number % 8 ? "anyone" : id, &acl);
    put_create(path, "bulk", buf_slice(&acl), false, out);
    buf_deinit(&acl);
}

void gen_populate(struct tree *t)
{
    static const struct {
        int32_t type;
        int64_t session;
        const char *path, *data, *scheme, *id;
    } nodes[] = {
        {ZK_OP_CREATE, 0, "/a", "1", "world", "anyone"},
        {ZK_OP_CREATE, 0, "/b", "2", "digest", "u:hash"},
        {ZK_OP_CREATE, 0, "/a/a", "3", "ip", "10.0.0.0/8"},
        {ZK_OP_CREATE, 0, "/zookeeper/quota/a", "", "world", "anyone"},
        {ZK_OP_CREATE, 0, "/zookeeper/quota/a/zookeeper_limits",
         "count=4,bytes=10=;byteHardLimit=40;countHardLimit=6", "world", "anyone"},
        {ZK_OP_CREATE, 0, "/zookeeper/quota/a/zookeeper_stats", "count=2,bytes=2", "world",
         "anyone"},
        {ZK_OP_CREATE, 0, "/zookeeper/quota/a/a", "", "world", "anyone"},
        {ZK_OP_CREATE, 0x1000, "/a/c", "e", "world", "anyone"},
        {ZK_OP_CREATE, 0x1001, "/c", "e", "digest", "u:hash"},
        {ZK_OP_CREATE, 0x1000, "/b/c", "e", "world", "anyone"},
        {ZK_OP_CREATE_CONTAINER, 0, "/a/b", "k", "world", "anyone"},
        {ZK_OP_CREATE_TTL, 0, "/d", "t", "sasl", "me"},
        {ZK_OP_CREATE, 0, "/bulk", "", "world", "anyone"},
    };
    struct tree_effects fx = {0};
    struct buf body = {0}, acl = {0};
    for (int i = 0; i < GEN_POPULATED_ZXID; i++) {
        buf_clear(&body);
        buf_clear(&acl);
        put_acl_of(nodes[i].scheme, nodes[i].id, &acl);
        put_create(nodes[i].path, nodes[i].data, buf_slice(&acl), nodes[i].session != 0, &body);
        if (nodes[i].type != ZK_OP_CREATE)
            memmove(body.ptr + body.len - 5, body.ptr + body.len - 4, 4); /* without ephemeral */
        if (nodes[i].type == ZK_OP_CREATE_CONTAINER)
            body.len--;
        if (nodes[i].type == ZK_OP_CREATE_TTL) {
            body.len--;
            buf_put_i64(&body, 500);
        }
        struct rec_txn_header hdr = {.client_id = nodes[i].session,
                                     .zxid = i + 1,
                                     .time = 1700000000000,
                                     .type = nodes[i].type};
        int rc = tree_apply(t, &hdr, buf_slice(&body), NULL, &fx);
        FUZZ_CHECK(rc == 0 && fx.result.err == 0, "the tree can be populated");
    }
    tree_effects_deinit(&fx);
    buf_deinit(&body);
    buf_deinit(&acl);
}

void gen_spoil(struct fz *f, struct buf *out, size_t at)
{
    size_t len = out->len - at;
    uint8_t b = fz_u8(f);
    if (b < 0xe8 || len == 0)
        return;
    if (b < 0xf0)
        out->len = at + fz_u16(f) % len;
    else if (b < 0xf8)
        buf_put_slice(out, fz_blob(f));
    else
        out->ptr[at + fz_u16(f) % len] = fz_u8(f);
}
