/* reconfig.c: what configuration a reconfig request asks for, and whether it may become one
 * (PrepRequestProcessor, case reconfig; facts A.19). The checks stand in ZooKeeper's order; the
 * permission comes behind them, in prep. */
#include <stdlib.h>

#include "base/mem.h"
#include "node/node_internal.h"

/* The pieces between commas, trimmed, empty ones left out (StringUtils.split). False = no more. */
static bool next_piece(struct slice *rest, struct slice *ret)
{
    while (rest->len > 0) {
        const uint8_t *comma = memchr(rest->ptr, ',', rest->len);
        size_t len = comma != NULL ? (size_t)(comma - rest->ptr) : rest->len;
        struct slice piece = slice_of(rest->ptr, len);
        *rest = slice_from(*rest, comma != NULL ? len + 1 : len);
        while (piece.len > 0 && piece.ptr[0] <= ' ')
            piece = slice_from(piece, 1);
        while (piece.len > 0 && piece.ptr[piece.len - 1] <= ' ')
            piece.len--;
        if (piece.len > 0) {
            *ret = piece;
            return true;
        }
    }
    return false;
}

/* 0; what is no number is a request that cannot be worked with in ZooKeeper, not a bad argument. A
 * server that cannot exist has a number above QUORUM_SID_MAX. */
static int32_t parse_sid(struct slice text, int64_t *ret)
{
    int64_t sid = 0;
    if (text.len == 0)
        return ZK_MARSHALLINGERROR;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return ZK_MARSHALLINGERROR;
        if (sid <= QUORUM_SID_MAX)
            sid = sid * 10 + (text.ptr[i] - '0');
    }
    *ret = sid;
    return 0;
}

/* ---- do two servers say the same address? (QuorumServer.checkAddressDuplicate) ---- */

struct endpoint {
    const char *host;
    int port;
};

/* "localhost" and "0.0.0.0" are everybody's. */
static bool is_special(const char *host)
{
    struct slice h = slice_str(host);
    return slice_eq_str(h, "localhost") || slice_eq_str(h, "0.0.0.0") ||
           slice_starts_with(h, slice_str("127.")) || slice_eq_str(h, "0:0:0:0:0:0:0:1") ||
           slice_eq_str(h, "0:0:0:0:0:0:0:0");
}

static size_t endpoints_of(const struct quorum_server *s,
                           struct endpoint ret[2 * QUORUM_ADDRESSES_MAX + 1])
{
    size_t count = 0;
    for (size_t i = 0; i < s->address_count; i++) {
        const struct quorum_address *a = &s->addresses[i];
        if (is_special(a->host))
            continue;
        ret[count++] = (struct endpoint){a->host, a->quorum_port};
        ret[count++] = (struct endpoint){a->host, a->election_port};
    }
    if (s->client_host != NULL && !is_special(s->client_host))
        ret[count++] = (struct endpoint){s->client_host, s->client_port};
    return count;
}

static bool share_an_address(const struct quorum_server *a, const struct quorum_server *b)
{
    struct endpoint of_a[2 * QUORUM_ADDRESSES_MAX + 1], of_b[2 * QUORUM_ADDRESSES_MAX + 1];
    size_t a_count = endpoints_of(a, of_a), b_count = endpoints_of(b, of_b);
    for (size_t i = 0; i < a_count; i++) {
        for (size_t j = 0; j < b_count; j++) {
            if (of_a[i].port == of_b[j].port && slice_eq_str(slice_str(of_a[i].host), of_b[j].host))
                return true;
        }
    }
    return false;
}

/* ---- joining and leaving ---- */

/* The servers of the next configuration, by number; those not `there` are zero. */
struct members {
    struct quorum_server servers[QUORUM_SID_MAX + 1];
    bool there[QUORUM_SID_MAX + 1];
};

static void member_drop(struct members *m, int64_t sid)
{
    quorum_server_deinit(&m->servers[sid]);
    m->servers[sid] = (struct quorum_server){0};
    m->there[sid] = false;
}

static bool member_put(struct members *m, int64_t sid, struct slice text)
{
    struct quorum_server s = {0};
    struct err err = {0};
    if (quorum_parse_server(sid, text, &s, &err) != 0)
        return false;
    member_drop(m, sid);
    m->servers[sid] = s;
    m->there[sid] = true;
    return true;
}

static bool members_take(struct members *m, const struct quorum *q)
{
    struct buf text = {0};
    bool ok = true;
    for (size_t i = 0; i < q->server_count && ok; i++) {
        buf_clear(&text);
        quorum_format_server(&q->servers[i], &text);
        ok = member_put(m, q->servers[i].sid, buf_slice(&text));
    }
    buf_deinit(&text);
    return ok;
}

static int32_t members_leave(struct members *m, struct slice leaving)
{
    struct slice piece;
    while (next_piece(&leaving, &piece)) {
        int64_t sid;
        int32_t err = parse_sid(piece, &sid);
        if (err != 0)
            return err;
        if (sid <= QUORUM_SID_MAX)
            member_drop(m, sid);
    }
    return 0;
}

static bool is_duplicate(const struct members *m, const struct quorum_server *s)
{
    for (int64_t sid = 0; sid <= QUORUM_SID_MAX; sid++) {
        if (m->there[sid] && sid != s->sid && share_an_address(s, &m->servers[sid]))
            return true;
    }
    return false;
}

