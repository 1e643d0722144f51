#include "fle/notification.h"

#include "wire/dec.h"

enum {
    BYTES_WITHOUT_EPOCH = 28,
    BYTES_WITHOUT_VERSION = 40,
    VERSION_WITH_CONFIG = 2,
};

bool fle_notification_parse(struct slice payload, struct fle_notification *ret)
{
    struct dec d = dec_of(payload);
    struct fle_notification n = {0};
    int32_t state = dec_i32(&d);
    n.vote.leader = dec_i64(&d);
    n.vote.zxid = dec_i64(&d);
    n.vote.round = dec_i64(&d);
    n.vote.peer_epoch = payload.len == BYTES_WITHOUT_EPOCH ? n.vote.zxid >> 32 : dec_i64(&d);
    if (payload.len != BYTES_WITHOUT_EPOCH && payload.len != BYTES_WITHOUT_VERSION)
        n.version = dec_i32(&d);
    if (n.version >= VERSION_WITH_CONFIG) {
        n.config = dec_buffer(&d);
        if (slice_is_null(n.config))
            return false; /* -1 is no null here */
    }
    if (d.bad || state < FLE_LOOKING || state > FLE_OBSERVING)
        return false;
    n.state = (enum fle_state)state;
    *ret = n;
    return true;
}

void fle_notification_put(struct buf *out, enum fle_state state, const struct fle_vote *vote,
                          struct slice config)
{
    buf_put_i32(out, (int32_t)state);
    buf_put_i64(out, vote->leader);
    buf_put_i64(out, vote->zxid);
    buf_put_i64(out, vote->round);
    buf_put_i64(out, vote->peer_epoch);
    buf_put_i32(out, VERSION_WITH_CONFIG);
    buf_put_i32(out, (int32_t)config.len);
    buf_put_slice(out, config);
}
