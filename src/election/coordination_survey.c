/* coordination_survey.c: the nation and all states at one moment.
 *
 * Servers since 3.6 read many nodes in one request, of one state of the tree. Others read them one
 * after the other, and what a survey then shows may never have been so at any moment. Conductors
 * can live with that (vote/conduct.h). A snapshot of the counts cannot: it reads twice, and if
 * nothing was changed between the first reading and the second, then everything was so together at
 * the moment between them. If votes keep coming it gives up and says so. */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/coordination_internal.h"
#include "election/identity.h"

enum {
    PER_STATE = 3, /* Commit, LiveNodes, Seal */
    OPS_MAX = 2 + PER_STATE * STATES_MAX,
    SNAPSHOT_TRIES = 5,
};

/* What one read found; owned. */
struct finding {
    int rc;
    bool has_stat;
    struct caucus_stat stat;
    struct buf data;
    char **names;
    size_t name_count;
};

struct live_node {
    uint32_t state;
    char name[SEAT_NAME_BYTES_MAX + 16];
};

struct reading {
    struct coordination *c;
    bool has_command, live_data;
    struct coord_path command;
    survey_done_fn *done;
    void *owner;

    int rc;
    const char *detail;
    uint32_t left;
    struct finding findings[OPS_MAX];
    uint32_t count;
    struct live_node *nodes;
    size_t node_count;
    struct survey survey;
};

static void blame(struct reading *g, int rc, const char *detail)
{
    if (g->rc != 0)
        return;
    g->rc = rc;
    g->detail = detail;
}

/* ---- findings ---- */

static void finding_clear(struct finding *f)
{
    buf_deinit(&f->data);
    for (size_t i = 0; i < f->name_count; i++)
        free(f->names[i]);
    free(f->names);
    memset(f, 0, sizeof *f);
}

static void finding_set(struct finding *f, int rc, const struct caucus_stat *stat,
                        struct slice data, const char *const *names, size_t name_count)
{
    finding_clear(f);
    f->rc = rc;
    f->has_stat = stat != NULL;
    if (stat != NULL)
        f->stat = *stat;
    buf_put_slice(&f->data, data);
    f->names = mem_calloc(name_count > 0 ? name_count : 1, sizeof *f->names);
    f->name_count = name_count;
    for (size_t i = 0; i < name_count; i++)
        f->names[i] = mem_dup(names[i], strlen(names[i]) + 1);
}

static void finish(struct reading *g)
{
    const struct survey *survey = g->rc == 0 ? &g->survey : NULL;
    g->done(g->owner, g->rc, g->rc == 0 ? "" : g->detail, survey);
    for (uint32_t i = 0; i < g->count; i++)
        finding_clear(&g->findings[i]);
    free(g->survey.states);
    free(g->nodes);
    free(g);
}

/* ---- what they say ---- */

/* A state without nodes is one that no server has come for yet. */
static bool parse_state(struct reading *g, uint32_t i)
{
    const struct finding *commit = &g->findings[1 + PER_STATE * i], *live = commit + 1,
                         *seals = commit + 2;
    struct state_view *v = &g->survey.states[i];
    struct conduct_state *s = &g->survey.conduct[i];
    struct commit_seen seen;
    if (commit->rc == CAUCUS_NONODE)
        return true;
    if (commit->rc != 0 || !follow_read_commit(commit->has_stat ? &commit->stat : NULL,
                                               buf_part(&commit->data, 0, commit->data.len), &seen))
        return false;
    v->known = true;
    v->commit = seen.commit;
    v->commit_version = seen.version;
    v->commit_mtime_ms = seen.mtime_ms;
    v->commit_mzxid = seen.mzxid;
    v->live_count =
        follow_read_live(g->c, (const char *const *)live->names, live->name_count, v->live);
    uint64_t round = g->survey.nation.global.round;
    v->has_seal = round > 0 &&
                  follow_read_seals((const char *const *)seals->names, seals->name_count) >= round;

    uint32_t members = 0;
    for (size_t n = 0; n < v->live_count; n++)
        members |= UINT32_C(1) << v->live[n].member;
    s->round = v->commit.round;
    s->sealed = v->commit.sealed;
    s->has_seal = v->has_seal;
    s->live = (uint32_t)__builtin_popcount(members);
    return live->rc == 0 && seals->rc == 0;
}

