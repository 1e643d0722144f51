/* conduct.h: start and stop of the nation's election, as a function: what is next, given what was
 * read.
 *
 *   IDLE -> OPEN -> CLOSING -> CLOSED -> OPEN ...        OPEN -> CLOSED at once: stop --now
 *
 * Each arrow is one conditional write of /Election/Global/Commit, and whoever carries out a command
 * reads, asks conduct_next, does what it says, and reads again, whatever came of it: a reply that
 * was lost and a write that lost its race need no thought of their own. So any server may do it,
 * several at once, and one that goes on where another died does the same.
 *
 * A command is carried out once: the write that it leads to makes a record of its id in the same
 * transaction. Whoever finds the record does not write again, however late the command comes back.
 *
 * What is read: the node of the nation first, the rest after it or together with it. That is
 * enough: LiveNodes are a hint, seals only appear, and in a round that is closed the Commits stand
 * still. A decision on a nation that has gone on fails with its write.
 *
 * Invariants (tests/vote/conduct.c judges them):
 *  C1 Rounds rise by one; each is opened once, and closed once: that write is the cut.
 *  C2 A round is opened only when no Commit holds votes of the one before without a seal of them.
 *     Unless forced, every state has that seal.
 *  C3 A command leads to one transition at most. DONE: it did. WRONG_PHASE, NOT_READY: it had not
 * when that was read; the same command under way at another server may still.
 *
 * Pure. Time comes in, local to who decides; no safety rests on it. */
#ifndef CAUCUS_VOTE_CONDUCT_H
#define CAUCUS_VOTE_CONDUCT_H

#include "vote/commit.h"

enum {
    CONDUCT_STATES_MAX = 64,
    CONDUCT_DRAIN_MS = 10000,
    COMMAND_ID_BYTES = 16,
    COMMAND_RECORD_BYTES = 16,
};

/* What the node of a command says that was carried out. */
struct command_record {
    bool start; /* else stop */
    uint64_t round;
};
void command_record_encode(const struct command_record *r, struct buf *b);
bool command_record_decode(struct slice bytes, struct command_record *ret);

struct conduct_state {
    uint64_t round;       /* of its Commit; 0 = none was begun */
    bool sealed;          /* Commit.sealed, of that round */
    bool has_seal;        /* of the nation's round */
    uint32_t live;        /* members that have a LiveNode */
    uint32_t live_others; /* of them: of another definition of the election than ours */
};

struct conduct_view {
    struct global global;
    uint64_t version; /* of its node */
    const struct conduct_state *states;
    uint32_t state_count;
    bool has_record; /* of the command's id */
    struct command_record record;
};

struct conduct_command {
    bool start; /* else stop */
    uint8_t id[COMMAND_ID_BYTES];
    uint64_t round;    /* 0 = the next, the current */
    bool force;        /* start although states are not ready */
    bool now;          /* stop without CLOSING */
    uint32_t drain_ms; /* CLOSING takes at most so long; 0 = CONDUCT_DRAIN_MS */
};

/* Who decides. Zeroed, then filled in down to the line. */
struct conduct {
    bool has_command; /* else: goes on with what others began, and seals what nobody sealed */
    struct conduct_command command;
    struct hash config; /* of our definition */
    uint32_t copies_min;
    int64_t seal_wait_ns; /* replicas seal by themselves; so long they are waited for */
    /* ---- */
    bool has_seen;
    uint64_t seen_version;
    int64_t seen_ns; /* when this version was read first */
};

enum conduct_type {
    CONDUCT_WRITE, /* `next`, if the version is view.version, with the record if has_record, and,
                      when it opens a round, with the configuration of the round: all or nothing */
    CONDUCT_SEAL,  /* make Seal/<view.global.round> of state `state` from its Commit, as it was read
                    */
    CONDUCT_WAIT,  /* for a change, at most until until_ns */
    CONDUCT_DONE,
    CONDUCT_WRONG_PHASE,
    CONDUCT_NOT_READY, /* states: not_ready */
};

struct conduct_decision {
    enum conduct_type type;
    struct global next;
    bool has_record;
    struct command_record record;
    uint32_t state;
    int64_t until_ns;   /* INT64_MAX = none */
    uint64_t not_ready; /* bit per state; also of a start that was forced */
    const char *detail; /* static, for people */
};

void conduct_next(struct conduct *c, const struct conduct_view *v, int64_t now_ns, int64_t wall_ms,
                  struct conduct_decision *ret);

/* Whether an election may be started in this state now: enough replicas, all of our definition. */
bool conduct_state_is_ready(const struct conduct *c, const struct conduct_state *s);

#endif
