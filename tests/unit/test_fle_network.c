/* links: fle */
/* Networks of servers that elect, thousands of them, one per seed. FLE_SEED=n repeats one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fle_network.h"

enum {
    BACKOFF_MS = 60000, /* so long that whoever waits for a repetition is seen to wait */
};

#define check(n, condition, what)                                                                  \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_network(n);                                                                      \
            fail_msg("seed %llu: %s", (unsigned long long)(n)->seed, what);                        \
        }                                                                                          \
    } while (0)

static uint64_t first_seed(void)
{
    const char *seed = getenv("FLE_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : 1;
}

static uint64_t last_seed(uint64_t count)
{
    return getenv("FLE_SEED") != NULL ? first_seed() : count;
}

static void connect_all(struct network *n)
{
    for (int64_t a = 1; a <= (int64_t)n->server_count; a++)
        for (int64_t b = a + 1; b <= (int64_t)n->server_count; b++)
            link_set(n, a, b, true);
}

/* Attempts to connect to the dead are refused. */
static void refuse_dead(struct network *n)
{
    for (int64_t a = 1; a <= (int64_t)n->server_count; a++)
        for (int64_t b = 1; b <= (int64_t)n->server_count; b++)
            if (a != b && n->servers[a].alive && !n->servers[b].alive)
                fle_channel(n->servers[a].f, b, false, n->now_ns);
}

static int64_t best_voter(const struct network *n)
{
    const struct server *best = NULL;
    for (size_t i = 1; i <= n->server_count; i++) {
        const struct server *s = &n->servers[i];
        if (s->alive && !s->observer && (best == NULL || !log_is_newer(&best->log, &s->log)))
            best = s;
    }
    return best->sid;
}

/* All that live are connected before the first looks, and look within `spread_ms`. */
static void elect_calmly(struct network *n, size_t dead, int64_t spread_ms)
{
    for (size_t i = 1; i <= n->server_count; i++)
        server_start(n, (int64_t)i, 30 * NS_PER_MS + draw_ns(n, spread_ms), BACKOFF_MS);
    for (; dead > 0; dead--) {
        int64_t victim;
        do
            victim = 1 + (int64_t)draw(n, n->config->voter_count);
        while (!n->servers[victim].alive);
        server_kill(n, victim);
    }
    connect_all(n);
    refuse_dead(n);
    int64_t best = best_voter(n);
    int64_t all_look_ns = n->now_ns + (30 + spread_ms) * NS_PER_MS;
    network_run(n, 30 + spread_ms + 190);

    /* Each server's vote has to reach the others, and the best one to come back: a few delays, and
     * no wait. An observer may have to hear of the decision and of the epoch. */
    for (size_t i = 1; i <= n->server_count; i++) {
        const struct server *s = &n->servers[i];
        if (!s->alive)
            continue;
        check(n, s->leader == best, "the best vote is elected");
        check(n, s->decisions == 1, "and at the first time");
        check(n, s->decided_at_ns <= all_look_ns + (s->observer ? 7 : 3) * 10 * NS_PER_MS,
              "without a wait");
    }
    check(n, common_leader(n) == best, "and all have its epoch");
}

static void servers_that_hear_each_other_elect_the_best_and_do_not_wait(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(2000); seed++) {
        struct network *n = malloc(sizeof *n);
        network_init(n, seed, 1 + seed % 6, seed / 7 % 2);
        elect_calmly(n, 0, (int64_t)(seed % 3) * 40);
        network_deinit(n);
        free(n);
    }
}

static void three_servers_do_not_wait_for_each_other(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(2000); seed++) {
        struct network *n = malloc(sizeof *n);
        network_init(n, seed, 3, 0);
        elect_calmly(n, 0, (int64_t)(seed % 4) * 30);
        network_deinit(n);
        free(n);
    }
}

static void the_dead_are_not_waited_for(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(2000); seed++) {
        struct network *n = malloc(sizeof *n);
        size_t voters = seed % 4 == 0 ? 5 : 3;
        network_init(n, seed, voters, 0);
        elect_calmly(n, 1 + seed / 4 % (voters / 2), (int64_t)(seed % 3) * 40);
        network_deinit(n);
        free(n);
    }
}

/* The leader of an ensemble dies: the others see it within 50 ms. */
static void a_dead_leader_is_replaced_without_a_wait(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(2000); seed++) {
        struct network *n = malloc(sizeof *n);
        network_init(n, seed, seed % 4 == 0 ? 5 : 3, 0);
        elect_calmly(n, 0, 0);
        server_kill(n, common_leader(n));
        int64_t died_ns = n->now_ns, best = 0;
        while (best == 0 && network_step(n, died_ns + 5000 * NS_PER_MS))
            best = common_leader(n);
        check(n, best != 0, "there is a new leader");
        check(n, n->now_ns <= died_ns + (50 + 8 * 10) * NS_PER_MS, "soon");
        network_deinit(n);
        free(n);
    }
}

