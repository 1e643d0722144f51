/* client_suite.c: every operation of libcaucus against a real server.
 *
 *   client_suite HOSTS RELEASE [CA]     e.g. "127.0.0.1:2181 3.9"; with a file of trusted
 *                                       certificates over TLS
 *
 * RELEASE is what the server claims to be: earlier ones lack a few things. Prints "ok NAME" for
 * each test and ends with 1 at the first that fails. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/caucus.h"

static const char *hosts;
static const char *release;
static struct caucus_options options;
static struct caucus *c;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

#define CHECK_RC(expression, wanted)                                                               \
    do {                                                                                           \
        int got_ = (expression);                                                                   \
        if (got_ != (wanted)) {                                                                    \
            printf("FAILED %s:%d: %s is %s\n", __FILE__, __LINE__, #expression,                    \
                   caucus_error_name(got_));                                                       \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

/* ---- Events, collected ---- */

struct seen {
    pthread_mutex_t lock;
    pthread_cond_t came;
    char text[4096];
    int count;
    int lasts;
};

static void seen_init(struct seen *s)
{
    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->came, NULL);
}

static void on_event(void *context, const struct caucus_event *e)
{
    struct seen *s = context;
    pthread_mutex_lock(&s->lock);
    size_t len = strlen(s->text);
    snprintf(s->text + len, sizeof(s->text) - len, "%s %s%s;", caucus_event_name(e->type), e->path,
             e->last ? " last" : "");
    s->count++;
    s->lasts += e->last;
    pthread_cond_broadcast(&s->came);
    pthread_mutex_unlock(&s->lock);
}

static void seen_expect(struct seen *s, int count, const char *text)
{
    pthread_mutex_lock(&s->lock);
    while (s->count < count)
        pthread_cond_wait(&s->came, &s->lock);
    if (strcmp(s->text, text) != 0) {
        printf("FAILED: saw '%s', expected '%s'\n", s->text, text);
        exit(1);
    }
    s->text[0] = '\0';
    s->count = 0;
    pthread_mutex_unlock(&s->lock);
}

/* ---- Helpers ---- */

static void create(const char *path, const char *data)
{
    CHECK_RC(caucus_create_wait(c, path, data, strlen(data), NULL, NULL), 0);
}

static bool is_older_than(const char *than)
{
    return strcmp(release, than) < 0;
}

/* ---- Tests ---- */

static void nodes_are_created_read_changed_and_deleted(void)
{
    struct caucus_result *r;
    CHECK_RC(caucus_create_wait(c, "/a", "one", 3, NULL, &r), 0);
    CHECK(strcmp(r->path, "/a") == 0 && r->stat != NULL && r->stat->czxid == r->stat->mzxid);
    int64_t czxid = r->stat->czxid;
    caucus_result_free(r);
    CHECK_RC(caucus_create_wait(c, "/a", "", 0, NULL, &r), CAUCUS_NODEEXISTS);
    CHECK(r != NULL && r->path == NULL);
    caucus_result_free(r);
    CHECK_RC(caucus_create_wait(c, "/no/parent", "", 0, NULL, NULL), CAUCUS_NONODE);

    CHECK_RC(caucus_get_wait(c, "/a", NULL, NULL, &r), 0);
    CHECK(r->data_bytes == 3 && memcmp(r->data, "one", 4) == 0 && r->stat->version == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_set_wait(c, "/a", "two!", 4, 1, NULL), CAUCUS_BADVERSION);
    CHECK_RC(caucus_set_wait(c, "/a", "two!", 4, 0, &r), 0);
    CHECK(r->stat->version == 1 && r->stat->data_length == 4 && r->stat->czxid == czxid);
    caucus_result_free(r);
    CHECK_RC(caucus_exists_wait(c, "/a", NULL, NULL, &r), 0);
    CHECK(r->stat->version == 1 && r->stat->ephemeral_owner == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_exists_wait(c, "/b", NULL, NULL, &r), CAUCUS_NONODE);
    CHECK(r->stat == NULL);
    caucus_result_free(r);

    create("/a/x", "");
    create("/a/y", "");
    CHECK_RC(caucus_get_children_wait(c, "/a", NULL, NULL, &r), 0);
    CHECK(r->name_count == 2 && r->stat == NULL);
    caucus_result_free(r);
    CHECK_RC(caucus_get_children2_wait(c, "/a", NULL, NULL, &r), 0);
    CHECK(r->name_count == 2 && r->stat->num_children == 2);
    caucus_result_free(r);
    CHECK_RC(caucus_get_all_children_number_wait(c, "/a", &r), 0);
    CHECK(r->number == 2);
    caucus_result_free(r);
    CHECK_RC(caucus_sync_wait(c, "/a"), 0);

    CHECK_RC(caucus_delete_wait(c, "/a", CAUCUS_ANY_VERSION), CAUCUS_NOTEMPTY);
    CHECK_RC(caucus_delete_wait(c, "/a/x", 5), CAUCUS_BADVERSION);
    CHECK_RC(caucus_delete_wait(c, "/a/x", 0), 0);
    CHECK_RC(caucus_delete_wait(c, "/a/y", CAUCUS_ANY_VERSION), 0);
    CHECK_RC(caucus_delete_wait(c, "/a", CAUCUS_ANY_VERSION), 0);
    CHECK_RC(caucus_delete_wait(c, "/a", CAUCUS_ANY_VERSION), CAUCUS_NONODE);
}

