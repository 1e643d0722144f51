/* interop.c: claims about a server, checked with Apache's own C client.
 *
 *   interop HOST:PORT CLAIM    runs one claim; prints "ok", or says what was wrong and ends with 1
 *
 * Linked with libzookeeper_mt: its callbacks run on its own threads, so what they find is
 * handed to the main thread through one queue of events. */

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zookeeper/zookeeper.h>

enum {
    WAIT_S = 20,
    EVENTS_MAX = 64,
    PATH_BYTES = 256
};

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "line %d: not so: %s\n", __LINE__, #claim);                            \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define IS(call, wanted)                                                                           \
    do {                                                                                           \
        int rc_ = (call);                                                                          \
        if (rc_ != (wanted)) {                                                                     \
            fprintf(stderr, "line %d: %s is %d, not %d\n", __LINE__, #call, rc_, (wanted));        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct event {
    int type;
    int state;
    char path[PATH_BYTES];
};

static struct {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t more;
    struct event events[EVENTS_MAX];
    int count;
    int completions;
} seen = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, {{0, 0, ""}}, 0, 0};

static const char *hosts;
static char root[PATH_BYTES];

static void on_event(zhandle_t *zh, int type, int state, const char *path, void *context)
{
    (void)zh;
    (void)context;
    pthread_mutex_lock(&seen.lock);
    if (seen.count < EVENTS_MAX) {
        struct event *event = &seen.events[seen.count++];
        event->type = type;
        event->state = state;
        snprintf(event->path, sizeof event->path, "%s", path ? path : "");
    }
    pthread_cond_broadcast(&seen.more);
    pthread_mutex_unlock(&seen.lock);
}

static struct event next_event(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_S;

    pthread_mutex_lock(&seen.lock);
    while (seen.count == 0)
        CHECK(pthread_cond_timedwait(&seen.more, &seen.lock, &until) != ETIMEDOUT);
    struct event event = seen.events[0];
    memmove(seen.events, seen.events + 1, (size_t)--seen.count * sizeof *seen.events);
    pthread_mutex_unlock(&seen.lock);
    return event;
}

static void expect_event(int type, const char *path)
{
    struct event event = next_event();
    if (event.type != type || strcmp(event.path, path) != 0) {
        fprintf(stderr, "event %d %s, not %d %s\n", event.type, event.path, type, path);
        exit(1);
    }
}

static void expect_state(int state)
{
    struct event event;
    do
        event = next_event();
    while (event.type != ZOO_SESSION_EVENT || event.state == ZOO_CONNECTING_STATE);
    CHECK(event.state == state);
}

static zhandle_t *connect_as(const clientid_t *id)
{
    zhandle_t *zh = zookeeper_init(hosts, on_event, 10000, id, NULL, 0);
    CHECK(zh != NULL);
    return zh;
}

static zhandle_t *connect_new(void)
{
    zhandle_t *zh = connect_as(NULL);
    expect_state(ZOO_CONNECTED_STATE);
    return zh;
}

static const char *below(const char *name)
{
    static char paths[8][PATH_BYTES];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, PATH_BYTES, "%.100s/%.100s", root, name);
    return path;
}

static void make(zhandle_t *zh, const char *path, int mode)
{
    IS(zoo_create(zh, path, "x", 1, &ZOO_OPEN_ACL_UNSAFE, mode, NULL, 0), ZOK);
}

/* --- claims --- */

