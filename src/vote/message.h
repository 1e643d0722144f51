/* message.h: what replicas of a shard say to each other.
 *
 * A heading, the same for all, then batches; integers are big-endian:
 *   type u8 | round u64 | epoch u64 | index u64 | chain 32 | index u64 | chain 32 | bytes
 * Any bytes are fine for the decoder; whether a message makes sense is the shard's to judge. */
#ifndef CAUCUS_VOTE_MESSAGE_H
#define CAUCUS_VOTE_MESSAGE_H

#include "vote/record.h"

enum message_type {
    /* From the leader of `epoch`. */
    MESSAGE_APPEND = 1, /* bytes: the next batch */
    MESSAGE_PROBE,      /* do you hold the log up to index, chain? */
    MESSAGE_BEHIND,     /* what you need next is not at hand any more: fetch it */
    /* To it. */
    MESSAGE_ACK,    /* the log up to index, chain is durable here, and kept */
    MESSAGE_REFUSE, /* epoch: a later one was promised */
    MESSAGE_HELLO,  /* index, chain: where this log ends; second: what is committed; epoch: promised
                     */
    /* To anybody, and back. */
    MESSAGE_FETCH,   /* committed batches from index to second index */
    MESSAGE_FETCHED, /* index: where they begin; bytes: none if there are none; whole batches;
                        epoch: of the newest loss that the sender has read of */
    MESSAGE_TYPE_END,
};

struct message {
    enum message_type type;
    uint64_t round, epoch;
    uint64_t index;
    struct hash chain;
    uint64_t index2;
    struct hash chain2;
    struct slice bytes; /* borrowed */
};

enum {
    MESSAGE_HEADING_BYTES = 97,
};

void message_encode(const struct message *m, struct buf *b);
bool message_decode(struct slice bytes, struct message *ret);

#endif
