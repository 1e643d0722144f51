/* links: zab */
/* Small ensembles under a seed: links cut, disks late, servers crashing and coming back, leaders
 * chosen wrongly. What was agreed on stays.
 *
 * ZAB_NET_SEED=n runs one again, ZAB_NET_VERBOSE=1 tells what happens, ZAB_NET_SEEDS=n runs more.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zab_chaos.h"

static void tell_failure(const struct net *n, uint64_t seed)
{
    printf("seed %" PRIu64 ": %s (%s), %zu agreed\n", seed,
           n->broken != NULL ? n->broken : "no progress", n->detail, n->agreed.count);
    for (int i = 0; i < n->count; i++) {
        const struct server *s = &n->s[i];
        printf("  server %d: role %d %s end=%" PRIx64 " tree=%zu last: %s\n", i,
               s->z != NULL ? (int)zab_role(s->z) : -1, s->z != NULL ? zab_phase(s->z) : "down",
               s->log.end, s->tree.count, s->why);
    }
}

static void run_seed(uint64_t seed)
{
    struct net *n = net_create(3 + (int)(seed % 3), (int)(seed % 2), seed);
    n->verbose = getenv("ZAB_NET_VERBOSE") != NULL;
    if (seed % 5 < 2) { /* most of what a learner lacks is in the files */
        n->window_bytes = 200;
        n->commit_log_count = 3;
    }
    bool ok = survives(n);
    if (!ok)
        tell_failure(n, seed);
    net_free(n);
    assert_true(ok);
}

static uint64_t number(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

static void what_was_agreed_on_stays(void **state)
{
    (void)state;
    uint64_t one = number("ZAB_NET_SEED", 0);
    if (one != 0) {
        run_seed(one);
        return;
    }
    for (uint64_t seed = 1; seed <= number("ZAB_NET_SEEDS", 2000); seed++)
        run_seed(seed);
}

static void an_ensemble_without_trouble_serves(void **state)
{
    (void)state;
    struct net *n = net_create(3, 1, 1);
    net_start(n);
    assert_true(calm(n));
    assert_true(n->agreed.count > 0);
    assert_null(n->broken);
    net_free(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ensemble_without_trouble_serves),
        cmocka_unit_test(what_was_agreed_on_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
