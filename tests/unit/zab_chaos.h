/* zab_chaos.h: trouble of all kinds for a network of zab's (zab_net.h), under a seed, and the calm
 * behind it in which everybody must come to serve the same. */
#ifndef ZAB_CHAOS_H
#define ZAB_CHAOS_H

#include "zab_net.h"

/* The best of those who look, as an election would have it; sometimes another. */
static int choose_leader(struct net *n, bool wrong)
{
    int best = -1, any = 0;
    for (int i = 0; i < n->count; i++) {
        struct server *s = &n->s[i];
        if (!server_looks(s) || !quorum_is_voter(n->config, i))
            continue;
        any++;
        if (best == -1 || (wrong && net_below(n, (uint64_t)any) == 0)) {
            best = i;
            continue;
        }
        struct server *b = &n->s[best];
        int64_t e = zab_current_epoch(s->z), be = zab_current_epoch(b->z);
        if (!wrong && (e > be || (e == be && s->log.end >= b->log.end)))
            best = i;
    }
    return best;
}

static int leading(const struct net *n)
{
    for (int i = 0; i < n->count; i++)
        if (n->s[i].z != NULL && zab_role(n->s[i].z) == ZAB_LEADING)
            return i;
    return -1;
}

static void elect(struct net *n, bool wrong, bool all)
{
    int leader = leading(n);
    if (leader == -1 || (wrong && net_below(n, 4) == 0)) {
        leader = choose_leader(n, wrong);
        if (leader == -1)
            return;
        server_lead(n, leader);
    }
    for (int i = 0; i < n->count; i++)
        if (i != leader && server_looks(&n->s[i]) && (all || net_below(n, 4) != 0))
            server_follow(n, i, leader);
}

static void propose_some(struct net *n)
{
    for (int i = 0; i < n->count; i++)
        if (server_leads(&n->s[i]) && n->s[i].log.count < 400)
            for (uint64_t k = 1 + net_below(n, 3); k > 0 && server_leads(&n->s[i]); k--)
                server_propose(n, &n->s[i]);
}

/* How much of each trouble a round has. */
struct weather {
    unsigned crashes, cuts, disk_errors, elections, proposals, time;
    unsigned disk[NET_SERVERS_MAX];
};

static struct weather any_weather(struct net *n)
{
    static const unsigned rates[] = {1, 1, 4, 16, 40};
#define RATE() rates[net_below(n, sizeof rates / sizeof *rates)]
    struct weather w = {RATE() - 1, RATE(), RATE() - 1, RATE(), RATE(), RATE(), {0}};
    for (int i = 0; i < n->count; i++)
        w.disk[i] = RATE();
    return w;
#undef RATE
}

static void crash_some(struct net *n)
{
    int i = (int)net_below(n, (uint64_t)n->count);
    bool all = net_below(n, 8) == 0;
    for (int k = 0; k < n->count; k++) {
        if (!all && k != i)
            continue;
        server_crash(n, k);
        if (net_below(n, 2) == 0)
            server_start(n, k);
    }
}

static void chaos_step(struct net *n, const struct weather *w)
{
    int i = (int)net_below(n, (uint64_t)n->count);
    uint64_t dice = net_below(n, 1000);
    if (dice < w->crashes / 4)
        crash_some(n);
    else if (dice < 20)
        pipe_cut(n,
                 &n->pipes[net_below(n, dice < w->cuts ? 4 : NET_PIPES_MAX * 8) % NET_PIPES_MAX]);
    else if (dice < 20 + w->disk_errors / 4)
        server_disk_error(&n->s[i]);
    else if (dice < 40) {
        if (n->s[i].z == NULL)
            server_start(n, i);
    } else if (dice < 40 + w->elections)
        elect(n, net_below(n, 2) == 0, false);
    else if (dice < 100 + w->proposals)
        propose_some(n);
    else if (dice < 150 + w->time)
        net_tick(n, (int64_t)net_below(n, NET_TICK_MS));
    else if (dice < 200 + 4 * w->disk[i])
        disk_step(&n->s[i], 1 + net_below(n, 5));
    else if (dice < 450)
        server_misc(&n->s[i]);
    else
        for (int k = 0; k < 4; k++)
            pipe_step(n, &n->pipes[net_below(n, 8)]);
}

static void chaos(struct net *n, int steps)
{
    struct weather w = any_weather(n);
    for (int step = 0; step < steps && n->broken == NULL; step++)
        chaos_step(n, &w);
}

static bool all_serve(const struct net *n)
{
    for (int i = 0; i < n->count; i++)
        if (!server_serves(&n->s[i]) || n->s[i].tree.count != n->agreed.count)
            return false;
    return true;
}

/* Nothing goes wrong any more: everybody serves the same, and goes on. */
static bool calm(struct net *n)
{
    for (int i = 0; i < n->count; i++)
        if (n->s[i].z == NULL)
            server_start(n, i);
    size_t wanted = n->agreed.count + 3;
    for (int round = 0; round < 4000 && n->broken == NULL; round++) {
        net_step_all(n);
        if (round % 16 == 15)
            net_tick(n, NET_TICK_MS / 2);
        if (round % 8 == 0)
            elect(n, false, true);
        if (!all_serve(n))
            continue;
        if (n->agreed.count >= wanted)
            return true;
        for (int i = 0; i < n->count; i++)
            if (server_leads(&n->s[i]))
                server_propose(n, &n->s[i]);
    }
    return false;
}

/* Rounds of trouble and calm. True: what was agreed on stayed, and it went on. */
static bool survives(struct net *n)
{
    net_start(n);
    for (int round = 0; round < 4; round++) {
        chaos(n, 1200);
        if (!calm(n) || n->broken != NULL)
            return false;
    }
    return true;
}

#endif