/* "server.N=specification", all three ports given. */
static int32_t member_joins(struct members *m, struct slice joiner)
{
    const uint8_t *equals = memchr(joiner.ptr, '=', joiner.len);
    if (equals == NULL)
        return ZK_BADARGUMENTS;
    struct slice key = slice_of(joiner.ptr, (size_t)(equals - joiner.ptr));
    const uint8_t *dot = key.len > 0 ? memrchr(key.ptr, '.', key.len) : NULL;
    if (dot != NULL)
        key = slice_from(key, (size_t)(dot - key.ptr) + 1);
    int64_t sid;
    int32_t rc = parse_sid(key, &sid);
    if (rc != 0)
        return rc;
    struct slice text = slice_from(joiner, (size_t)(equals - joiner.ptr) + 1);
    struct quorum_server s = {0};
    struct err err = {0};
    if (sid > QUORUM_SID_MAX || quorum_parse_server(sid, text, &s, &err) != 0)
        return ZK_BADARGUMENTS;
    bool ok = s.client_port >= 0 && !is_duplicate(m, &s);
    quorum_server_deinit(&s);
    return ok && member_put(m, sid, text) ? 0 : ZK_BADARGUMENTS;
}

static int32_t members_join(struct members *m, struct slice joining)
{
    struct slice piece;
    int32_t err = 0;
    while (err == 0 && next_piece(&joining, &piece))
        err = member_joins(m, piece);
    return err;
}

static void members_format(const struct members *m, struct buf *out)
{
    for (int64_t sid = 0; sid <= QUORUM_SID_MAX; sid++) {
        if (!m->there[sid])
            continue;
        buf_printf(out, "server.%d=", (int)sid);
        quorum_format_server(&m->servers[sid], out);
        buf_put_u8(out, '\n');
    }
}

/* Only where a majority decides: nobody says to which group a joiner belongs. */
static int32_t plan_incremental(const struct quorum *last, const struct rec_reconfig_request *r,
                                struct buf *out)
{
    if (last->hierarchical)
        return ZK_BADARGUMENTS;
    struct members *m = mem_calloc(1, sizeof *m);
    int32_t err = members_take(m, last) ? 0 : ZK_BADARGUMENTS;
    if (err == 0)
        err = members_leave(m, r->leaving_servers);
    if (err == 0)
        err = members_join(m, r->joining_servers);
    if (err == 0)
        members_format(m, out);
    for (int64_t sid = 0; sid <= QUORUM_SID_MAX; sid++)
        member_drop(m, sid);
    free(m);
    return err;
}

/* Commas or newlines between the lines; nothing but servers, groups, weights and a version. */
static int32_t plan_full(struct slice members, struct buf *out)
{
    size_t line = out->len;
    for (size_t i = 0; i <= members.len; i++) {
        bool ends = i == members.len || members.ptr[i] == ',' || members.ptr[i] == '\n';
        buf_put_u8(out, ends ? '\n' : members.ptr[i]);
        if (!ends)
            continue;
        struct slice text = slice_from(buf_slice(out), line);
        while (text.len > 0 && text.ptr[0] <= ' ')
            text = slice_from(text, 1);
        bool known = text.len == 0 || text.ptr[0] == '#' || text.ptr[0] == '!' ||
                     slice_starts_with(text, slice_str("server.")) ||
                     slice_starts_with(text, slice_str("group")) ||
                     slice_starts_with(text, slice_str("weight")) ||
                     slice_starts_with(text, slice_str("version"));
        if (!known)
            return ZK_BADARGUMENTS;
        line = out->len;
    }
    return 0;
}

/* ---- the request ---- */

int32_t reconfig_plan(struct node *n, struct slice record, int64_t zxid, struct quorum **ret_next,
                      struct buf *ret_text)
{
    const struct ensemble *e = n->ensemble;
    const struct quorum *last = zab_last_seen_config(e->zab);
    if (last->version != zab_config(e->zab)->version)
        return ZK_RECONFIGINPROGRESS;
    struct dec d = dec_of(record);
    struct rec_reconfig_request r;
    if (!rec_get_reconfig_request(&d, &r))
        return ZK_MARSHALLINGERROR;
    if (r.cur_config_id != -1 && r.cur_config_id != last->version)
        return ZK_BADVERSION;

    struct buf lines = {0};
    struct quorum *next = NULL;
    struct err err = {0};
    bool full = !slice_is_null(r.new_members);
    int32_t rc = full ? plan_full(r.new_members, &lines) : plan_incremental(last, &r, &lines);
    if (rc == 0 && quorum_parse(buf_slice(&lines), &next, &err) != 0)
        rc = ZK_BADARGUMENTS;
    buf_deinit(&lines);
    if (rc != 0)
        return rc;
    next->version = zxid;
    next->oracle = last->oracle && !next->hierarchical;

    if (next->voter_count < (e->options.standalone_enabled ? 2 : 1))
        rc = ZK_BADARGUMENTS;
    else if (!zab_has_synced_quorum(e->zab, next))
        rc = ZK_NEWCONFIGNOQUORUM;
    if (rc != 0) {
        quorum_free(next);
        return rc;
    }
    quorum_format(next, ret_text);
    *ret_next = next;
    return 0;
}
