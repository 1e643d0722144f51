#include "election_client/model_json.h"

#include <stdio.h>

#include "base/json_in.h"

/* A member of an object, and where its value goes. */
enum kind {
    TEXT, /* or null, which is "" */
    NUMBER64,
    NUMBER32,
    FLAG,
    LIST, /* of objects, or of texts: read_element */
};

struct member {
    const char *name;
    enum kind kind;
    void *ret;
    size_t room;                                         /* of a text */
    bool (*read_element)(struct json_in *in, void *arg); /* of a list; arg is ret */
};

#define MEMBER_TEXT(name, field)                                                                   \
    {                                                                                              \
        name, TEXT, field, sizeof(field), NULL                                                     \
    }
#define MEMBER_64(name, field)                                                                     \
    {                                                                                              \
        name, NUMBER64, &(field), 0, NULL                                                          \
    }
#define MEMBER_32(name, field)                                                                     \
    {                                                                                              \
        name, NUMBER32, &(field), 0, NULL                                                          \
    }
#define MEMBER_FLAG(name, field)                                                                   \
    {                                                                                              \
        name, FLAG, &(field), 0, NULL                                                              \
    }
#define MEMBER_LIST(name, ret, read)                                                               \
    {                                                                                              \
        name, LIST, ret, 0, read                                                                   \
    }
#define COUNT(array) (sizeof(array) / sizeof *(array))

static bool read_text(struct json_in *in, char *ret, size_t room)
{
    struct buf text = {0};
    bool fine = json_in_null(in) || json_in_text(in, &text);
    snprintf(ret, room, "%.*s", (int)text.len, text.len > 0 ? (const char *)text.ptr : "");
    buf_deinit(&text);
    return fine;
}

static bool read_number(struct json_in *in, int64_t max, int64_t *ret)
{
    return json_in_number(in, 0, max, ret);
}

static bool read_value(struct json_in *in, const struct member *m)
{
    int64_t number = 0;
    switch (m->kind) {
    case TEXT:
        return read_text(in, m->ret, m->room);
    case NUMBER64:
        if (!read_number(in, INT64_MAX, &number))
            return false;
        *(uint64_t *)m->ret = (uint64_t)number;
        return true;
    case NUMBER32:
        if (!read_number(in, UINT32_MAX, &number))
            return false;
        *(uint32_t *)m->ret = (uint32_t)number;
        return true;
    case FLAG:
        return json_in_flag(in, m->ret);
    case LIST:
        for (bool more = json_in_list(in); more; more = json_in_list_next(in))
            if (!m->read_element(in, m->ret))
                return false;
        return !in->failed;
    }
    return false;
}

static const struct member *find_member(const struct member *members, size_t count,
                                        struct slice name)
{
    for (size_t i = 0; i < count; i++)
        if (slice_eq_str(name, members[i].name))
            return &members[i];
    return NULL;
}

static bool read_members(struct json_in *in, const struct member *members, size_t count)
{
    struct buf name = {0};
    bool fine = true;
    for (bool more = json_in_object(in); fine && more; more = fine && json_in_next(in)) {
        struct slice passed_over;
        buf_clear(&name);
        fine = json_in_name(in, &name);
        const struct member *m = fine ? find_member(members, count, buf_slice(&name)) : NULL;
        fine = fine && (m != NULL ? read_value(in, m) : json_in_skip(in, &passed_over));
    }
    buf_deinit(&name);
    return fine && !in->failed;
}

static bool read_all(struct slice json, const struct member *members, size_t count)
{
    struct json_in in;
    json_in_init(&in, json);
    return read_members(&in, members, count) && json_in_is_over(&in);
}

/* ---- counts, replicas, states ---- */

struct counts {
    struct model_count *list;
    size_t *count;
};

static bool read_count(struct json_in *in, void *arg)
{
    const struct counts *to = arg;
    if (*to->count == MODEL_CANDIDATES_MAX)
        return false;
    struct model_count *c = &to->list[(*to->count)++];
    const struct member members[] = {
        MEMBER_TEXT("candidate", c->candidate),
        MEMBER_64("votes", c->votes),
        MEMBER_32("electors", c->electors),
    };
    return read_members(in, members, COUNT(members));
}

static bool read_replica(struct json_in *in, void *arg)
{
    struct model_state *s = arg;
    if (s->replica_count == MODEL_REPLICAS_MAX)
        return false;
    struct model_replica *r = &s->replicas[s->replica_count++];
    const struct member members[] = {
        MEMBER_TEXT("server", r->server), MEMBER_TEXT("rest", r->rest),
        MEMBER_TEXT("grpc", r->grpc),     MEMBER_TEXT("chain", r->chain),
        MEMBER_TEXT("root", r->root),     MEMBER_TEXT("detail", r->detail),
        MEMBER_FLAG("live", r->live),     MEMBER_FLAG("leading", r->leading),
        MEMBER_FLAG("known", r->known),   MEMBER_FLAG("agrees", r->agrees),
        MEMBER_64("epoch", r->epoch),     MEMBER_64("index", r->index),
        MEMBER_64("committed", r->index),
    };
    return read_members(in, members, COUNT(members));
}