static void basics(zhandle_t *zh)
{
    struct Stat stat;
    char path[PATH_BYTES];
    IS(zoo_create2(zh, below("a"), "one", 3, &ZOO_OPEN_ACL_UNSAFE, 0, path, sizeof path, &stat),
       ZOK);
    CHECK(strcmp(path, below("a")) == 0 && stat.dataLength == 3 && stat.version == 0);
    IS(zoo_create(zh, below("a"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZNODEEXISTS);
    IS(zoo_set2(zh, below("a"), "three", 5, 0, &stat), ZOK);
    CHECK(stat.version == 1 && stat.dataLength == 5);
    IS(zoo_set(zh, below("a"), "", 0, 0), ZBADVERSION);

    char data[16];
    int length = sizeof data;
    IS(zoo_get(zh, below("a"), 0, data, &length, &stat), ZOK);
    CHECK(length == 5 && memcmp(data, "three", 5) == 0);

    struct String_vector children;
    IS(zoo_get_children2(zh, root, 0, &children, &stat), ZOK);
    CHECK(children.count == 1 && strcmp(children.data[0], "a") == 0 && stat.numChildren == 1);
    deallocate_String_vector(&children);
    IS(zoo_delete(zh, root, -1), ZNOTEMPTY);
    IS(zoo_delete(zh, below("a"), 1), ZOK);
    IS(zoo_exists(zh, below("a"), 0, NULL), ZNONODE);
}

static void null_data(zhandle_t *zh)
{
    IS(zoo_create(zh, below("null"), NULL, -1, &ZOO_OPEN_ACL_UNSAFE, 0, NULL, 0), ZOK);
    char data[4];
    int length = sizeof data;
    struct Stat stat;
    IS(zoo_get(zh, below("null"), 0, data, &length, &stat), ZOK);
    CHECK(length == -1 && stat.dataLength == 0);
}

static void watches(zhandle_t *zh)
{
    IS(zoo_wexists(zh, below("a"), on_event, NULL, NULL), ZNONODE);
    struct String_vector children;
    IS(zoo_wget_children(zh, root, on_event, NULL, &children), ZOK);
    deallocate_String_vector(&children);
    make(zh, below("a"), 0);
    expect_event(ZOO_CREATED_EVENT, below("a"));
    expect_event(ZOO_CHILD_EVENT, root);

    char data[4];
    int length = sizeof data;
    IS(zoo_wget(zh, below("a"), on_event, NULL, data, &length, NULL), ZOK);
    IS(zoo_set(zh, below("a"), "y", 1, -1), ZOK);
    expect_event(ZOO_CHANGED_EVENT, below("a"));
    IS(zoo_wexists(zh, below("a"), on_event, NULL, NULL), ZOK);
    IS(zoo_delete(zh, below("a"), -1), ZOK);
    expect_event(ZOO_DELETED_EVENT, below("a"));
}

static void removed_watches(zhandle_t *zh)
{
    IS(zoo_remove_watches(zh, root, ZWATCHTYPE_DATA, on_event, NULL, 0), ZNOWATCHER);
    char data[4];
    int length = sizeof data;
    IS(zoo_wget(zh, root, on_event, NULL, data, &length, NULL), ZOK);
    IS(zoo_remove_watches(zh, root, ZWATCHTYPE_DATA, on_event, NULL, 0), ZOK);
}

static void sequences(zhandle_t *zh)
{
    char path[PATH_BYTES];
    for (int n = 0; n < 3; n++) {
        char wanted[PATH_BYTES];
        snprintf(wanted, sizeof wanted, "%.100s/s-%010d", root, n);
        IS(zoo_create(zh, below("s-"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_SEQUENCE | ZOO_EPHEMERAL,
                      path, sizeof path),
           ZOK);
        CHECK(strcmp(path, wanted) == 0);
    }
}

static void containers_and_ttl(zhandle_t *zh)
{
    struct Stat stat;
    make(zh, below("c"), ZOO_CONTAINER);
    IS(zoo_exists(zh, below("c"), 0, &stat), ZOK);
    CHECK(stat.ephemeralOwner == 0);
    IS(zoo_create2_ttl(zh, below("t"), "", 0, &ZOO_OPEN_ACL_UNSAFE, ZOO_PERSISTENT_WITH_TTL, 300,
                       NULL, 0, &stat),
       ZOK);
    IS(zoo_wexists(zh, below("t"), on_event, NULL, NULL), ZOK);
    expect_event(ZOO_DELETED_EVENT, below("t"));
}

static void transactions(zhandle_t *zh)
{
    char made[PATH_BYTES];
    struct Stat stat;
    zoo_op_t ops[4];
    zoo_op_result_t results[4];
    zoo_create_op_init(&ops[0], below("a"), "1", 1, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    zoo_set_op_init(&ops[1], below("a"), "22", 2, 0, &stat);
    zoo_check_op_init(&ops[2], below("a"), 1);
    zoo_delete_op_init(&ops[3], below("a"), 1);
    IS(zoo_multi(zh, 4, ops, results), ZOK);
    CHECK(strcmp(made, below("a")) == 0 && stat.version == 1 && stat.dataLength == 2);

    zoo_create_op_init(&ops[0], below("b"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    zoo_delete_op_init(&ops[1], below("none"), -1);
    zoo_create_op_init(&ops[2], below("c"), "", 0, &ZOO_OPEN_ACL_UNSAFE, 0, made, sizeof made);
    IS(zoo_multi(zh, 3, ops, results), ZNONODE);
    CHECK(results[0].err == ZOK && results[1].err == ZNONODE);
    CHECK(results[2].err == ZRUNTIMEINCONSISTENCY);
    IS(zoo_exists(zh, below("b"), 0, NULL), ZNONODE);
}

static void on_done(int rc, const void *context)
{
    pthread_mutex_lock(&seen.lock);
    *(int *)context = rc;
    seen.completions++;
    pthread_cond_broadcast(&seen.more);
    pthread_mutex_unlock(&seen.lock);
}

static void wait_completions(int count)
{
    pthread_mutex_lock(&seen.lock);
    while (seen.completions < count)
        pthread_cond_wait(&seen.more, &seen.lock);
    pthread_mutex_unlock(&seen.lock);
}

static void access_control(zhandle_t *zh)
{
    int rc = 1;
    IS(zoo_add_auth(zh, "digest", "u:p", 3, on_done, &rc), ZOK);
    wait_completions(1);
    CHECK(rc == ZOK);
    IS(zoo_create(zh, below("a"), "", 0, &ZOO_CREATOR_ALL_ACL, 0, NULL, 0), ZOK);
    struct ACL_vector acl;
    struct Stat stat;
    IS(zoo_get_acl(zh, below("a"), &acl, &stat), ZOK);
    CHECK(acl.count == 1 && strcmp(acl.data[0].id.scheme, "digest") == 0);
    deallocate_ACL_vector(&acl);

    zhandle_t *stranger = connect_new();
    char data[4];
    int length = sizeof data;
    IS(zoo_get(stranger, below("a"), 0, data, &length, NULL), ZNOAUTH);
    zookeeper_close(stranger);
}

static void refused_auth(zhandle_t *zh)
{
    int rc = 1;
    IS(zoo_add_auth(zh, "nosuch", "x", 1, on_done, &rc), ZOK);
    wait_completions(1);
    CHECK(rc == ZAUTHFAILED);
}

/* Run by reattachment in a process of its own, which dies there: a live handle would come back
 * and take its session again. */
static void hold(zhandle_t *zh)
{
    make(zh, "/c-reattachment/e", ZOO_EPHEMERAL);
    fwrite(zoo_client_id(zh), sizeof(clientid_t), 1, stdout);
    fflush(stdout);
    for (;;)
        pause();
}

static void reattachment(zhandle_t *zh)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl("/proc/self/exe", "interop", hosts, "hold", (char *)NULL);
        _exit(1);
    }
    clientid_t id;
    close(ends[1]);
    FILE *told = fdopen(ends[0], "r");
    CHECK(told != NULL && fread(&id, sizeof id, 1, told) == 1);
    CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    fclose(told);

    zhandle_t *second = connect_as(&id);
    expect_state(ZOO_CONNECTED_STATE);
    CHECK(zoo_client_id(second)->client_id == id.client_id);
    struct Stat stat;
    IS(zoo_exists(zh, below("e"), 0, &stat), ZOK);
    CHECK(stat.ephemeralOwner == id.client_id);
    IS(zookeeper_close(second), ZOK);

    IS(zoo_exists(zh, below("e"), 0, NULL), ZNONODE);
    zhandle_t *third = connect_as(&id);
    expect_state(ZOO_EXPIRED_SESSION_STATE);
    zookeeper_close(third);
}

static void unknown_session(zhandle_t *zh)
{
    (void)zh;
    clientid_t id = {0x1234567890, "nonsense"};
    zhandle_t *lost = connect_as(&id);
    expect_state(ZOO_EXPIRED_SESSION_STATE);
    zookeeper_close(lost);
}

static void on_stat(int rc, const struct Stat *stat, const void *context)
{
    (void)stat;
    on_done(rc, context);
}

static void many_in_flight(zhandle_t *zh)
{
    enum {
        COUNT = 1000
    };
    static int codes[COUNT];
    for (int n = 0; n < COUNT; n++) {
        codes[n] = 1;
        IS(zoo_aset(zh, root, "data", 4, n, on_stat, &codes[n]), ZOK);
    }
    wait_completions(COUNT);
    for (int n = 0; n < COUNT; n++)
        CHECK(codes[n] == ZOK);
}

static const struct {
    const char *name;
    void (*run)(zhandle_t *);
} claims[] = {
    {"basics", basics},
    {"null_data", null_data},
    {"watches", watches},
    {"removed_watches", removed_watches},
    {"sequences", sequences},
    {"containers_and_ttl", containers_and_ttl},
    {"transactions", transactions},
    {"access_control", access_control},
    {"refused_auth", refused_auth},
    {"reattachment", reattachment},
    {"hold", hold},
    {"unknown_session", unknown_session},
    {"many_in_flight", many_in_flight},
};

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    hosts = argv[1];
    snprintf(root, sizeof root, "/c-%.100s", argv[2]);
    zoo_set_debug_level(ZOO_LOG_LEVEL_ERROR);

    for (size_t n = 0; n < sizeof claims / sizeof *claims; n++) {
        if (strcmp(argv[2], claims[n].name) != 0)
            continue;
        zhandle_t *zh = connect_new();
        make(zh, root, 0);
        claims[n].run(zh);
        zookeeper_close(zh);
        puts("ok");
        return 0;
    }
    fprintf(stderr, "no claim named %s\n", argv[2]);
    return 1;
}