static void parse(struct reading *g)
{
    const struct finding *nation = &g->findings[0];
    g->survey.states = mem_calloc(g->c->state_count, sizeof *g->survey.states);
    if (nation->rc != 0 ||
        !follow_read_nation(nation->has_stat ? &nation->stat : NULL,
                            buf_part(&nation->data, 0, nation->data.len), &g->survey.nation)) {
        blame(g, ERR_CORRUPT, "Global/Commit cannot be read");
        return;
    }
    for (uint32_t i = 0; i < g->c->state_count; i++) {
        if (!parse_state(g, i))
            blame(g, ERR_CORRUPT, "the nodes of a state cannot be read");
    }
    if (!g->has_command)
        return;
    const struct finding *record = &g->findings[g->count - 1];
    g->survey.has_record = record->rc == 0;
    if (record->rc != 0 && record->rc != CAUCUS_NONODE)
        blame(g, record->rc, caucus_error_text(record->rc));
    else if (record->rc == 0 && !command_record_decode(buf_part(&record->data, 0, record->data.len),
                                                       &g->survey.record))
        blame(g, ERR_CORRUPT, "the record of the command cannot be read");
}

/* ---- whose definition the replicas have ---- */

static void on_live_node(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct reading *g = owner;
    struct server_identity server;
    struct hash config;
    if (r->rc != 0 && r->rc != CAUCUS_NONODE)
        blame(g, r->rc, caucus_error_text(r->rc));
    if (r->rc == 0 &&
        (!identity_decode(coord_data(r), &server, &config) || !hash_eq(&config, &g->c->config)))
        g->survey.conduct[g->nodes[slot].state].live_others++;
    if (--g->left == 0)
        finish(g);
}

static void add_nodes(struct reading *g, uint32_t state)
{
    const struct finding *live = &g->findings[1 + PER_STATE * state + 1];
    for (size_t i = 0; i < live->name_count && i < SHARD_LIVE_MAX; i++) {
        struct seat_name n;
        if (!seat_parse(live->names[i], &n))
            continue;
        g->nodes = mem_realloc(g->nodes, (g->node_count + 1) * sizeof *g->nodes);
        struct live_node *node = &g->nodes[g->node_count++];
        node->state = state;
        snprintf(node->name, sizeof node->name, "%s", live->names[i]);
    }
}

static void read_live_nodes(struct reading *g)
{
    for (uint32_t i = 0; i < g->c->state_count; i++)
        add_nodes(g, i);
    g->left = 1;
    for (size_t i = 0; i < g->node_count; i++) {
        const struct live_node *n = &g->nodes[i];
        g->left++;
        coord_get(g->c,
                  coord_path(g->c, "%s/LiveNodes/%s",
                             g->c->options.election->states[n->state].names.code, n->name)
                      .text,
                  NULL, (struct coord_done){on_live_node, g, (uint32_t)i});
    }
    if (--g->left == 0)
        finish(g);
}

static void have_all(struct reading *g)
{
    if (g->rc == 0)
        parse(g);
    if (g->rc == 0 && g->live_data)
        read_live_nodes(g);
    else
        finish(g);
}

/* ---- reading ---- */

static bool is_list(const struct reading *g, uint32_t i)
{
    return i > 0 && i <= PER_STATE * g->c->state_count && (i - 1) % PER_STATE != 0;
}

static struct coord_path path_of(const struct reading *g, uint32_t i)
{
    static const char *const names[PER_STATE] = {"Commit", "LiveNodes", "Seal"};
    if (i == 0)
        return coord_path(g->c, "Global/Commit");
    if (i <= PER_STATE * g->c->state_count)
        return coord_state_path(g->c, (int)((i - 1) / PER_STATE), names[(i - 1) % PER_STATE]);
    return g->command;
}

static void on_single(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct reading *g = owner;
    if (coord_is_passing(r->rc))
        blame(g, r->rc, caucus_error_text(r->rc));
    if (r->zxid > g->survey.zxid)
        g->survey.zxid = r->zxid;
    finding_set(&g->findings[slot], r->rc, r->stat, coord_data(r), r->names, r->name_count);
    if (--g->left == 0)
        have_all(g);
}

static void read_singly(struct reading *g)
{
    g->left = g->count;
    for (uint32_t i = 0, count = g->count; i < count; i++) {
        struct coord_path path = path_of(g, i);
        struct coord_done done = {on_single, g, i};
        if (is_list(g, i))
            coord_children(g->c, path.text, NULL, done);
        else
            coord_get(g->c, path.text, NULL, done);
    }
}

