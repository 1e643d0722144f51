/* definition_internal.h: between definition.c (what it says), definition_conf.c and
 * definition_read.c (how it is read). */
#ifndef CAUCUS_ELECTION_DEFINITION_INTERNAL_H
#define CAUCUS_ELECTION_DEFINITION_INTERNAL_H

#include "election/definition.h"

enum {
    DEFINITION_NAME_BYTES_MAX = 128, /* of a candidate, the id or the title */
};

/* A copy that lives as long as the definition. */
const char *definition_keep(struct definition *d, const char *text);

/* The two-letter code of a state that the original's files name by its key; NULL = none. */
const char *usps_code(struct slice key);

/* Digits alone, at most `max`. */
bool definition_parse_number(const char *text, uint64_t max, uint64_t *ret);
/* What stands between quotes in the text that is hashed. */
bool definition_is_name(const char *text);

/* Fills in everything but the keys. */
int definition_read_files(struct definition *d, struct err *err);
/* election.conf of it. */
int definition_read_conf(struct definition *d, struct err *err);

#endif
