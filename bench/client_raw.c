#include <stdlib.h>

#include "client.h"
#include "machine.h"
#include "raw.h"

static void *open_session(int port)
{
    struct raw *r = malloc(sizeof *r);
    if (r == NULL)
        fail("no memory");
    raw_open(r, port, CLIENT_SESSION_MS);
    return r;
}

static void get_wait(void *client, const char *path)
{
    raw_get(client, path, CLIENT_DATA_BYTES);
}

static void close_session(void *client)
{
    raw_close(client);
    free(client);
}

const struct client_kind client_raw = {"raw", open_session, NULL, NULL, get_wait, close_session};
