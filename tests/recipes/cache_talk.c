/* cache_talk.c: a cache that does what it reads and writes what it hears, a line each, with its
 * number, 0.
 *
 *   cache_talk HOSTS TIMEOUT_MS PATH node|children|tree BYTES_MAX
 *
 *   state NAME                              ready          trouble PATH ERROR
 *   passed NAME    a state that the cache has heard of as well
 *   added PATH VERSION DATA                 changed PATH VERSION DATA BEFORE
 *   removed PATH VERSION DATA
 *
 *   open | open closing    a cache, that closes itself when it is ready -> opened ERROR
 *   close -> closed        leave   closes the client before the cache -> left
 *   get PATH -> got ERROR VERSION DATA      children PATH|. -> children ERROR NAME NAME ...
 *   all -> all PATH=DATA PATH=DATA ...      await MS -> await ERROR        is -> is 0|1
 *   look N -> looking      N threads that look things up, and check what they see, until
 *   enough -> looked COUNT WRONG            sync -> synced
 *   session -> session ID PASSWORD
 *   quit */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/cache.h"
#include "client_talk.h"

enum {
    LOOKERS_MAX = 16
};

static struct caucus *c;
static struct caucus_cache *cache;
static const char *root;
static bool closes_itself;

static const char *text(const struct caucus_cache_node *node)
{
    return node->data != NULL ? node->data : "null";
}

/* What the callback is told is what a lookup shows. */
static void check_shown(struct caucus_cache *k, const struct caucus_cache_change *change)
{
    const struct caucus_cache_node *seen = NULL;
    int rc = caucus_cache_get(k, change->node->path, &seen);
    bool is_there = change->news != CAUCUS_CACHE_REMOVED;
    if (is_there ? seen != change->node : rc != CAUCUS_NONODE)
        printf("0 WRONG the lookup of %s shows another state\n", change->node->path);
    caucus_cache_node_free(seen);
}

static void on_change(void *context, struct caucus_cache *k,
                      const struct caucus_cache_change *change)
{
    (void)context;
    const struct caucus_cache_node *node = change->node;
    switch (change->news) {
    case CAUCUS_CACHE_ADDED:
        printf("0 added %s %d %s\n", node->path, node->stat.version, text(node));
        break;
    case CAUCUS_CACHE_CHANGED:
        printf("0 changed %s %d %s %s\n", node->path, node->stat.version, text(node),
               text(change->before));
        break;
    case CAUCUS_CACHE_REMOVED:
        printf("0 removed %s %d %s\n", node->path, node->stat.version, text(node));
        break;
    case CAUCUS_CACHE_READY:
        if (closes_itself)
            caucus_cache_close(k);
        printf("0 ready %s\n", change->path);
        break;
    case CAUCUS_CACHE_TROUBLE:
        printf("0 trouble %s %s\n", change->path, caucus_error_name(change->rc));
        break;
    }
    if (node != NULL)
        check_shown(k, change);
}

/* ---- Lookups by many threads ---- */

static pthread_t lookers[LOOKERS_MAX];
static int looker_count;
static atomic_bool enough;
static atomic_int looked, wrong;

/* No node is there without its parent, none goes back, and none is there twice. */
static void look_once(int64_t *last_mzxid)
{
    struct caucus_cache_list list;
    caucus_cache_get_all(cache, &list);
    for (size_t i = 0; i < list.count; i++) {
        const struct caucus_cache_node *node = list.nodes[i];
        if (strncmp(node->path, root, strlen(root)) != 0 ||
            (i > 0 && strcmp(list.nodes[i - 1]->path, node->path) >= 0))
            atomic_fetch_add(&wrong, 1);
        if (strcmp(node->path, root) == 0) {
            wrong += node->stat.mzxid < *last_mzxid;
            *last_mzxid = node->stat.mzxid;
        }
    }
    if (list.count > 0 && strcmp(list.nodes[0]->path, root) != 0)
        atomic_fetch_add(&wrong, 1);
    caucus_cache_list_free(&list);
    if (caucus_cache_get_children(cache, NULL, &list) == 0)
        caucus_cache_list_free(&list);
    atomic_fetch_add(&looked, 1);
}

static void *look(void *context)
{
    (void)context;
    int64_t last_mzxid = 0;
    while (!atomic_load(&enough))
        look_once(&last_mzxid);
    return NULL;
}

