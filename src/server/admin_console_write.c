/* admin_console_write.c: who asks, and what he wants written (caucus.console.write).
 *
 *   POST /console/api/login     {"path"}                       is it anybody who may?
 *   POST /console/api/create    {"path","data"}                with the ACL of its parent
 *   POST /console/api/set       {"path","data","version"}
 *   POST /console/api/delete    {"path","version"}
 *
 * Data are hex digits. Who asks says so in `Authorization: digest user:password`, as for
 * ZooKeeper's own admin commands. The page keeps it in memory and no browser sends it by itself, so
 * that another site's page cannot use it; and no such page may send JSON, or ask at all.
 *
 * Any user name and password are a valid identity in the digest scheme. So that an open znode is
 * not open to whoever reaches this port, one is let in only who is the super user, or is named in
 * the ACL of the znode or of one above it. Then the ACLs decide, as for any client. */
#include <inttypes.h>
#include <stdlib.h>

#include "base/json_in.h"
#include "server/admin_console.h"
#include "server/standing.h"
#include "wire/path.h"

enum {
    PATH_BYTES_MAX = 4096,
};

/* ---- Who asks ---- */

static struct slice credentials_of(const struct request *r)
{
    const char *header =
        MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    struct slice s = header != NULL ? slice_str(header) : (struct slice){0};
    struct slice scheme = slice_str("digest ");
    return slice_starts_with(s, scheme) ? slice_from(s, scheme.len) : (struct slice){0};
}

bool console_identity(const struct request *r, struct buf *id, struct identity *ret)
{
    struct slice auth = credentials_of(r);
    if (slice_is_null(auth) || r->admin->info->node == NULL)
        return false;
    if (node_authenticate(r->admin->info->node, slice_str("digest"), auth, slice_str(""), id,
                          &ret->scheme) != 0)
        return false;
    ret->id = buf_slice(id);
    return true;
}

static bool is_named(const struct tree *t, const struct znode *z, const struct identity *who)
{
    struct rec_vec acl = tree_acl_get(t, z->acl_id);
    struct dec d = dec_of(acl.raw);
    struct rec_acl a;
    for (int32_t i = 0; i < acl.count && rec_get_acl(&d, &a); i++) {
        if (slice_eq(a.id.scheme, who->scheme) && slice_eq(a.id.id, who->id))
            return true;
    }
    return false;
}

static bool may_come_in(const struct node *n, struct slice path, const struct identity *who)
{
    if (slice_eq_str(who->scheme, "super"))
        return true;
    const struct tree *t = node_tree(n);
    for (;;) {
        const struct znode *z = tree_find(t, path);
        if (z != NULL && is_named(t, z, who))
            return true;
        if (path.len <= 1)
            return false;
        path = path_parent(path);
    }
}

/* ---- What he wants ---- */

struct wish {
    struct buf path, hex, data;
    int64_t version;
};

static void wish_deinit(struct wish *w)
{
    buf_deinit(&w->path);
    buf_deinit(&w->hex);
    buf_deinit(&w->data);
}

static bool read_member(struct json_in *in, struct slice name, struct wish *w)
{
    if (slice_eq_str(name, "path"))
        return json_in_text(in, &w->path);
    if (slice_eq_str(name, "data"))
        return json_in_text(in, &w->hex);
    if (slice_eq_str(name, "version"))
        return json_in_number(in, -1, INT32_MAX, &w->version);
    return false;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct wish *w)
{
    if (w->hex.len % 2 != 0)
        return false;
    for (size_t i = 0; i < w->hex.len; i += 2) {
        int high = digit_of(w->hex.ptr[i]), low = digit_of(w->hex.ptr[i + 1]);
        if (high < 0 || low < 0)
            return false;
        buf_put_u8(&w->data, (uint8_t)(high << 4 | low));
    }
    return true;
}

static bool read_wish(struct slice body, struct wish *w)
{
    struct json_in in;
    json_in_init(&in, body);
    w->version = -1;
    for (bool more = json_in_object(&in); more; more = json_in_next(&in)) {
        struct buf name = {0};
        bool ok = json_in_name(&in, &name) && read_member(&in, buf_slice(&name), w);
        buf_deinit(&name);
        if (!ok)
            return false;
    }
    return json_in_is_over(&in) && w->path.len > 0 && w->path.len <= PATH_BYTES_MAX &&
           path_check(buf_slice(&w->path), false) == NULL && read_hex(w);
}

