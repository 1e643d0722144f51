#include "console/sessions.h"

#include <stdlib.h>

#include "wire/path.h"

/* ---- Sessions ---- */

static void put_connection(struct json_out *j, const struct node *n, uint64_t client)
{
    struct node_client_view v;
    if (client == 0 || !node_client(n, client, &v)) {
        json_out_null(j, "connection");
        return;
    }
    json_out_object(j, "connection");
    json_out_text(j, "address", v.address);
    json_out_flag(j, "secure", v.secure);
    json_out_number(j, "since_ms", v.opened_wall_ms);
    json_out_unsigned(j, "received", v.received);
    json_out_unsigned(j, "sent", v.sent);
    json_out_unsigned(j, "outstanding", v.outstanding);
    json_out_string(j, "last_op", v.last_op);
    json_out_number(j, "latency_max_ms", v.latency_max_ms);
    json_out_number(j, "latency_mean_us",
                    v.latency_count > 0 ? v.latency_total_ms * 1000 / (int64_t)v.latency_count : 0);
    json_out_object_end(j);
}

static void put_session(struct json_out *j, const struct node *n, const struct session *s,
                        int64_t now_ms)
{
    json_out_object(j, NULL);
    console_hex(j, "session", s->id);
    json_out_number(j, "timeout_ms", s->timeout_ms);
    json_out_flag(j, "closing", s->closing);
    /* Only who leads, or stands alone, lets sessions expire. */
    bool expires = node_role(n) == NODE_ALONE || node_role(n) == NODE_LEADING;
    if (expires && !s->closing)
        json_out_number(j, "expires_in_ms", s->expires_ms > now_ms ? s->expires_ms - now_ms : 0);
    if (node_role(n) == NODE_LEADING && s->owner_sid >= 0)
        json_out_number(j, "server", s->owner_sid);
    put_connection(j, n, s->owner);
    json_out_object_end(j);
}

void console_sessions(const struct node *n, int64_t after, int64_t now_ms, struct buf *out)
{
    struct session_table *st = node_sessions(n);
    const struct session_table *local = node_local_sessions(n);
    size_t count = session_count(st);
    bool listed = count <= CONSOLE_LISTED_MAX;
    struct json_out j;
    json_out_begin(&j, out);
    json_out_unsigned(&j, "count", count);
    json_out_unsigned(&j, "local", local != NULL ? session_count(local) : 0);
    json_out_flag(&j, "listed", listed);
    json_out_list(&j, "sessions");
    int64_t next = 0;
    if (listed) {
        size_t at = 0, shown = 0;
        struct session **all = session_sorted(st, &count);
        while (at < count && after != 0 && (uint64_t)all[at]->id <= (uint64_t)after)
            at++;
        for (; at < count && shown < CONSOLE_PAGE; at++, shown++)
            put_session(&j, n, all[at], now_ms);
        if (at < count)
            next = all[at - 1]->id;
        free(all);
    }
    json_out_list_end(&j);
    if (next != 0)
        console_hex(&j, "next", next);
    else
        json_out_null(&j, "next");
    json_out_end(&j);
}

/* ---- Watches ---- */

struct watch_page {
    struct json_out *j;
    const struct console_eye *eye;
    uint64_t from;
    struct slice path; /* of the group; a path is stored once: same bytes, same path */
    uint64_t paths;    /* met */
    size_t watchers;   /* of the open group */
    bool open;
};

/* A watch may wait for a znode that is not there yet: then its parent's list would show it. */
static bool is_shown(const struct console_eye *e, struct slice path)
{
    int32_t err = node_check_acl(e->node, path, ZK_PERM_READ, e->who);
    return err == 0 || (err == ZK_NONODE && node_check_acl(e->node, path_parent(path), ZK_PERM_READ,
                                                           e->who) != ZK_NOAUTH);
}

static void close_group(struct watch_page *p)
{
    if (!p->open)
        return;
    p->open = false;
    json_out_list_end(p->j);
    json_out_unsigned(p->j, "count", p->watchers);
    json_out_object_end(p->j);
}

static void open_group(struct watch_page *p, struct slice path)
{
    json_out_object(p->j, NULL);
    if (is_shown(p->eye, path))
        json_out_text(p->j, "path", path);
    else
        json_out_null(p->j, "path");
    json_out_list(p->j, "sessions");
    p->open = true;
    p->watchers = 0;
}

static void on_watch(void *arg, uint64_t watcher, struct slice path)
{
    struct watch_page *p = arg;
    if (path.ptr != p->path.ptr) {
        close_group(p);
        p->path = path;
        uint64_t number = p->paths++;
        if (number >= p->from && number - p->from < CONSOLE_PAGE)
            open_group(p, path);
    }
    if (!p->open)
        return;
    struct node_client_view v;
    if (p->watchers++ < CONSOLE_WATCHERS_MAX && node_client(p->eye->node, watcher, &v))
        console_hex(p->j, NULL, v.session_id);
}

void console_watches(const struct console_eye *e, uint64_t from, struct buf *out)
{
    const struct watch_table *w = node_watches(e->node);
    bool listed = watch_data_count(w) <= CONSOLE_LISTED_MAX;
    struct json_out j;
    json_out_begin(&j, out);
    json_out_unsigned(&j, "count", watch_count(w));
    json_out_unsigned(&j, "data_count", watch_data_count(w));
    json_out_unsigned(&j, "paths", watch_path_count(w));
    json_out_unsigned(&j, "watchers", watch_watcher_count(w));
    json_out_flag(&j, "listed", listed);
    json_out_list(&j, "watches");
    struct watch_page p = {.j = &j, .eye = e, .from = from};
    if (listed)
        watch_each_by_path(w, on_watch, &p);
    close_group(&p);
    json_out_list_end(&j);
    if (p.paths > from && p.paths - from > CONSOLE_PAGE)
        json_out_unsigned(&j, "next", from + CONSOLE_PAGE);
    else
        json_out_null(&j, "next");
    json_out_end(&j);
}
