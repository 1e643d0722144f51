/* zab_kit.h: one zab, a host that writes down what it is asked, and links whose other end is the
 * test.
 *
 * What happens is text, one line each, compared as a whole: expect(k, "..."). Packets that leave
 * are taken apart here by the layout of QuorumPacket alone, not by the decoder under test:
 *
 *   7< DIFF 100000005               sent on link 7, data null
 *   7< LEADERINFO 100000000 00010000    ... with data, in hex
 *   accept 100000001 @3             asked of the host; 3 is the ticket
 *
 * Nothing is durable until durable(k, ticket). */
#ifndef ZAB_KIT_H
#define ZAB_KIT_H

/* Not every test uses all of it. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "zab/zab.h"

enum {
    KIT_TICK_MS = 1000,
    KIT_LINKS_MAX = 16
};

static const int64_t MS = 1000000;

/* The numbers of QuorumPacket types, from the protocol, not from the header under test. */
static const char *const packet_names[] = {
    "?",         "REQUEST",      "PROPOSAL",   "ACK",      "COMMIT",
    "PING",      "REVALIDATE",   "SYNC",       "INFORM",   "COMMITANDACTIVATE",
    "NEWLEADER", "FOLLOWERINFO", "UPTODATE",   "DIFF",     "TRUNC",
    "SNAP",      "OBSERVERINFO", "LEADERINFO", "ACKEPOCH", "INFORMANDACTIVATE"};

struct kit {
    struct zab *z;
    struct buf log;
    uint64_t last_ticket;
    uint64_t next_link;
    int64_t now_ns;
    int64_t tree_zxid; /* of a picture */
    int picture_slices;
    bool refuse_picture, quiet_proposals;
    bool accept_fails, install_fails, session_valid;
    int64_t session_elsewhere; /* not with an observer */
    const char *touches;
    struct {
        uint64_t id;
        struct buf in; /* sent by zab and not taken apart yet */
        size_t raw;    /* bytes of a picture that come next */
    } links[KIT_LINKS_MAX];
    bool lost;
    struct quorum *config;
};

static void note(struct kit *k, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct kit *k, const char *format, ...)
{
    char line[4096];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    buf_put_slice(&k->log, slice_str(line));
    buf_put_u8(&k->log, '\n');
}

/* ---- the host ---- */

static uint64_t kit_accepted(void *arg, int64_t epoch)
{
    struct kit *k = arg;
    note(k, "acceptedEpoch %d @%d", (int)epoch, (int)++k->last_ticket);
    return k->last_ticket;
}

static uint64_t kit_current(void *arg, int64_t epoch)
{
    struct kit *k = arg;
    note(k, "currentEpoch %d @%d", (int)epoch, (int)++k->last_ticket);
    return k->last_ticket;
}

static uint64_t kit_accept(void *arg, int64_t zxid, struct slice entry)
{
    struct kit *k = arg;
    (void)entry;
    if (k->accept_fails)
        return 0;
    note(k, "accept %" PRIx64 " @%d", zxid, (int)++k->last_ticket);
    return k->last_ticket;
}

static void kit_truncate(void *arg, int64_t zxid)
{
    note(arg, "truncate %" PRIx64, zxid);
}

static void kit_install_begin(void *arg, int64_t zxid)
{
    note(arg, "install %" PRIx64, zxid);
}

/* A picture is "<...>". */
static int kit_install_bytes(void *arg, struct slice bytes, size_t *ret_used, bool *ret_done)
{
    struct kit *k = arg;
    *ret_done = false;
    *ret_used = 0;
    if (k->install_fails)
        return -1;
    while (*ret_used < bytes.len && !*ret_done)
        *ret_done = bytes.ptr[(*ret_used)++] == '>';
    if (*ret_done)
        note(k, "picture complete");
    return 0;
}

static void kit_install_abort(void *arg)
{
    note(arg, "install aborted");
}

static void kit_install_nothing(void *arg)
{
    note(arg, "install nothing");
}

static void kit_commit(void *arg, int64_t zxid)
{
    note(arg, "commit %" PRIx64, zxid);
}

static void kit_established(void *arg, int64_t zxid)
{
    note(arg, "established %" PRIx64, zxid);
}

