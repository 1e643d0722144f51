/* client_apache.c: Apache's C client, as Debian builds it (libzookeeper-mt). */
#define THREADED
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <zookeeper/zookeeper.h>

#include "client.h"
#include "machine.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool is_connected; /* lock */

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    (void)context;
    if (type != ZOO_SESSION_EVENT)
        return;
    pthread_mutex_lock(&lock);
    is_connected = state == ZOO_CONNECTED_STATE;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void *open_session(int port)
{
    char hosts[32];
    snprintf(hosts, sizeof hosts, "127.0.0.1:%d", port);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    zhandle_t *zh = zookeeper_init(hosts, on_event, CLIENT_SESSION_MS, NULL, NULL, 0);
    if (zh == NULL)
        fail_errno("apache: zookeeper_init");
    pthread_mutex_lock(&lock);
    while (!is_connected)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return zh;
}

static void got(int rc, const char *value, int bytes, const struct Stat *stat, const void *slot)
{
    (void)value;
    (void)stat;
    if (rc != ZOK || bytes != CLIENT_DATA_BYTES)
        fail("apache: get: %s, %d bytes", zerror(rc), bytes);
    client_answered((void *)(uintptr_t)slot);
}

static void get(void *client, const char *path, void *slot)
{
    int rc = zoo_aget(client, path, 0, got, slot);
    if (rc != ZOK)
        fail("apache: get: %s", zerror(rc));
}

static void was_set(int rc, const struct Stat *stat, const void *slot)
{
    if (rc != ZOK || stat->dataLength != CLIENT_DATA_BYTES)
        fail("apache: set: %s", zerror(rc));
    client_answered((void *)(uintptr_t)slot);
}

static void set(void *client, const char *path, const void *data, void *slot)
{
    int rc = zoo_aset(client, path, data, CLIENT_DATA_BYTES, -1, was_set, slot);
    if (rc != ZOK)
        fail("apache: set: %s", zerror(rc));
}

static void get_wait(void *client, const char *path)
{
    char value[CLIENT_DATA_BYTES + 1];
    int bytes = sizeof value;
    struct Stat stat;
    int rc = zoo_get(client, path, 0, value, &bytes, &stat);
    if (rc != ZOK || bytes != CLIENT_DATA_BYTES)
        fail("apache: get: %s, %d bytes", zerror(rc), bytes);
}

static void close_session(void *client)
{
    zookeeper_close(client);
}

const struct client_kind client_apache = {"apache", open_session, get,
                                          set,      get_wait,     close_session};
