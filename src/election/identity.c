#include "election/identity.h"

#include <string.h>

#include "base/hex.h"

/* ---- text ---- */

static bool is_name(const char *s)
{
    for (const char *p = s; *p != '\0'; p++) {
        bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z');
        if (!letter && !(*p >= '0' && *p <= '9') && strchr("._-", *p) == NULL)
            return false;
    }
    return *s != '\0';
}

static bool is_address(const char *s)
{
    for (; *s != '\0'; s++) {
        if (*s <= ' ' || *s > '~')
            return false;
    }
    return true;
}

const char *identity_objection(const struct server_identity *s)
{
    if (memchr(s->name, '\0', sizeof s->name) == NULL || !is_name(s->name))
        return "a server's name has letters, digits, '.', '_' and '-'";
    if (memchr(s->peer, '\0', sizeof s->peer) == NULL || !is_address(s->peer) ||
        memchr(s->rest, '\0', sizeof s->rest) == NULL || !is_address(s->rest) ||
        memchr(s->grpc, '\0', sizeof s->grpc) == NULL || !is_address(s->grpc))
        return "an address is HOST:PORT";
    return NULL;
}

void identity_encode(const struct server_identity *s, const struct hash *config, struct buf *out)
{
    char hex[2 * SHA256_BYTES + 1];
    hex_write(s->incarnation, INCARNATION_BYTES, hex);
    buf_printf(out, "name=%s\nincarnation=%s\npeer=%s\nrest=%s\ngrpc=%s\n", s->name, hex, s->peer,
               s->rest, s->grpc);
    if (config != NULL) {
        hex_write(config->bytes, SHA256_BYTES, hex);
        buf_printf(out, "config=%s\n", hex);
    }
}

static bool take_text(struct slice value, char *ret, size_t bytes)
{
    if (value.len >= bytes || (value.len > 0 && memchr(value.ptr, '\0', value.len) != NULL))
        return false;
    memset(ret, 0, bytes);
    if (value.len > 0)
        memcpy(ret, value.ptr, value.len);
    return true;
}

static bool take_hex(struct slice value, uint8_t *ret, size_t bytes)
{
    char digits[2 * SHA256_BYTES + 1] = "";
    return value.len == 2 * bytes && take_text(value, digits, sizeof digits) &&
           hex_read(digits, bytes, ret);
}

static bool take_line(struct slice line, struct server_identity *s, struct hash *config,
                      struct hash *roll)
{
    const uint8_t *equals = line.len > 0 ? memchr(line.ptr, '=', line.len) : NULL;
    if (equals == NULL)
        return line.len == 0;
    struct slice key = slice_of(line.ptr, (size_t)(equals - line.ptr));
    struct slice value = slice_from(line, key.len + 1);
    if (slice_eq_str(key, "name"))
        return take_text(value, s->name, sizeof s->name);
    if (slice_eq_str(key, "incarnation"))
        return take_hex(value, s->incarnation, INCARNATION_BYTES);
    if (slice_eq_str(key, "peer"))
        return take_text(value, s->peer, sizeof s->peer);
    if (slice_eq_str(key, "rest"))
        return take_text(value, s->rest, sizeof s->rest);
    if (slice_eq_str(key, "grpc"))
        return take_text(value, s->grpc, sizeof s->grpc);
    if (slice_eq_str(key, "config"))
        return take_hex(value, config->bytes, SHA256_BYTES);
    if (slice_eq_str(key, "roll"))
        return take_hex(value, roll->bytes, SHA256_BYTES);
    return true;
}

static bool decode(struct slice text, struct server_identity *ret, struct hash *ret_config,
                   struct hash *ret_roll)
{
    struct server_identity s;
    struct hash config = {0}, roll = {0};
    memset(&s, 0, sizeof s);
    if (text.len > IDENTITY_BYTES_MAX)
        return false;
    while (text.len > 0) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        if (!take_line(slice_of(text.ptr, len), &s, &config, &roll))
            return false;
        text = slice_from(text, end != NULL ? len + 1 : len);
    }
    if (identity_objection(&s) != NULL)
        return false;
    *ret = s;
    *ret_config = config;
    *ret_roll = roll;
    return true;
}

bool identity_decode(struct slice text, struct server_identity *ret, struct hash *ret_config)
{
    struct hash config, roll;
    if (!decode(text, ret, &config, &roll))
        return false;
    if (ret_config != NULL)
        *ret_config = config;
    return true;
}

bool identity_same(const struct server_identity *a, const struct server_identity *b)
{
    return strcmp(a->name, b->name) == 0 &&
           memcmp(a->incarnation, b->incarnation, INCARNATION_BYTES) == 0 &&
           strcmp(a->peer, b->peer) == 0 && strcmp(a->rest, b->rest) == 0 &&
           strcmp(a->grpc, b->grpc) == 0;
}

/* ---- members ---- */

static bool says_a_roll(const struct member *m)
{
    static const struct hash none;
    return m->known && !hash_eq(&m->roll, &none);
}

void member_encode(const struct member *m, struct buf *out)
{
    char hex[2 * SHA256_BYTES + 1];
    identity_encode(&m->server, NULL, out);
    if (!says_a_roll(m))
        return;
    hex_write(m->roll.bytes, SHA256_BYTES, hex);
    buf_printf(out, "roll=%s\n", hex);
}

void member_decode(struct slice text, struct member *ret)
{
    struct hash config;
    memset(ret, 0, sizeof *ret);
    ret->known = true;
    decode(text, &ret->server, &config, &ret->roll);
}

bool member_same(const struct member *a, const struct member *b)
{
    return a->known == b->known && identity_same(&a->server, &b->server) &&
           hash_eq(&a->roll, &b->roll);
}

bool member_roll_is_disputed(const struct member *members, uint32_t replicas, uint32_t self,
                             const struct hash *roll)
{
    uint32_t all = 1, same = 1;
    for (uint32_t i = 0; i < replicas; i++) {
        if (i == self || !says_a_roll(&members[i]))
            continue;
        all++;
        same += hash_eq(&members[i].roll, roll);
    }
    return 2 * same <= all;
}

/* ---- claims ---- */

static struct claim by_name(uint32_t number, const struct server_identity *old,
                            const struct server_identity *self, bool replace)
{
    struct claim c = {.verdict = CLAIM_OURS, .number = number};
    if (memcmp(old->incarnation, self->incarnation, INCARNATION_BYTES) == 0)
        return c;
    c.verdict = replace ? CLAIM_REPLACE : CLAIM_REFUSED;
    c.why =
        "the name is taken by a server with another disk; if that one is lost for good, replace it";
    return c;
}

struct claim claim_decide(const struct member *members, uint32_t replicas,
                          const struct server_identity *self, bool replace)
{
    struct claim c = {.verdict = CLAIM_REFUSED,
                      .why = "all members of the state are other servers"};
    for (uint32_t i = replicas; i-- > 0;) {
        if (!members[i].known)
            c = (struct claim){.verdict = CLAIM_TAKE, .number = i};
    }
    for (uint32_t i = 0; i < replicas; i++) {
        if (members[i].known && strcmp(members[i].server.name, self->name) == 0)
            return by_name(i, &members[i].server, self, replace);
    }
    return c;
}