static bool read_state(struct json_in *in, struct model_state *s)
{
    struct counts counts = {s->counts, &s->count_count};
    const struct member members[] = {
        MEMBER_TEXT("state", s->code),
        MEMBER_FLAG("known", s->known),
        MEMBER_TEXT("why", s->why),
        MEMBER_32("electors", s->electors),
        MEMBER_64("roll", s->roll),
        MEMBER_TEXT("phase", s->phase),
        MEMBER_64("round", s->round),
        MEMBER_64("voters", s->voters),
        MEMBER_64("index", s->index),
        MEMBER_64("epoch", s->epoch),
        MEMBER_64("commit_version", s->commit_version),
        MEMBER_64("lost", s->lost),
        MEMBER_FLAG("final", s->final),
        MEMBER_FLAG("tie", s->tie),
        MEMBER_TEXT("leader", s->leader),
        MEMBER_TEXT("shard_leader", s->shard_leader),
        MEMBER_TEXT("root", s->root),
        MEMBER_LIST("counts", &counts, read_count),
        MEMBER_LIST("replicas", s, read_replica),
        MEMBER_FLAG("agree", s->agree),
        MEMBER_TEXT("verdict", s->verdict),
    };
    return read_members(in, members, COUNT(members));
}

static bool read_element_state(struct json_in *in, void *arg)
{
    struct model_nation *n = arg;
    return n->state_count < MODEL_STATES_MAX && read_state(in, &n->states[n->state_count++]);
}

/* ---- answers ---- */

bool model_json_state(struct slice json, struct model_state *ret)
{
    struct json_in in;
    memset(ret, 0, sizeof *ret);
    json_in_init(&in, json);
    return read_state(&in, ret) && json_in_is_over(&in);
}

bool model_json_nation(struct slice json, struct model_nation *ret)
{
    memset(ret, 0, sizeof *ret);
    struct counts counts = {ret->counts, &ret->count_count};
    const struct member members[] = {
        MEMBER_TEXT("phase", ret->phase),
        MEMBER_64("round", ret->round),
        MEMBER_64("voters", ret->voters),
        MEMBER_LIST("counts", &counts, read_count),
        MEMBER_32("electors_total", ret->electors_total),
        MEMBER_32("electors_open", ret->electors_open),
        MEMBER_32("majority", ret->majority),
        MEMBER_32("states_final", ret->states_final),
        MEMBER_FLAG("tie", ret->tie),
        MEMBER_TEXT("leader", ret->leader),
        MEMBER_TEXT("winner", ret->winner),
        MEMBER_LIST("states", ret, read_element_state),
    };
    return read_all(json, members, COUNT(members));
}

static bool read_not_ready(struct json_in *in, void *arg)
{
    struct model_command *c = arg;
    char code[MODEL_NAME_BYTES_MAX];
    size_t len = strlen(c->not_ready);
    if (!read_text(in, code, sizeof code))
        return false;
    snprintf(c->not_ready + len, sizeof c->not_ready - len, "%s%s", len > 0 ? " " : "", code);
    return true;
}

bool model_json_roll(struct slice json, struct model_roll *ret)
{
    memset(ret, 0, sizeof *ret);
    const struct member members[] = {
        MEMBER_TEXT("state", ret->state),
        MEMBER_64("voters", ret->voters),
        MEMBER_TEXT("hash", ret->hash),
    };
    return read_all(json, members, COUNT(members));
}

static bool read_approver(struct json_in *in, void *arg)
{
    struct model_loss *l = arg;
    return l->approver_count < MODEL_APPROVERS_MAX &&
           read_text(in, l->approvers[l->approver_count++], MODEL_NAME_BYTES_MAX);
}

bool model_json_loss(struct slice json, struct model_loss *ret)
{
    memset(ret, 0, sizeof *ret);
    const struct member members[] = {
        MEMBER_TEXT("state", ret->state),
        MEMBER_64("round", ret->round),
        MEMBER_32("approvals_min", ret->approvals_min),
        MEMBER_LIST("approvers", ret, read_approver),
        MEMBER_TEXT("text", ret->text),
        MEMBER_64("epoch", ret->epoch),
        MEMBER_64("kept", ret->kept),
        MEMBER_64("lost", ret->lost),
    };
    return read_all(json, members, COUNT(members));
}

bool model_json_command(struct slice json, struct model_command *ret)
{
    memset(ret, 0, sizeof *ret);
    const struct member members[] = {
        MEMBER_TEXT("phase", ret->phase),
        MEMBER_64("round", ret->round),
        MEMBER_LIST("not_ready", ret, read_not_ready),
    };
    return read_all(json, members, COUNT(members));
}
