#include "election_client/model_pb.h"

#include <stdio.h>

#include "election_grpc/pb.h"

enum {
    WATCH_INTERVAL_MS = 250
};

/* ---- questions ---- */

void model_pb_put_command(const struct client_command *c, struct buf *ret)
{
    pb_put_bytes(ret, 1, slice_of(c->id, sizeof c->id));
    pb_put_uint(ret, 2, c->round);
    pb_put_uint(ret, 3, c->force);
    pb_put_uint(ret, 4, c->drain_ms);
    pb_put_uint(ret, 6, c->now);
}

void model_pb_put_state_query(const char *state, struct buf *ret)
{
    pb_put_bytes(ret, 1, slice_str(state));
    pb_put_uint(ret, 2, 1);
}

void model_pb_put_watch_query(const char *states, struct buf *ret)
{
    while (states != NULL) {
        size_t len = strcspn(states, ",");
        pb_put_bytes(ret, 1, slice_of(states, len));
        states = states[len] == ',' ? states + len + 1 : NULL;
    }
    pb_put_uint(ret, 2, WATCH_INTERVAL_MS);
}

/* ---- values ---- */

static void take_text(const struct pb_field *f, char *ret, size_t room)
{
    struct slice text = f->kind == PB_BYTES ? f->bytes : slice_str("");
    snprintf(ret, room, "%.*s", (int)(text.len < room ? text.len : room - 1),
             text.len > 0 ? (const char *)text.ptr : "");
}

static void take_hash(const struct pb_field *f, char ret[MODEL_HASH_TEXT_BYTES])
{
    size_t len = f->kind == PB_BYTES ? f->bytes.len : 0;
    for (size_t i = 0; i < len && 2 * i + 2 < MODEL_HASH_TEXT_BYTES; i++)
        snprintf(ret + 2 * i, 3, "%02x", f->bytes.ptr[i]);
}

static void take_phase(const struct pb_field *f, char ret[MODEL_NAME_BYTES_MAX])
{
    static const char *const names[] = {"IDLE", "OPEN", "CLOSING", "CLOSED"};
    bool known = f->value < sizeof names / sizeof *names;
    snprintf(ret, MODEL_NAME_BYTES_MAX, "%s", known ? names[f->value] : "?");
}

static struct slice message_of(const struct pb_field *f)
{
    return f->kind == PB_BYTES ? f->bytes : slice_of(NULL, 0);
}

/* ---- messages ---- */

static bool read_count(struct slice rest, struct model_count *ret)
{
    struct pb_field f;
    enum pb_verdict verdict;
    while ((verdict = pb_next(&rest, &f)) == PB_FIELD) {
        if (f.number == 1)
            take_text(&f, ret->candidate, sizeof ret->candidate);
        else if (f.number == 2)
            ret->votes = f.value;
        else if (f.number == 3)
            ret->electors = (uint32_t)f.value;
    }
    return verdict == PB_END;
}

static bool add_count(const struct pb_field *f, struct model_count *list, size_t *count)
{
    return *count < MODEL_CANDIDATES_MAX && read_count(message_of(f), &list[(*count)++]);
}

static bool take_state_field(const struct pb_field *f, struct model_state *s)
{
    switch (f->number) {
    case 1:
        take_text(f, s->code, sizeof s->code);
        break;
    case 2:
        take_phase(f, s->phase);
        break;
    case 3:
        s->round = f->value;
        break;
    case 4:
        return add_count(f, s->counts, &s->count_count);
    case 5:
        s->voters = f->value;
        break;
    case 6:
        s->roll = f->value;
        break;
    case 7:
        s->electors = (uint32_t)f->value;
        break;
    case 8:
        take_text(f, s->leader, sizeof s->leader);
        break;
    case 9:
        s->tie = f->value != 0;
        break;
    case 10:
        s->final = f->value != 0;
        break;
    case 11:
        s->index = f->value;
        break;
    case 12:
        take_hash(f, s->root);
        break;
    case 13:
        s->epoch = f->value;
        break;
    case 14:
        s->commit_version = f->value;
        break;
    case 17:
        take_text(f, s->why, sizeof s->why);
        break;
    case 18:
        take_text(f, s->shard_leader, sizeof s->shard_leader);
        break;
    case 19:
        s->lost = f->value;
        break;
    default:
        break; /* districts, and what is newer than this */
    }
    return true;
}

static bool read_state(struct slice rest, struct model_state *s)
{
    struct pb_field f;
    enum pb_verdict verdict;
    snprintf(s->phase, sizeof s->phase, "IDLE"); /* what is 0 is not written */
    while ((verdict = pb_next(&rest, &f)) == PB_FIELD)
        if (!take_state_field(&f, s))
            return false;
    s->known = s->why[0] == 0;
    return verdict == PB_END;
}