/* With the ACL of the parent: what is closed does not get an open door by way of this page. */
static void put_create(const struct node *n, const struct wish *w, struct buf *out)
{
    const struct znode *parent = tree_find(node_tree(n), path_parent(buf_slice(&w->path)));
    struct rec_vec acl = tree_acl_get(node_tree(n), parent != NULL ? parent->acl_id : ACL_OPEN);
    rec_put_create_request(out,
                           &(struct rec_create_request){.path = buf_slice(&w->path),
                                                        .data = buf_part(&w->data, 0, w->data.len),
                                                        .acl = acl});
}

static void put_set(const struct node *n, const struct wish *w, struct buf *out)
{
    (void)n;
    rec_put_set_data_request(
        out, &(struct rec_set_data_request){.path = buf_slice(&w->path),
                                            .data = buf_part(&w->data, 0, w->data.len),
                                            .version = (int32_t)w->version});
}

static void put_delete(const struct node *n, const struct wish *w, struct buf *out)
{
    (void)n;
    rec_put_delete_request(out, &(struct rec_delete_request){.path = buf_slice(&w->path),
                                                             .version = (int32_t)w->version});
}

static const struct {
    const char *name;
    int32_t op;
    void (*put)(const struct node *n, const struct wish *w, struct buf *out);
} writes[] = {
    {"create", ZK_OP_CREATE, put_create},
    {"set", ZK_OP_SET_DATA, put_set},
    {"delete", ZK_OP_DELETE, put_delete},
};

/* ---- The answer ---- */

static enum MHD_Result answer_done(struct request *r)
{
    return console_answer_error(r, MHD_HTTP_OK, "");
}

enum MHD_Result console_write_answer(struct request *r)
{
    switch (r->status) {
    case 0:
        return answer_done(r);
    case ZK_NOAUTH:
        return console_answer_error(r, MHD_HTTP_FORBIDDEN, "its ACL does not let you");
    case ZK_NONODE:
        return console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is no such znode");
    case ZK_NODEEXISTS:
        return console_answer_error(r, MHD_HTTP_CONFLICT, "there is such a znode already");
    case ZK_NOTEMPTY:
        return console_answer_error(r, MHD_HTTP_CONFLICT, "it has children");
    case ZK_BADVERSION:
        return console_answer_error(r, MHD_HTTP_CONFLICT, "somebody has changed it meanwhile");
    case ZK_NOCHILDRENFOREPHEMERALS:
        return console_answer_error(r, MHD_HTTP_CONFLICT, "an ephemeral znode has no children");
    case CONSOLE_WRITE_REFUSED:
        return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "the server takes no write now");
    case CONSOLE_WRITE_UNKNOWN:
        return console_answer_error(r, MHD_HTTP_GATEWAY_TIMEOUT,
                                    "whether it was written is not known: look");
    default:
        return console_answer_error(r, MHD_HTTP_UNPROCESSABLE_CONTENT, "the server refused it");
    }
}

static void on_written(void *arg, int32_t outcome)
{
    struct console *c = arg;
    struct request *r = c->writing;
    c->writing = NULL;
    c->write_busy = false;
    if (r != NULL)
        request_resume(r, outcome);
}

void console_write_expire(struct console *c)
{
    const struct server_info *info = c->admin->info;
    if (!c->write_busy || info->now_ms(info->driver) < c->write_due_ms)
        return;
    info->cancel_write(info->driver);
    on_written(c, CONSOLE_WRITE_UNKNOWN);
}

void console_write_forget(struct request *r)
{
    struct console *c = r->admin->console;
    if (c != NULL && c->writing == r)
        c->writing = NULL;
    buf_deinit(&r->body);
}

