#include "vote/message.h"

void message_encode(const struct message *m, struct buf *b)
{
    buf_put_u8(b, (uint8_t)m->type);
    buf_put_i64(b, (int64_t)m->round);
    buf_put_i64(b, (int64_t)m->epoch);
    buf_put_i64(b, (int64_t)m->index);
    buf_put(b, m->chain.bytes, SHA256_BYTES);
    buf_put_i64(b, (int64_t)m->index2);
    buf_put(b, m->chain2.bytes, SHA256_BYTES);
    buf_put_slice(b, m->bytes);
}

bool message_decode(struct slice bytes, struct message *ret)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len < MESSAGE_HEADING_BYTES || p[0] < MESSAGE_APPEND || p[0] >= MESSAGE_TYPE_END)
        return false;
    ret->type = (enum message_type)p[0];
    ret->round = load_be64(p + 1);
    ret->epoch = load_be64(p + 9);
    ret->index = load_be64(p + 17);
    memcpy(ret->chain.bytes, p + 25, SHA256_BYTES);
    ret->index2 = load_be64(p + 57);
    memcpy(ret->chain2.bytes, p + 65, SHA256_BYTES);
    ret->bytes = slice_from(bytes, MESSAGE_HEADING_BYTES);
    return true;
}
