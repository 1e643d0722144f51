/* sim.c: one seed, one run. See sim.h. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/mem.h"

uint64_t sim_random(struct sim *s, uint64_t bound)
{
    s->rng += 0x9e3779b97f4a7c15ULL;
    return bound ? hash_u64(s->rng, 0) % bound : 0;
}

void sim_violate(struct sim *s, const char *format, ...)
{
    if (s->violation[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(s->violation, sizeof s->violation, format, args);
    va_end(args);
}

static struct sim_client *client_of(struct sim *s, uint64_t connection)
{
    for (int i = 0; i < SIM_CLIENTS; i++) {
        if (connection != 0 && s->clients[i].connection == connection)
            return &s->clients[i];
    }
    return NULL;
}

static void mix(struct sim *s, const void *bytes, size_t len)
{
    s->trace_hash = hash_bytes(bytes, len, s->trace_hash);
}

/* A connection the server closes is gone for the client once it has read what was sent. */
static void carry_out_closes(struct sim *s, const struct close_effect *closes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct sim_client *c = client_of(s, closes[i].client);
        if (c != NULL) {
            if (c->session_over)
                sim_client_forget_session(c);
            sim_client_dropped(s, c);
        }
        struct node_event ev = {.type = NODE_CLIENT_CLOSED, .client = closes[i].client};
        sim_step(s, &ev);
    }
}

void sim_step(struct sim *s, struct node_event *ev)
{
    ev->now_ns = s->now_ns;
    ev->wall_ms = 1700000000000 + s->now_ns / 1000000;
    struct effects fx = {0};
    node_step(s->node, ev, &fx);
    s->steps++;

    for (size_t i = 0; i < fx.persist_count; i++) {
        const struct persist_effect *p = &fx.persists[i];
        struct slice bytes = slice_of(fx.persist_bytes.ptr + p->at, p->len);
        mix(s, bytes.ptr, bytes.len);
        sim_disk_persist(s, p, bytes);
    }
    for (size_t i = 0; i < fx.send_count; i++) {
        struct slice bytes = slice_of(fx.send_bytes.ptr + fx.sends[i].at, fx.sends[i].len);
        mix(s, bytes.ptr, bytes.len);
        struct sim_client *c = client_of(s, fx.sends[i].client);
        if (c != NULL)
            sim_client_receive(s, c, bytes);
    }
    for (size_t i = 0; i < fx.trace_count; i++) {
        enum trace_type type = fx.traces[i].type;
        if (type == TRACE_SESSION_CLOSED || type == TRACE_SESSION_EXPIRED)
            sim_check_session_gone(s, fx.traces[i].session_id);
    }
    if (s->plant == PLANT_EARLY_DURABLE && fx.persist_count > 0 && sim_random(s, 8) == 0) {
        /* The log thread reports what it was only given. */
        struct node_event early = {.type = NODE_DURABLE};
        for (size_t i = 0; i < fx.persist_count; i++) {
            if (fx.persists[i].ticket > early.ticket)
                early.ticket = fx.persists[i].ticket;
        }
        if (early.ticket > 0)
            sim_step(s, &early);
    }
    carry_out_closes(s, fx.closes, fx.close_count);
    effects_deinit(&fx);
}

static void crash(struct sim *s)
{
    s->crashes++;
    node_free(s->node);
    sim_disk_crash(s);
    for (int i = 0; i < SIM_CLIENTS; i++)
        sim_client_dropped(s, &s->clients[i]);
    s->node = sim_disk_recover(s);
    sim_check_recovered(s);
}

static void turn(struct sim *s)
{
    s->now_ns += (int64_t)sim_random(s, 20) * 1000000;
    uint64_t dice = sim_random(s, 1000);
    if (dice < 3) {
        crash(s);
    } else if (dice < 150) {
        sim_disk_sync(s);
    } else if (dice < 220) {
        sim_disk_snapshot(s);
    } else if (dice < 260) {
        struct node_event ev = {.type = NODE_TICK};
        sim_step(s, &ev);
    } else {
        sim_client_act(s, &s->clients[sim_random(s, SIM_CLIENTS)]);
    }
}

struct outcome {
    uint64_t trace_hash, steps, acked, crashes;
    char violation[256];
};

static struct outcome run(uint64_t seed, enum sim_plant plant)
{
    enum {
        TURNS = 2500
    };
    struct sim *s = mem_calloc(1, sizeof *s);
    s->seed = s->rng = seed;
    s->plant = plant;
    s->now_ns = 1000000000;
    sim_disk_init(&s->disk);
    for (int i = 0; i < SIM_CLIENTS; i++) {
        s->clients[i].index = i;
        for (int k = 0; k < SIM_KEYS; k++)
            s->clients[i].seen_version[k] = s->clients[i].watched_version[k] = -1;
    }
    for (int k = 0; k < SIM_KEYS; k++)
        s->floor_version[k] = -1;
    s->node = sim_disk_recover(s);
    for (int i = 0; i < TURNS && s->violation[0] == 0; i++)
        turn(s);
    if (s->violation[0] == 0)
        crash(s);

    struct outcome out = {s->trace_hash, s->steps, s->acked, s->crashes, {0}};
    memcpy(out.violation, s->violation, sizeof out.violation);
    node_free(s->node);
    sim_disk_deinit(&s->disk);
    free(s);
    return out;
}

static int usage(void)
{
    fputs("usage: caucus_sim [--twice] [--plant early-durable|lost-sync] [--expect-violation] "
          "SEED [SEEDS]\n",
          stderr);
    return 2;
}

int main(int argc, char **argv)
{
    bool twice = false, expect = false;
    enum sim_plant plant = PLANT_NONE;
    int at = 1;
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at++) {
        if (strcmp(argv[at], "--twice") == 0)
            twice = true;
        else if (strcmp(argv[at], "--expect-violation") == 0)
            expect = true;
        else if (strcmp(argv[at], "--plant") == 0 && at + 1 < argc)
            plant = strcmp(argv[++at], "lost-sync") == 0 ? PLANT_LOST_SYNC : PLANT_EARLY_DURABLE;
        else
            return usage();
    }
    if (at >= argc)
        return usage();
    uint64_t first = strtoull(argv[at], NULL, 10);
    uint64_t seeds = at + 1 < argc ? strtoull(argv[at + 1], NULL, 10) : 1;

    uint64_t steps = 0, acked = 0, crashes = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        struct outcome out = run(seed, plant);
        steps += out.steps;
        acked += out.acked;
        crashes += out.crashes;
        if (out.violation[0] != 0) {
            printf("seed %" PRIu64 ": %s\n", seed, out.violation);
            if (expect) {
                printf("found after %" PRIu64 " seeds\n", seed - first + 1);
                return 0;
            }
            printf("repeat: caucus_sim %" PRIu64 "\n", seed);
            return 1;
        }
        if (twice && run(seed, plant).trace_hash != out.trace_hash) {
            printf("seed %" PRIu64 ": two runs differ\n", seed);
            return 1;
        }
    }
    printf("%" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " answers, %" PRIu64
           " crashes: no violation\n",
           seeds, steps, acked, crashes);
    return expect ? 1 : 0;
}