static void begin_looking(int count)
{
    for (; looker_count < count && looker_count < LOOKERS_MAX; looker_count++)
        pthread_create(&lookers[looker_count], NULL, look, NULL);
    printf("0 looking\n");
}

static void end_looking(void)
{
    atomic_store(&enough, true);
    for (int i = 0; i < looker_count; i++)
        pthread_join(lookers[i], NULL);
    looker_count = 0;
    printf("0 looked %d %d\n", atomic_load(&looked), atomic_load(&wrong));
}

/* ---- Commands ---- */

static void get(const char *path)
{
    const struct caucus_cache_node *node = NULL;
    int rc = caucus_cache_get(cache, path, &node);
    if (rc == 0)
        printf("0 got CAUCUS_OK %d %s\n", node->stat.version, text(node));
    else
        printf("0 got %s\n", caucus_error_name(rc));
    caucus_cache_node_free(node);
}

static void list_children(const char *path)
{
    struct caucus_cache_list list = {0};
    int rc = caucus_cache_get_children(cache, strcmp(path, ".") == 0 ? NULL : path, &list);
    flockfile(stdout);
    printf("0 children %s", caucus_error_name(rc));
    for (size_t i = 0; i < list.count; i++)
        printf(" %s", list.nodes[i]->name);
    printf("\n");
    funlockfile(stdout);
    caucus_cache_list_free(&list);
}

static void list_all(void)
{
    struct caucus_cache_list list;
    caucus_cache_get_all(cache, &list);
    flockfile(stdout);
    printf("0 all");
    for (size_t i = 0; i < list.count; i++)
        printf(" %s=%s", list.nodes[i]->path, text(list.nodes[i]));
    printf("\n");
    funlockfile(stdout);
    caucus_cache_list_free(&list);
}

static void on_passed(void *context, struct caucus *client, const struct caucus_state_change *s)
{
    (void)context;
    (void)client;
    printf("0 passed %s\n", caucus_state_name(s->state));
}

/* Behind the cache, which has become a listener by then. */
static void listen_behind(void *context)
{
    (void)context;
    caucus_add_listener(c, on_passed, NULL);
}

static void begin(const char *scope, size_t bytes_max)
{
    enum caucus_cache_scope s = strcmp(scope, "node") == 0       ? CAUCUS_CACHE_NODE
                                : strcmp(scope, "children") == 0 ? CAUCUS_CACHE_CHILDREN
                                                                 : CAUCUS_CACHE_TREE;
    struct caucus_cache_options o = {.on_change = on_change, .bytes_max = bytes_max};
    int rc = caucus_cache_open(c, root, s, &o, &cache);
    if (rc == 0)
        caucus_run_at(c, 0, listen_behind, NULL);
    printf("0 opened %s\n", caucus_error_name(rc));
}

/* False: quit. */
static bool obey(const char *line, const char *scope, size_t bytes_max)
{
    char op[16] = "", more[256] = "";
    sscanf(line, "%15s %255s", op, more);
    if (strcmp(op, "open") == 0) {
        closes_itself = strcmp(more, "closing") == 0;
        begin(scope, bytes_max);
    } else if (strcmp(op, "close") == 0) {
        caucus_cache_close(cache);
        cache = NULL;
        printf("0 closed\n");
    } else if (strcmp(op, "leave") == 0) {
        caucus_close(c);
        c = NULL;
        caucus_cache_close(cache);
        cache = NULL;
        printf("0 left\n");
    } else if (strcmp(op, "get") == 0) {
        get(more);
    } else if (strcmp(op, "children") == 0) {
        list_children(more);
    } else if (strcmp(op, "all") == 0) {
        list_all();
    } else if (strcmp(op, "await") == 0) {
        printf("0 await %s\n", caucus_error_name(caucus_cache_await(cache, atoi(more))));
    } else if (strcmp(op, "is") == 0) {
        flockfile(stdout); // "ready" cannot be told between the question and its answer
        printf("0 is %d\n", caucus_cache_is_ready(cache));
        funlockfile(stdout);
    } else if (strcmp(op, "look") == 0) {
        begin_looking(atoi(more));
    } else if (strcmp(op, "enough") == 0) {
        end_looking();
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
    if (argc != 6)
        return 2;
    root = argv[3];
    c = client_open(argv[1], argv[2]);
    char line[512];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line, argv[4], (size_t)atoll(argv[5])))
        ;
    if (!closes_itself)
        caucus_cache_close(cache);
    caucus_close(c);
    printf("quit\n");
    return 0;
}
