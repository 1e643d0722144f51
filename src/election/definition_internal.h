/* definition_internal.h: between definition.c (what it says) and definition_read.c (how it is
 * read). */
#ifndef CAUCUS_ELECTION_DEFINITION_INTERNAL_H
#define CAUCUS_ELECTION_DEFINITION_INTERNAL_H

#include "election/definition.h"

/* A copy that lives as long as the definition. */
const char *definition_keep(struct definition *d, const char *text);

/* The two-letter code of a state that the original's files name by its key; NULL = none. */
const char *usps_code(struct slice key);

/* Fills in everything but the keys. */
int definition_read_files(struct definition *d, struct err *err);

#endif