static void kit_lost(void *arg, const char *reason)
{
    struct kit *k = arg;
    k->lost = true;
    note(k, "lost: %s", reason);
}

static void kit_config_seen(void *arg, const struct quorum *q, bool ahead)
{
    (void)ahead;
    note(arg, "config seen %" PRIx64 " voters %d", q->version, (int)q->voter_count);
}

static void kit_config_active(void *arg, const struct quorum *q)
{
    note(arg, "config active %" PRIx64 " voters %d", q->version, (int)q->voter_count);
}

static int kit_slot(struct kit *k, uint64_t link)
{
    for (int i = 0; i < KIT_LINKS_MAX; i++)
        if (k->links[i].id == link)
            return i;
    abort();
}

static uint64_t kit_connect(void *arg, int64_t sid, bool observers)
{
    struct kit *k = arg;
    (void)observers;
    uint64_t link = ++k->next_link;
    k->links[kit_slot(k, 0)].id = link;
    note(k, "connect %d -> %d", (int)sid, (int)link);
    return link;
}

static void note_packet(struct kit *k, uint64_t link, const uint8_t *p, size_t len)
{
    uint32_t type = load_be32(p);
    char line[3000];
    int at =
        snprintf(line, sizeof line, "%d< %s ", (int)link, type < 20 ? packet_names[type] : "?");
    int64_t zxid = (int64_t)load_be64(p + 4);
    at += zxid == -1 ? snprintf(line + at, sizeof line - (size_t)at, "-1")
                     : snprintf(line + at, sizeof line - (size_t)at, "%" PRIx64, zxid);
    uint32_t data_len = load_be32(p + 12);
    if (data_len != UINT32_MAX && k->quiet_proposals && (type == 2 || type == 8)) {
        at += snprintf(line + at, sizeof line - (size_t)at, " ..");
    } else if (k->quiet_proposals && type == 19) {
        at += snprintf(line + at, sizeof line - (size_t)at, " for %d ..", p[23]);
    } else if (data_len != UINT32_MAX) {
        at += snprintf(line + at, sizeof line - (size_t)at, " ");
        for (uint32_t i = 0; i < data_len && (size_t)at < sizeof line - 3; i++)
            at += snprintf(line + at, sizeof line - (size_t)at, "%02x", p[16 + i]);
    }
    size_t ids = 16 + (data_len != UINT32_MAX ? data_len : 0);
    if (load_be32(p + ids) != UINT32_MAX)
        snprintf(line + at, sizeof line - (size_t)at, " ids %d (%d bytes)", (int)load_be32(p + ids),
                 (int)(len - ids - 4));
    note(k, "%s", line);
}

/* The length of the packet at p, 0 = not whole. */
static size_t packet_len(const uint8_t *p, size_t len)
{
    if (len < 20)
        return 0;
    uint32_t data = load_be32(p + 12);
    size_t at = 16 + (data != UINT32_MAX ? data : 0);
    if (len < at + 4)
        return 0;
    uint32_t count = load_be32(p + at);
    at += 4;
    for (uint32_t i = 0; count != UINT32_MAX && i < 2 * count; i++) {
        if (len < at + 4)
            return 0;
        uint32_t field = load_be32(p + at);
        at += 4 + (field != UINT32_MAX ? field : 0);
    }
    return at <= len ? at : 0;
}

static void take_apart(struct kit *k, int slot)
{
    struct buf *in = &k->links[slot].in;
    size_t at = 0;
    for (;;) {
        if (in->len > at && in->ptr[at] != 0) { /* no type is that large: bytes of a picture */
            size_t end = at;
            while (end < in->len && in->ptr[end] != 0)
                end++;
            note(k, "%d< %.*s", (int)k->links[slot].id, (int)(end - at), in->ptr + at);
            at = end;
            if (in->len - at >= 14 && memcmp(in->ptr + at, "\0\0\0\nBenWasHere", 14) == 0) {
                note(k, "%d< BenWasHere", (int)k->links[slot].id);
                at += 14;
            }
            continue;
        }
        size_t len = packet_len(in->ptr + at, in->len - at);
        if (len == 0)
            break;
        note_packet(k, k->links[slot].id, in->ptr + at, len);
        at += len;
    }
    memmove(in->ptr, in->ptr + at, in->len - at);
    in->len -= at;
}