bool model_pb_state(struct slice bytes, struct model_state *ret)
{
    memset(ret, 0, sizeof *ret);
    return read_state(bytes, ret);
}

/* Electors are in a list of their own; they belong beside the votes. */
static bool take_electors(const struct pb_field *f, struct model_nation *n)
{
    struct model_count c = {.votes = 0};
    if (!read_count(message_of(f), &c))
        return false;
    for (size_t i = 0; i < n->count_count; i++)
        if (strcmp(n->counts[i].candidate, c.candidate) == 0)
            n->counts[i].electors = c.electors;
    return true;
}

static bool take_nation_field(const struct pb_field *f, struct model_nation *n)
{
    switch (f->number) {
    case 1:
        return n->state_count < MODEL_STATES_MAX &&
               read_state(message_of(f), &n->states[n->state_count++]);
    case 2:
        return add_count(f, n->counts, &n->count_count);
    case 4:
        n->electors_total = (uint32_t)f->value;
        break;
    case 5:
        n->majority = (uint32_t)f->value;
        break;
    case 6:
        take_text(f, n->leader, sizeof n->leader);
        break;
    case 7:
        take_text(f, n->winner, sizeof n->winner);
        break;
    case 8:
        n->states_final = (uint32_t)f->value;
        break;
    case 11:
        take_phase(f, n->phase);
        break;
    case 12:
        n->round = f->value;
        break;
    default:
        break;
    }
    return true;
}

bool model_pb_nation(struct slice bytes, struct model_nation *ret)
{
    memset(ret, 0, sizeof *ret);
    struct slice rest = bytes;
    struct pb_field f;
    enum pb_verdict verdict;
    snprintf(ret->phase, sizeof ret->phase, "IDLE");
    while ((verdict = pb_next(&rest, &f)) == PB_FIELD)
        if (!take_nation_field(&f, ret))
            return false;
    if (verdict != PB_END)
        return false;
    for (rest = bytes; pb_next(&rest, &f) == PB_FIELD;)
        if (f.number == 3 && !take_electors(&f, ret))
            return false;
    uint32_t given = 0;
    for (size_t i = 0; i < ret->count_count; i++)
        given += ret->counts[i].electors;
    for (size_t i = 0; i < ret->state_count; i++)
        ret->voters += ret->states[i].voters;
    ret->electors_open = ret->electors_total > given ? ret->electors_total - given : 0;
    ret->tie = ret->leader[0] == 0 && ret->voters > 0;
    return true;
}

bool model_pb_command(struct slice bytes, struct model_command *ret)
{
    struct pb_field f;
    enum pb_verdict verdict;
    memset(ret, 0, sizeof *ret);
    snprintf(ret->phase, sizeof ret->phase, "IDLE");
    while ((verdict = pb_next(&bytes, &f)) == PB_FIELD) {
        size_t len = strlen(ret->not_ready);
        if (f.number == 1)
            take_phase(&f, ret->phase);
        else if (f.number == 2)
            ret->round = f.value;
        else if (f.number == 4)
            snprintf(ret->not_ready + len, sizeof ret->not_ready - len, "%s%.*s",
                     len > 0 ? " " : "", (int)message_of(&f).len, (const char *)message_of(&f).ptr);
    }
    return verdict == PB_END;
}

static bool read_replica(struct slice rest, struct model_replica *r)
{
    struct pb_field f;
    enum pb_verdict verdict;
    while ((verdict = pb_next(&rest, &f)) == PB_FIELD) {
        switch (f.number) {
        case 1:
            take_text(&f, r->server, sizeof r->server);
            break;
        case 2:
            r->index = f.value;
            break;
        case 3:
            take_hash(&f, r->chain);
            break;
        case 4:
            take_hash(&f, r->root);
            break;
        case 6:
            r->known = f.value != 0;
            break;
        case 7:
            r->agrees = f.value != 0;
            break;
        case 8:
            take_text(&f, r->detail, sizeof r->detail);
            break;
        default:
            break;
        }
    }
    return verdict == PB_END;
}

bool model_pb_recount(struct slice bytes, struct model_state *ret)
{
    struct pb_field f;
    enum pb_verdict verdict;
    memset(ret, 0, sizeof *ret);
    while ((verdict = pb_next(&bytes, &f)) == PB_FIELD) {
        if (f.number == 1 && (ret->replica_count == MODEL_REPLICAS_MAX ||
                              !read_replica(message_of(&f), &ret->replicas[ret->replica_count++])))
            return false;
        if (f.number == 2)
            ret->agree = f.value != 0;
        if (f.number == 3)
            take_text(&f, ret->verdict, sizeof ret->verdict);
    }
    return verdict == PB_END;
}
