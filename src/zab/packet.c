#include "zab/packet.h"

/* The end of a string or buffer at `at`: -1 = malformed, 0 = more is needed (*need), else its end.
 */
static int64_t scan_buffer(struct slice bytes, size_t at, size_t bytes_max, size_t *need)
{
    if (bytes.len < at + 4) {
        *need = at + 4;
        return 0;
    }
    int32_t len = (int32_t)load_be32(bytes.ptr + at);
    if (len < -1 || (len > 0 && (size_t)len > bytes_max - (at + 4)))
        return -1;
    size_t end = at + 4 + (len > 0 ? (size_t)len : 0);
    if (bytes.len < end) {
        *need = end;
        return 0;
    }
    return (int64_t)end;
}

static enum packet_scan more_or_malformed(int64_t end)
{
    return end == 0 ? PACKET_MORE : PACKET_MALFORMED;
}

enum packet_scan packet_scan(struct slice bytes, size_t bytes_max, struct rec_quorum_packet *ret,
                             size_t *ret_used)
{
    int64_t end = scan_buffer(bytes, 12, bytes_max, ret_used);
    if (end <= 0)
        return more_or_malformed(end);

    size_t at = (size_t)end;
    if (bytes.len < at + 4) {
        *ret_used = at + 4;
        return at + 4 <= bytes_max ? PACKET_MORE : PACKET_MALFORMED;
    }
    int32_t count = (int32_t)load_be32(bytes.ptr + at);
    at += 4;
    if (count > 0 && (at >= bytes_max || (size_t)count > (bytes_max - at) / 8))
        return PACKET_MALFORMED;
    for (int32_t i = 0; i < count; i++) {
        for (int field = 0; field < 2; field++) {
            if (at + 4 > bytes_max)
                return PACKET_MALFORMED;
            end = scan_buffer(bytes, at, bytes_max, ret_used);
            if (end <= 0)
                return more_or_malformed(end);
            at = (size_t)end;
        }
    }

    struct dec d = dec_of(slice_of(bytes.ptr, at));
    if (!rec_get_quorum_packet(&d, ret))
        return PACKET_MALFORMED;
    *ret_used = at;
    return PACKET_COMPLETE;
}

void packet_put(struct buf *out, enum packet_type type, int64_t zxid, struct slice data)
{
    struct rec_quorum_packet p = {(int32_t)type, zxid, data, {.count = -1}};
    rec_put_quorum_packet(out, &p);
}

void packet_put_empty(struct buf *out, enum packet_type type, int64_t zxid)
{
    packet_put(out, type, zxid, (struct slice){0});
}

const char *packet_name(int32_t type)
{
    switch (type) {
    case PACKET_REQUEST:
        return "REQUEST";
    case PACKET_PROPOSAL:
        return "PROPOSAL";
    case PACKET_ACK:
        return "ACK";
    case PACKET_COMMIT:
        return "COMMIT";
    case PACKET_PING:
        return "PING";
    case PACKET_REVALIDATE:
        return "REVALIDATE";
    case PACKET_SYNC:
        return "SYNC";
    case PACKET_INFORM:
        return "INFORM";
    case PACKET_COMMITANDACTIVATE:
        return "COMMITANDACTIVATE";
    case PACKET_NEWLEADER:
        return "NEWLEADER";
    case PACKET_FOLLOWERINFO:
        return "FOLLOWERINFO";
    case PACKET_UPTODATE:
        return "UPTODATE";
    case PACKET_DIFF:
        return "DIFF";
    case PACKET_TRUNC:
        return "TRUNC";
    case PACKET_SNAP:
        return "SNAP";
    case PACKET_OBSERVERINFO:
        return "OBSERVERINFO";
    case PACKET_LEADERINFO:
        return "LEADERINFO";
    case PACKET_ACKEPOCH:
        return "ACKEPOCH";
    case PACKET_INFORMANDACTIVATE:
        return "INFORMANDACTIVATE";
    default:
        return "unknown";
    }
}