static void kit_send(void *arg, const uint64_t *links, size_t count, struct slice bytes)
{
    struct kit *k = arg;
    for (size_t i = 0; i < count; i++) {
        int slot = kit_slot(k, links[i]);
        buf_put_slice(&k->links[slot].in, bytes);
        take_apart(k, slot);
    }
}

static void kit_disconnect(void *arg, uint64_t link, const char *reason)
{
    struct kit *k = arg;
    note(k, "disconnect %d: %s", (int)link, reason);
    for (int i = 0; i < KIT_LINKS_MAX; i++) {
        if (k->links[i].id != link)
            continue;
        k->links[i].id = 0;
        buf_clear(&k->links[i].in);
    }
}

static void kit_want_room(void *arg, uint64_t link)
{
    note(arg, "want room %d", (int)link);
}

static void kit_request(void *arg, int64_t sid, const struct zab_request *r)
{
    note(arg, "request of %d: session %" PRIx64 " cxid %d op %d record %d ids %d", (int)sid,
         r->session_id, (int)r->cxid, (int)r->op, (int)r->record.len, (int)r->who_count);
}

static void kit_touch(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    note(arg, "touch of %d: %" PRIx64 " %d", (int)sid, session_id, (int)timeout_ms);
}

static bool kit_revalidate(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    struct kit *k = arg;
    note(k, "revalidate of %d: %" PRIx64 " %d", (int)sid, session_id, (int)timeout_ms);
    return k->session_valid;
}

static void kit_observer_asks(void *arg, int64_t sid, int64_t session_id)
{
    note(arg, "observer %d asks for session %" PRIx64, (int)sid, session_id);
}

static void kit_observer_has(void *arg, int64_t sid, int64_t session_id)
{
    note(arg, "observer %d has session %" PRIx64, (int)sid, session_id);
}

static bool kit_observer_may_write(void *arg, int64_t sid, int64_t session_id)
{
    struct kit *k = arg;
    (void)sid;
    return session_id != k->session_elsewhere;
}

static void kit_learner_gone(void *arg, int64_t sid)
{
    note(arg, "learner %d gone", (int)sid);
}

static int64_t kit_snapshot_begin(void *arg)
{
    struct kit *k = arg;
    if (k->refuse_picture) {
        note(k, "no picture now");
        return -1;
    }
    note(k, "picture begins");
    k->picture_slices = 0;
    return k->tree_zxid;
}

static bool kit_snapshot_next(void *arg, size_t bytes_max, struct buf *out)
{
    struct kit *k = arg;
    (void)bytes_max;
    buf_put_slice(out, slice_str(k->picture_slices++ == 0 ? "<tree" : "-end>"));
    return k->picture_slices == 2;
}

static void kit_snapshot_end(void *arg)
{
    note(arg, "picture ends");
}

static void kit_read_log(void *arg, uint64_t link, int64_t after, int64_t until)
{
    note(arg, "read log for %d: (%" PRIx64 ", %" PRIx64 "]", (int)link, after, until);
}

static void kit_revalidated(void *arg, int64_t session_id, bool valid)
{
    note(arg, "revalidated %" PRIx64 " %s", session_id, valid ? "valid" : "gone");
}

static void kit_synced(void *arg)
{
    note(arg, "synced");
}

static void kit_touches(void *arg, struct buf *out)
{
    struct kit *k = arg;
    if (k->touches == NULL)
        return;
    buf_put_i64(out, 0x77);
    buf_put_i32(out, 6000);
}

static void kit_trace(void *arg, const struct zab_trace *t)
{
    (void)arg;
    (void)t;
}

static void kit_pause(void *arg, uint64_t link, bool on)
{
    note(arg, "%s %d", on ? "pause" : "resume", (int)link);
}

/* ---- making one ---- */

struct kit_options {
    int voters, observers; /* servers 1.. are voters, then observers */
    int64_t sid;
    int64_t accepted_epoch, current_epoch;
    bool no_log_sync;
    bool reconfig;
    int64_t config_version;
    size_t snap_syncs_max;
    size_t window_bytes, commit_log_count, pinned_bytes_max;
};

