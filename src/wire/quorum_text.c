/* quorum_text.c: a whole configuration as text, read and written.
 *
 * Read as java.util.Properties reads it: key and value with '=', ':' or space between, of two lines
 * with one key the later one counts. A backslash, which would begin an escape there, is refused.
 *
 * Written in the order of Java's hash maps. Nobody has to depend on that order, but servers show
 * the text to clients, and clients compare. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "wire/quorum.h"
#include "wire/quorum_internal.h"

enum {
    SIDS = QUORUM_SID_MAX + 1,
    WEIGHT_MAX = INT32_MAX, /* sums of weights stay far from overflow */
    JAVA_TABLE_MIN = 16,
};

/* What the lines said, by number of server. */
struct draft {
    struct quorum_server servers[SIDS]; /* address_count 0 = there is none */
    int64_t weight[SIDS], group[SIDS];  /* -1 = none given */
    int64_t version;
    bool hierarchical, ahead;
};

static int read_server(struct draft *d, int64_t sid, struct slice value, struct err *err)
{
    struct quorum_server s;
    int rc = quorum_parse_server(sid, value, &s, err);
    if (rc < 0)
        return rc;
    quorum_server_deinit(&d->servers[sid]);
    d->servers[sid] = s;
    return 0;
}

/* group.<number>=sid:sid:... */
static int read_group(struct draft *d, int64_t group, struct slice value, struct err *err)
{
    for (size_t sid = 0; sid < SIDS; sid++)
        if (d->group[sid] == group)
            d->group[sid] = -1; /* an earlier line of the same key */
    value = text_without_tail(value, ':');
    do {
        int64_t sid;
        if (!text_number(text_cut(&value, ':'), 10, QUORUM_SID_MAX, &sid))
            return err_set(err, ERR_INVALID, "must be numbers of servers with ':' between");
        if (d->group[sid] >= 0)
            return err_set(err, ERR_INVALID, "server %" PRId64 " is in two groups", sid);
        d->group[sid] = group;
    } while (value.len > 0);
    d->hierarchical = true;
    return 0;
}

static int read_weight(struct draft *d, int64_t sid, struct slice value, struct err *err)
{
    if (sid > QUORUM_SID_MAX || !text_number(value, 10, WEIGHT_MAX, &d->weight[sid]))
        return err_set(err, ERR_INVALID, "must be weight.<server>=<0...%d>", WEIGHT_MAX);
    d->hierarchical = true;
    return 0;
}

static int read_line(struct draft *d, struct slice key, struct slice value, struct err *err)
{
    if (slice_eq_str(key, "version")) {
        if (text_number(value, 16, INT64_MAX, &d->version))
            return 0;
        return err_set(err, ERR_INVALID, "must be a hexadecimal number");
    }
    struct slice number = key;
    struct slice kind = text_cut(&number, '.');
    int64_t n;
    bool numbered = text_number(number, 10, INT64_MAX, &n);
    if (numbered && slice_eq_str(kind, "server"))
        return read_server(d, n, value, err);
    if (numbered && slice_eq_str(kind, "group"))
        return read_group(d, n, value, err);
    if (numbered && slice_eq_str(kind, "weight"))
        return read_weight(d, n, value, err);
    return err_set(err, ERR_INVALID, "unknown; only server.N, group.N, weight.N and version");
}

static struct slice take_line(struct slice *rest)
{
    size_t len = 0;
    while (len < rest->len && rest->ptr[len] != '\n' && rest->ptr[len] != '\r')
        len++;
    struct slice line = slice_of(rest->ptr, len);
    *rest = slice_from(*rest, len < rest->len ? len + 1 : len);
    return text_trim(line);
}

/* The key in front of '=', ':' or space; *value is what comes behind. */
static struct slice take_key(struct slice *value)
{
    size_t len = 0;
    while (len < value->len && value->ptr[len] != '=' && value->ptr[len] != ':' &&
           !text_is_space(value->ptr[len]))
        len++;
    struct slice key = slice_of(value->ptr, len);
    *value = text_trim(slice_from(*value, len));
    if (value->len > 0 && (value->ptr[0] == '=' || value->ptr[0] == ':'))
        *value = text_trim(slice_from(*value, 1));
    return key;
}

static int read_lines(struct draft *d, struct slice text, struct err *err)
{
    while (text.len > 0) {
        struct slice value = take_line(&text);
        if (slice_eq_str(value, QUORUM_AHEAD))
            d->ahead = true;
        if (value.len == 0 || value.ptr[0] == '#' || value.ptr[0] == '!')
            continue;
        if (memchr(value.ptr, '\\', value.len) != NULL)
            return err_set(err, ERR_INVALID, "a backslash in a line of the configuration");
        struct slice key = take_key(&value);
        int rc = read_line(d, key, value, err);
        if (rc < 0)
            return err_wrap(err, rc, "%.*s", (int)(key.len < 64 ? key.len : 64),
                            (const char *)key.ptr);
    }
    return 0;
}

/* What the lines say together (the end of QuorumHierarchical.parse). A weight of nobody is passed
 * over; nobody in a group would count as somebody who never acknowledges. */
