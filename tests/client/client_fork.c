/* client_fork.c: a program that forks while its handle is in use.
 *
 *   client_fork threads|loop HOSTS
 *
 * The children do with the handle what they should not, and close it; some open one of their own.
 * None of it may reach the parent, which leads an election and owns a node: the same session, the
 * same connection, the same term. Prints "passed". */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "caucus/election.h"

enum {
    CHILDREN = 40,
    PATIENCE_S = 30, /* then a child that hangs is killed, and the parent says so */
};

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("FAILED %s:%d: %s\n", __FILE__, __LINE__, #condition);                          \
            fflush(stdout);                                                                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static const char *hosts;
static bool has_threads;
static struct caucus *c;
static struct caucus_election *e;
static atomic_int states, answers;
static atomic_bool is_over;

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *change)
{
    (void)context;
    (void)handle;
    (void)change;
    atomic_fetch_add(&states, 1);
}

static void on_answer(void *context, const struct caucus_result *r)
{
    (void)context;
    CHECK(r->rc == 0);
    atomic_fetch_add(&answers, 1);
}

static void never(void *context)
{
    (void)context;
    CHECK(false);
}

/* Without threads: until there is one more of what is counted. */
static void run_until(atomic_int *count, int wanted)
{
    while (atomic_load(count) < wanted) {
        struct caucus_wants wants;
        caucus_loop_wants(c, &wants);
        poll(&(struct pollfd){.fd = wants.fd, .events = POLLIN}, 1, (int)wants.timeout_ms);
        caucus_loop_run(c);
    }
}

static void ask(void)
{
    if (has_threads) {
        CHECK(caucus_set_wait(c, "/forked", "x", 1, -1, NULL) == 0);
        return;
    }
    int before = atomic_load(&answers);
    CHECK(caucus_set(c, "/forked", "x", 1, -1, on_answer, NULL) == 0);
    run_until(&answers, before + 1);
}

/* Locks of the handle are held at any moment. */
static void *ask_always(void *unused)
{
    (void)unused;
    while (!atomic_load(&is_over))
        ask();
    return NULL;
}

static void wait_to_lead(void)
{
    if (has_threads) {
        CHECK(caucus_election_await(e, -1, NULL) == 0);
        return;
    }
    while (!caucus_election_is_leader(e))
        run_until(&answers, atomic_load(&answers)), ask();
}

/* ---- In a child ---- */

static void use_what_is_not_ours(void)
{
    struct caucus_session session;
    struct caucus_result *r;
    CHECK(caucus_get_wait(c, "/forked", NULL, NULL, &r) == CAUCUS_FORKED && r == NULL);
    CHECK(caucus_get(c, "/forked", NULL, NULL, on_answer, NULL) == CAUCUS_FORKED);
    CHECK(caucus_run_at(c, 0, never, NULL) == CAUCUS_FORKED);
    CHECK(caucus_add_listener(c, on_state, NULL) == CAUCUS_FORKED);
    CHECK(caucus_remove_listener(c, on_state, NULL) == CAUCUS_FORKED);
    CHECK(caucus_get_state(c) == CAUCUS_CLOSED);
    caucus_get_session(c, &session);
    CHECK(session.id == 0 && session.safe_until_ns == 0);
    CHECK(caucus_get_trouble(c, NULL, 0) > 0);
    CHECK(!caucus_election_is_leader(e) && caucus_election_token(e) == 0);
    CHECK(caucus_election_await(e, -1, NULL) == CAUCUS_FORKED);
    caucus_election_resign(e);
    if (!has_threads) {
        struct caucus_wants wants;
        caucus_loop_wants(c, &wants);
        CHECK(wants.fd == -1 && wants.timeout_ms == -1);
        CHECK(caucus_loop_run(c));
    }
}

static void use_our_own(void)
{
    struct caucus *own;
    CHECK(caucus_open(hosts, NULL, &own) == 0);
    CHECK(caucus_get_wait(own, "/forked", NULL, NULL, NULL) == 0);
    caucus_close(own);
}

static void be_a_child(int number)
{
    alarm(PATIENCE_S);
    use_what_is_not_ours();
    caucus_election_close(e);
    if (number % 2 == 0)
        caucus_close(c);
    else
        caucus_abandon(c);
    if (number % 8 == 0)
        use_our_own();
    _exit(0);
}

/* ---- */

static void fork_one(int number)
{
    int status = -1;
    pid_t pid = fork();
    if (pid == 0)
        be_a_child(number);
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void open_all(void)
{
    const struct caucus_options o = {.session_timeout_ms = 30000, .on_state = on_state};
    const struct caucus_create_options ephemeral = {.mode = CAUCUS_EPHEMERAL};
    CHECK((has_threads ? caucus_open(hosts, &o, &c) : caucus_open_loop(hosts, &o, &c)) == 0);
    CHECK(caucus_create(c, "/forked", "", 0, &ephemeral, on_answer, NULL) == 0);
    if (!has_threads)
        run_until(&answers, 1);
    CHECK(caucus_election_open(c, "/forks", NULL, &e) == 0);
    wait_to_lead();
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    has_threads = strcmp(argv[1], "threads") == 0;
    hosts = argv[2];
    open_all();
    struct caucus_session before, after;
    caucus_get_session(c, &before);
    int64_t token = caucus_election_token(e);

    pthread_t thread;
    if (has_threads)
        CHECK(pthread_create(&thread, NULL, ask_always, NULL) == 0);
    for (int i = 0; i < CHILDREN; i++) {
        fork_one(i);
        ask();
    }
    atomic_store(&is_over, true);
    if (has_threads)
        pthread_join(thread, NULL);

    caucus_get_session(c, &after);
    CHECK(after.id == before.id && atomic_load(&states) == 1);
    CHECK(caucus_get_state(c) == CAUCUS_CONNECTED);
    CHECK(caucus_election_token(e) == token);
    caucus_election_close(e);
    caucus_close(c);
    printf("passed\n");
    return 0;
}
