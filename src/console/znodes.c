#include "console/znodes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/sort.h"

bool console_may(const struct console_eye *e, struct slice path, int32_t perms)
{
    return node_check_acl(e->node, path, perms, e->who) == 0;
}

void console_hex(struct json_out *j, const char *name, int64_t number)
{
    char text[24];
    snprintf(text, sizeof text, "0x%" PRIx64, (uint64_t)number);
    json_out_string(j, name, text);
}

/* ---- One znode ---- */

static const char *kind_name(enum znode_kind kind)
{
    static const char *const names[] = {[ZNODE_PERSISTENT] = "persistent",
                                        [ZNODE_EPHEMERAL] = "ephemeral",
                                        [ZNODE_CONTAINER] = "container",
                                        [ZNODE_TTL] = "ttl"};
    return names[kind];
}

static void put_stat(struct json_out *j, const struct rec_stat *s)
{
    json_out_object(j, "stat");
    console_hex(j, "czxid", s->czxid);
    console_hex(j, "mzxid", s->mzxid);
    console_hex(j, "pzxid", s->pzxid);
    json_out_number(j, "ctime_ms", s->ctime);
    json_out_number(j, "mtime_ms", s->mtime);
    json_out_number(j, "version", s->version);
    json_out_number(j, "cversion", s->cversion);
    json_out_number(j, "aversion", s->aversion);
    json_out_number(j, "children", s->num_children);
    json_out_number(j, "bytes", s->data_length);
    json_out_object_end(j);
}

/* "cdrwa", as ZooKeeper's shell writes them. */
static void put_perms(struct json_out *j, const char *name, int32_t perms)
{
    static const struct {
        int32_t bit;
        char letter;
    } letters[] = {{ZK_PERM_CREATE, 'c'},
                   {ZK_PERM_DELETE, 'd'},
                   {ZK_PERM_READ, 'r'},
                   {ZK_PERM_WRITE, 'w'},
                   {ZK_PERM_ADMIN, 'a'}};
    char text[6];
    size_t len = 0;
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        if ((perms & letters[i].bit) != 0)
            text[len++] = letters[i].letter;
    }
    text[len] = '\0';
    json_out_string(j, name, text);
}

static struct slice without_hash(struct slice scheme, struct slice id)
{
    const uint8_t *colon =
        slice_eq_str(scheme, "digest") && id.len > 0 ? memchr(id.ptr, ':', id.len) : NULL;
    return colon == NULL ? id : slice_of(id.ptr, (size_t)(colon - id.ptr));
}

static void put_acl(struct json_out *j, struct rec_vec acl, bool hide_hashes)
{
    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    json_out_list(j, "acl");
    for (int32_t i = 0; i < acl.count && i < CONSOLE_ACLS_MAX && rec_get_acl(&d, &a); i++) {
        json_out_object(j, NULL);
        json_out_text(j, "scheme", a.id.scheme);
        json_out_text(j, "id", hide_hashes ? without_hash(a.id.scheme, a.id.id) : a.id.id);
        put_perms(j, "perms", a.perms);
        json_out_object_end(j);
    }
    json_out_list_end(j);
    json_out_number(j, "acl_count", acl.count);
}

static void put_data(struct json_out *j, const struct znode *z, uint64_t at)
{
    struct slice data = znode_data(z);
    size_t from = at < data.len ? (size_t)at : data.len;
    size_t len =
        data.len - from < CONSOLE_DATA_BYTES_MAX ? data.len - from : CONSOLE_DATA_BYTES_MAX;
    json_out_object(j, "data");
    json_out_flag(j, "null", slice_is_null(data));
    json_out_unsigned(j, "bytes", data.len);
    json_out_unsigned(j, "at", from);
    json_out_hex(j, "hex", len > 0 ? data.ptr + from : (const uint8_t *)"", len);
    json_out_object_end(j);
}

static int32_t perms_of(const struct console_eye *e, struct slice path)
{
    int32_t perms = 0;
    for (int32_t perm = 1; perm <= ZK_PERM_ADMIN; perm <<= 1)
        perms |= console_may(e, path, perm) ? perm : 0;
    return perms;
}

