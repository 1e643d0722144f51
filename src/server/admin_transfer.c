/* admin_transfer.c: snapshots out, snapshots in (Commands.SnapshotCommand, RestoreCommand).
 *
 *   snapshot: head -> checks -> info->snapshot -> suspended ... admin_snapshot_done -> resumed ->
 * the file restore:  head -> checks -> pieces into the spool file -> info->restore -> suspended ...
 *             admin_restore_done -> resumed -> {"last_zxid": ...}
 *
 * The file of an upload belongs to the request until info->restore takes it; it is removed in both
 * cases by admin_restore_done or transfer_forget. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/admin_internal.h"
#include "server/command_format.h"
#include "server/command_internal.h"
#include "wire/zk.h"

static struct server_info *info_of(const struct request *r)
{
    return r->admin->info;
}

static void count(const struct request *r, enum metric_counter id)
{
    if (info_of(r)->node != NULL)
        metric_inc(node_metrics(info_of(r)->node), id);
}

/* --- who asks --- */

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && s.ptr[0] == ' ')
        s = slice_from(s, 1);
    while (s.len > 0 && s.ptr[s.len - 1] == ' ')
        s.len--;
    return s;
}

/* The address for the "ip" scheme: of the connection, or what a proxy says, if that is to be
 * believed. */
static void put_client_ip(const struct request *r, struct buf *out)
{
    const char *forwarded =
        info_of(r)->conf.use_x_forwarded_for
            ? MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, "X-Forwarded-For")
            : NULL;
    if (forwarded != NULL) {
        buf_put_slice(out, trimmed(slice_of(forwarded, strcspn(forwarded, ","))));
        return;
    }
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->http, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL)
        return;
    struct sockaddr_storage peer = {0};
    memcpy(&peer, info->client_addr,
           info->client_addr->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                    : sizeof(struct sockaddr_in));
    struct buf text = {0};
    format_address(&text, &peer);
    /* Without the port, and without the brackets of an IPv6 address. */
    while (text.len > 0 && text.ptr[text.len - 1] != ':')
        text.len--;
    struct slice ip = slice_of(text.ptr, text.len > 0 ? text.len - 1 : 0);
    if (ip.len > 2 && ip.ptr[0] == '[')
        ip = slice_of(ip.ptr + 1, ip.len - 2);
    buf_put_slice(out, ip);
    buf_deinit(&text);
}

/* All permissions on "/" (ZooKeeper asks for each one by itself). */
static bool may_do_everything(struct node *n, struct identity who)
{
    struct identities one = {&who, 1};
    for (int32_t perm = 1; perm <= ZK_PERM_ADMIN; perm <<= 1) {
        if (node_check_acl(n, slice_str("/"), perm, one) != 0)
            return false;
    }
    return true;
}

const char *transfer_authorize(struct request *r, unsigned *ret_status)
{
    const char *header =
        MHD_lookup_connection_value(r->http, MHD_HEADER_KIND, MHD_HTTP_HEADER_AUTHORIZATION);
    *ret_status = MHD_HTTP_UNAUTHORIZED;
    if (header == NULL)
        return "Auth info is missing for the command";

    /* "scheme" or "scheme data"; more parts are an error. */
    struct slice scheme = slice_of(header, strcspn(header, " "));
    const char *rest = header + scheme.len + (header[scheme.len] == ' ');
    struct slice auth = slice_str(rest);
    if (scheme.len == 0 || strchr(rest, ' ') != NULL)
        return "Not authenticated";

    struct buf ip = {0}, id = {0};
    put_client_ip(r, &ip);
    struct identity who = {0};
    int32_t refused =
        node_authenticate(info_of(r)->node, scheme, auth, buf_slice(&ip), &id, &who.scheme);
    who.id = buf_slice(&id);
    bool allowed = refused == 0 && may_do_everything(info_of(r)->node, who);
    buf_deinit(&ip);
    buf_deinit(&id);
    if (refused != 0)
        return "Not authenticated";
    *ret_status = MHD_HTTP_FORBIDDEN;
    return allowed ? NULL : "Not authorized";
}

