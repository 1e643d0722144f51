/* doors.h: where voters, the committee and whoever looks come in. */
#ifndef CAUCUS_ELECTIOND_DOORS_H
#define CAUCUS_ELECTIOND_DOORS_H

#include "electiond/options.h"

struct election_grpc;
struct election_rest;
struct tls_context;

struct doors {
    struct election_rest *rest;
    struct election_grpc *grpc;
    struct tls_context *grpc_tls;             /* NULL: plain text */
    char rest_address[ADDRESS_BYTES_MAX + 8]; /* HOST:PORT; "" = it is not open */
    char grpc_address[ADDRESS_BYTES_MAX + 8];
};

/* Those that the options name. */
int doors_open(struct loop *loop, struct service *service, const struct options *o,
               struct doors *ret, struct err *err);
/* The loop has to run on for a little, while the service lives. */
void doors_close(struct doors *d);
void doors_free(struct doors *d); /* after that */

#endif
