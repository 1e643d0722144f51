#include "vote/record.h"

#include "base/assert.h"

static const uint8_t log_magic[4] = {'C', 'V', 'L', 'G'};
static const uint8_t batch_magic[4] = {'C', 'V', 'B', '1'};

enum {
    LOG_VERSION = 1,
};

static void store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

void record_encode(const struct record *r, uint8_t ret[RECORD_BYTES])
{
    store_be64(ret, r->index);
    store_be64(ret + 8, r->before);
    memcpy(ret + 16, r->voter.bytes, PSEUDONYM_BYTES);
    memcpy(ret + 32, r->request.bytes, REQUEST_ID_BYTES);
    memcpy(ret + 48, r->salt, SALT_BYTES);
    store_be64(ret + 64, (uint64_t)r->cast_ms);
    store_be32(ret + 72, r->epoch);
    store_be16(ret + 76, r->candidate);
    ret[78] = r->district;
    ret[79] = r->revision;
}

struct record record_decode(const uint8_t bytes[RECORD_BYTES])
{
    struct record r = {
        .index = load_be64(bytes),
        .before = load_be64(bytes + 8),
        .cast_ms = (int64_t)load_be64(bytes + 64),
        .epoch = load_be32(bytes + 72),
        .candidate = (uint16_t)(bytes[76] << 8 | bytes[77]),
        .district = bytes[78],
        .revision = bytes[79],
    };
    memcpy(r.voter.bytes, bytes + 16, PSEUDONYM_BYTES);
    memcpy(r.request.bytes, bytes + 32, REQUEST_ID_BYTES);
    memcpy(r.salt, bytes + 48, SALT_BYTES);
    return r;
}

void log_heading_encode(const struct log_heading *h, uint8_t ret[LOG_HEADING_BYTES])
{
    memcpy(ret, log_magic, sizeof log_magic);
    store_be32(ret + 4, LOG_VERSION);
    store_be64(ret + 8, h->round);
    memcpy(ret + 16, h->state, STATE_CODE_BYTES);
    memcpy(ret + 24, h->config.bytes, SHA256_BYTES);
    memcpy(ret + 56, h->roll.bytes, SHA256_BYTES);
}

bool log_heading_decode(const uint8_t bytes[LOG_HEADING_BYTES], struct log_heading *ret)
{
    if (memcmp(bytes, log_magic, sizeof log_magic) != 0 || load_be32(bytes + 4) != LOG_VERSION)
        return false;
    ret->round = load_be64(bytes + 8);
    memcpy(ret->state, bytes + 16, STATE_CODE_BYTES);
    memcpy(ret->config.bytes, bytes + 24, SHA256_BYTES);
    memcpy(ret->roll.bytes, bytes + 56, SHA256_BYTES);
    return true;
}

struct hash log_genesis(const struct log_heading *h)
{
    uint8_t bytes[LOG_HEADING_BYTES];
    struct hash genesis;
    log_heading_encode(h, bytes);
    sha256_of(bytes, sizeof bytes, genesis.bytes);
    return genesis;
}

void batch_begin(struct buf *b, uint64_t round, uint64_t epoch, uint64_t first,
                 const struct hash *before)
{
    uint8_t heading[BATCH_HEADING_BYTES] = {0};
    memcpy(heading, batch_magic, sizeof batch_magic);
    store_be64(heading + 8, round);
    store_be64(heading + 16, epoch);
    store_be64(heading + 24, first);
    memcpy(heading + 40, before->bytes, SHA256_BYTES);
    buf_put(b, heading, sizeof heading);
}

struct batch batch_end_writing(struct buf *b, size_t at)
{
    size_t records = b->len - at - BATCH_HEADING_BYTES;
    invariant(records > 0 && records % RECORD_BYTES == 0);
    invariant(records / RECORD_BYTES <= BATCH_RECORDS_MAX);

    uint8_t *p = b->ptr + at;
    size_t len = BATCH_HEADING_BYTES + records + SHA256_BYTES;
    struct batch ret = {
        .round = load_be64(p + 8),
        .epoch = load_be64(p + 16),
        .first = load_be64(p + 24),
        .count = (uint32_t)(records / RECORD_BYTES),
    };
    store_be32(p + 4, (uint32_t)len);
    store_be32(p + 32, ret.count);
    memcpy(ret.before.bytes, p + 40, SHA256_BYTES);
    sha256_of(p, len - SHA256_BYTES, ret.chain.bytes);
    buf_put(b, ret.chain.bytes, SHA256_BYTES);
    invariant(buf_ok(b));
    ret.bytes = buf_part(b, at, len);
    return ret;
}

static bool heading_is_right(const uint8_t *p, uint32_t len, uint32_t count)
{
    return memcmp(p, batch_magic, sizeof batch_magic) == 0 && count > 0 &&
           count <= BATCH_RECORDS_MAX &&
           len == BATCH_HEADING_BYTES + count * RECORD_BYTES + SHA256_BYTES &&
           load_be32(p + 36) == 0 && load_be64(p + 24) <= RECORDS_MAX - count;
}

enum batch_verdict batch_read(struct slice bytes, struct batch *ret)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len < BATCH_HEADING_BYTES)
        return BATCH_SHORT;
    uint32_t len = load_be32(p + 4), count = load_be32(p + 32);
    if (!heading_is_right(p, len, count))
        return BATCH_WRONG;
    if (bytes.len < len)
        return BATCH_SHORT;

    struct batch b = {
        .round = load_be64(p + 8),
        .epoch = load_be64(p + 16),
        .first = load_be64(p + 24),
        .count = count,
        .bytes = slice_of(p, len),
    };
    memcpy(b.before.bytes, p + 40, SHA256_BYTES);
    sha256_of(p, len - SHA256_BYTES, b.chain.bytes);
    if (memcmp(b.chain.bytes, p + len - SHA256_BYTES, SHA256_BYTES) != 0)
        return BATCH_WRONG;
    *ret = b;
    return BATCH_VALID;
}