/* The checks both have in common, in ZooKeeper's order. NULL = go on. */
static const char *refuse(struct request *r, bool enabled, struct rate_limit *limit,
                          enum metric_counter limited, unsigned *ret_status)
{
    *ret_status = MHD_HTTP_OK;
    if (info_of(r)->node == NULL)
        return SERVER_NOT_SERVING;
    const char *error = transfer_authorize(r, ret_status);
    if (error != NULL)
        return error;
    *ret_status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (!enabled)
        return "the command is disabled";
    *ret_status = MHD_HTTP_INTERNAL_SERVER_ERROR;
    if (!info_of(r)->conf.serialize_last_zxid)
        return "the command needs serializeLastProcessedZxid.enabled";
    *ret_status = MHD_HTTP_TOO_MANY_REQUESTS;
    if (!rate_allow(limit, info_of(r)->now_ms(info_of(r)->driver))) {
        count(r, limited);
        return "too soon after the last time";
    }
    return NULL;
}

/* --- snapshot --- */

static enum MHD_Result snapshot_failed(struct request *r, const char *error)
{
    count(r, METRIC_SNAPSHOT_ERROR_COUNT);
    return answer_command_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, error);
}

static enum MHD_Result snapshot_ask(struct request *r)
{
    unsigned status;
    const char *error =
        refuse(r, info_of(r)->conf.admin_snapshot_enabled, &r->admin->snapshot_limit,
               METRIC_SNAPSHOT_RATE_LIMITED_COUNT, &status);
    if (error != NULL)
        return answer_command_error(r, status, error);

    r->wanted_zxid = tree_last_zxid(node_tree(info_of(r)->node));
    r->state = REQUEST_WAITING;
    list_append(&r->admin->waiting, &r->link);
    MHD_suspend_connection(r->http);
    struct err err;
    int rc = info_of(r)->snapshot(info_of(r)->driver, &err);
    if (rc != 0 && r->state == REQUEST_WAITING)
        request_resume(r, rc);
    return MHD_YES;
}

static bool wants_stream(const struct request *r)
{
    const char *streaming =
        MHD_lookup_connection_value(r->http, MHD_GET_ARGUMENT_KIND, "streaming");
    return streaming == NULL || strcasecmp(streaming, "true") == 0;
}

static enum MHD_Result snapshot_answer(struct request *r)
{
    if (r->status != 0)
        return snapshot_failed(r, "the snapshot failed");
    struct MHD_Response *response;
    const char *content_type;
    if (wants_stream(r)) {
        response = MHD_create_response_from_fd64((uint64_t)r->file_bytes, r->file);
        if (response != NULL)
            r->file = -1; /* the response closes it */
        content_type = "application/octet-stream";
    } else {
        struct buf body = {0};
        admin_command_error(r->command->name, NULL, &body);
        response = MHD_create_response_from_buffer(body.len, body.ptr, MHD_RESPMEM_MUST_COPY);
        buf_deinit(&body);
        content_type = "application/json;charset=utf-8";
    }
    if (response == NULL)
        return snapshot_failed(r, "the snapshot cannot be sent");

