/* route_log.c: the tree over a state's log: its head, proofs, tiles (C2SP's tlog-tiles). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/mem.h"
#include "election_rest/rest_internal.h"
#include "vote/tiles.h"

#define CONTENT_NOTE  "text/plain; charset=utf-8"
#define CONTENT_BYTES "application/octet-stream"

enum {
    TILE_FIRST_PART = 4,   /* of /v1/log/STATE/tile/... */
    TILE_GROUP_DIGITS = 3, /* x001/x234/067 */
};

/* A question to the service about a log. */
struct log_call {
    struct call *call;
    struct log_request asked;
    bool has_leaf;
    struct hash leaf;
};

static void refuse(struct request *r, const char *message)
{
    rest_answer_error(r, MHD_HTTP_BAD_REQUEST, cast_outcome_name(CAST_INVALID), message);
}

/* -1: none, and it has its answer. */
static int find_state(struct request *r)
{
    int state = service_find_state(r->rest->service, r->captures[0]);
    if (state < 0)
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
    return state;
}

/* ---- the head ---- */

static bool find_head(struct request *r, int state, struct log_head *ret)
{
    if (service_head(r->rest->service, state, ret))
        return true;
    const struct state_result *known = service_peek(r->rest->service, state);
    if (known->known)
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", "no round has begun");
    else
        rest_answer_unavailable(r, known->why, 0);
    return false;
}

void route_checkpoint(struct request *r)
{
    struct log_head head;
    struct buf note = {0};
    int state = find_state(r);
    if (state < 0 || !find_head(r, state, &head))
        return;
    service_sign_head(r->rest->service, state, &head, &note);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_NOTE, &note);
}

/* ---- answers ---- */

static void put_hash(struct json_out *j, const char *name, const struct hash *h)
{
    json_out_hex(j, name, h->bytes, sizeof h->bytes);
}

static void answer_proof(struct request *r, const struct log_call *c, const struct log_reply *reply)
{
    struct buf body = {0};
    struct json_out j;
    if (c->has_leaf && !hash_eq(&c->leaf, &reply->leaf)) {
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND",
                          "the record at this index is another one");
        return;
    }
    json_out_begin(&j, &body);
    json_out_string(&j, "state", r->rest->info->states[c->asked.state].names.code);
    json_out_unsigned(&j, "round", reply->round);
    if (c->asked.what == LOG_INCLUSION) {
        json_out_unsigned(&j, "index", c->asked.index);
        put_hash(&j, "leaf", &reply->leaf);
    } else {
        json_out_unsigned(&j, "from", c->asked.from);
    }
    json_out_unsigned(&j, "size", c->asked.size);
    put_hash(&j, "root", &reply->root);
    json_out_list(&j, "path");
    for (size_t i = 0; i < reply->count; i++)
        put_hash(&j, NULL, &reply->hashes[i]);
    json_out_list_end(&j);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}

/* A whole tile of a round that was named never changes. */
static void answer_tile(struct request *r, const struct log_call *c, const struct log_reply *reply)
{
    struct buf body = {0};
    if (c->asked.what == LOG_ENTRIES)
        buf_put_slice(&body, reply->entries);
    else
        buf_put(&body, reply->hashes, reply->count * sizeof *reply->hashes);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_BYTES, &body);
    if (c->asked.round != 0 && c->asked.width == TILE_WIDTH)
        rest_answer_never_changes(r, c->asked.what != LOG_ENTRIES);
}

static void on_answer(void *arg, const struct log_reply *reply)
{
    struct log_call *c = arg;
    struct request *r = call_end(c->call);
    if (r != NULL) {
        bool is_proof = c->asked.what == LOG_INCLUSION || c->asked.what == LOG_CONSISTENCY;
        switch (reply->outcome) {
        case LOG_OK:
            (is_proof ? answer_proof : answer_tile)(r, c, reply);
            break;
        case LOG_NO_SENSE:
            refuse(r, reply->detail);
            break;
        case LOG_NOT_THERE:
            rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", reply->detail);
            break;
        case LOG_UNAVAILABLE:
            rest_answer_unavailable(r, reply->detail, 0);
            break;
        }
        rest_resume(r);
    }
    free(c);
}

static void ask(struct request *r, const struct log_call *question)
{
    struct log_call *c = mem_dup(question, sizeof *question);
    c->call = call_begin(r);
    service_log(r->rest->service, &c->asked, on_answer, c);
}

/* ---- proofs ---- */