static void every_kind_of_node_is_made(void)
{
    struct caucus_result *r;
    struct caucus_session session;
    caucus_get_session(c, &session);
    create("/kinds", "");
    for (int mode = 0; mode <= 6; mode++) {
        struct caucus_create_options o = {.mode = (enum caucus_create_mode)mode, .ttl_ms = 100000};
        char path[64];
        snprintf(path, sizeof(path), "/kinds/%d-", mode);
        CHECK_RC(caucus_create_wait(c, path, "", 0, &o, &r), 0);
        bool sequential = mode == 2 || mode == 3 || mode == 6;
        CHECK(strlen(r->path) == strlen(path) + (sequential ? 10 : 0));
        bool ephemeral = mode == 1 || mode == 3;
        CHECK(r->stat->ephemeral_owner == (ephemeral ? session.id : 0));
        caucus_result_free(r);
    }
    CHECK_RC(caucus_get_ephemerals_wait(c, "/kinds", &r), 0);
    CHECK(r->name_count == 2);
    caucus_result_free(r);
    CHECK_RC(caucus_get_ephemerals_wait(c, "/nothing", &r), 0);
    CHECK(r->name_count == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_create_wait(c, "/kinds/1-/child", "", 0, NULL, NULL),
             CAUCUS_NOCHILDRENFOREPHEMERALS);
}

static void data_may_be_null_empty_and_long(void)
{
    static char big[1000000];
    struct caucus_result *r;
    memset(big, 'x', sizeof(big));
    CHECK_RC(caucus_create_wait(c, "/null", NULL, 0, NULL, NULL), 0);
    CHECK_RC(caucus_get_wait(c, "/null", NULL, NULL, &r), 0);
    CHECK(r->data == NULL);
    caucus_result_free(r);
    CHECK_RC(caucus_create_wait(c, "/empty", "", 0, NULL, NULL), 0);
    CHECK_RC(caucus_get_wait(c, "/empty", NULL, NULL, &r), 0);
    CHECK(r->data != NULL && r->data_bytes == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_create_wait(c, "/big", big, sizeof(big), NULL, NULL), 0);
    CHECK_RC(caucus_get_wait(c, "/big", NULL, NULL, &r), 0);
    CHECK(r->data_bytes == sizeof(big) && memcmp(r->data, big, sizeof(big)) == 0);
    caucus_result_free(r);
    static char bigger[1048576];
    CHECK_RC(caucus_set_wait(c, "/big", bigger, sizeof(bigger), -1, NULL), CAUCUS_TOOBIG);
    CHECK(caucus_get_state(c) == CAUCUS_CONNECTED);
}