static struct quorum *kit_config(const char *text)
{
    struct quorum *q = NULL;
    struct err err;
    if (quorum_parse(slice_str(text), &q, &err) < 0) {
        printf("%s\n", err.text);
        abort();
    }
    return q;
}

/* server.1 .. server.N; version in hex. */
static void kit_config_text(char *text, size_t size, int voters, int observers, int64_t version)
{
    int at = 0;
    for (int i = 1; i <= voters + observers; i++)
        at += snprintf(text + at, size - (size_t)at, "server.%d=h%d:2888:3888:%s\n", i, i,
                       i <= voters ? "participant" : "observer");
    snprintf(text + at, size - (size_t)at, "version=%" PRIx64, version);
}

static struct zab *kit_zab(struct kit *k, struct kit_options ko, const struct quorum *active,
                           const struct quorum *last_seen)
{
    struct zab_options o = {.sid = ko.sid,
                            .observer = !quorum_is_voter(active, ko.sid),
                            .tick_ms = KIT_TICK_MS,
                            .init_limit = 10,
                            .sync_limit = 5,
                            .commit_log_count = ko.commit_log_count > 0 ? ko.commit_log_count : 500,
                            .log_sync = !ko.no_log_sync,
                            .snap_syncs_max = ko.snap_syncs_max > 0 ? ko.snap_syncs_max : 10,
                            .diff_syncs_max = 100,
                            .connect_retry_ms = 100,
                            .accepted_epoch = ko.accepted_epoch,
                            .current_epoch = ko.current_epoch,
                            .reconfig_enabled = ko.reconfig,
                            .window_bytes = ko.window_bytes,
                            .pinned_bytes_max = ko.pinned_bytes_max};
    struct zab_host host = {
        .arg = k,
        .set_accepted_epoch = kit_accepted,
        .set_current_epoch = kit_current,
        .accept = kit_accept,
        .truncate = kit_truncate,
        .install_begin = kit_install_begin,
        .install_bytes = kit_install_bytes,
        .install_abort = kit_install_abort,
        .install_nothing = kit_install_nothing,
        .commit = kit_commit,
        .established = kit_established,
        .lost = kit_lost,
        .config_seen = kit_config_seen,
        .config_active = kit_config_active,
        .connect = kit_connect,
        .send = kit_send,
        .disconnect = kit_disconnect,
        .want_room = kit_want_room,
        .request = kit_request,
        .touch = kit_touch,
        .revalidate = kit_revalidate,
        .observer_asks = kit_observer_asks,
        .observer_has = kit_observer_has,
        .observer_may_write = kit_observer_may_write,
        .learner_gone = kit_learner_gone,
        .snapshot_begin = kit_snapshot_begin,
        .snapshot_next = kit_snapshot_next,
        .snapshot_end = kit_snapshot_end,
        .read_log = kit_read_log,
        .revalidated = kit_revalidated,
        .synced = kit_synced,
        .touches = kit_touches,
        .trace = kit_trace,
        .pause = kit_pause,
    };
    return zab_create(&o, &host, active, last_seen);
}

static struct kit *kit_create(struct kit_options ko)
{
    struct kit *k = mem_calloc(1, sizeof *k);
    char text[2000];
    kit_config_text(text, sizeof text, ko.voters, ko.observers, ko.config_version);
    k->config = kit_config(text);
    k->session_valid = true;
    k->quiet_proposals = true;
    k->now_ns = 1000 * MS;
    k->next_link = 100;
    k->z = kit_zab(k, ko, k->config, NULL);
    return k;
}

static void kit_free(struct kit *k)
{
    zab_free(k->z);
    quorum_free(k->config);
    buf_deinit(&k->log);
    for (int i = 0; i < KIT_LINKS_MAX; i++)
        buf_deinit(&k->links[i].in);
    free(k);
}

/* ---- what happened ---- */

static void forget(struct kit *k)
{
    buf_clear(&k->log);
}

/* All that happened since the last time, and nothing else. */
static void expect_at(struct kit *k, const char *wanted, int line)
{
    buf_put_u8(&k->log, 0);
    const char *got = (const char *)k->log.ptr;
    if (strcmp(got, wanted) != 0) {
        print_error("line %d\n--- wanted\n%s--- got\n%s---\n", line, wanted, got);
        fail();
    }
    forget(k);
}