int32_t console_znode(const struct console_eye *e, struct slice path, uint64_t at, struct buf *out)
{
    const struct tree *t = node_tree(e->node);
    const struct znode *z = tree_find(t, path);
    if (z == NULL)
        return ZK_NONODE;
    int32_t perms = perms_of(e, path);
    if ((perms & (ZK_PERM_READ | ZK_PERM_ADMIN)) == 0)
        return ZK_NOAUTH;

    enum znode_kind kind = znode_kind_of(t, z->ephemeral_owner);
    struct json_out j;
    json_out_begin(&j, out);
    json_out_text(&j, "path", path);
    console_hex(&j, "as_of", tree_last_zxid(t));
    json_out_string(&j, "kind", kind_name(kind));
    if (kind == ZNODE_EPHEMERAL)
        console_hex(&j, "owner", (int64_t)z->ephemeral_owner);
    if (kind == ZNODE_TTL)
        json_out_number(&j, "ttl_ms", znode_ttl_ms(t, z->ephemeral_owner));
    put_perms(&j, "perms", perms);
    put_acl(&j, tree_acl_get(t, z->acl_id), (perms & ZK_PERM_ADMIN) == 0);
    if ((perms & ZK_PERM_READ) != 0) {
        struct rec_stat stat;
        znode_stat(t, z, &stat);
        put_stat(&j, &stat);
        put_data(&j, z, at);
    }
    json_out_end(&j);
    return 0;
}

/* ---- Its children ---- */

static int compare_names(const void *a, const void *b)
{
    struct slice x = znode_name(a), y = znode_name(b);
    int order = memcmp(x.ptr, y.ptr, x.len < y.len ? x.len : y.len);
    return order != 0 ? order : (x.len > y.len) - (x.len < y.len);
}

/* Of what may not be read, the name alone is known: from the list of its parent. */
static void put_child(struct json_out *j, const struct console_eye *e, const struct znode *z)
{
    const struct tree *t = node_tree(e->node);
    struct buf path = {0};
    znode_path(z, &path);
    bool readable = console_may(e, buf_slice(&path), ZK_PERM_READ);
    json_out_object(j, NULL);
    json_out_text(j, "name", znode_name(z));
    json_out_flag(j, "readable", readable);
    if (readable) {
        json_out_string(j, "kind", kind_name(znode_kind_of(t, z->ephemeral_owner)));
        json_out_unsigned(j, "children", z->child_count);
        json_out_unsigned(j, "bytes", z->data_len);
    }
    json_out_object_end(j);
    buf_deinit(&path);
}

static void put_next(struct json_out *j, const struct znode *last, bool more)
{
    json_out_list_end(j);
    if (more)
        json_out_text(j, "next", znode_name(last));
    else
        json_out_null(j, "next");
}

static void put_sorted(struct json_out *j, const struct console_eye *e, const struct znode *top,
                       struct slice after)
{
    struct znode **all = mem_alloc(top->child_count * sizeof *all);
    size_t count = 0, at = 0, end;
    for (struct znode *z = top->child_first; z != NULL; z = z->sibling_next)
        all[count++] = z;
    sort_pointers((void **)all, count, compare_names);
    while (at < count && after.len > 0) {
        struct slice name = znode_name(all[at]);
        int order = memcmp(name.ptr, after.ptr, name.len < after.len ? name.len : after.len);
        if (order > 0 || (order == 0 && name.len > after.len))
            break;
        at++;
    }
    end = count - at < CONSOLE_PAGE ? count : at + CONSOLE_PAGE;
    for (size_t i = at; i < end; i++)
        put_child(j, e, all[i]);
    put_next(j, end > at ? all[end - 1] : NULL, end < count);
    free(all);
}

static void put_by_age(struct json_out *j, const struct console_eye *e, const struct znode *top,
                       struct slice after)
{
    const struct znode *known =
        after.len > 0 ? tree_find_child(node_tree(e->node), top, after) : NULL;
    const struct znode *z = known != NULL ? known->sibling_next : top->child_first;
    const struct znode *last = NULL;
    for (int shown = 0; shown < CONSOLE_PAGE && z != NULL; shown++, z = z->sibling_next) {
        put_child(j, e, z);
        last = z;
    }
    put_next(j, last, z != NULL);
}

int32_t console_children(const struct console_eye *e, struct slice path, struct slice after,
                         struct buf *out)
{
    const struct znode *top = tree_find(node_tree(e->node), path);
    if (top == NULL)
        return ZK_NONODE;
    if (!console_may(e, path, ZK_PERM_READ))
        return ZK_NOAUTH;
    bool sorted = top->child_count <= CONSOLE_SORTED_MAX;
    struct json_out j;
    json_out_begin(&j, out);
    json_out_text(&j, "path", path);
    json_out_unsigned(&j, "count", top->child_count);
    json_out_flag(&j, "sorted", sorted);
    json_out_list(&j, "children");
    if (top->child_count == 0)
        put_next(&j, NULL, false);
    else if (sorted)
        put_sorted(&j, e, top, after);
    else
        put_by_age(&j, e, top, after);
    json_out_end(&j);
    return 0;
}
