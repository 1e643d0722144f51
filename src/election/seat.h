/* seat.h: names of LiveNodes: n-<guid>-<member>-<sequence>.
 *
 * The guid is a process (its life, by which other servers know it, and four bytes by chance), and
 * how many LiveNodes it asked for before: so its node is found again whose creation was never
 * answered, and one of an earlier session is told apart from the present one. The member stands in
 * the name because a list of names is one read, consistent with itself; the data of the nodes would
 * be several.
 *
 * Seats: the sequence begins at 0, seats at 1. It is a 32-bit counter that ZooKeeper lets run into
 * the negative
 * ("%010d"); read as one without a sign it goes on rising. */
#ifndef CAUCUS_ELECTION_SEAT_H
#define CAUCUS_ELECTION_SEAT_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SEAT_PROCESS_BYTES = 12,
    SEAT_NAME_BYTES_MAX = 64,
};

struct seat_name {
    uint8_t process[SEAT_PROCESS_BYTES];
    uint32_t serial; /* of the creation, within the process */
    uint32_t member;
    uint64_t seat;
};

/* "n-<guid>-<member>-", to which the server adds the sequence. */
void seat_prefix(const struct seat_name *n, char ret[SEAT_NAME_BYTES_MAX]);
/* false: not such a name. */
bool seat_parse(const char *name, struct seat_name *ret);

#endif
