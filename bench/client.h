/* client.h: clients side by side: libcaucus, Apache's C client, and a bare socket.
 *
 * Each has one session. Asynchronous requests are made by whoever calls, and answered on a thread
 * of the client's by client_answered, which may make the next one. A wrong answer ends the program.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include <stddef.h>

enum {
    CLIENT_DATA_BYTES = 100, /* of each znode */
    CLIENT_SESSION_MS = 30000,
};

struct client_kind {
    const char *name;
    void *(*open)(int port); /* returns when the session stands */
    void (*get)(void *client, const char *path, void *slot);
    void (*set)(void *client, const char *path, const void *data, void *slot);
    void (*get_wait)(void *client, const char *path);
    void (*close)(void *client);
};

/* The bare socket has no asynchronous requests: get and set are NULL. */
extern const struct client_kind client_caucus, client_apache, client_raw;

void client_answered(void *slot);

#endif
