/* place.h: the names of places in a queue: "_c_<uuid>-<label><sequence>".
 *
 * The uuid makes a node known as ours even if the reply to its creation was lost. The sequence is
 * the server's: "%010d" of a signed 32-bit counter that wraps, so "-2147483648" follows
 * "2147483647", and the order of the texts is not the order of the places. Every name that ends in
 * a sequence behind a dash or two underscores, with which all labels end, is a place, whoever made
 * it: Curator's and kazoo's are. Pure. */
#ifndef CAUCUS_RECIPES_PLACE_H
#define CAUCUS_RECIPES_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLACE_CHANCE_BYTES = 16,
    PLACE_LABEL_BYTES_MAX = 16,
    PLACE_PREFIX_BYTES = 3 + 36 + 1 + PLACE_LABEL_BYTES_MAX + 1 /* with the zero */
};

/* "_c_<uuid>-<label>" from 16 bytes of chance. */
void place_prefix(const uint8_t chance[PLACE_CHANCE_BYTES], const char *label,
                  char ret[PLACE_PREFIX_BYTES]);

/* The uuid alone, 32 digits: a name for what is in no order. */
void place_plain(const uint8_t chance[PLACE_CHANCE_BYTES], char ret[PLACE_PREFIX_BYTES]);

/* False: the name is not a place's. */
bool place_sequence(const char *name, int32_t *ret);

/* Whether its label is a reader's: "__READ__" (Curator) or "__rlock__" (kazoo). */
bool place_is_shared(const char *name);

/* Right as long as the two are less than 2^31 places apart. */
bool place_is_before(int32_t a, int32_t b);

/* The name that begins so; NULL. */
const char *place_find(const char *const *names, size_t count, const char *prefix);

/* The name right before this one; NULL: it is the first. */
const char *place_ahead(const char *const *names, size_t count, const char *own);

/* The same among those that are not readers'. */
const char *place_ahead_unshared(const char *const *names, size_t count, const char *own);

/* How many are before this one. */
size_t place_rank(const char *const *names, size_t count, const char *own);

/* In order of their places; returns how many are places. The others stand behind them. */
size_t place_sort(const char **names, size_t count);

#endif
