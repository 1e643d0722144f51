/* roll.h: the pseudonyms of a state's voters, as they are exported. */
#ifndef CAUCUS_CANVASS_ROLL_H
#define CAUCUS_CANVASS_ROLL_H

#include "base/err.h"
#include "vote/voters.h"

/* roll:  "CVRL" | version u32 = 1 | state 8, padded with zeros | voters u64
 *        | for each, in order: pseudonym 16 | district u8 */
enum {
    CANVASS_ROLL_HEADING_BYTES = 24,
    CANVASS_ROLL_ENTRY_BYTES = PSEUDONYM_BYTES + 1,
};
void canvass_roll_heading(const char *code, uint64_t voters,
                          uint8_t ret[CANVASS_ROLL_HEADING_BYTES]);

/* Sorted, nobody has voted. On an error there is nothing to be freed. */
int canvass_roll_read(const char *path, const char *code, uint32_t districts, struct voters *ret,
                      struct err *err);

#endif