static void a_multi_is_all_or_nothing(void)
{
    struct caucus_result *r;
    create("/m", "");
    const struct caucus_op good[] = {
        {.type = CAUCUS_OP_CHECK, .path = "/m", .version = 0},
        {.type = CAUCUS_OP_CREATE, .path = "/m/n", .data = "1", .data_bytes = 1},
        {.type = CAUCUS_OP_CREATE,
         .path = "/m/s-",
         .options = {.mode = CAUCUS_EPHEMERAL_SEQUENTIAL}},
        {.type = CAUCUS_OP_SET, .path = "/m", .data = "2", .data_bytes = 1, .version = -1},
        {.type = CAUCUS_OP_DELETE, .path = "/m/n", .version = -1},
    };
    CHECK_RC(caucus_multi_wait(c, good, 5, &r), 0);
    CHECK(r->result_count == 5);
    for (int i = 0; i < 5; i++)
        CHECK(r->results[i].rc == 0 && r->results[i].type == good[i].type);
    CHECK(strncmp(r->results[2].path, "/m/s-0", 6) == 0);
    CHECK(r->results[3].stat->version == 1);
    caucus_result_free(r);

    const struct caucus_op bad[] = {
        {.type = CAUCUS_OP_CREATE, .path = "/m/o"},
        {.type = CAUCUS_OP_DELETE, .path = "/m/absent", .version = -1},
        {.type = CAUCUS_OP_SET, .path = "/m", .version = -1},
    };
    CHECK_RC(caucus_multi_wait(c, bad, 3, &r), CAUCUS_NONODE);
    CHECK(r->result_count == 3 && r->results[0].rc == 0 && r->results[1].rc == CAUCUS_NONODE &&
          r->results[2].rc == CAUCUS_RUNTIMEINCONSISTENCY && r->results[2].type == CAUCUS_OP_SET);
    caucus_result_free(r);
    CHECK_RC(caucus_exists_wait(c, "/m/o", NULL, NULL, NULL), CAUCUS_NONODE);

    const struct caucus_op reads[] = {{.type = CAUCUS_OP_GET, .path = "/m"},
                                      {.type = CAUCUS_OP_GET, .path = "/absent"},
                                      {.type = CAUCUS_OP_GET_CHILDREN, .path = "/m"}};
    CHECK_RC(caucus_multi_read_wait(c, reads, 3, &r), 0);
    CHECK(r->results[0].data_bytes == 1 && r->results[1].rc == CAUCUS_NONODE &&
          r->results[2].name_count == 1);
    caucus_result_free(r);
    CHECK_RC(caucus_multi_wait(c, NULL, 0, NULL), 0);
}

static void access_is_granted_by_lists(void)
{
    struct caucus_result *r;
    struct caucus *other;
    const struct caucus_acl mine = {CAUCUS_PERM_ALL, "auth", ""};
    const struct caucus_create_options o = {.acl = &mine, .acl_count = 1};
    CHECK_RC(caucus_create_wait(c, "/secret", "", 0, &o, NULL), CAUCUS_INVALIDACL);
    CHECK_RC(caucus_add_auth_wait(c, "digest", "user:password", 13), 0);
    CHECK_RC(caucus_create_wait(c, "/secret", "s", 1, &o, NULL), 0);
    CHECK_RC(caucus_get_acl_wait(c, "/secret", &r), 0);
    CHECK(r->acl_count == 1 && strcmp(r->acl[0].scheme, "digest") == 0 &&
          strncmp(r->acl[0].id, "user:", 5) == 0 && r->stat->aversion == 0);
    caucus_result_free(r);

    CHECK_RC(caucus_open(hosts, &options, &other), 0);
    CHECK_RC(caucus_get_wait(other, "/secret", NULL, NULL, NULL), CAUCUS_NOAUTH);
    CHECK_RC(caucus_add_auth_wait(other, "digest", "user:password", 13), 0);
    CHECK_RC(caucus_get_wait(other, "/secret", NULL, NULL, NULL), 0);
    CHECK_RC(caucus_add_auth_wait(other, "no-such-scheme", "", 0), CAUCUS_AUTHFAILED);
    CHECK_RC(caucus_get_wait(other, "/secret", NULL, NULL, NULL), CAUCUS_AUTHFAILED);
    caucus_close(other);

    const struct caucus_acl open = {CAUCUS_PERM_ALL, "world", "anyone"};
    CHECK_RC(caucus_set_acl_wait(c, "/secret", &open, 1, 7, NULL), CAUCUS_BADVERSION);
    CHECK_RC(caucus_set_acl_wait(c, "/secret", &open, 1, 0, &r), 0);
    CHECK(r->stat->aversion == 1);
    caucus_result_free(r);
    CHECK_RC(caucus_who_am_i_wait(c, &r), 0);
    CHECK(r->identity_count == 2);
    caucus_result_free(r);
}

