/* doors.h: where voters, the committee and whoever looks come in. */
#ifndef CAUCUS_ELECTIOND_DOORS_H
#define CAUCUS_ELECTIOND_DOORS_H

#include "electiond/options.h"

struct election_rest;

struct doors {
    struct election_rest *rest;
    char rest_address[ADDRESS_BYTES_MAX + 8]; /* HOST:PORT; "" = it is not open */
    char grpc_address[ADDRESS_BYTES_MAX + 8];
};

/* Those that the options name. */
int doors_open(struct loop *loop, struct service *service, const struct options *o,
               struct doors *ret, struct err *err);
/* The loop has to run on for a little, while the service lives. */
void doors_close(struct doors *d);

#endif
