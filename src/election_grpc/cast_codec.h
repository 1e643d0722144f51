/* cast_codec.h: a vote and its answer as election.v1 has them on the wire; written by hand, since a
 * CastStream carries a hundred thousand a second. For both ends. */
#ifndef CAUCUS_ELECTION_GRPC_CAST_CODEC_H
#define CAUCUS_ELECTION_GRPC_CAST_CODEC_H

#include "base/buf.h"
#include "vote/shard_effects.h"

/* CastRequest. Slices are borrowed; what is missing is empty. */
struct cast_wire {
    struct slice state, voter, candidate;
    struct slice request_id; /* 16 bytes, or none */
    uint32_t expect_revision;
    struct slice credential;
    bool sign; /* the receipt */
};

bool cast_wire_decode(struct slice bytes, struct cast_wire *ret); /* false: it is no CastRequest */
void cast_wire_encode(const struct cast_wire *c, struct buf *out);

/* The values of election.v1.Outcome. */
enum cast_wire_outcome {
    CAST_WIRE_UNSPECIFIED,
    CAST_WIRE_COMMITTED,
    CAST_WIRE_DUPLICATE,
    CAST_WIRE_NOT_STARTED,
    CAST_WIRE_CLOSED_OUT,
    CAST_WIRE_REJECTED,
    CAST_WIRE_UNKNOWN_RETRY,
};

/* CastReply. */
struct cast_wire_reply {
    uint32_t outcome; /* enum cast_wire_outcome, or what a newer server says */
    bool has_receipt;
    struct slice state; /* of the receipt */
    struct receipt receipt;
    struct slice signature; /* of the receipt; empty: none */
    struct slice detail;
    struct slice request_id;
    uint32_t code; /* as Cast's status */
    uint32_t retry_after_ms;
};

/* Hashes of other lengths than a hash's are no CastReply. */
bool cast_wire_reply_decode(struct slice bytes, struct cast_wire_reply *ret);
void cast_wire_reply_encode(const struct cast_wire_reply *r, struct buf *out);

#endif
