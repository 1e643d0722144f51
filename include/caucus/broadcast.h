/* broadcast.h: every member of a group is told the same messages in the same order.
 *
 * A member sends; the group's leader puts what all have sent into batches, one after the other;
 * every member accepts a batch; when enough have, the leader commits it, and all deliver it. The
 * shape of a replicated state machine, with the coordination service as its network and its log.
 * A message has at most 16 KiB; whoever needs more sends it by means of his own, and a name for
 * it in this way.
 *
 *   PATH/line     candidates for the leader, as in election.h
 *   PATH/slots    a member's node: what it has accepted, and what it submits
 *   PATH/log      batches, under their numbers
 *   PATH/commit   epoch, the last batch that is committed, the last one there is, the first one
 *                 that is kept. Every write of a leader depends on its version: that is the fence
 *
 * What is guaranteed, as long as nobody writes below PATH by hand:
 *
 *   order      A message has one position, and positions rise. Members deliver in the order of
 *              positions, each at most once (between two starts of the program, see `after`), and
 *              never different messages at one position. What a member sends after it has
 *              delivered a message stands behind it
 *   no holes   A member delivers everything that was committed behind the position that JOINED
 *              told it, or is told of a GAP. There is a gap only if it was away, or slower than
 *              the others, for more than `history` batches; what the messages in it did has to be
 *              had from another member
 *   accepted   What a member delivers was accepted by acks_min members before. What one member
 *              has accepted is committed sooner or later, at its position, by whatever leader
 *   senders    Messages of one sender are delivered in the order in which they were sent, each
 *              once. Only if the sender is closed, ends, or meets a gap before it knows, the last
 *              ones are delivered once or not at all; but by all members alike
 *
 * What happens after which faults:
 *
 *   disconnection, pause  Of a member: it delivers later, and misses nothing. Of the leader:
 *                         nothing is committed until it is back, or its session has ended and the
 *                         next one leads. A leader that was replaced and does not know it can
 *                         write nothing any more
 *   end of a session      The member is out (LEFT), and joins again by itself where it was: it
 *                         delivers what was committed meanwhile. What it had sent is looked for
 *                         in the log, and sent again only if it is not there and cannot get there
 *   end of a program      What it has submitted is ordered, or not. One that starts again asks
 *                         for what stands behind the last position it has dealt with (`after`)
 *   end of the leader     The next one leads when the session of the last has ended. It goes on
 *                         with the batch that is not committed, as it stands
 *   fewer than acks_min,  Nothing is committed until there are enough again. Nothing is lost
 *   no quorum of servers
 *
 * Nothing of this has a bound of time but that a failure is noticed within a session's timeout:
 * that a message is committed does not say that the others have delivered it by now.
 *
 * Cost of a batch in a group of m members, whatever the number of messages in it: one or two
 * writes of the leader and one of each member; the leader is notified of each of those, and each
 * member of the leader's. While a batch is under way the next one collects, at each sender and at
 * the leader.
 *
 * Callbacks run where those of the client run (caucus.h); who is slow in them accepts slowly. */
#ifndef CAUCUS_CAUCUS_BROADCAST_H
#define CAUCUS_CAUCUS_BROADCAST_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    CAUCUS_BROADCAST_MEMBERS_MAX = 256,
    CAUCUS_BROADCAST_BYTES_MAX = 16384, /* of a message */
    CAUCUS_BROADCAST_WAITING_MAX = 4096 /* messages of one member that are not delivered yet */
};

struct caucus_broadcast; /* one member */

struct caucus_broadcast_message {
    uint64_t position;
    const void *data;
    size_t bytes;
    bool is_own; /* this member has sent it, since it was opened */
};

enum caucus_broadcast_news {
    CAUCUS_BROADCAST_JOINED = 1, /* what is delivered now stands behind `position` */
    CAUCUS_BROADCAST_LEFT,       /* not a member at the moment; `rc` says why */
    CAUCUS_BROADCAST_GAP,   /* what stands behind `position` and not behind `to` is not delivered */
    CAUCUS_BROADCAST_LEADS, /* this member leads from now on: in `epoch` */
    CAUCUS_BROADCAST_FOLLOWS, /* not any more */
    CAUCUS_BROADCAST_TROUBLE  /* `rc`: what a server refused; tried again after 50 ms to 6.4 s */
};

struct caucus_broadcast_change {
    enum caucus_broadcast_news news;
    uint64_t position, to;
    int64_t epoch; /* LEADS: greater than those of all leaders before */
    int rc;
};

struct caucus_broadcast_options {
    /* A message that this member promises to keep, before it is acknowledged: this is where a
     * member that keeps a log of its own writes and syncs it. Called for each message before it is
     * delivered, also when it is committed already; after a program has started again, once more
     * for what was accepted and is behind `after`. May be NULL. */
    void (*accept)(void *context, struct caucus_broadcast *b,
                   const struct caucus_broadcast_message *message);
    void (*deliver)(void *context, struct caucus_broadcast *b,
                    const struct caucus_broadcast_message *message);
    void (*change)(void *context, struct caucus_broadcast *b,
                   const struct caucus_broadcast_change *change); /* may be NULL */
    void *context;

    bool resume;    /* deliver what is behind `after`, 0: from the beginning. Otherwise what is */
    uint64_t after; /* committed from now on */
    int acks_min; /* how many members have to accept a batch, the leader among them. 0: all that are
                     in the group at the time. The same for all members, as history */
    int history;  /* batches that are kept for those who come back; 0: 1,000; at most 10,000 */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
};

/* Becomes a member of the group at this path, now or when there is a session, and until it is
 * closed. The path and its parents are made if they are missing. Everything is copied. The first
 * callback may come before this returns. A group that has CAUCUS_BROADCAST_MEMBERS_MAX members
 * takes no more (TROUBLE with CAUCUS_BUSY, tried again). Errors: CAUCUS_BADARGUMENTS,
 * CAUCUS_CLOSING. */
CAUCUS_API int caucus_broadcast_open(struct caucus *c, const char *path,
                                     const struct caucus_broadcast_options *options,
                                     struct caucus_broadcast **ret);

/* No member any more. What was sent and not delivered ends with CAUCUS_CLOSING (it may be delivered
 * to the others or not) before this returns, and no callback comes after it. The member's nodes are
 * deleted in the background. From any thread and at any time, before or after caucus_close of the
 * client. On the thread of the callbacks nothing is waited for. NULL is fine. */
CAUCUS_API void caucus_broadcast_close(struct caucus_broadcast *b);

/* Called once, after the message was delivered to this member; rc 0: it was committed at this
 * position (0: in a gap). CAUCUS_CONNECTIONLOSS: it met a gap, and nobody knows whether it was.
 * CAUCUS_CLOSING. */
typedef void caucus_broadcast_sent_fn(void *context, int rc, uint64_t position);

/* From any thread, whether it is a member at the moment or not. `done` may be NULL. Errors:
 * CAUCUS_BADARGUMENTS, CAUCUS_TOOBIG, CAUCUS_BUSY (too many wait), CAUCUS_CLOSING. */
CAUCUS_API int caucus_broadcast_send(struct caucus_broadcast *b, const void *data, size_t bytes,
                                     caucus_broadcast_sent_fn *done, void *context);
/* Waits until it is delivered. `ret_position` may be NULL. Errors also: CAUCUS_WOULDBLOCK, and as
 * above. */
CAUCUS_API int caucus_broadcast_send_wait(struct caucus_broadcast *b, const void *data,
                                          size_t bytes, uint64_t *ret_position);

#ifdef __cplusplus
}
#endif

#endif
