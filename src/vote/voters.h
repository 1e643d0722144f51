/* voters.h: the voter table: 24 bytes for each voter of a roll, and an index of half a percent.
 *
 * A voter is known here by a pseudonym alone: the first 16 bytes of an HMAC of the id on the roll,
 * under a key of state and round (roll.h). Pseudonyms are as good as random, so in a sorted array
 * the place of one can be guessed, and if it is known where every 32nd begins, guessed to within a
 * few: what is looked at is most often one line of the cache, which can be fetched beforehand
 * (voters_prefetch). The table keeps of
 * each what the next vote is to be checked against: the place of the last record in the log and the
 * choice in it. Everything else is in the log, where that record names the one before.
 *
 * Owns its memory; voters_deinit releases it. */
#ifndef CAUCUS_VOTE_VOTERS_H
#define CAUCUS_VOTE_VOTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vote/merkle.h"

enum {
    PSEUDONYM_BYTES = 16,
};

struct pseudonym {
    uint8_t bytes[PSEUDONYM_BYTES];
};

struct voter {
    struct pseudonym pseudonym;
    uint32_t last;      /* index of the last record in the log, plus 1; 0 = did not vote */
    uint16_t candidate; /* its choice */
    uint8_t revision;   /* its number among this voter's, from 1; 0 = did not vote */
    uint8_t district;
};
_Static_assert(sizeof(struct voter) == 24, "220 million voters are 5.3 GB, not more");

/* A zeroed one is empty. */
struct voters {
    struct voter *array; /* in the order of pseudonyms, once voters_sort was called */
    size_t count, cap;
    uint32_t *starts; /* made by voters_sort: where each of `buckets` begins, and the end */
    size_t buckets;   /* equal parts of all pseudonyms there may be */
};

void voters_deinit(struct voters *v);

/* Building: any order, at most 2^32 - 1. */
void voters_add(struct voters *v, const struct pseudonym *p, uint8_t district, uint32_t note);
/* Sorts. `last` holds the note of voters_add until voters_reset. */
void voters_sort(struct voters *v);
/* The first voter at or behind `from` with the pseudonym of the one before; count = none. */
size_t voters_duplicate(const struct voters *v, size_t from);
/* Nobody has voted. */
void voters_reset(struct voters *v);

/* SHA-256 over pseudonym and district of each in order: what servers agree on before a start. */
struct hash voters_hash(const struct voters *v);

/* Place of a voter, or -1. Sorted. */
int64_t voters_find(const struct voters *v, const struct pseudonym *p);
/* He will be looked for soon: first the index, which is waited for here unless it was fetched a
 * while before, then the lines where he may be. */
void voters_prefetch_index(const struct voters *v, const struct pseudonym *p);
void voters_prefetch(const struct voters *v, const struct pseudonym *p);

#endif