static int check_draft(const struct draft *d, struct err *err)
{
    size_t voters = 0;
    for (int sid = 0; sid < SIDS; sid++) {
        const struct quorum_server *s = &d->servers[sid];
        bool here = s->address_count > 0;
        bool voter = here && !s->observer;
        voters += voter;
        if (d->hierarchical && voter && d->group[sid] < 0)
            return err_set(err, ERR_INVALID, "server %d is not in a group", sid);
        if (!here && d->group[sid] >= 0)
            return err_set(err, ERR_INVALID, "server %d of group %" PRId64 " does not exist", sid,
                           d->group[sid]);
        if (here && !voter && d->group[sid] >= 0 && d->weight[sid] < 0)
            return err_set(err, ERR_INVALID, "observer %d is in a group and has no weight", sid);
    }
    return voters > 0 ? 0 : err_set(err, ERR_INVALID, "a configuration needs a voter");
}

/* Takes the servers over. */
static struct quorum *finish_draft(struct draft *d)
{
    struct quorum *q = mem_calloc(1, sizeof *q);
    size_t count = 0;
    for (size_t sid = 0; sid < SIDS; sid++)
        count += d->servers[sid].address_count > 0;
    q->servers = mem_calloc(count, sizeof *q->servers);
    for (size_t sid = 0; sid < SIDS; sid++) {
        struct quorum_server *s = &d->servers[sid];
        if (s->address_count == 0)
            continue;
        if (d->hierarchical) {
            s->group = d->group[sid];
            s->weight = d->weight[sid] < 0 && !s->observer ? 1 : d->weight[sid];
        }
        q->voter_count += !s->observer;
        q->servers[q->server_count++] = *s;
        *s = (struct quorum_server){0};
    }
    q->version = d->version;
    q->ahead = d->ahead;
    q->hierarchical = d->hierarchical;
    return q;
}

int quorum_parse(struct slice text, struct quorum **ret, struct err *err)
{
    struct draft *d = mem_calloc(1, sizeof *d);
    for (size_t sid = 0; sid < SIDS; sid++)
        d->weight[sid] = d->group[sid] = -1;

    int rc = read_lines(d, text, err);
    if (rc == 0)
        rc = check_draft(d, err);
    if (rc == 0)
        *ret = finish_draft(d);

    for (size_t sid = 0; sid < SIDS; sid++)
        quorum_server_deinit(&d->servers[sid]);
    free(d);
    return rc;
}

/* Where a java.util.HashMap of `table` buckets keeps a Long. */
static size_t java_bucket(int64_t key, size_t table)
{
    uint32_t hash = (uint32_t)((uint64_t)key ^ (uint64_t)key >> 32);
    return (hash ^ hash >> 16) & (table - 1);
}

/* Brings ascending keys into the order in which a HashMap that grew to hold them yields them. Two
 * in one bucket come in the order of their arrival, which nobody knows: the smaller first. */
static void java_order(int64_t *keys, size_t count)
{
    size_t table = JAVA_TABLE_MIN;
    while (count > table / 4 * 3)
        table *= 2;
    int64_t sorted[SIDS];
    size_t done = 0;
    for (size_t bucket = 0; bucket < table; bucket++)
        for (size_t i = 0; i < count; i++)
            if (java_bucket(keys[i], table) == bucket)
                sorted[done++] = keys[i];
    memcpy(keys, sorted, done * sizeof *keys);
}

static void format_servers(const struct quorum *q, struct buf *out)
{
    int64_t sids[SIDS];
    for (size_t i = 0; i < q->server_count; i++)
        sids[i] = q->servers[i].sid;
    java_order(sids, q->server_count);
    for (size_t i = 0; i < q->server_count; i++) {
        buf_printf(out, "server.%" PRId64 "=", sids[i]);
        quorum_format_server(quorum_find(q, sids[i]), out);
        buf_put_u8(out, '\n');
    }
}

static size_t group_numbers(const struct quorum *q, int64_t numbers[SIDS])
{
    size_t count = 0;
    for (size_t i = 0; i < q->server_count; i++) {
        int64_t group = q->servers[i].group;
        size_t at = 0;
        while (at < count && numbers[at] < group)
            at++;
        if (group < 0 || (at < count && numbers[at] == group))
            continue;
        memmove(numbers + at + 1, numbers + at, (count - at) * sizeof *numbers);
        numbers[at] = group;
        count++;
    }
    return count;
}

static void format_groups(const struct quorum *q, struct buf *out)
{
    int64_t groups[SIDS], sids[SIDS];
    size_t group_count = group_numbers(q, groups), sid_count = 0;
    java_order(groups, group_count);
    for (size_t i = 0; i < q->server_count; i++)
        if (q->servers[i].group >= 0)
            sids[sid_count++] = q->servers[i].sid;
    java_order(sids, sid_count);

    for (size_t g = 0; g < group_count; g++) {
        buf_printf(out, "group.%" PRId64, groups[g]);
        char separator = '=';
        for (size_t i = 0; i < sid_count; i++) {
            if (quorum_find(q, sids[i])->group != groups[g])
                continue;
            buf_printf(out, "%c%" PRId64, separator, sids[i]);
            separator = ':';
        }
        buf_put_u8(out, '\n');
    }
}

static void format_weights(const struct quorum *q, struct buf *out)
{
    int64_t sids[SIDS];
    size_t count = 0;
    for (size_t i = 0; i < q->server_count; i++)
        if (q->servers[i].weight >= 0)
            sids[count++] = q->servers[i].sid;
    java_order(sids, count);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "weight.%" PRId64 "=%" PRId64 "\n", sids[i],
                   quorum_find(q, sids[i])->weight);
}

void quorum_format(const struct quorum *q, struct buf *out)
{
    format_servers(q, out);
    if (q->hierarchical) {
        format_groups(q, out);
        format_weights(q, out);
    }
    buf_printf(out, "version=%" PRIx64, (uint64_t)q->version);
}