    char text[32];
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    snprintf(text, sizeof text, "0x%" PRIx64, (uint64_t)r->zxid);
    MHD_add_response_header(response, "last_zxid", text);
    snprintf(text, sizeof text, "%" PRId64, r->file_bytes);
    MHD_add_response_header(response, "snapshot_size", text);
    enum MHD_Result queued = MHD_queue_response(r->http, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    r->state = REQUEST_ANSWERED;
    return queued;
}

enum MHD_Result snapshot_begin_or_answer(struct request *r)
{
    return r->state == REQUEST_NEW ? snapshot_ask(r) : snapshot_answer(r);
}

/* Opened at once: a later purge of snapshots cannot take the file away then. */
static int take_snapshot_file(struct request *r, int64_t zxid, const char *path)
{
    r->zxid = zxid;
    r->file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (r->file < 0 || fstat(r->file, &st) != 0 || st.st_size == 0)
        return ERR_IO;
    r->file_bytes = st.st_size;
    return 0;
}

void admin_snapshot_done(struct admin *a, int status, int64_t zxid, const char *path)
{
    struct list *next;
    for (struct list *at = a->waiting.next; at != &a->waiting; at = next) {
        next = at->next;
        struct request *r = list_entry(at, struct request, link);
        if (status == 0 && zxid < r->wanted_zxid)
            continue; /* one that had begun before: ours comes after it */
        request_resume(r, status != 0 ? status : take_snapshot_file(r, zxid, path));
    }
}

/* --- restore --- */

static enum MHD_Result restore_failed(struct request *r, const char *error)
{
    count(r, METRIC_RESTORE_ERROR_COUNT);
    return answer_command_error(r, MHD_HTTP_INTERNAL_SERVER_ERROR, error);
}

enum MHD_Result restore_begin(struct request *r)
{
    struct admin *a = r->admin;
    unsigned status;
    const char *error = refuse(r, info_of(r)->conf.admin_restore_enabled, &a->restore_limit,
                               METRIC_RESTORE_RATE_LIMITED_COUNT, &status);
    if (error != NULL)
        return answer_command_error(r, status, error);
    if (a->restoring != NULL || a->restore_running)
        return answer_command_error(r, MHD_HTTP_SERVICE_UNAVAILABLE, "another restore is going on");

    r->file = open(a->spool_path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (r->file < 0)
        return restore_failed(r, "the upload cannot be stored");
    a->restoring = r;
    r->state = REQUEST_UPLOADING;
    return MHD_YES;
}

enum MHD_Result restore_upload(struct request *r, const char *bytes, size_t *left)
{
    size_t done = 0;
    while (done < *left && r->status == 0) {
        ssize_t wrote = write(r->file, bytes + done, *left - done);
        if (wrote > 0)
            done += (size_t)wrote;
        else if (errno != EINTR)
            r->status = ERR_IO; /* the rest is read and dropped; the answer tells */
    }
    *left = 0;
    return MHD_YES;
}

static enum MHD_Result restore_start(struct request *r)
{
    struct admin *a = r->admin;
    int rc = close(r->file);
    r->file = -1;
    if (rc != 0 || r->status != 0)
        return restore_failed(r, "the upload cannot be stored");

    r->state = REQUEST_WAITING;
    MHD_suspend_connection(r->http);
    a->restore_running = true;
    rc = info_of(r)->restore(info_of(r)->driver, a->spool_path, &r->why);
    if (rc != 0 && a->restore_running)
        admin_restore_done(a, rc, 0);
    return MHD_YES;
}

static enum MHD_Result restore_answer(struct request *r)
{
    if (r->status != 0) {
        struct err *why = &r->why;
        if (why->text[0] == 0)
            err_set(why, r->status, "%s", err_name(r->status));
        err_wrap(why, r->status, "the snapshot cannot be restored");
        return restore_failed(r, why->text);
    }
    struct buf body = {0};
    struct json j;
    json_begin(&j, &body);
    json_integer(&j, "last_zxid", r->zxid);
    json_text(&j, "command", slice_str(r->command->name));
    json_null(&j, "error");
    json_end(&j);
    return answer_bytes(r, MHD_HTTP_OK, "application/json;charset=utf-8", &body, NULL);
}

enum MHD_Result restore_end_or_answer(struct request *r)
{
    return r->state == REQUEST_UPLOADING ? restore_start(r) : restore_answer(r);
}

void admin_restore_done(struct admin *a, int status, int64_t last_zxid)
{
    a->restore_running = false;
    unlink(a->spool_path);
    struct request *r = a->restoring;
    if (r == NULL || r->state != REQUEST_WAITING)
        return;
    r->zxid = last_zxid;
    request_resume(r, status);
}

void transfer_forget(struct request *r)
{
    struct admin *a = r->admin;
    list_remove(&r->link);
    if (r->file >= 0)
        close(r->file);
    if (a->restoring == r) {
        a->restoring = NULL;
        if (!a->restore_running)
            unlink(a->spool_path);
    }
}