static void one_shot_watches_fire_once(void)
{
    struct seen s;
    seen_init(&s);
    create("/w", "");
    CHECK_RC(caucus_get_wait(c, "/w", on_event, &s, NULL), 0);
    CHECK_RC(caucus_set_wait(c, "/w", "1", 1, -1, NULL), 0);
    seen_expect(&s, 1, "NODE_DATA_CHANGED /w last;");
    CHECK_RC(caucus_set_wait(c, "/w", "2", 1, -1, NULL), 0);
    CHECK_RC(caucus_exists_wait(c, "/w/child", on_event, &s, NULL), CAUCUS_NONODE);
    create("/w/child", "");
    seen_expect(&s, 1, "NODE_CREATED /w/child last;");
    CHECK_RC(caucus_get_children_wait(c, "/w", on_event, &s, NULL), 0);
    CHECK_RC(caucus_delete_wait(c, "/w/child", -1), 0);
    seen_expect(&s, 1, "NODE_CHILDREN_CHANGED /w last;");
    CHECK_RC(caucus_exists_wait(c, "/w", on_event, &s, NULL), 0);
    CHECK_RC(caucus_get_children2_wait(c, "/w", on_event, &s, NULL), 0);
    CHECK_RC(caucus_delete_wait(c, "/w", -1), 0);
    seen_expect(&s, 2, "NODE_DELETED /w last;NODE_DELETED /w last;");
}

static void persistent_watches_stay(void)
{
    struct seen one, tree;
    seen_init(&one);
    seen_init(&tree);
    create("/p", "");
    create("/t", "");
    CHECK_RC(caucus_add_watch_wait(c, "/p", CAUCUS_WATCH_PERSISTENT, on_event, &one), 0);
    CHECK_RC(caucus_add_watch_wait(c, "/t", CAUCUS_WATCH_PERSISTENT_RECURSIVE, on_event, &tree), 0);
    CHECK_RC(caucus_set_wait(c, "/p", "1", 1, -1, NULL), 0);
    CHECK_RC(caucus_set_wait(c, "/p", "2", 1, -1, NULL), 0);
    create("/p/c", "");
    seen_expect(&one, 3, "NODE_DATA_CHANGED /p;NODE_DATA_CHANGED /p;NODE_CHILDREN_CHANGED /p;");
    create("/t/u", "");
    create("/t/u/v", "");
    CHECK_RC(caucus_delete_wait(c, "/t/u/v", -1), 0);
    seen_expect(&tree, 3, "NODE_CREATED /t/u;NODE_CREATED /t/u/v;NODE_DELETED /t/u/v;");
    enum caucus_watch_kind kind =
        is_older_than("3.9") ? CAUCUS_KIND_ANY : CAUCUS_KIND_PERSISTENT_RECURSIVE;
    CHECK_RC(caucus_remove_watches_wait(c, "/t", kind, on_event, &tree, false), 0);
    seen_expect(&tree, 1, "WATCH_REMOVED /t last;");
    CHECK_RC(caucus_remove_watches_wait(c, "/t", kind, on_event, &tree, false), CAUCUS_NOWATCHER);
    create("/t/x", "");
    CHECK_RC(caucus_remove_watches_wait(c, "/p", CAUCUS_KIND_ANY, NULL, NULL, false), 0);
    seen_expect(&one, 1, "WATCH_REMOVED /p last;");
    CHECK(tree.count == 0);
}

static void one_callback_of_two_is_removed(void)
{
    struct seen one, two;
    seen_init(&one);
    seen_init(&two);
    create("/r", "");
    CHECK_RC(caucus_get_wait(c, "/r", on_event, &one, NULL), 0);
    CHECK_RC(caucus_get_wait(c, "/r", on_event, &two, NULL), 0);
    CHECK_RC(caucus_remove_watches_wait(c, "/r", CAUCUS_KIND_DATA, on_event, &one, false), 0);
    seen_expect(&one, 1, "WATCH_REMOVED /r last;");
    CHECK_RC(caucus_set_wait(c, "/r", "1", 1, -1, NULL), 0);
    seen_expect(&two, 1, "NODE_DATA_CHANGED /r last;");
    CHECK(one.count == 0);
}