static enum MHD_Result begin(struct request *r, size_t kind, const struct wish *w)
{
    struct console *c = r->admin->console;
    const struct server_info *info = r->admin->info;
    const union MHD_ConnectionInfo *from =
        MHD_get_connection_info(r->http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (c->write_busy || from == NULL)
        return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "another write is under way");
    struct buf record = {0};
    writes[kind].put(info->node, w, &record);
    struct console_write write = {.browser = from->client_addr,
                                  .credentials = credentials_of(r),
                                  .op = writes[kind].op,
                                  .record = buf_slice(&record)};
    bool begun = info->write(info->driver, &write, on_written, c);
    buf_deinit(&record);
    if (!begun)
        return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "the server takes no write now");
    c->write_busy = true;
    c->write_due_ms = info->now_ms(info->driver) + CONSOLE_WRITE_MS_MAX;
    c->writing = r;
    r->state = REQUEST_WAITING;
    MHD_suspend_connection(r->http);
    return MHD_YES;
}

static enum MHD_Result carry_out(struct request *r, const struct wish *w)
{
    const struct server_info *info = r->admin->info;
    struct buf id = {0};
    struct identity who = {0};
    bool known = console_identity(r, &id, &who);
    bool welcome = known && may_come_in(info->node, buf_slice(&w->path), &who);
    buf_deinit(&id);
    if (!known)
        return console_answer_error(r, MHD_HTTP_UNAUTHORIZED, "nobody is logged in");
    if (!welcome)
        return console_answer_error(r, MHD_HTTP_FORBIDDEN,
                                    "no ACL here names this user and password");
    if (strcmp(r->post, "login") == 0)
        return answer_done(r);
    for (size_t i = 0; i < sizeof writes / sizeof *writes; i++) {
        if (strcmp(r->post, writes[i].name) == 0)
            return begin(r, i, w);
    }
    return console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is nothing of this name");
}

/* ---- The request ---- */

static bool is_json(const struct request *r)
{
    const char *type =
        MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    return type != NULL && strncmp(type, "application/json", strlen("application/json")) == 0;
}

/* What a browser says of the page that asks: it is ours. */
static bool is_own_page(const struct request *r)
{
    const char *origin =
        MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_ORIGIN);
    const char *host = MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_HOST);
    const char *place = origin != NULL ? strstr(origin, "://") : NULL;
    return origin == NULL || (place != NULL && host != NULL && strcmp(place + 3, host) == 0);
}

enum MHD_Result console_post_head(struct request *r, const char *url)
{
    const char *name =
        strncmp(url, CONSOLE_API, strlen(CONSOLE_API)) == 0 ? url + strlen(CONSOLE_API) : NULL;
    static const char *const names[] = {"login", "create", "set", "delete"};
    for (size_t i = 0; name != NULL && i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            r->post = names[i];
    }
    if (r->post == NULL)
        return console_answer_error(r, MHD_HTTP_NOT_FOUND, "there is nothing of this name");
    if (console_is_foreign(r) || !is_own_page(r))
        return console_answer_error(r, MHD_HTTP_FORBIDDEN, "asked by another site's page");
    if (!is_json(r))
        return console_answer_error(r, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "JSON is wanted");
    if (strcmp(r->post, "login") != 0 && !r->admin->info->conf.console_writes)
        return console_answer_error(r, MHD_HTTP_FORBIDDEN,
                                    "this console reads only (caucus.console.write)");
    buf_init(&r->body, CONSOLE_BODY_BYTES_MAX);
    r->state = REQUEST_READING;
    return MHD_YES;
}

enum MHD_Result console_post_body(struct request *r, const char *bytes, size_t *count)
{
    buf_put(&r->body, bytes, *count);
    *count = 0;
    return MHD_YES;
}

enum MHD_Result console_post_end(struct request *r)
{
    if (!buf_ok(&r->body))
        return console_answer_error(r, MHD_HTTP_CONTENT_TOO_LARGE, "more than the console writes");
    if (!standing_serves(r->admin->info))
        return console_answer_error(r, MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "this server does not serve now");
    struct wish w = {.version = -1};
    enum MHD_Result queued =
        read_wish(buf_slice(&r->body), &w)
            ? carry_out(r, &w)
            : console_answer_error(r, MHD_HTTP_BAD_REQUEST, "no path, or no data, or no version");
    wish_deinit(&w);
    return queued;
}
