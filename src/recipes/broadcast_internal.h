/* broadcast_internal.h: a member of a group, between its files.
 *
 *   broadcast.c          what it is asked from other threads; its life
 *   broadcast_member.c   joins, reads batches, accepts, delivers, writes its slot
 *   broadcast_sender.c   what was sent, until it is delivered
 *   broadcast_leader.c   reads slots, proposes and commits, while it is the first in the line
 *
 * All on the event thread but for what stands below `lock` of the machine.
 *
 * Invariants:
 *  1. The commit record changes only by a write that is conditional on its version, and only a
 *     leader writes it whose epoch (the token of its place in the line) is not less than the
 *     record's. A batch is made in the same multi that sets `proposed` to it.
 *  2. One batch at most is proposed and not committed. A new leader goes on with it.
 *  3. What a slot submits under a number never changes. It is ordered only in a multi that checks
 *     that the slot is there, and only if the number is greater than the member's cursor in the
 *     record. Hence what is not in the log when its slot is gone never gets there.
 *  4. A slot belongs to one session; its uuid is never used again.
 *  5. delivered <= read <= delivered + 1: at most one batch waits for its commit. */
#ifndef CAUCUS_RECIPES_BROADCAST_INTERNAL_H
#define CAUCUS_RECIPES_BROADCAST_INTERNAL_H

#include "caucus/broadcast.h"
#include "recipes/badge.h"
#include "recipes/broadcast_format.h"
#include "recipes/machine.h"
#include "recipes/queue.h"

/* ---- Messages of our own ---- */

struct broadcast_message { /* one */
    struct broadcast_message *next;
    caucus_broadcast_sent_fn *done;
    void *context;
    uint64_t position; /* 0: not known yet */
    size_t bytes;
    uint8_t data[];
};

struct broadcast_list {
    struct broadcast_message *first, **end; /* end: where the next one goes */
    size_t count;
};

/* What stands in our slot, or is to. */
struct broadcast_submission {
    struct broadcast_list messages; /* empty: nothing is submitted */
    struct buf bytes;               /* as they stand in the slot; "no messages" if there are none */
    struct broadcast_id id;         /* the slot it was written to */
    int64_t number;
    bool is_published; /* a write of it may have happened */
    bool is_doubtful;  /* its slot is gone; it is in the log up to `doubt_until`, or nowhere */
    int64_t doubt_until;
};

struct broadcast_sender {
    struct broadcast_list waiting; /* lock */
    size_t total;                  /* lock: all that were taken and are not done */
    bool is_posted;                /* lock: the event thread will look */
    struct broadcast_submission current;
    struct broadcast_list ordered; /* accepted in the log; not delivered yet */
    int64_t last_number;           /* in this slot */
};

/* ---- The leader ---- */

struct broadcast_peer { /* a slot as the leader sees it */
    char name[BROADCAST_ID_DIGITS + 1];
    struct broadcast_id id;
    struct machine_watch *watch;
    bool is_stale; /* to be read */
    bool in_flight;
    int64_t read;
    int64_t number; /* submitted; 0: nothing */
    uint32_t message_count;
    struct buf messages;
};

struct broadcast_leader {
    int64_t epoch;      /* 0: we do not lead */
    uint64_t term;      /* answers of an earlier one are void */
    bool has_taken;     /* the record is of our epoch, and as we know it */
    bool was_taken;     /* it was in this term: LEADS was told */
    bool is_superseded; /* a later leader was seen: nothing is written in this term any more */
    bool yields;        /* ... and our place in the line is to be given up */
    bool in_flight;     /* of the record */
    bool is_listing;
    bool list_is_stale;
    size_t reads; /* of slots, in flight */
    struct machine_watch *list_watch;
    struct broadcast_record record; /* as we wrote it last */
    struct broadcast_record next;   /* as it is being written */
    int32_t version;
    struct broadcast_peer **peers; /* in order of their names */
    size_t peer_count;
    size_t turn; /* whose submission is the first of the next batch */
};

