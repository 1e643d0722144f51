#include "server/digest_md5.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

enum {
    MD5_BYTES = 16,
    HEX_BYTES = MD5_BYTES * 2,
};

/* What Apache's servers and clients call the server, whatever its host. */
static const char REALM[] = "zk-sasl-md5";
static const char URI[] = "zookeeper/zk-sasl-md5";

static void put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

static void to_hex(const uint8_t *bytes, size_t len, char *ret)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        ret[2 * i] = digits[bytes[i] >> 4];
        ret[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret[2 * len] = 0;
}

void digest_md5_init(struct digest_md5 *d, const uint8_t nonce[DIGEST_MD5_NONCE_BYTES])
{
    *d = (struct digest_md5){.state = DIGEST_MD5_NEW};
    to_hex(nonce, DIGEST_MD5_NONCE_BYTES, d->nonce);
}

/* ---- name=value, name="value", ... ---- */

struct fields {
    struct slice username, realm, nonce, cnonce, nc, qop, uri, response, authzid, charset;
};

static struct slice *field_of(struct fields *f, struct slice name)
{
    const struct {
        const char *name;
        struct slice *field;
    } all[] = {
        {"username", &f->username},
        {"realm", &f->realm},
        {"nonce", &f->nonce},
        {"cnonce", &f->cnonce},
        {"nc", &f->nc},
        {"qop", &f->qop},
        {"digest-uri", &f->uri},
        {"response", &f->response},
        {"authzid", &f->authzid},
        {"charset", &f->charset},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        if (slice_eq_str(name, all[i].name))
            return all[i].field;
    }
    return NULL;
}

static struct slice skip_blanks(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t' || s.ptr[0] == ','))
        s = slice_from(s, 1);
    return s;
}

/* The value's text goes to `store` with escapes taken out; false: it does not end. */
static bool take_value(struct slice *at, struct buf *store)
{
    struct slice s = *at;
    bool quoted = s.len > 0 && s.ptr[0] == '"';
    size_t i = quoted ? 1 : 0;
    for (; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (quoted ? c == '"' : c == ',' || c == ' ')
            break;
        if (quoted && c == '\\' && ++i == s.len)
            return false;
        buf_put_u8(store, s.ptr[i]);
    }
    if (quoted && i == s.len)
        return false;
    *at = slice_from(s, quoted ? i + 1 : i);
    return true;
}

/* `store` holds the values, and has room for as much as the token is long. */
static bool read_fields(struct slice token, struct buf *store, struct fields *ret)
{
    *ret = (struct fields){0};
    for (token = skip_blanks(token); token.len > 0; token = skip_blanks(token)) {
        const uint8_t *equals = memchr(token.ptr, '=', token.len);
        if (equals == NULL)
            return false;
        struct slice name = slice_of(token.ptr, (size_t)(equals - token.ptr));
        token = slice_from(token, name.len + 1);
        size_t begin = store->len;
        if (!take_value(&token, store))
            return false;
        struct slice *field = field_of(ret, name);
        if (field != NULL && !slice_is_null(*field))
            return false; /* twice */
        if (field != NULL)
            *field = slice_of(store->ptr + begin, store->len - begin);
    }
    return true;
}

/* ---- Hashes ---- */

static bool md5(const struct buf *text, uint8_t ret[MD5_BYTES])
{
    return EVP_Digest(text->ptr, text->len, ret, NULL, EVP_md5(), NULL) == 1;
}

/* With charset=utf-8, text that ISO 8859-1 can hold is hashed in that. */
static void put_hashed(struct buf *out, struct slice s, bool utf8)
{
    bool fits = utf8;
    for (size_t i = 0; fits && i < s.len; i++) {
        if (s.ptr[i] >= 0x80) {
            fits = (s.ptr[i] & 0xfc) == 0xc0 && i + 1 < s.len && (s.ptr[i + 1] & 0xc0) == 0x80;
            i++;
        }
    }
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (fits && c >= 0x80)
            c = (uint8_t)((c & 3) << 6 | (s.ptr[++i] & 0x3f));
        buf_put_u8(out, c);
    }
}

static bool hash_a1(const struct fields *f, const char *password, char ret[HEX_BYTES + 1])
{
    uint8_t hash[MD5_BYTES];
    bool utf8 = slice_eq_str(f->charset, "utf-8");
    struct buf b = {0};
    put_hashed(&b, f->username, utf8);
    buf_put_u8(&b, ':');
    put_hashed(&b, f->realm, utf8);
    buf_put_u8(&b, ':');
    put_hashed(&b, slice_str(password), utf8);
    bool ok = md5(&b, hash);
    buf_clear(&b);
    buf_put(&b, hash, sizeof hash);
    buf_put_u8(&b, ':');
    buf_put_slice(&b, f->nonce);
    buf_put_u8(&b, ':');
    buf_put_slice(&b, f->cnonce);
    if (f->authzid.len > 0) {
        buf_put_u8(&b, ':');
        buf_put_slice(&b, f->authzid);
    }
    ok = ok && md5(&b, hash);
    buf_deinit(&b);
    to_hex(hash, sizeof hash, ret);
    return ok;
}

