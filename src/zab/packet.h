/* packet.h: QuorumPackets, as they lie one behind the other on a link of the quorum port.
 *
 *   int type | long zxid | int length, data (-1 null) | int count, {ustring scheme, ustring id}*
 *
 * There is no length around a packet: where it ends is known when it was walked. Bytes may arrive
 * cut anywhere. Everything is bounded by `bytes_max`: a packet that claims more is malformed at
 * once, whether its bytes have come or not. */
#ifndef CAUCUS_ZAB_PACKET_H
#define CAUCUS_ZAB_PACKET_H

#include "base/buf.h"
#include "wire/records.h"

enum packet_type {
    PACKET_REQUEST = 1,
    PACKET_PROPOSAL = 2,
    PACKET_ACK = 3,
    PACKET_COMMIT = 4,
    PACKET_PING = 5,
    PACKET_REVALIDATE = 6,
    PACKET_SYNC = 7,
    PACKET_INFORM = 8,
    PACKET_COMMITANDACTIVATE = 9,
    PACKET_NEWLEADER = 10,
    PACKET_FOLLOWERINFO = 11,
    PACKET_UPTODATE = 12,
    PACKET_DIFF = 13,
    PACKET_TRUNC = 14,
    PACKET_SNAP = 15,
    PACKET_OBSERVERINFO = 16,
    PACKET_LEADERINFO = 17,
    PACKET_ACKEPOCH = 18,
    PACKET_INFORMANDACTIVATE = 19,
};

enum {
    PACKET_EMPTY_BYTES = 20,       /* without data and identities */
    PACKET_HEAD_BYTES = 16,        /* in front of the data */
    PACKET_PROTOCOL = 0x10000,     /* LearnerInfo.protocolVersion, LEADERINFO: Zab 1.0 */
    PACKET_LEARNER_INFO_BYTES = 20 /* sid, protocol, version of the configuration */
};

enum packet_scan {
    PACKET_MORE,     /* the bytes end in the middle of a packet */
    PACKET_COMPLETE, /* *ret and *ret_used are set */
    PACKET_MALFORMED
};

/* The packet at the start of `bytes`. *ret borrows from them. With PACKET_MORE *ret_used is how
 * many bytes there must be at least before asking again makes sense. */
enum packet_scan packet_scan(struct slice bytes, size_t bytes_max, struct rec_quorum_packet *ret,
                             size_t *ret_used);

/* Without identities. `data` NULL is the null buffer. */
void packet_put(struct buf *out, enum packet_type type, int64_t zxid, struct slice data);
void packet_put_empty(struct buf *out, enum packet_type type, int64_t zxid);

/* For traces: "PROPOSAL", ...; "unknown". */
const char *packet_name(int32_t type);

#endif
