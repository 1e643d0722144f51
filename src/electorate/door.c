/* door.c: who a ballot is of, for doors of either kind. */
#include "electorate/door.h"

#include <inttypes.h>
#include <stdio.h>

#include "election/credential.h"

size_t door_voter(const struct election_info *e, const struct ballot *b,
                  char ret[DOOR_VOTER_BYTES_MAX])
{
    return (size_t)snprintf(ret, DOOR_VOTER_BYTES_MAX, "%s-%" PRIu64,
                            e->states[b->state].names.code, b->voter);
}

struct slice door_credential(struct door *d, const struct ballot *b)
{
    char voter[DOOR_VOTER_BYTES_MAX];
    const struct election_info *e = d->o.election;
    if (d->o.credentials == NULL)
        return slice_str("");
    buf_clear(&d->credential);
    credential_make(&d->o.credentials[b->state], e->states[b->state].names.code,
                    slice_of(voter, door_voter(e, b, voter)), 0, 0, &d->credential);
    return buf_slice(&d->credential);
}

void door_deinit(struct door *d)
{
    buf_deinit(&d->credential);
}
