#include "recipes/broadcast_format.h"

#include <string.h>

enum {
    MAGIC_BYTES = 4,
    BATCH_COUNT_AT = MAGIC_BYTES + 8
};

#define RECORD_MAGIC "CBr1"
#define SLOT_MAGIC   "CBs1"
#define BATCH_MAGIC  "CBb1"

/* ---- Reading: past the end everything fails ---- */

static bool take(struct slice *s, size_t bytes, const uint8_t **ret)
{
    if (s->len < bytes)
        return false;
    *ret = s->ptr;
    *s = slice_of(s->ptr + bytes, s->len - bytes);
    return true;
}

static bool take_magic(struct slice *s, const char *magic)
{
    const uint8_t *p;
    return take(s, MAGIC_BYTES, &p) && memcmp(p, magic, MAGIC_BYTES) == 0;
}

static bool take_u32(struct slice *s, uint32_t *ret)
{
    const uint8_t *p;
    if (!take(s, 4, &p))
        return false;
    *ret = load_be32(p);
    return true;
}

/* None of ours is negative. */
static bool take_i64(struct slice *s, int64_t *ret)
{
    const uint8_t *p;
    if (!take(s, 8, &p))
        return false;
    *ret = (int64_t)load_be64(p);
    return *ret >= 0;
}

static bool take_cursor(struct slice *s, struct broadcast_cursor *ret)
{
    const uint8_t *p;
    if (!take(s, BROADCAST_ID_BYTES, &p))
        return false;
    memcpy(ret->id.bytes, p, BROADCAST_ID_BYTES);
    return take_i64(s, &ret->number);
}

static bool take_message(struct slice *s, struct slice *ret)
{
    uint32_t len;
    const uint8_t *p;
    if (!take_u32(s, &len) || len > BROADCAST_MESSAGE_BYTES_MAX || !take(s, len, &p))
        return false;
    *ret = slice_of(p, len);
    return true;
}

/* *ret: with their count. */
static bool take_messages(struct slice *s, uint32_t *ret_count, struct slice *ret)
{
    const uint8_t *from = s->ptr;
    uint32_t count;
    struct slice ignored;
    if (!take_u32(s, &count) || count > BROADCAST_SUBMISSION_MESSAGES_MAX)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!take_message(s, &ignored))
            return false;
    *ret_count = count;
    *ret = slice_of(from, (size_t)(s->ptr - from));
    return ret->len <= BROADCAST_SUBMISSION_BYTES_MAX;
}

