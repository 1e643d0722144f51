/* persistent_node_talk.c: a persistent node that does what it reads and writes what it hears, a
 * line each, with its number, 0.
 *
 *   persistent_node_talk HOSTS TIMEOUT_MS PATH ephemeral|persistent|container
 *
 *   state NAME     kept CZXID VERSION     gone CZXID ERROR     trouble ERROR
 *
 *   open DATA -> opened ERROR    close -> closed    leave   closes the client first -> left
 *   set DATA    await MS -> await ERROR    session -> session ID PASSWORD    sync -> synced
 *   quit */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/persistent_node.h"
#include "client_talk.h"

static struct caucus *c;
static struct caucus_persistent_node *node;

static void on_change(void *context, struct caucus_persistent_node *n,
                      const struct caucus_persistent_node_change *change)
{
    (void)context;
    (void)n;
    switch (change->news) {
    case CAUCUS_NODE_KEPT:
        printf("0 kept %lld %d\n", (long long)change->czxid, change->version);
        break;
    case CAUCUS_NODE_GONE:
        printf("0 gone %lld %s\n", (long long)change->czxid, caucus_error_name(change->rc));
        break;
    case CAUCUS_NODE_TROUBLE:
        printf("0 trouble %s\n", caucus_error_name(change->rc));
        break;
    }
}

static void begin(const char *path, const char *mode, const char *data)
{
    struct caucus_persistent_node_options o = {
        .data = data,
        .data_bytes = strlen(data),
        .mode = strcmp(mode, "ephemeral") == 0   ? CAUCUS_EPHEMERAL
                : strcmp(mode, "container") == 0 ? CAUCUS_CONTAINER
                                                 : CAUCUS_PERSISTENT,
        .on_change = on_change};
    printf("0 opened %s\n", caucus_error_name(caucus_persistent_node_open(c, path, &o, &node)));
}

static void end(void)
{
    caucus_persistent_node_close(node);
    node = NULL;
}

/* False: quit. */
static bool obey(const char *line, char **argv)
{
    char op[16] = "", more[256] = "";
    sscanf(line, "%15s %255s", op, more);
    if (strcmp(op, "open") == 0) {
        begin(argv[3], argv[4], more);
    } else if (strcmp(op, "close") == 0) {
        end();
        printf("0 closed\n");
    } else if (strcmp(op, "leave") == 0) {
        caucus_close(c);
        c = NULL;
        end();
        printf("0 left\n");
    } else if (strcmp(op, "set") == 0) {
        caucus_persistent_node_set(node, more, strlen(more));
    } else if (strcmp(op, "await") == 0) {
        int rc = caucus_persistent_node_await(node, atoi(more));
        printf("0 await %s\n", caucus_error_name(rc));
    } else if (strcmp(op, "session") == 0) {
        client_tell_session(c);
    } else if (strcmp(op, "sync") == 0) {
        caucus_sync_wait(c, "/");
        printf("0 synced\n");
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    c = client_open(argv[1], argv[2]);
    char line[512];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line, argv))
        ;
    end();
    caucus_close(c);
    printf("quit\n");
    return 0;
}
