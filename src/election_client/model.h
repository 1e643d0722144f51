/* model.h: what servers say of an election, for programs: the same, whether it came by gRPC or
 * REST.
 *
 * Texts are those of the servers; they may hold anything and are escaped before they reach a
 * terminal. */
#ifndef CAUCUS_ELECTION_CLIENT_MODEL_H
#define CAUCUS_ELECTION_CLIENT_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_STATES_MAX = 64,
    MODEL_CANDIDATES_MAX = 64,
    MODEL_REPLICAS_MAX = 8,
    MODEL_NAME_BYTES_MAX = 64,
    MODEL_TEXT_BYTES_MAX = 256,
    MODEL_HASH_TEXT_BYTES = 65,
    MODEL_APPROVERS_MAX = 32,
    MODEL_NOTICE_BYTES_MAX = 4096,
};

struct model_count {
    char candidate[MODEL_NAME_BYTES_MAX];
    uint64_t votes;
    uint32_t electors;
};

struct model_replica {
    char server[MODEL_NAME_BYTES_MAX];
    char rest[MODEL_TEXT_BYTES_MAX], grpc[MODEL_TEXT_BYTES_MAX];
    bool live, leading;
    bool known; /* what follows is */
    bool agrees;
    uint64_t epoch, index;
    char chain[MODEL_HASH_TEXT_BYTES], root[MODEL_HASH_TEXT_BYTES]; /* of a recount */
    char detail[MODEL_TEXT_BYTES_MAX];
};

struct model_state {
    char code[MODEL_NAME_BYTES_MAX];
    bool known; /* counts, and what follows them */
    char why[MODEL_TEXT_BYTES_MAX];
    uint32_t electors;
    uint64_t roll;
    char phase[MODEL_NAME_BYTES_MAX];
    uint64_t round, voters, index, epoch, commit_version;
    uint64_t lost; /* records of this round that were committed and given up */
    bool final, tie;
    char leader[MODEL_NAME_BYTES_MAX]; /* a candidate; "" = nobody */
    char shard_leader[MODEL_NAME_BYTES_MAX];
    char root[MODEL_HASH_TEXT_BYTES];
    struct model_count counts[MODEL_CANDIDATES_MAX];
    size_t count_count;
    struct model_replica replicas[MODEL_REPLICAS_MAX]; /* of leaders and recounts alone */
    size_t replica_count;
    bool agree; /* recounts: all replicas */
    char verdict[MODEL_TEXT_BYTES_MAX];
};

struct model_nation {
    char phase[MODEL_NAME_BYTES_MAX];
    uint64_t round, voters;
    struct model_count counts[MODEL_CANDIDATES_MAX];
    size_t count_count;
    uint32_t electors_total, electors_open, majority, states_final;
    bool tie;
    char leader[MODEL_NAME_BYTES_MAX], winner[MODEL_NAME_BYTES_MAX]; /* "" = nobody */
    struct model_state states[MODEL_STATES_MAX];
    size_t state_count;
};

struct model_roll {
    char state[MODEL_NAME_BYTES_MAX];
    uint64_t voters;
    char hash[MODEL_HASH_TEXT_BYTES];
};

/* What a state would give up, or has given up. The numbers of the former are in the text, since
 * that is what is signed. */
struct model_loss {
    char state[MODEL_NAME_BYTES_MAX];
    uint64_t round;
    uint32_t approvals_min; /* 0: nobody may approve */
    char approvers[MODEL_APPROVERS_MAX][MODEL_NAME_BYTES_MAX];
    size_t approver_count;
    char text[MODEL_NOTICE_BYTES_MAX]; /* the notice (election/loss.h), cut if it is longer; of what
                                          was done: "" */
    uint64_t kept, lost;
    uint64_t epoch; /* of what was done alone */
};

struct model_command {
    char phase[MODEL_NAME_BYTES_MAX];
    uint64_t round;
    char not_ready[MODEL_TEXT_BYTES_MAX * 2]; /* "CA NY" */
};

#endif
