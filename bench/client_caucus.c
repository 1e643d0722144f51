#include <stdio.h>

#include "caucus/caucus.h"
#include "client.h"
#include "machine.h"

static void *open_session(int port)
{
    char hosts[32];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    const struct caucus_options options = {.session_timeout_ms = CLIENT_SESSION_MS};
    struct caucus *c;
    int rc = caucus_open(hosts, &options, &c);
    if (rc == 0)
        rc = caucus_sync_wait(c, "/");
    if (rc != 0)
        fail("caucus: %s: %s", hosts, caucus_error_text(rc));
    return c;
}

static void check_data(const struct caucus_result *r)
{
    if (r->rc != 0 || r->data_bytes != CLIENT_DATA_BYTES)
        fail("caucus: get: %s, %zu bytes", caucus_error_text(r->rc), r->data_bytes);
}

static void got(void *slot, const struct caucus_result *r)
{
    check_data(r);
    client_answered(slot);
}

static void get(void *client, const char *path, void *slot)
{
    int rc = caucus_get(client, path, NULL, NULL, got, slot);
    if (rc != 0)
        fail("caucus: get: %s", caucus_error_text(rc));
}

static void was_set(void *slot, const struct caucus_result *r)
{
    if (r->rc != 0 || r->stat->data_length != CLIENT_DATA_BYTES)
        fail("caucus: set: %s", caucus_error_text(r->rc));
    client_answered(slot);
}

static void set(void *client, const char *path, const void *data, void *slot)
{
    int rc = caucus_set(client, path, data, CLIENT_DATA_BYTES, -1, was_set, slot);
    if (rc != 0)
        fail("caucus: set: %s", caucus_error_text(rc));
}

static void get_wait(void *client, const char *path)
{
    struct caucus_result *r;
    int rc = caucus_get_wait(client, path, NULL, NULL, &r);
    if (r == NULL)
        fail("caucus: get: %s", caucus_error_text(rc));
    check_data(r);
    caucus_result_free(r);
}

static void close_session(void *client)
{
    caucus_close(client);
}

const struct client_kind client_caucus = {"caucus", open_session, get,
                                          set,      get_wait,     close_session};
