/* holder.c: holds a session with an ephemeral node, through whatever happens to the servers.
 *
 *   holder HOSTS PATH
 *
 * Says "held ID" once the node is there. For each line of input it writes it into the node, again
 * and again until a server takes it, and says "wrote VERSION". Says "expired" and ends when the
 * session is over; closes the session at the end of input. Linked with libzookeeper_mt. */
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zookeeper/zookeeper.h>

static sem_t connected;

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)path;
    (void)context;
    if (type == ZOO_SESSION_EVENT && state == ZOO_CONNECTED_STATE)
        sem_post(&connected);
    if (type == ZOO_SESSION_EVENT && state == ZOO_EXPIRED_SESSION_STATE) {
        puts("expired");
        fflush(stdout);
        _Exit(1);
    }
}

/* Tries again while there is no connection. */
static int until_taken(zhandle_t *zh, const char *path, const char *data, struct Stat *stat)
{
    int rc;
    while ((rc = zoo_set2(zh, path, data, (int)strlen(data), -1, stat)) == ZCONNECTIONLOSS ||
           rc == ZOPERATIONTIMEOUT)
        nanosleep(&(struct timespec){0, 20000000}, NULL);
    return rc;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);
    sem_init(&connected, 0, 0);
    zhandle_t *zh = zookeeper_init(argv[1], on_event, 20000, NULL, NULL, 0);
    if (zh == NULL)
        return 2;
    sem_wait(&connected);
    int rc = zoo_create(zh, argv[2], "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_EPHEMERAL, NULL, 0);
    if (rc != ZOK) {
        printf("create: %s\n", zerror(rc));
        return 1;
    }
    printf("held %" PRIu64 "\n", (uint64_t)zoo_client_id(zh)->client_id);
    fflush(stdout);

    char line[200];
    while (fgets(line, sizeof line, stdin) != NULL) {
        struct Stat stat;
        line[strcspn(line, "\n")] = 0;
        rc = until_taken(zh, argv[2], line, &stat);
        if (rc == ZOK)
            printf("wrote %d\n", stat.version);
        else
            printf("set: %s\n", zerror(rc));
        fflush(stdout);
    }
    zookeeper_close(zh);
    puts("closed");
    return 0;
}