#define expect(k, wanted) expect_at(k, wanted, __LINE__)

/* ---- making things happen; each is a step, and ends as a step ends ---- */

static void settle(struct kit *k)
{
    zab_flush(k->z);
}

static void durable(struct kit *k, uint64_t ticket)
{
    zab_durable(k->z, ticket);
    settle(k);
}

static void all_durable(struct kit *k)
{
    uint64_t ticket;
    do {
        ticket = k->last_ticket;
        durable(k, ticket);
    } while (ticket != k->last_ticket);
}

static void tick(struct kit *k, int64_t ms)
{
    k->now_ns += ms * MS;
    zab_tick(k->z, k->now_ns);
    settle(k);
}

static void link_in(struct kit *k, uint64_t link)
{
    k->links[kit_slot(k, 0)].id = link;
    zab_link_open(k->z, link, true, k->now_ns);
    settle(k);
}

static void bytes_in(struct kit *k, uint64_t link, struct slice bytes)
{
    /* A copy of its own, so that reading behind the end is seen. */
    uint8_t *copy = mem_dup(bytes.ptr, bytes.len);
    zab_link_bytes(k->z, link, slice_of(copy, bytes.len), k->now_ns);
    free(copy);
    settle(k);
}

static void put_packet(struct buf *b, int32_t type, int64_t zxid, struct slice data)
{
    buf_put_i32(b, type);
    buf_put_i64(b, zxid);
    buf_put_i32(b, data.ptr != NULL ? (int32_t)data.len : -1);
    buf_put_slice(b, data);
    buf_put_i32(b, -1);
}

static void packet_in(struct kit *k, uint64_t link, int32_t type, int64_t zxid, struct slice data)
{
    struct buf b = {0};
    put_packet(&b, type, zxid, data);
    bytes_in(k, link, buf_slice(&b));
    buf_deinit(&b);
}

static void plain_in(struct kit *k, uint64_t link, int32_t type, int64_t zxid)
{
    packet_in(k, link, type, zxid, (struct slice){0});
}

/* long serverid, int protocolVersion, long configVersion */
static void info_in(struct kit *k, uint64_t link, bool observer, int64_t sid, int64_t accepted,
                    int64_t config)
{
    struct buf b = {0};
    buf_put_i64(&b, sid);
    buf_put_i32(&b, 0x10000);
    buf_put_i64(&b, config);
    packet_in(k, link, observer ? 16 : 11, (int64_t)((uint64_t)accepted << 32), buf_slice(&b));
    buf_deinit(&b);
}

static void ackepoch_in(struct kit *k, uint64_t link, int32_t current_epoch, int64_t zxid)
{
    uint8_t data[4];
    store_be32(data, (uint32_t)current_epoch);
    packet_in(k, link, 18, zxid, slice_of(data, 4));
}

/* TxnHeader{long clientId, int cxid, long zxid, long time, int type}, and an ErrorTxn. */
static struct slice txn_bytes(uint8_t entry[36], int64_t zxid)
{
    memset(entry, 0, 36);
    store_be64(entry, 0x99);
    store_be64(entry + 12, (uint64_t)zxid);
    store_be32(entry + 28, UINT32_MAX);
    return slice_of(entry, 36);
}

static void proposal_in(struct kit *k, uint64_t link, int64_t zxid)
{
    uint8_t entry[36];
    packet_in(k, link, 2, zxid, txn_bytes(entry, zxid));
}

static uint64_t propose(struct kit *k, int64_t zxid)
{
    uint8_t entry[36];
    uint64_t ticket = ++k->last_ticket;
    zab_propose(k->z, zxid, txn_bytes(entry, zxid), ticket, NULL);
    settle(k);
    return ticket;
}

static void remember(struct kit *k, int64_t zxid)
{
    uint8_t entry[36];
    zab_remember(k->z, zxid, txn_bytes(entry, zxid));
}

static int64_t zx(int64_t epoch, uint32_t counter)
{
    return (int64_t)((uint64_t)epoch << 32 | counter);
}

#endif
