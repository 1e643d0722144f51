/* presence.h: an ephemeral node of a given name that is there while there is a session.
 *
 * The core of membership and registration. One machine, on the client's event thread:
 *
 *   NOWHERE --made, or there already--> ENTERED -> a look at it: whose is it?
 *      ^ |                                 ^         |         |
 *      | +--reply lost--> UNSURE --sync----+         |         +-- an earlier session of ours,
 *      |                                             |         |   or to be taken over: REMOVE
 *      |        +-- of this session: OURS -----------+         |
 *      |        |   (watched; data is set)                     |
 *      +--gone--+-- somebody else's: OTHERS (watched) ---------+--deleted--> NOWHERE
 *
 * Invariants:
 *  1. At most one request is in flight, and at most one watch is set.
 *  2. The node is ours if this session owns it and we made it: its czxid is that of the answer.
 *     After an answer that was lost the owner has to do; two of this client that want one id, of
 *     which one has lost an answer, are not told apart.
 *  3. It is believed in while the guard says so (guard.h): asked at every input, at a deadline of
 *     its own, and by whoever asks from another thread. Unlike a place in a queue a presence that
 *     was in doubt is resumed with the same node when the doubt is over: it keeps nobody out.
 *  4. Data is set, and the node deleted, with the version that was seen last together with its
 *     owner: another's node of this name is not touched, but by whoever takes it over. */
#ifndef CAUCUS_RECIPES_PRESENCE_H
#define CAUCUS_RECIPES_PRESENCE_H

#include "caucus/policy.h"
#include "recipes/machine.h"
#include "recipes/parents.h"

struct presence;

/* What the owner is told, on the event thread. It may close the presence there. */
struct presence_calls {
    void (*present)(struct presence *p);        /* p->token is set */
    void (*absent)(struct presence *p, int rc); /* or nobody knows */
    void (*trouble)(struct presence *p, int rc);
    void (*free)(struct presence *p); /* the last reference is gone, from whatever thread */
};

struct presence_options {
    const char *parent;
    const char *name;
    const void *data;
    size_t data_bytes;
    const struct caucus_acl *acl;
    size_t acl_count;
    enum caucus_policy policy;
    bool take_over; /* another's node, once, as long as there was none of ours */
};

enum presence_at {
    PRESENCE_NOWHERE,
    PRESENCE_UNSURE,
    PRESENCE_ENTERED,
    PRESENCE_OURS,
    PRESENCE_OTHERS,
    PRESENCE_REMOVE,
};

struct presence {
    struct machine machine; /* first */
    const struct presence_calls *calls;
    char *parent;
    char *path;
    struct caucus_acl *acl;
    size_t acl_count;
    enum caucus_policy policy;
    bool take_over;

    /* The event thread's. */
    enum presence_at at;
    struct parents parents;
    unsigned parent_rounds;
    struct machine_watch *watch;        /* set on the node; NULL: none */
    struct machine_watch *flight_watch; /* about to be set */
    void *data;                         /* as it is to be */
    size_t data_bytes;
    uint64_t data_serial;
    uint64_t set_serial; /* of the data that is on its way */
    bool is_dirty;       /* the node has other data */
    bool in_flight;
    bool look_again;
    bool has_deadline;
    int64_t session;  /* of the client, as far as was told */
    int64_t former;   /* the one before, if a node may be left of it */
    int64_t made;     /* czxid of the node that was made in this session; 0: none */
    bool may_be_made; /* a creation of ours was not answered */
    int64_t owner;    /* of the node that was seen */
    int64_t token;    /* its czxid */
    int32_t version;

    int64_t held_by;    /* machine.lock: session; 0: not present */
    int64_t held_token; /* machine.lock */
    void *next_data;    /* machine.lock: what the user wants it to be */
    size_t next_bytes;
    bool has_next;
};

/* Sets up what stands in the owner's memory, with one reference. Errors: CAUCUS_BADARGUMENTS. */
int presence_init(struct presence *p, const struct presence_calls *calls, struct caucus *c,
                  const struct presence_options *o);
void presence_deinit(struct presence *p);

/* From any thread. */
int presence_start(struct presence *p); /* Errors: CAUCUS_CLOSING */
void presence_close(struct presence *p);
void presence_update(struct presence *p, const void *data, size_t data_bytes);
int64_t presence_token(struct presence *p); /* as of now; 0: not present, or nobody knows */
int presence_await(struct presence *p, int64_t timeout_ms, int64_t *ret_token);

#endif
