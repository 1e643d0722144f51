#include "console/events.h"

#include "base/utf8.h"
#include "wire/dec.h"
#include "wire/path.h"
#include "wire/zk.h"

/* NULL: nothing for people. */
static const char *const kinds[TRACE_TYPE_COUNT] = {
    [TRACE_SESSION_CREATED] = "session_created",
    [TRACE_SESSION_CLOSED] = "session_closed",
    [TRACE_SESSION_EXPIRED] = "session_expired",
    [TRACE_SESSION_MOVED] = "session_moved",
    [TRACE_AUTH_FAILED] = "auth_failed",
    [TRACE_SNAPSHOT_BEGIN] = "snapshot_begun",
    [TRACE_SNAPSHOT_DONE] = "snapshot_done",
    [TRACE_SNAPSHOT_FAILED] = "snapshot_failed",
    [TRACE_DIGEST_MISMATCH] = "digest_mismatch",
    [TRACE_QUOTA_SOFT] = "quota_exceeded",
    [TRACE_WRITES_REFUSED] = "writes_refused",
    [TRACE_WRITES_ACCEPTED] = "writes_accepted",
    [TRACE_STATE_REPLACED] = "state_replaced",
    [TRACE_LARGE_REQUEST] = "large_request_refused",
    [TRACE_LOOKING] = "looking",
    [TRACE_ELECTED] = "elected",
    [TRACE_LEADING] = "leading",
    [TRACE_FOLLOWING] = "following",
    [TRACE_OBSERVING] = "observing",
    [TRACE_SERVING] = "serving",
    [TRACE_SERVING_READ_ONLY] = "serving_read_only",
    [TRACE_ROLE_LOST] = "role_lost",
    [TRACE_LEARNER_SYNCED] = "learner_synced",
    [TRACE_LEARNER_GONE] = "learner_gone",
    [TRACE_SYNCED_BY] = "synced",
    [TRACE_CONFIG_ACTIVE] = "config_active",
};

/* Clients cause them as often as they like. */
static bool is_change(enum trace_type type)
{
    switch (type) {
    case TRACE_SESSION_CREATED:
    case TRACE_SESSION_CLOSED:
    case TRACE_SESSION_EXPIRED:
    case TRACE_SESSION_MOVED:
    case TRACE_AUTH_FAILED:
    case TRACE_QUOTA_SOFT:
    case TRACE_LARGE_REQUEST:
    case TRACE_COMMITTED:
        return true;
    default:
        return false;
    }
}

static const char *change_name(int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
        return "created";
    case ZK_OP_DELETE:
    case ZK_OP_DELETE_CONTAINER:
        return "deleted";
    case ZK_OP_SET_DATA:
        return "changed";
    case ZK_OP_SET_ACL:
        return "acl_changed";
    case ZK_OP_RECONFIG:
        return "reconfigured";
    default:
        return NULL;
    }
}

bool events_have_room(const struct console_events *ev)
{
    return ev->changes < CONSOLE_CHANGES_MAX;
}

void events_pace(struct console_events *ev)
{
    ev->changes = 0;
}

static struct console_event *add(struct console_events *ev, const char *kind,
                                 const struct trace_effect *t, int64_t wall_ms)
{
    struct console_event *e = &ev->ring[ev->next++ % CONSOLE_EVENTS];
    *e = (struct console_event){.wall_ms = wall_ms,
                                .kind = kind,
                                .text = t->text,
                                .session_id = t->session_id,
                                .zxid = t->zxid,
                                .value = t->value};
    return e;
}

/* Never through the middle of a character. */
static void set_path(struct console_event *e, struct slice path)
{
    size_t len = 0;
    while (len < path.len) {
        size_t step = utf8_length((const char *)path.ptr + len, path.len - len);
        step = step > 0 ? step : 1;
        if (len + step > sizeof e->path)
            break;
        len += step;
    }
    memcpy(e->path, path.ptr, len);
    e->path_len = (uint16_t)len;
    e->cut = len < path.len;
}

static bool may_anyone_read(const struct node *n, struct slice path)
{
    struct console_eye anyone = {.node = n};
    int32_t err = node_check_acl(n, path, ZK_PERM_READ, anyone.who);
    if (err == ZK_NONODE)
        return console_may(&anyone, path_parent(path), ZK_PERM_READ);
    return err == 0;
}

static void take_parts(struct console_events *ev, const struct node *n,
                       const struct trace_effect *t, struct slice bytes, int64_t wall_ms)
{
    struct dec d = dec_of(bytes);
    while (dec_left(&d) > 0) {
        int32_t op = dec_i32(&d), err = dec_i32(&d);
        struct slice path = dec_ustring(&d);
        if (d.bad)
            return;
        const char *kind = err == 0 ? change_name(op) : NULL;
        if (kind == NULL || slice_is_null(path))
            continue;
        if (!events_have_room(ev)) {
            ev->passed_over++;
            continue;
        }
        ev->changes++;
        if (may_anyone_read(n, path)) {
            struct console_event *e = add(ev, kind, t, wall_ms);
            e->value = 0;
            set_path(e, path);
        }
    }
}

void events_take(struct console_events *ev, const struct node *n, const struct trace_effect *t,
                 struct slice bytes, int64_t wall_ms)
{
    if (t->type == TRACE_COMMITTED) {
        take_parts(ev, n, t, bytes, wall_ms);
        return;
    }
    if (kinds[t->type] == NULL)
        return;
    if (is_change(t->type)) {
        if (!events_have_room(ev)) {
            ev->passed_over++;
            return;
        }
        ev->changes++;
    }
    add(ev, kinds[t->type], t, wall_ms);
}

static void put_event(struct json_out *j, uint64_t number, const struct console_event *e)
{
    json_out_object(j, NULL);
    json_out_unsigned(j, "number", number);
    json_out_number(j, "at_ms", e->wall_ms);
    json_out_string(j, "kind", e->kind);
    if (e->path_len > 0) {
        json_out_text(j, "path", slice_of(e->path, e->path_len));
        json_out_flag(j, "cut", e->cut);
    }
    if (e->session_id != 0)
        console_hex(j, "session", e->session_id);
    if (e->zxid != 0)
        console_hex(j, "zxid", e->zxid);
    json_out_number(j, "value", e->value);
    if (e->text != NULL)
        json_out_string(j, "text", e->text);
    json_out_object_end(j);
}

void events_put(const struct console_events *ev, uint64_t from, struct buf *out)
{
    uint64_t oldest = ev->next > CONSOLE_EVENTS ? ev->next - CONSOLE_EVENTS : 0;
    struct json_out j;
    json_out_begin(&j, out);
    json_out_list(&j, "events");
    for (uint64_t i = from > oldest ? from : oldest; i < ev->next; i++)
        put_event(&j, i, &ev->ring[i % CONSOLE_EVENTS]);
    json_out_list_end(&j);
    json_out_unsigned(&j, "lost", from < oldest ? oldest - from : 0);
    json_out_unsigned(&j, "passed_over", ev->passed_over);
    json_out_end(&j);
}
