/* The test service of gRPC, as a server or as a client (README.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "interop.h"

void interop_die(const char *what, const struct err *err)
{
    fprintf(stderr, "grpc_interop: %s: %s\n", what, err->text);
    exit(2);
}

static int usage(void)
{
    fputs("usage: grpc_interop server [--tls FOLDER]\n"
          "       grpc_interop client PORT [--tls FOLDER] [CASE...]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    if (argc < 2)
        return usage();
    bool is_client = strcmp(argv[1], "client") == 0;
    int at = is_client ? 3 : 2;
    struct certificates certificates = {NULL};
    if (at > argc || (!is_client && strcmp(argv[1], "server") != 0))
        return usage();
    if (at + 1 < argc && strcmp(argv[at], "--tls") == 0) {
        certificates.folder = argv[at + 1];
        at += 2;
    }
    if (!is_client)
        return interop_serve(certificates);
    return interop_call(atoi(argv[2]), certificates, (const char *const *)(argv + at),
                        (size_t)(argc - at));
}