/* `method`: "AUTHENTICATE" for the client's proof, "" for ours. */
static bool proof(const struct fields *f, const char *a1, const char *method,
                  char ret[HEX_BYTES + 1])
{
    uint8_t hash[MD5_BYTES];
    char a2[HEX_BYTES + 1];
    struct buf b = {0};
    put_text(&b, method);
    buf_put_u8(&b, ':');
    buf_put_slice(&b, f->uri);
    bool ok = md5(&b, hash);
    to_hex(hash, sizeof hash, a2);
    buf_clear(&b);
    put_text(&b, a1);
    const struct slice parts[] = {f->nonce, f->nc, f->cnonce, slice_str("auth"), slice_str(a2)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        buf_put_u8(&b, ':');
        buf_put_slice(&b, parts[i]);
    }
    ok = ok && md5(&b, hash);
    buf_deinit(&b);
    to_hex(hash, sizeof hash, ret);
    return ok;
}

/* ---- Steps ---- */

static enum digest_md5_state fail(struct digest_md5 *d, const char *why)
{
    d->why = why;
    return d->state = DIGEST_MD5_FAILED;
}

static enum digest_md5_state challenge(struct digest_md5 *d, struct buf *reply)
{
    buf_printf(reply, "realm=\"%s\",nonce=\"%s\",qop=\"auth\",charset=utf-8,algorithm=md5-sess",
               REALM, d->nonce);
    return d->state = DIGEST_MD5_CHALLENGED;
}

static const char *why_not(const struct digest_md5 *d, const struct fields *f)
{
    if (!slice_eq_str(f->nonce, d->nonce) || !slice_eq_str(f->nc, "00000001"))
        return "the response is not to this challenge";
    if (f->qop.len > 0 && !slice_eq_str(f->qop, "auth"))
        return "the client wants a layer that is not offered";
    if (!slice_eq_str(f->uri, URI))
        return "the response is for another service";
    if (f->realm.len > 0 && !slice_eq_str(f->realm, REALM))
        return "the client names another realm";
    if (f->cnonce.len == 0 || f->response.len != HEX_BYTES || f->username.len == 0 ||
        f->username.len > DIGEST_MD5_USER_BYTES_MAX ||
        memchr(f->username.ptr, 0, f->username.len) != NULL)
        return "the response is malformed";
    return NULL;
}

static enum digest_md5_state judge(struct digest_md5 *d, const struct jaas *users,
                                   const struct fields *f, struct buf *reply)
{
    const char *why = why_not(d, f);
    if (why != NULL)
        return fail(d, why);
    const char *password = jaas_password(users, f->username);
    char a1[HEX_BYTES + 1], theirs[HEX_BYTES + 1], ours[HEX_BYTES + 1];
    if (!hash_a1(f, password != NULL ? password : "", a1) ||
        !proof(f, a1, "AUTHENTICATE", theirs) || !proof(f, a1, "", ours))
        return fail(d, "MD5 cannot be had");
    if (CRYPTO_memcmp(theirs, f->response.ptr, HEX_BYTES) != 0 || password == NULL)
        return fail(d, "no such user, or a wrong password");
    memcpy(d->user, f->username.ptr, f->username.len);
    put_text(reply, "rspauth=");
    put_text(reply, ours);
    return d->state = DIGEST_MD5_DONE;
}

enum digest_md5_state digest_md5_step(struct digest_md5 *d, const struct jaas *users,
                                      struct slice token, struct buf *reply)
{
    if (d->state == DIGEST_MD5_NEW)
        return challenge(d, reply); /* also to a client that tries to go on with an older one */
    if (d->state != DIGEST_MD5_CHALLENGED)
        return fail(d, "the conversation was over");
    if (token.len > DIGEST_MD5_TOKEN_BYTES_MAX)
        return fail(d, "the response is too long");
    struct buf store = {0};
    struct fields f;
    buf_reserve(&store, token.len + 1); /* it does not move: the fields point into it */
    bool read = read_fields(token, &store, &f);
    enum digest_md5_state state =
        read ? judge(d, users, &f, reply) : fail(d, "the response is malformed");
    buf_deinit(&store);
    return state;
}