/* ---- Ids ---- */

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool broadcast_id_of(const char *name, struct broadcast_id *ret)
{
    if (strlen(name) != BROADCAST_ID_DIGITS)
        return false;
    for (size_t i = 0; i < BROADCAST_ID_BYTES; i++) {
        int high = digit(name[2 * i]), low = digit(name[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        ret->bytes[i] = (uint8_t)(16 * high + low);
    }
    return true;
}

bool broadcast_id_is(const struct broadcast_id *a, const struct broadcast_id *b)
{
    return memcmp(a->bytes, b->bytes, BROADCAST_ID_BYTES) == 0;
}

/* ---- The commit record ---- */

static void put_cursor(struct buf *b, const struct broadcast_id *id, int64_t number)
{
    buf_put(b, id->bytes, BROADCAST_ID_BYTES);
    buf_put_i64(b, number);
}

void broadcast_put_record(struct buf *b, const struct broadcast_record *r)
{
    buf_put(b, RECORD_MAGIC, MAGIC_BYTES);
    buf_put_i64(b, r->epoch);
    buf_put_i64(b, r->committed);
    buf_put_i64(b, r->proposed);
    buf_put_i64(b, r->oldest);
    buf_put_i32(b, (int32_t)r->cursor_count);
    for (uint32_t i = 0; i < r->cursor_count; i++)
        put_cursor(b, &r->cursors[i].id, r->cursors[i].number);
}

static bool is_consistent(const struct broadcast_record *r)
{
    return r->committed <= r->proposed && r->proposed - r->committed <= 1 && r->oldest >= 1 &&
           r->oldest - 1 <= r->proposed && r->proposed < INT64_MAX >> 16;
}

bool broadcast_read_record(struct slice s, struct broadcast_record *ret)
{
    if (!take_magic(&s, RECORD_MAGIC) || !take_i64(&s, &ret->epoch) ||
        !take_i64(&s, &ret->committed) || !take_i64(&s, &ret->proposed) ||
        !take_i64(&s, &ret->oldest) || !take_u32(&s, &ret->cursor_count) ||
        ret->cursor_count > BROADCAST_MEMBERS_MAX)
        return false;
    for (uint32_t i = 0; i < ret->cursor_count; i++)
        if (!take_cursor(&s, &ret->cursors[i]))
            return false;
    return s.len == 0 && is_consistent(ret);
}

struct broadcast_cursor *broadcast_cursor_of(struct broadcast_record *r,
                                             const struct broadcast_id *id)
{
    for (uint32_t i = 0; i < r->cursor_count; i++)
        if (broadcast_id_is(&r->cursors[i].id, id))
            return &r->cursors[i];
    return NULL;
}

/* ---- Slots ---- */

void broadcast_put_slot(struct buf *b, int64_t read, int64_t number, struct slice messages)
{
    buf_put(b, SLOT_MAGIC, MAGIC_BYTES);
    buf_put_i64(b, read);
    buf_put_i64(b, number);
    buf_put_slice(b, messages);
}

bool broadcast_read_slot(struct slice s, struct broadcast_slot *ret)
{
    return take_magic(&s, SLOT_MAGIC) && take_i64(&s, &ret->read) && take_i64(&s, &ret->number) &&
           take_messages(&s, &ret->message_count, &ret->messages) && s.len == 0;
}

/* ---- Batches ---- */

void broadcast_begin_batch(struct buf *b, int64_t epoch)
{
    buf_put(b, BATCH_MAGIC, MAGIC_BYTES);
    buf_put_i64(b, epoch);
    buf_put_i32(b, 0);
}

void broadcast_put_submission(struct buf *b, const struct broadcast_id *id, int64_t number,
                              struct slice messages)
{
    put_cursor(b, id, number);
    buf_put_slice(b, messages);
}

void broadcast_end_batch(struct buf *b, uint32_t submissions)
{
    store_be32(b->ptr + BATCH_COUNT_AT, submissions);
}

static bool take_batch_head(struct slice *s, uint32_t *ret_submissions)
{
    int64_t epoch;
    return take_magic(s, BATCH_MAGIC) && take_i64(s, &epoch) && take_u32(s, ret_submissions) &&
           *ret_submissions <= BROADCAST_MEMBERS_MAX;
}

bool broadcast_check_batch(struct slice s)
{
    uint32_t submissions, count, total = 0;
    struct broadcast_cursor by;
    struct slice ignored;
    if (!take_batch_head(&s, &submissions))
        return false;
    for (uint32_t i = 0; i < submissions; i++) {
        if (!take_cursor(&s, &by) || !take_messages(&s, &count, &ignored))
            return false;
        total += count;
    }
    return s.len == 0 && total <= BROADCAST_BATCH_MESSAGES_MAX;
}

void broadcast_reader_init(struct broadcast_reader *r, struct slice batch)
{
    *r = (struct broadcast_reader){.rest = batch};
    if (!take_batch_head(&r->rest, &r->submissions_left))
        r->submissions_left = 0;
}

bool broadcast_next(struct broadcast_reader *r)
{
    while (r->messages_left == 0) {
        if (r->submissions_left == 0)
            return false;
        r->submissions_left--;
        if (!take_cursor(&r->rest, &r->by) || !take_u32(&r->rest, &r->messages_left))
            return false;
    }
    r->messages_left--;
    r->place++;
    return take_message(&r->rest, &r->message);
}