/* ---- The member ---- */

enum broadcast_phase {
    BROADCAST_OUT,   /* no session */
    BROADCAST_SYNC,  /* what is read now is not older than what was read before */
    BROADCAST_READ,  /* is there a group? */
    BROADCAST_MAKE,  /* no: its nodes are made */
    BROADCAST_CLEAR, /* our slot of an earlier session is deleted */
    BROADCAST_ROOM,  /* are there too many members? */
    BROADCAST_ENTER, /* our slot is made */
    BROADCAST_IN,
};

/* A place in the line of those who lead, one for the life of the member. */
struct broadcast_seat {
    struct queue queue; /* first */
    struct caucus_broadcast *b;
};

struct caucus_broadcast {
    struct machine m; /* first */
    struct caucus_broadcast_options o;
    char *path, *slots_path, *log_path, *commit_path;
    struct caucus_acl *acl;
    struct broadcast_seat *seat;

    enum broadcast_phase phase;
    struct machine_flight flight; /* its serial: of this joining */
    struct parents parents;
    struct badge slot;
    struct buf slot_data;
    struct broadcast_id id;
    int64_t slot_read, slot_number; /* as it was written last */

    bool has_position; /* `delivered` is set; not before the first joining */
    bool is_told;      /* JOINED was */
    bool commit_is_stale;
    struct machine_watch *commit_watch;
    struct broadcast_record seen; /* the record as read last */
    int64_t read, delivered;
    int64_t missing;  /* a batch that was not there when it was read */
    uint64_t behind;  /* position of what was delivered last */
    struct buf batch; /* read and not delivered */

    struct broadcast_sender sender;
    struct broadcast_leader leader;
};

/* Position of a message; of a batch: of what stands behind all of its messages. */
static inline uint64_t broadcast_position(int64_t batch, uint32_t place)
{
    return (uint64_t)batch << 16 | place;
}
#define BROADCAST_BEHIND 0xffffu

char *broadcast_batch_path(const struct caucus_broadcast *b, int64_t batch);
void broadcast_tell(struct caucus_broadcast *b, const struct caucus_broadcast_change *change);
/* Nothing for a while, and TROUBLE. */
void broadcast_fail(struct caucus_broadcast *b, int rc);

void broadcast_member_init(struct caucus_broadcast *b);
/* Do what is next. */
void broadcast_member_advance(struct caucus_broadcast *b);
void broadcast_leader_advance(struct caucus_broadcast *b);

/* The session is over, or the member is closed: it is out. */
void broadcast_member_leave(struct caucus_broadcast *b, int rc);
/* Nothing that belongs to us is left, or in flight. */
bool broadcast_member_is_gone(const struct caucus_broadcast *b);

void broadcast_leader_begin(struct caucus_broadcast *b, int64_t epoch);
void broadcast_leader_end(struct caucus_broadcast *b);

/* ---- broadcast_sender.c ---- */

void broadcast_sender_init(struct broadcast_sender *s);
void broadcast_sender_deinit(struct broadcast_sender *s);
/* Takes what waits into a submission, if there is room for one. */
void broadcast_sender_collect(struct caucus_broadcast *b);
/* A message of the log: whether it is ours. */
bool broadcast_sender_accept(struct caucus_broadcast *b, const struct broadcast_reader *r,
                             uint64_t position);
/* It was delivered: `done`. */
void broadcast_sender_deliver(struct caucus_broadcast *b, uint64_t position);
/* Whether the one that is delivered next is ours. */
bool broadcast_sender_owns(const struct caucus_broadcast *b, uint64_t position);
/* Batches before the oldest one will not be read. */
void broadcast_sender_gap(struct caucus_broadcast *b);
/* Everything ends so. */
void broadcast_sender_end(struct caucus_broadcast *b, int rc);

#endif
