/* coordination_setup.c: the nodes that everything stands in, made where they are missing.
 *
 * Every server of the nation does it when it starts, so first it looks: reads are cheap, and writes
 * that fail still go through the ensemble's log. What is missing is made in one go, parents before
 * children: the requests of a session happen in order. */
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"

static const char *const global_names[] = {"Global", "Global/Config", "Global/LiveNodes",
                                           "Global/Commands", "Global/Commit"};
static const char *const state_names[] = {"",      "/Members", "/LiveNodes",
                                          "/Seal", "/Loss",    "/Commit"};

enum {
    GLOBAL_NAMES = sizeof global_names / sizeof global_names[0],
    STATE_NAMES = sizeof state_names / sizeof state_names[0],
};

struct setup {
    struct coordination *c;
    uint32_t left;
    int rc;
    uint32_t failed; /* which */
    bool makes;      /* else it looks */
    bool *missing;
    uint32_t count, parents; /* parents: the names of the root */
};

static uint32_t root_depth(const struct coordination *c)
{
    uint32_t depth = 0;
    for (const char *p = c->root; *p != '\0'; p++)
        depth += *p == '/';
    return depth;
}

static struct coord_path root_part(const struct coordination *c, uint32_t depth)
{
    struct coord_path p;
    size_t at = 0;
    for (; c->root[at] != '\0'; at++) {
        if (c->root[at] == '/' && at > 0 && depth-- == 0)
            break;
        p.text[at] = c->root[at];
    }
    p.text[at] = '\0';
    return p;
}

static struct coord_path node_path(const struct setup *u, uint32_t i)
{
    if (i < u->parents)
        return root_part(u->c, i);
    i -= u->parents;
    if (i < GLOBAL_NAMES)
        return coord_path(u->c, "%s", global_names[i]);
    i -= GLOBAL_NAMES;
    return coord_path(u->c, "%s%s", u->c->options.election->states[i / STATE_NAMES].names.code,
                      state_names[i % STATE_NAMES]);
}

/* Of what begins with something in it: the two kinds of Commit. */
static void node_data(const struct setup *u, uint32_t i, struct buf *b)
{
    const struct election_info *e = u->c->options.election;
    if (i < u->parents)
        return;
    i -= u->parents;
    if (i < GLOBAL_NAMES) {
        struct global g = {.phase = PHASE_IDLE};
        if (i == GLOBAL_NAMES - 1)
            global_encode(&g, b);
        return;
    }
    i -= GLOBAL_NAMES;
    if (i % STATE_NAMES != STATE_NAMES - 1)
        return;
    struct commit first;
    memset(&first, 0, sizeof first);
    tally_init(&first.tally, e->candidate_count, e->states[i / STATE_NAMES].districts);
    commit_encode(&first, b);
}

static void end(struct setup *u)
{
    u->c->setup = NULL;
    free(u->missing);
    free(u);
}

static void make(struct setup *u);

static void after_all(struct setup *u)
{
    struct coordination *c = u->c;
    bool makes = u->makes;
    int rc = u->rc;
    uint32_t failed = u->failed;
    if (rc == 0 && !makes) {
        make(u);
        return;
    }
    struct coord_path path = node_path(u, failed);
    end(u);
    if (rc == 0) {
        c->is_set_up = true;
        coord_settle(c);
    } else if (coord_is_passing(rc)) {
        setup_step(c);
    } else {
        coord_trouble(c, "make %s: %s", path.text, caucus_error_text(rc));
        alarm_set(c, &c->setup_again, caucus_now_ns() + COORD_RETRY_MS * MS_NS);
    }
}

static void on_answer(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct setup *u = owner;
    /* Who may not look (3.9 asks for the right to) may still use what is below. */
    bool fine = r->rc == 0 || (u->makes ? r->rc == CAUCUS_NODEEXISTS
                                        : r->rc == CAUCUS_NONODE || r->rc == CAUCUS_NOAUTH);
    if (!fine && u->rc == 0) {
        u->rc = r->rc;
        u->failed = slot;
    }
    if (!u->makes)
        u->missing[slot] = r->rc == CAUCUS_NONODE;
    if (--u->left == 0)
        after_all(u);
}

static void make(struct setup *u)
{
    u->makes = true;
    u->left = 1;
    for (uint32_t i = 0; i < u->count; i++) {
        if (!u->missing[i])
            continue;
        struct buf data = {0};
        node_data(u, i, &data);
        u->left++;
        coord_create(u->c, node_path(u, i).text, buf_part(&data, 0, data.len), CAUCUS_PERSISTENT,
                     (struct coord_done){on_answer, u, i});
        buf_deinit(&data);
    }
    if (--u->left == 0)
        after_all(u);
}

static void look(struct setup *u)
{
    u->left = u->count;
    for (uint32_t i = 0, count = u->count; i < count; i++)
        coord_exists(u->c, node_path(u, i).text, (struct coord_done){on_answer, u, i});
}

void setup_step(struct coordination *c)
{
    if (!c->connected || c->closing || c->is_set_up || c->setup != NULL ||
        alarm_is_set(&c->setup_again))
        return;
    struct setup *u = mem_calloc(1, sizeof *u);
    u->c = c;
    u->parents = root_depth(c);
    u->count = u->parents + GLOBAL_NAMES + STATE_NAMES * c->state_count;
    u->missing = mem_calloc(u->count, sizeof *u->missing);
    c->setup = u;
    look(u);
}
