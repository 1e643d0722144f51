#include <string.h>

#include "election/balance.h"

/* Numbers of the members that are known, by name. */
struct group {
    uint32_t count;
    int32_t member[SHARD_MEMBERS_MAX];
};

static struct group group_of(const struct member_names *m)
{
    struct group g = {0};
    for (int32_t i = 0; i < SHARD_MEMBERS_MAX; i++) {
        uint32_t at = g.count;
        if (m->name[i] == NULL)
            continue;
        for (; at > 0 && strcmp(m->name[i], m->name[g.member[at - 1]]) < 0; at--)
            g.member[at] = g.member[at - 1];
        g.member[at] = i;
        g.count++;
    }
    return g;
}

static bool same_servers(const struct member_names *a, const struct group *in_a,
                         const struct member_names *b, const struct group *in_b)
{
    if (in_a->count != in_b->count)
        return false;
    for (uint32_t i = 0; i < in_a->count; i++) {
        if (strcmp(a->name[in_a->member[i]], b->name[in_b->member[i]]) != 0)
            return false;
    }
    return true;
}

/* Each group begins where its first state stands: with many groups of few states the servers whose
 * names come first would lead more than the others. */
void balance_deal(const struct member_names *states, uint32_t count, int32_t ret[STATES_MAX])
{
    struct group groups[STATES_MAX];
    uint32_t turn[STATES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        groups[i] = group_of(&states[i]);
        turn[i] = i % (groups[i].count > 0 ? groups[i].count : 1);
        for (uint32_t k = i; k-- > 0;) {
            if (same_servers(&states[k], &groups[k], &states[i], &groups[i])) {
                turn[i] = turn[k] + 1;
                break;
            }
        }
        ret[i] = groups[i].count == 0 ? -1 : groups[i].member[turn[i] % groups[i].count];
    }
}