/* Processes start and connect in any order; connecting to one that is not there yet fails. */
static void servers_that_start_together_agree_soon(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(2000); seed++) {
        struct network *n = malloc(sizeof *n);
        network_init(n, seed, 3 + seed % 3, seed / 5 % 2);
        for (size_t i = 1; i <= n->server_count; i++) {
            network_run(n, (int64_t)draw(n, 40));
            server_start(n, (int64_t)i, draw_ns(n, 20), BACKOFF_MS);
            for (int64_t other = 1; other < (int64_t)i; other++)
                if (draw(n, 3) > 0)
                    link_set(n, (int64_t)i, other, true);
            if (draw(n, 2) == 0)
                refuse_dead(n);
        }
        connect_all(n);
        int64_t all_ns = n->now_ns;
        while (common_leader(n) == 0 && network_step(n, all_ns + 5000 * NS_PER_MS)) {
        }
        check(n, common_leader(n) != 0, "there is a leader");
        check(n, n->now_ns <= all_ns + 300 * NS_PER_MS, "soon");
        network_deinit(n);
        free(n);
    }
}

static void make_trouble(struct network *n, int64_t backoff_ms)
{
    int64_t a = 1 + (int64_t)draw(n, n->server_count), b = 1 + (int64_t)draw(n, n->server_count);
    switch (draw(n, 6)) {
    case 0:
        server_kill(n, a);
        break;
    case 1:
        if (!n->servers[a].alive)
            server_start(n, a, draw_ns(n, 20), backoff_ms);
        break;
    case 2:
        if (a != b)
            link_set(n, a, b, false);
        break;
    case 3: /* cut off */
        for (b = 1; b <= (int64_t)n->server_count; b++)
            if (a != b)
                link_set(n, a, b, false);
        break;
    case 4:
        connect_all(n);
        break;
    default:
        if (a != b)
            link_set(n, a, b, true);
        break;
    }
}

/* After any trouble, once all are up and connected, there is one leader, and nobody had to wait
 * until a vote was repeated. */
static void survive(uint64_t seed, int64_t loss_percent, int64_t backoff_ms, int64_t bound_ms)
{
    struct network *n = malloc(sizeof *n);
    network_init(n, seed, 3 + seed % 4, seed % 2);
    n->delay_ms_max = seed % 5 == 0 ? 60 : 10;
    n->loss_percent = loss_percent;
    for (size_t i = 1; i <= n->server_count; i++)
        server_start(n, (int64_t)i, draw_ns(n, 20), backoff_ms);
    for (int i = 0; i < 40; i++) {
        make_trouble(n, backoff_ms);
        network_run(n, (int64_t)draw(n, seed % 3 == 0 ? 2000 : 100));
    }
    n->loss_percent = 0;
    for (size_t i = 1; i <= n->server_count; i++)
        if (!n->servers[i].alive)
            server_start(n, (int64_t)i, draw_ns(n, 20), backoff_ms);
    connect_all(n);
    int64_t healed_ns = n->now_ns;
    while (common_leader(n) == 0 && network_step(n, healed_ns + 120000 * NS_PER_MS)) {
    }
    check(n, common_leader(n) != 0, "there is one leader");
    check(n, n->now_ns <= healed_ns + bound_ms * NS_PER_MS, "soon");

    /* Then there is silence. */
    network_run(n, 1000);
    uint64_t messages = n->messages;
    network_run(n, 100000);
    check(n, n->messages == messages, "nobody says anything any more");
    check(n, common_leader(n) != 0, "and nothing changes");
    network_deinit(n);
    free(n);
}

static void after_any_trouble_there_is_one_leader_soon(void **state)
{
    (void)state;
    /* Nobody tells an observer that the leader it follows has given up. */
    for (uint64_t seed = first_seed(); seed <= last_seed(3000); seed++)
        survive(seed, 0, BACKOFF_MS, seed % 2 == 0 ? 500 : DISCOVERY_MS + 300);
}

static void lost_messages_are_made_up_for_by_repetition(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(1000); seed++)
        survive(seed, 20, 400, 2 * DISCOVERY_MS);
}

/* Two servers that cannot reach each other, while others reach both: for ever. */
static void one_broken_link_keeps_nobody_from_electing(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed(); seed <= last_seed(1000); seed++) {
        struct network *n = malloc(sizeof *n);
        network_init(n, seed, 3 + seed % 3, 0);
        for (size_t i = 1; i <= n->server_count; i++)
            server_start(n, (int64_t)i, draw_ns(n, 20), 1000);
        connect_all(n);
        network_run(n, (int64_t)draw(n, 100));
        int64_t a = 1 + (int64_t)draw(n, n->server_count), b = a % (int64_t)n->server_count + 1;
        link_set(n, a, b, false);
        network_run(n, 5 * DISCOVERY_MS);

        int64_t leader = 0;
        for (int64_t sid = 1; sid <= (int64_t)n->server_count; sid++)
            if (n->servers[sid].established && n->servers[sid].leader == sid)
                leader = sid;
        check(n, leader != 0 && has_followers(n, leader), "there is a leader with a quorum");
        uint64_t messages = n->messages, decisions = n->servers[leader].decisions;
        network_run(n, 100 * 1000);
        check(n, n->servers[leader].decisions == decisions, "who is not troubled by the others");
        check(n, n->messages - messages < 100 * 20, "who do not shout");
        network_deinit(n);
        free(n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(servers_that_hear_each_other_elect_the_best_and_do_not_wait),
        cmocka_unit_test(three_servers_do_not_wait_for_each_other),
        cmocka_unit_test(the_dead_are_not_waited_for),
        cmocka_unit_test(a_dead_leader_is_replaced_without_a_wait),
        cmocka_unit_test(servers_that_start_together_agree_soon),
        cmocka_unit_test(after_any_trouble_there_is_one_leader_soon),
        cmocka_unit_test(one_broken_link_keeps_nobody_from_electing),
        cmocka_unit_test(lost_messages_are_made_up_for_by_repetition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
