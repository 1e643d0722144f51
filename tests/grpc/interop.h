/* interop.h: the two halves of grpc_interop. */
#ifndef CAUCUS_TESTS_GRPC_INTEROP_H
#define CAUCUS_TESTS_GRPC_INTEROP_H

#include "grpc/grpc.h"

struct certificates {
    const char *folder; /* with ca.pem, server.pem, client.pem; NULL: plain text */
};

/* Both return the program's exit status. */
int interop_serve(struct certificates certificates);
int interop_call(int port, struct certificates certificates, const char *const *cases,
                 size_t count); /* count 0: all of them */

/* Prints and ends the process. */
_Noreturn void interop_die(const char *what, const struct err *err);

#endif