/* A number of the query; what is not there stays as it is. false: the request has its answer. */
static bool read_number(struct request *r, const char *name, uint64_t *ret)
{
    struct slice text = url_argument(&r->url, name);
    if (slice_is_null(text) || text_number(text, 0, UINT32_MAX, ret))
        return true;
    refuse(r, "numbers in the address are to be decimal ones");
    return false;
}

static bool read_leaf(struct request *r, struct log_call *c)
{
    struct slice text = url_argument(&r->url, "leaf");
    c->has_leaf = !slice_is_null(text);
    if (!c->has_leaf || (text.len == 2 * SHA256_BYTES &&
                         hex_read((const char *)text.ptr, SHA256_BYTES, c->leaf.bytes)))
        return true;
    refuse(r, "leaf is to be 64 hexadecimal digits");
    return false;
}

/* What the query leaves open is of the newest head. */
static bool begin(struct request *r, enum log_question what, struct log_call *ret)
{
    struct log_head head;
    int state = find_state(r);
    if (state < 0 || !find_head(r, state, &head))
        return false;
    *ret = (struct log_call){.asked = {.what = what, .state = state, .size = head.size}};
    return read_number(r, "round", &ret->asked.round);
}

void route_inclusion(struct request *r)
{
    struct log_call c;
    if (!begin(r, LOG_INCLUSION, &c) || !read_number(r, "index", &c.asked.index) ||
        !read_number(r, "size", &c.asked.size) || !read_leaf(r, &c))
        return;
    if (slice_is_null(url_argument(&r->url, "index")))
        refuse(r, "index is wanted: a receipt has it");
    else
        ask(r, &c);
}

void route_consistency(struct request *r)
{
    struct log_call c;
    if (!begin(r, LOG_CONSISTENCY, &c) || !read_number(r, "from", &c.asked.from) ||
        !read_number(r, "to", &c.asked.size))
        return;
    ask(r, &c);
}

/* ---- tiles ---- */

static bool take_group(struct slice part, bool last, uint64_t *n)
{
    uint64_t group;
    if (!last && (part.len == 0 || part.ptr[0] != 'x'))
        return false;
    if (!last)
        part = slice_from(part, 1);
    if (part.len != TILE_GROUP_DIGITS || !text_number(part, 0, 999, &group))
        return false;
    *n = *n * 1000 + group;
    return true;
}

/* "x001/x234/067", with ".p/W" behind it if the tile is not whole. */
static bool read_place(const struct url *u, size_t part, struct log_request *ret)
{
    uint64_t width = TILE_WIDTH;
    size_t count = u->part_count;
    if (count < part + 1)
        return false;
    struct slice last = u->parts[count - 1];
    if (count >= part + 2) {
        struct slice before = u->parts[count - 2];
        if (before.len > 2 && memcmp(before.ptr + before.len - 2, ".p", 2) == 0) {
            if (!text_number(last, 1, TILE_WIDTH - 1, &width))
                return false;
            last = slice_of(before.ptr, before.len - 2);
            count--;
        }
    }
    ret->width = (uint32_t)width;
    for (; part + 1 < count; part++) {
        if (!take_group(u->parts[part], false, &ret->index))
            return false;
    }
    return take_group(last, true, &ret->index);
}

/* Whoever has a receipt knows which record is whose: with the records at hand he could show how he
 * voted, to whoever pays for it. */
static bool may_read_entries(struct request *r)
{
    if (request_is_committee(r) && service_peek_global(r->rest->service)->phase == PHASE_CLOSED)
        return true;
    rest_answer_error(r, MHD_HTTP_FORBIDDEN, "FORBIDDEN",
                      "records are for the committee, when the election is over");
    return false;
}

void route_tile(struct request *r)
{
    struct log_call c;
    uint64_t level = 0;
    struct slice name =
        r->url.part_count > TILE_FIRST_PART ? r->url.parts[TILE_FIRST_PART] : slice_str("");
    bool entries = slice_eq_str(name, "entries");
    if (!begin(r, entries ? LOG_ENTRIES : LOG_TILE, &c))
        return;
    if ((!entries && !text_number(name, 0, TILE_LEVELS - 1, &level)) ||
        !read_place(&r->url, TILE_FIRST_PART + 1, &c.asked)) {
        rest_answer_error(r, MHD_HTTP_NOT_FOUND, "NOT_FOUND", "there is no tile of this name");
        return;
    }
    c.asked.level = (uint32_t)level;
    if (!entries || may_read_entries(r))
        ask(r, &c);
}
