#include "election_rest/bodies.h"

#include "base/json_in.h"
#include "election_rest/url.h"

enum {
    DRAIN_MS_MAX = 10 * 60 * 1000,
    MEMBERS_MAX = 5,
};

static const char not_json[] = "the body is to be one JSON object";
static const char unknown_member[] = "the body has a member that is not known here";
static const char twice[] = "the body has a member twice";

/* Reads the value of the member `name`; `member` is which of its kind it is. */
typedef const char *read_member_fn(struct json_in *in, struct slice name, unsigned *ret_member,
                                   void *arg);

/* All members, each once. *ret_seen: bit per member. */
static const char *read_members(struct slice body, read_member_fn *read, void *arg,
                                unsigned *ret_seen)
{
    struct json_in in;
    struct buf name = {0};
    const char *wrong = NULL;
    *ret_seen = 0;
    json_in_init(&in, body);
    for (bool more = json_in_object(&in); wrong == NULL && more; more = json_in_next(&in)) {
        unsigned member = 0;
        buf_clear(&name);
        if (!json_in_name(&in, &name))
            break;
        wrong = read(&in, buf_slice(&name), &member, arg);
        if (wrong == NULL && (*ret_seen >> member & 1))
            wrong = twice;
        *ret_seen |= 1u << member;
    }
    buf_deinit(&name);
    if (wrong == NULL && !json_in_is_over(&in))
        wrong = not_json;
    return wrong;
}

/* ---- One text ---- */

struct text_member {
    const char *name;
    const char *no_text, *missing; /* what is said */
    struct buf *ret;
};

static const char *read_text(struct json_in *in, struct slice name, unsigned *ret_member, void *arg)
{
    const struct text_member *t = arg;
    *ret_member = 0;
    if (!slice_eq_str(name, t->name))
        return unknown_member;
    if (json_in_peek(in) != '"')
        return t->no_text;
    buf_clear(t->ret);
    return json_in_text(in, t->ret) ? NULL : not_json;
}

static const char *read_one_text(struct slice body, struct text_member t)
{
    unsigned seen;
    const char *wrong = read_members(body, read_text, &t, &seen);
    if (wrong != NULL)
        return wrong;
    return seen == 0 ? t.missing : NULL;
}

const char *body_read_vote(struct slice body, struct buf *ret)
{
    return read_one_text(body, (struct text_member){"candidate", "candidate is to be a text",
                                                    "the body has no candidate", ret});
}

const char *body_read_loss(struct slice body, struct buf *ret)
{
    return read_one_text(body, (struct text_member){"document", "document is to be a text",
                                                    "the body has no document", ret});
}

/* ---- A command ---- */

static const char *read_command_id(struct json_in *in, uint8_t ret[16])
{
    struct buf text = {0};
    bool fine = json_in_text(in, &text) && text_uuid(buf_slice(&text), ret);
    buf_deinit(&text);
    return fine ? NULL : "command_id is to be a UUID";
}

static const char *read_command_member(struct json_in *in, struct slice name, unsigned *ret_member,
                                       void *arg)
{
    static const char *const names[MEMBERS_MAX] = {"command_id", "round", "force", "now",
                                                   "drain_ms"};
    struct command *c = arg;
    int64_t number = 0;
    unsigned member = 0;
    while (member < MEMBERS_MAX && !slice_eq_str(name, names[member]))
        member++;
    *ret_member = member;
    switch (member) {
    case 0:
        return read_command_id(in, c->command_id);
    case 1:
        if (!json_in_number(in, 0, INT64_MAX, &number))
            return "round is to be a number";
        c->round = (uint64_t)number;
        return NULL;
    case 2:
        return json_in_flag(in, &c->force) ? NULL : "force is to be true or false";
    case 3:
        return json_in_flag(in, &c->now) ? NULL : "now is to be true or false";
    case 4:
        if (!json_in_number(in, 0, DRAIN_MS_MAX, &number))
            return "drain_ms is to be from 0 to 600000";
        c->drain_ms = (uint32_t)number;
        return NULL;
    default:
        return unknown_member;
    }
}

const char *body_read_command(struct slice body, struct command *ret)
{
    unsigned seen;
    if (body.len == 0)
        return NULL;
    return read_members(body, read_command_member, ret, &seen);
}