static void a_chroot_is_invisible(void)
{
    struct caucus_result *r;
    struct caucus *inside;
    struct seen s;
    char text[256];
    seen_init(&s);
    create("/app", "root");
    snprintf(text, sizeof(text), "%s/app", hosts);
    CHECK_RC(caucus_open(text, &options, &inside), 0);
    CHECK_RC(caucus_get_wait(inside, "/", on_event, &s, &r), 0);
    CHECK(strcmp(r->data, "root") == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_add_watch_wait(inside, "/", CAUCUS_WATCH_PERSISTENT_RECURSIVE, on_event, &s),
             0);
    const struct caucus_create_options o = {.mode = CAUCUS_EPHEMERAL_SEQUENTIAL};
    CHECK_RC(caucus_create_wait(inside, "/", "", 0, &o, &r), 0);
    CHECK(strcmp(r->path, "/0000000000") == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_get_ephemerals_wait(inside, "/", &r), 0);
    CHECK(r->name_count == 1 && strcmp(r->names[0], "/0000000000") == 0);
    caucus_result_free(r);
    CHECK_RC(caucus_set_wait(c, "/app", "2", 1, -1, NULL), 0);
    seen_expect(&s, 3, "NODE_CREATED /0000000000;NODE_DATA_CHANGED / last;NODE_DATA_CHANGED /;");
    CHECK_RC(caucus_exists_wait(c, "/app/0000000000", NULL, NULL, NULL), 0);
    caucus_close(inside); /* its own node's deletion may be told before */
    CHECK(s.lasts == 2 && strstr(s.text, "WATCH_LOST / last;") != NULL);
    CHECK_RC(caucus_exists_wait(c, "/app/0000000000", NULL, NULL, NULL), CAUCUS_NONODE);
}

static void the_configuration_is_there(void)
{
    struct caucus_result *r;
    CHECK_RC(caucus_get_config_wait(c, NULL, NULL, &r), 0);
    CHECK(r->stat != NULL);
    caucus_result_free(r);
    int rc = caucus_reconfig_wait(c, NULL, "9", NULL, -1, NULL);
    CHECK(rc == CAUCUS_RECONFIGDISABLED || rc == CAUCUS_UNIMPLEMENTED);
}

struct chain {
    struct seen seen;
    int answers;
};

static void on_answer(void *context, const struct caucus_result *r)
{
    struct chain *chain = context;
    pthread_mutex_lock(&chain->seen.lock);
    CHECK(r->rc == 0);
    chain->answers++;
    pthread_cond_broadcast(&chain->seen.came);
    pthread_mutex_unlock(&chain->seen.lock);
}

static void many_requests_are_in_flight(void)
{
    enum {
        MANY = 20000
    };
    struct chain chain = {.answers = 0};
    seen_init(&chain.seen);
    create("/many", "x");
    for (int i = 0; i < MANY; i++)
        CHECK_RC(i % 10 == 0 ? caucus_set(c, "/many", "y", 1, -1, on_answer, &chain)
                             : caucus_get(c, "/many", NULL, NULL, on_answer, &chain),
                 0);
    pthread_mutex_lock(&chain.seen.lock);
    while (chain.answers < MANY)
        pthread_cond_wait(&chain.seen.came, &chain.seen.lock);
    pthread_mutex_unlock(&chain.seen.lock);
}

static void ephemeral_nodes_end_with_close(void)
{
    struct caucus *other;
    const struct caucus_create_options o = {.mode = CAUCUS_EPHEMERAL};
    CHECK_RC(caucus_open(hosts, &options, &other), 0);
    CHECK_RC(caucus_create_wait(other, "/eph", "", 0, &o, NULL), 0);
    caucus_close(other);
    CHECK_RC(caucus_sync_wait(c, "/"), 0);
    CHECK_RC(caucus_exists_wait(c, "/eph", NULL, NULL, NULL), CAUCUS_NONODE);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4)
        return 2;
    struct caucus_tls tls = {.ca_file = argv[3]};
    if (argc == 4)
        options.tls = &tls;
    hosts = argv[1];
    release = argv[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    CHECK_RC(caucus_open(hosts, &options, &c), 0);
#define TEST(name) (name(), printf("ok %s\n", #name))
    TEST(nodes_are_created_read_changed_and_deleted);
    TEST(every_kind_of_node_is_made);
    TEST(data_may_be_null_empty_and_long);
    TEST(a_multi_is_all_or_nothing);
    TEST(access_is_granted_by_lists);
    TEST(one_shot_watches_fire_once);
    TEST(persistent_watches_stay);
    TEST(one_callback_of_two_is_removed);
    TEST(a_chroot_is_invisible);
    TEST(the_configuration_is_there);
    TEST(many_requests_are_in_flight);
    TEST(ephemeral_nodes_end_with_close);
    caucus_close(c);
    printf("passed\n");
    return 0;
}