static void on_multi(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct reading *g = owner;
    (void)slot;
    if (r->rc == CAUCUS_UNIMPLEMENTED && !g->c->closing) {
        g->c->plain = true;
        read_singly(g);
        return;
    }
    if (r->rc != 0)
        blame(g, r->rc, caucus_error_text(r->rc));
    else if (r->result_count != g->count)
        blame(g, ERR_CORRUPT, "a multi read has other parts than were asked for");
    for (uint32_t i = 0; g->rc == 0 && i < g->count; i++) {
        const struct caucus_op_result *part = &r->results[i];
        finding_set(&g->findings[i], part->rc, part->stat, slice_of(part->data, part->data_bytes),
                    part->names, part->name_count);
    }
    g->survey.zxid = r->zxid;
    g->survey.at_one_moment = true;
    have_all(g);
}

static void read_together(struct reading *g)
{
    struct coord_path *paths = mem_calloc(g->count, sizeof *paths);
    struct caucus_op *ops = mem_calloc(g->count, sizeof *ops);
    for (uint32_t i = 0; i < g->count; i++) {
        paths[i] = path_of(g, i);
        ops[i].type = is_list(g, i) ? CAUCUS_OP_GET_CHILDREN : CAUCUS_OP_GET;
        ops[i].path = paths[i].text;
    }
    coord_multi_read(g->c, ops, g->count, (struct coord_done){on_multi, g, 0});
    free(ops);
    free(paths);
}

static void on_synced(void *owner, uint32_t slot, const struct caucus_result *r)
{
    struct reading *g = owner;
    (void)slot;
    if (r->rc != 0) {
        blame(g, r->rc, caucus_error_text(r->rc));
        finish(g);
    } else if (g->c->plain) {
        read_singly(g);
    } else {
        read_together(g);
    }
}

void survey_read(struct coordination *c, const uint8_t *command_id, bool live_data,
                 survey_done_fn *done, void *owner)
{
    struct reading *g = mem_calloc(1, sizeof *g);
    g->c = c;
    g->done = done;
    g->owner = owner;
    g->detail = "";
    g->live_data = live_data;
    g->has_command = command_id != NULL;
    if (g->has_command)
        coord_command_path(c, command_id, &g->command);
    g->count = 1 + PER_STATE * c->state_count + (g->has_command ? 1 : 0);
    c->stats.reads++;
    coord_sync(c, (struct coord_done){on_synced, g, 0});
}

/* ---- coordination_snapshot ---- */

struct snapshot {
    struct coordination *c;
    nation_snapshot_fn *done;
    void *arg;
    int tries;
    int64_t *mzxids; /* of what was read before: the nation's node, the Commits, how many seals */
};

static void snapshot_end(struct snapshot *p, int rc, const char *detail, const struct survey *y)
{
    struct nation_snapshot found = {0};
    if (y != NULL) {
        found.nation = y->nation;
        found.states = y->states;
        found.zxid = y->zxid;
        found.nation.first = p->c->nation.first;
    }
    p->done(p->arg, rc, detail, y != NULL ? &found : NULL);
    free(p->mzxids);
    free(p);
}

/* Whether this reading found what the last one did; keeps what it found. */
static bool is_same(struct snapshot *p, const struct survey *y)
{
    size_t count = 1 + 2 * (size_t)p->c->state_count;
    int64_t *now = mem_calloc(count, sizeof *now);
    now[0] = y->nation.mzxid;
    for (uint32_t i = 0; i < p->c->state_count; i++) {
        now[1 + 2 * i] = y->states[i].commit_mzxid;
        now[2 + 2 * i] = y->states[i].has_seal;
    }
    bool same = p->mzxids != NULL && memcmp(p->mzxids, now, count * sizeof *now) == 0;
    free(p->mzxids);
    p->mzxids = now;
    return same;
}

static void on_survey(void *owner, int rc, const char *detail, const struct survey *y)
{
    struct snapshot *p = owner;
    if (y == NULL || y->at_one_moment || is_same(p, y)) {
        snapshot_end(p, rc, detail, y);
    } else if (++p->tries < SNAPSHOT_TRIES) {
        survey_read(p->c, NULL, false, on_survey, p);
    } else {
        snapshot_end(
            p, ERR_UNSUPPORTED,
            "these servers cannot read all states at one moment (3.6 and later can), and votes "
            "come too fast to do it one by one",
            NULL);
    }
}

void coordination_snapshot(struct coordination *c, nation_snapshot_fn *done, void *arg)
{
    struct snapshot *p = mem_calloc(1, sizeof *p);
    p->c = c;
    p->done = done;
    p->arg = arg;
    survey_read(c, NULL, false, on_survey, p);
}
