/* jute.h: the little of ZooKeeper's encoding that a load needs (big-endian, in place).
 *
 * A frame is a 4-byte length and that many bytes. A request starts with xid and opcode,
 * a reply with xid, zxid and err. Written here a second time on purpose: a load that
 * used the server's own encoder would agree with its mistakes. No allocation, no
 * bounds: the caller has made room, and has checked the length of what it reads.
 * Source: zookeeper.jute, ZooDefs.java. */
#ifndef BENCH_JUTE_H
#define BENCH_JUTE_H

#include <stdint.h>
#include <string.h>

enum {
    OP_CREATE = 1,
    OP_GET_DATA = 4,
    OP_SET_DATA = 5,
    OP_SYNC = 9,
    OP_PING = 11,
    OP_CLOSE_SESSION = -11,

    XID_NOTIFICATION = -1,
    XID_PING = -2,

    ZK_OK = 0,
    ZK_NONODE = -101,
    ZK_NODEEXISTS = -110,

    EVENT_DATA_CHANGED = 3,

    LENGTH_BYTES = 4,
    REPLY_HEADER_BYTES = 16, /* int xid; long zxid; int err */
    STAT_BYTES = 68,
    STAT_DATA_LENGTH_AT = 52,
    CONNECT_REPLY_BYTES_MIN = 36, /* int version; int timeout; long session; buffer[16] */
    PASSWORD_BYTES = 16,
};

static inline uint8_t *put_i32(uint8_t *at, int32_t value)
{
    uint32_t big = __builtin_bswap32((uint32_t)value);
    memcpy(at, &big, sizeof big);
    return at + sizeof big;
}

static inline uint8_t *put_i64(uint8_t *at, int64_t value)
{
    uint64_t big = __builtin_bswap64((uint64_t)value);
    memcpy(at, &big, sizeof big);
    return at + sizeof big;
}

static inline uint8_t *put_buffer(uint8_t *at, const void *bytes, size_t length)
{
    at = put_i32(at, (int32_t)length);
    memcpy(at, bytes, length);
    return at + length;
}

static inline uint8_t *put_string(uint8_t *at, const char *text)
{
    return put_buffer(at, text, strlen(text));
}

static inline int32_t get_i32(const uint8_t *at)
{
    uint32_t big;
    memcpy(&big, at, sizeof big);
    return (int32_t)__builtin_bswap32(big);
}

static inline int64_t get_i64(const uint8_t *at)
{
    uint64_t big;
    memcpy(&big, at, sizeof big);
    return (int64_t)__builtin_bswap64(big);
}

#endif
