#include "tree/quota.h"

#include "tree/tree_internal.h"

static const char QUOTA_ROOT[] = "/zookeeper/quota";
static const char LIMITS[] = "zookeeper_limits";
static const char STATS[] = "zookeeper_stats";

/* ---- text ---- */

/* Long.parseLong: an optional sign and digits, within 64 bits. */
static bool parse_long(struct slice text, int64_t *ret_value)
{
    size_t at = 0;
    bool negative = false;
    if (text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+')) {
        negative = text.ptr[0] == '-';
        at = 1;
    }
    if (at == text.len)
        return false;

    uint64_t value = 0;
    uint64_t max = (uint64_t)INT64_MAX + negative;
    for (; at < text.len; at++) {
        uint32_t digit = (uint32_t)text.ptr[at] - '0';
        if (digit > 9 || value > (max - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = (int64_t)(negative ? 0 - value : value);
    return true;
}

static bool is_separator(uint8_t c)
{
    return c == ',' || c == ';';
}

static struct slice until(struct slice s, uint8_t c)
{
    const uint8_t *at = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return at ? slice_of(s.ptr, (size_t)(at - s.ptr)) : s;
}

static void track_set(struct quota_track *q, struct slice key, int64_t value)
{
    size_t i = 0;
    while (i < q->count && !slice_eq(q->pairs[i].key, key))
        i++;
    if (i == QUOTA_PAIRS_MAX)
        return;
    q->pairs[i].key = key;
    q->pairs[i].value = value;
    if (i == q->count)
        q->count++;
}

/* "key=number", and what follows a second '=' is ignored; an empty number is -1. */
static void parse_pair(struct quota_track *q, struct slice pair)
{
    struct slice key = until(pair, '=');
    if (key.len == 0 || key.len == pair.len)
        return;
    struct slice number = until(slice_from(pair, key.len + 1), '=');
    int64_t value = -1;
    if (number.len == 0 || parse_long(number, &value))
        track_set(q, key, value);
}

void quota_track_parse(struct quota_track *q, struct slice text)
{
    q->count = 0;
    size_t at = 0;
    while (at < text.len) {
        size_t end = at;
        while (end < text.len && !is_separator(text.ptr[end]))
            end++;
        parse_pair(q, slice_of(text.ptr + at, end - at));
        at = end + 1;
    }
}

int64_t quota_track_get(const struct quota_track *q, const char *key)
{
    for (size_t i = 0; i < q->count; i++) {
        if (slice_eq_str(q->pairs[i].key, key))
            return q->pairs[i].value;
    }
    return -1;
}

void quota_track_set(struct quota_track *q, const char *key, int64_t value)
{
    track_set(q, slice_str(key), value);
}

static bool slice_less(struct slice a, struct slice b)
{
    size_t len = a.len < b.len ? a.len : b.len;
    int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order < 0 : a.len < b.len;
}

/* The first key in order that comes behind `after`, of those that have no fixed place. */
static const struct slice *next_key(const struct quota_track *q, const struct slice *after,
                                    int64_t *ret_value)
{
    const struct slice *best = NULL;
    for (size_t i = 0; i < q->count; i++) {
        const struct slice *key = &q->pairs[i].key;
        if (slice_eq_str(*key, "count") || slice_eq_str(*key, "bytes"))
            continue;
        if ((after == NULL || slice_less(*after, *key)) &&
            (best == NULL || slice_less(*key, *best))) {
            best = key;
            *ret_value = q->pairs[i].value;
        }
    }
    return best;
}

void quota_track_put(const struct quota_track *q, struct buf *out)
{
    buf_printf(out, "count=%lld,bytes=%lld", (long long)quota_track_get(q, "count"),
               (long long)quota_track_get(q, "bytes"));
    /* The second '=' makes parsers older than the hard limits skip what follows. */
    int64_t value = -1;
    const struct slice *key = next_key(q, NULL, &value);
    if (key != NULL)
        buf_put_u8(out, '=');
    for (; key != NULL; key = next_key(q, key, &value)) {
        buf_put_u8(out, ';');
        buf_put_slice(out, *key);
        buf_printf(out, "=%lld", (long long)value);
    }
}

/* ---- usage ---- */

bool tree_quota_of(const struct tree *t, struct slice path, struct quota_nodes *ret_nodes)
{
    const struct znode *at = t->quota;
    const struct znode *found = NULL;
    struct znode *limits = NULL;
    size_t end = 0;
    size_t found_end = 0;
    while (at != NULL && at->child_count > 0 && end < path.len) {
        struct slice name = until(slice_from(path, end + 1), '/');
        at = tree_find_child(t, at, name);
        end += 1 + name.len;
        struct znode *child = at ? tree_find_child(t, at, slice_str(LIMITS)) : NULL;
        if (child != NULL) {
            limits = child;
            found = at;
            found_end = end;
        }
    }
    if (found == NULL)
        return false;
    *ret_nodes = (struct quota_nodes){
        .limits = limits,
        .stats = tree_find_child(t, found, slice_str(STATS)),
        .prefix = slice_of(path.ptr, found_end),
    };
    return true;
}

static void stats_write(struct tree *t, struct znode *stats, const struct quota_track *q)
{
    /* The new text first: the old data is what the keys of `q` may point into. */
    struct buf text = {0};
    quota_track_put(q, &text);
    snapshot_before_change(t, stats);
    tree_replace_data(t, stats, buf_slice(&text));
    buf_deinit(&text);
}

static bool passes(int64_t used, int64_t diff, int64_t limit)
{
    return diff > 0 && limit > -1 && used > limit;
}

static void usage_add(struct tree *t, struct slice path, int64_t bytes_diff, int64_t count_diff,
                      struct tree_effects *fx)
{
    struct quota_nodes nodes;
    if (!tree_quota_of(t, path, &nodes) || nodes.stats == NULL)
        return;

    struct quota_track used;
    quota_track_parse(&used, znode_data(nodes.stats));
    int64_t count = (int64_t)((uint64_t)quota_track_get(&used, "count") + (uint64_t)count_diff);
    int64_t bytes = (int64_t)((uint64_t)quota_track_get(&used, "bytes") + (uint64_t)bytes_diff);
    quota_track_set(&used, "count", count);
    quota_track_set(&used, "bytes", bytes);
    stats_write(t, nodes.stats, &used);

    if (fx != NULL) {
        struct quota_track limits;
        quota_track_parse(&limits, znode_data(nodes.limits));
        fx->quota_soft_exceeded += passes(count, count_diff, quota_track_get(&limits, "count"));
        fx->quota_soft_exceeded += passes(bytes, bytes_diff, quota_track_get(&limits, "bytes"));
    }
}

/* Counts what is there now (updateQuotaForPath). `path` is "" for a quota on the root. */
static void usage_recount(struct tree *t, struct slice path, struct znode *stats)
{
    int64_t count = 0;
    int64_t bytes = 0;
    const struct znode *top = tree_find(t, path);
    for (const struct znode *n = top; n != NULL; n = znode_next(top, n)) {
        count++;
        bytes += n->data_len;
    }
    struct quota_track used = {.count = 0};
    quota_track_set(&used, "count", count);
    quota_track_set(&used, "bytes", bytes);
    stats_write(t, stats, &used);
}

/* Of a node under /zookeeper/quota, the path its parent limits: "/a" for
 * .../quota/a/zookeeper_stats. */
static bool limited_path(struct slice path, const char *name, struct slice *ret_path)
{
    struct slice parent = path_parent(path);
    struct slice root = slice_str(QUOTA_ROOT);
    if (!slice_eq_str(path_name(path), name) || !slice_starts_with(parent, root))
        return false;
    *ret_path = slice_from(parent, root.len);
    return ret_path->len == 0 || ret_path->ptr[0] == '/';
}

void quota_on_create(struct tree *t, struct slice path, struct slice data, struct tree_effects *fx)
{
    if (t->quota == NULL || t->quota->child_count == 0)
        return;
    struct slice limited;
    if (limited_path(path, STATS, &limited))
        usage_recount(t, limited, tree_find(t, path));
    usage_add(t, path, (int64_t)data.len, 1, fx);
}

void quota_on_delete(struct tree *t, struct slice path, uint32_t data_len)
{
    if (t->quota != NULL && t->quota->child_count > 0)
        usage_add(t, path, -(int64_t)data_len, -1, NULL);
}

void quota_on_set_data(struct tree *t, struct slice path, int64_t bytes_diff,
                       struct tree_effects *fx)
{
    if (t->quota != NULL && t->quota->child_count > 0)
        usage_add(t, path, bytes_diff, 0, fx);
}

void tree_setup_quota(struct tree *t)
{
    struct znode *top = t->quota;
    struct buf path = {0};
    for (struct znode *n = top; n != NULL; n = znode_next(top, n)) {
        if (n->child_count > 0 || n->parent == top || !slice_eq_str(znode_name(n), LIMITS))
            continue;
        struct znode *stats = tree_find_child(t, n->parent, slice_str(STATS));
        if (stats == NULL)
            continue;
        buf_clear(&path);
        znode_path(n->parent, &path);
        usage_recount(t, slice_from(buf_slice(&path), strlen(QUOTA_ROOT)), stats);
    }
    buf_deinit(&path);
}
