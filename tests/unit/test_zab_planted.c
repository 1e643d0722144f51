/* links: zab_planted */
/* Each of the known bugs of src/zab/fault.h, planted, is found by the network of test_zab_net
 * within some seeds: so the seeds that find nothing there mean something. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zab_chaos.h"

enum {
    SEEDS_MAX = 20000
};

static bool breaks(uint32_t fault, uint64_t seed)
{
    struct net *n = net_create(3, 0, seed);
    n->planted = fault;
    bool ok = survives(n);
    net_free(n);
    return !ok;
}

static void is_found(uint32_t fault)
{
    for (uint64_t seed = 1; seed <= SEEDS_MAX; seed++) {
        if (breaks(fault, seed)) {
            print_message("           with seed %d\n", (int)seed);
            return;
        }
    }
    fail_msg("no seed finds it");
}

#define FOUND(issue)                                                                               \
    static void issue_##issue##_is_found(void **state)                                             \
    {                                                                                              \
        (void)state;                                                                               \
        is_found(ZAB_FAULT_##issue);                                                               \
    }
FOUND(3911)
FOUND(4394)
FOUND(4643)
FOUND(4646)
FOUND(4685)
FOUND(4785)
FOUND(4882)
FOUND(4925)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(issue_3911_is_found), cmocka_unit_test(issue_4394_is_found),
        cmocka_unit_test(issue_4643_is_found), cmocka_unit_test(issue_4646_is_found),
        cmocka_unit_test(issue_4685_is_found), cmocka_unit_test(issue_4785_is_found),
        cmocka_unit_test(issue_4882_is_found), cmocka_unit_test(issue_4925_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
