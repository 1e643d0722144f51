/* The quorum port: what peers send to a leader and to a learner, in any order, cut anywhere,
 * broken, among everything else that happens to a zab (disk, time, links that come and go, roles).
 */
#include "base/mem.h"
#include "fuzz.h"
#include "wire/records.h"
#include "wire/zxid.h"
#include "zab/zab.h"

enum {
    LINKS = 6,
    STEPS_MAX = 400,
    ENTRY_BYTES = 36
};

struct link {
    bool open;
    int stage; /* what a peer that behaves would send next */
    int64_t sid;
    struct buf sent; /* by zab, not looked at yet */
};

struct world {
    struct zab *z;
    int64_t now_ns;
    uint64_t ticket, durable;
    struct link links[LINKS];
    bool lost, truncating, installing, installed, taking, reading, established;
    int slices;
    uint64_t reading_link;
    int64_t log_end; /* the last zxid of our log */
    int64_t committed;
    uint64_t current_ticket; /* of the newest currentEpoch */
    /* Tickets of the appends, by the low bits of the zxid: enough to catch an early ACK. */
    uint64_t ticket_of[256];
    int64_t zxid_of[256];
    size_t sent_bytes;
};

/* ---- the host, which checks what it is asked ---- */

static void check_alive(const struct world *w)
{
    FUZZ_CHECK(!w->lost, "nothing is asked when the role is over");
}

static uint64_t set_epoch(void *arg, int64_t epoch)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(epoch >= 0, "epochs are numbers from 0 on");
    return ++w->ticket;
}

static uint64_t set_current_epoch(void *arg, int64_t epoch)
{
    struct world *w = arg;
    /* What was appended until now is the history of that epoch. */
    w->current_ticket = set_epoch(arg, epoch);
    return w->current_ticket;
}

static uint64_t append(struct world *w, int64_t zxid)
{
    FUZZ_CHECK(zxid > w->log_end, "the log is appended in order");
    FUZZ_CHECK(!w->truncating && !w->installing, "no append into a log that is being changed");
    w->log_end = zxid;
    w->ticket_of[zxid & 255] = ++w->ticket;
    w->zxid_of[zxid & 255] = zxid;
    return w->ticket;
}

static uint64_t accept(void *arg, int64_t zxid, struct slice entry)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(entry.len >= 20, "an entry has a header");
    return entry.len < 32 ? 0 : append(w, zxid);
}

static void truncate_log(void *arg, int64_t zxid)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(!w->truncating && zxid <= w->log_end && zxid >= 0, "TRUNC of what is there");
    w->truncating = true;
    w->log_end = zxid;
}

static void install_begin(void *arg, int64_t zxid)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(!w->installing && zxid >= 0, "one picture at a time");
    w->installing = true;
    w->installed = false;
    w->log_end = zxid;
}

static int install_bytes(void *arg, struct slice bytes, size_t *ret_used, bool *ret_done)
{
    struct world *w = arg;
    FUZZ_CHECK(w->installing && !w->installed, "bytes belong to a picture");
    *ret_used = 0;
    *ret_done = false;
    if (bytes.len > 0 && bytes.ptr[0] == 'X')
        return -1;
    while (*ret_used < bytes.len && !*ret_done)
        *ret_done = bytes.ptr[(*ret_used)++] == '>';
    w->installed = *ret_done;
    return 0;
}

static void install_abort(void *arg)
{
    struct world *w = arg;
    FUZZ_CHECK(w->installing, "an abort belongs to a picture");
    w->installing = w->installed = false;
}

/* As if all bytes of a picture had come. */
static void install_nothing(void *arg)
{
    struct world *w = arg;
    install_begin(arg, 0);
    w->installed = true;
}

static void commit(void *arg, int64_t zxid)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(zxid <= w->log_end, "what is committed is in the log");
    w->committed = zxid;
}

static void established(void *arg, int64_t zxid)
{
    struct world *w = arg;
    (void)zxid;
    check_alive(w);
    FUZZ_CHECK(!w->established, "once in a role");
    w->established = true;
}

static void lost(void *arg, const char *reason)
{
    struct world *w = arg;
    check_alive(w);
    FUZZ_CHECK(reason != NULL, "there is a reason");
    w->lost = true;
}

static void config(void *arg, const struct quorum *q)
{
    (void)arg;
    FUZZ_CHECK(q->voter_count > 0, "a configuration has voters");
}

static void config_seen(void *arg, const struct quorum *q, bool ahead)
{
    (void)ahead;
    config(arg, q);
}

static uint64_t connect_leader(void *arg, int64_t sid, bool observers)
{
    struct world *w = arg;
    (void)observers;
    check_alive(w);
    FUZZ_CHECK(!w->links[0].open, "one link to the leader");
    w->links[0].open = true;
    w->links[0].stage = 0;
    w->links[0].sid = sid;
    return 1;
}

/* A learner's promise: what it acknowledges is on disk. */
static void check_ack(const struct world *w, int64_t zxid)
{
    if (zxid_counter(zxid) == 0)
        FUZZ_CHECK(w->current_ticket <= w->durable, "ACK of NEWLEADER behind currentEpoch");
    else if (w->zxid_of[zxid & 255] == zxid)
        FUZZ_CHECK(w->ticket_of[zxid & 255] <= w->durable, "ACK behind the append");
}

static void check_sent(struct world *w, struct link *l)
{
    bool learner = zab_role(w->z) == ZAB_FOLLOWING || zab_role(w->z) == ZAB_OBSERVING;
    if (!learner) {
        buf_clear(&l->sent);
        return;
    }
    struct dec d = dec_of(buf_slice(&l->sent));
    while (dec_left(&d) > 0) {
        struct rec_quorum_packet p;
        FUZZ_CHECK(rec_get_quorum_packet(&d, &p), "what is sent are packets");
        if (p.type == 3)
            check_ack(w, p.zxid);
    }
    buf_clear(&l->sent);
}

static void send_links(void *arg, const uint64_t *links, size_t count, struct slice bytes)
{
    struct world *w = arg;
    FUZZ_CHECK(count > 0 && bytes.len > 0, "something is sent to somebody");
    for (size_t i = 0; i < count; i++) {
        FUZZ_CHECK(links[i] >= 1 && links[i] <= LINKS && w->links[links[i] - 1].open,
                   "sent on a link that is open");
        struct link *l = &w->links[links[i] - 1];
        w->sent_bytes += bytes.len;
        buf_put_slice(&l->sent, bytes);
        check_sent(w, l);
    }
}

static void disconnect(void *arg, uint64_t link, const char *reason)
{
    struct world *w = arg;
    FUZZ_CHECK(link >= 1 && link <= LINKS && w->links[link - 1].open && reason != NULL,
               "only what is open is closed");
    w->links[link - 1].open = false;
}

static void on_link(void *arg, uint64_t link)
{
    struct world *w = arg;
    FUZZ_CHECK(link >= 1 && link <= LINKS && w->links[link - 1].open, "of a link that is open");
}

static void request(void *arg, int64_t sid, const struct zab_request *r)
{
    (void)sid;
    size_t bytes = r->record.len;
    for (size_t i = 0; i < r->who_count; i++)
        bytes += r->who[i].scheme.len + r->who[i].id.len;
    ((struct world *)arg)->sent_bytes += bytes;
}

static void touch(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    (void)arg, (void)sid, (void)session_id, (void)timeout_ms;
}

static bool revalidate(void *arg, int64_t sid, int64_t session_id, int32_t timeout_ms)
{
    (void)arg, (void)sid, (void)timeout_ms;
    return session_id & 1;
}

static void observer_session(void *arg, int64_t sid, int64_t session_id)
{
    (void)arg, (void)sid, (void)session_id;
}

static bool observer_may_write(void *arg, int64_t sid, int64_t session_id)
{
    (void)arg, (void)sid;
    return session_id & 1;
}

static void learner_gone(void *arg, int64_t sid)
{
    (void)arg, (void)sid;
}

static int64_t snapshot_begin(void *arg)
{
    struct world *w = arg;
    FUZZ_CHECK(!w->taking, "one picture at a time");
    w->taking = true;
    w->slices = 0;
    return zab_serving(w->z) ? zab_committed(w->z) : w->log_end;
}

static bool snapshot_next(void *arg, size_t bytes_max, struct buf *out)
{
    struct world *w = arg;
    FUZZ_CHECK(w->taking && bytes_max > 0, "slices belong to a picture");
    buf_put_u8(out, '<');
    return ++w->slices == 3;
}

static void snapshot_end(void *arg)
{
    struct world *w = arg;
    FUZZ_CHECK(w->taking, "an end belongs to a picture");
    w->taking = false;
}

static void read_log(void *arg, uint64_t link, int64_t after, int64_t until)
{
    struct world *w = arg;
    on_link(arg, link);
    FUZZ_CHECK(after <= until, "forwards");
    w->reading = true;
    w->reading_link = link;
}

static void revalidated(void *arg, int64_t session_id, bool valid)
{
    (void)session_id, (void)valid;
    check_alive(arg);
}

static void synced(void *arg)
{
    check_alive(arg);
}

static void touches(void *arg, struct buf *out)
{
    check_alive(arg);
    buf_put_i64(out, 5);
    buf_put_i32(out, 1000);
}

static void trace(void *arg, const struct zab_trace *t)
{
    (void)arg;
    FUZZ_CHECK(t->type <= ZAB_TRACE_REFUSED, "a known type");
}

static void pause_link(void *arg, uint64_t link, bool on)
{
    (void)on;
    on_link(arg, link);
}

/* ---- events ---- */

static int64_t any_zxid(struct fz *f, const struct world *w)
{
    int64_t epoch = zab_accepted_epoch(w->z);
    switch (fz_below(f, 8)) {
    case 0:
        return zxid_make(epoch, 0);
    case 1:
        return w->log_end;
    case 2:
        return w->log_end + 1;
    case 3:
        return zxid_make(epoch, 1);
    case 4:
        return zab_last_proposed(w->z) + 1;
    case 5:
        return zxid_make(epoch + 1, 0);
    case 6:
        return zxid_make(epoch - 1, fz_u8(f));
    default:
        return fz_i64(f);
    }
}

static void put_entry(struct buf *b, struct fz *f, int64_t zxid)
{
    struct rec_txn_header h = {.zxid = zxid, .type = fz_one_in(f, 8) ? 16 : -1};
    rec_put_txn_header(b, &h);
    if (h.type != 16) {
        buf_put_i32(b, 0);
        return;
    }
    rec_put_slice(b, slice_str("/zookeeper/config"));
    rec_put_slice(b, slice_str(fz_one_in(f, 2) ? "server.1=a:1:2\nserver.2=b:1:2\nversion=100000007"
                                               : "server.1=a:1:2\nversion=200000001"));
    buf_put_i32(b, 0);
}

static void put_data(struct buf *b, struct fz *f, int32_t type, int64_t zxid)
{
    if (fz_one_in(f, 16)) {
        buf_put_slice(b, fz_blob(f));
        return;
    }
    switch (type) {
    case 2:
    case 8:
        put_entry(b, f, zxid);
        break;
    case 19:
        buf_put_i64(b, fz_below(f, 4));
        put_entry(b, f, zxid);
        break;
    case 9:
        buf_put_i64(b, fz_below(f, 4));
        break;
    case 11:
    case 16:
        buf_put_i64(b, fz_below(f, 6));
        buf_put_i32(b, 0x10000);
        buf_put_i64(b, 0);
        break;
    case 17:
        buf_put_i32(b, 0x10000);
        break;
    case 18:
        buf_put_i32(b, (int32_t)fz_below(f, 4) - 1);
        break;
    case 1:
    case 5:
    case 6:
        for (uint32_t n = 12 * (1 + fz_below(f, 3)); n > 0; n--)
            buf_put_u8(b, fz_u8(f));
        break;
    default:
        break;
    }
}

static void put_packet(struct buf *b, struct fz *f, const struct world *w)
{
    static const uint8_t types[] = {1, 2,  2,  2,  3,  3,  4,  4,  5,  6,  7,  8,
                                    9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 99};
    int32_t type = types[fz_below(f, sizeof types)];
    int64_t zxid = any_zxid(f, w);
    struct buf data = {0};
    put_data(&data, f, type, zxid);
    struct rec_quorum_packet p = {type, zxid, buf_slice(&data), {.count = -1}};
    if (data.len == 0)
        p.data = (struct slice){0};
    rec_put_quorum_packet(b, &p);
    buf_deinit(&data);
    if (type == 15 && !fz_one_in(f, 4)) {
        buf_put_slice(b, slice_str("<tree>"));
        rec_put_slice(b, slice_str("BenWasHere"));
    }
}

static void put_simple(struct buf *b, int32_t type, int64_t zxid, struct slice data)
{
    struct rec_quorum_packet p = {type, zxid, data, {.count = -1}};
    rec_put_quorum_packet(b, &p);
}

/* What a leader that behaves sends next. */
static void put_from_leader(struct buf *b, struct fz *f, const struct world *w, int stage)
{
    int64_t start = zxid_make(zab_accepted_epoch(w->z), 0), next = w->log_end + 1;
    if (stage > 3 || next <= start)
        next = zab_last_proposed(w->z) >= start ? zab_last_proposed(w->z) + 1 : start + 1;
    struct buf entry = {0};
    put_entry(&entry, f, next);
    switch (stage) {
    case 0:
        put_simple(b, 17, start + (fz_one_in(f, 2) ? (int64_t)1 << 32 : 0),
                   slice_of("\0\1\0\0", 4));
        break;
    case 1:
        if (fz_one_in(f, 4)) {
            put_simple(b, 15, w->log_end, (struct slice){0});
            buf_put_slice(b, slice_str("<tree>"));
            rec_put_slice(b, slice_str("BenWasHere"));
        } else {
            put_simple(b, fz_one_in(f, 4) ? 14 : 13, w->log_end, (struct slice){0});
        }
        break;
    case 2:
        put_simple(b, 10, start, (struct slice){0});
        break;
    case 3:
        put_simple(b, 12, -1, (struct slice){0});
        break;
    default:
        put_simple(b, zab_role(w->z) == ZAB_OBSERVING ? 8 : 2, next, buf_slice(&entry));
        if (fz_one_in(f, 2))
            put_simple(b, 4, next, (struct slice){0});
        break;
    }
    buf_deinit(&entry);
}

/* What a learner that behaves sends next. */
static void put_from_learner(struct buf *b, struct fz *f, const struct world *w, uint32_t i,
                             int stage)
{
    struct buf info = {0};
    buf_put_i64(&info, (int64_t)i);
    buf_put_i32(&info, 0x10000);
    buf_put_i64(&info, 0);
    int64_t start = zxid_make(zab_accepted_epoch(w->z), 0);
    switch (stage) {
    case 0:
        put_simple(b, i == 4 ? 16 : 11, 0, buf_slice(&info));
        break;
    case 1:
        put_simple(b, 18, fz_one_in(f, 2) ? any_zxid(f, w) : w->log_end, slice_of("\0\0\0\0", 4));
        break;
    case 2:
    case 3:
        put_simple(b, 3, start, (struct slice){0});
        break;
    default:
        put_simple(b, 3, zab_last_proposed(w->z), (struct slice){0});
        break;
    }
    buf_deinit(&info);
}

static void behaved_event(struct world *w, struct fz *f)
{
    uint32_t i = fz_below(f, LINKS);
    bool leads = zab_role(w->z) == ZAB_LEADING;
    if (!leads)
        i = 0;
    if (!w->links[i].open || zab_role(w->z) == ZAB_IDLE)
        return;
    struct buf b = {0};
    if (leads)
        put_from_learner(&b, f, w, i, w->links[i].stage);
    else
        put_from_leader(&b, f, w, w->links[i].stage);
    w->links[i].stage++;
    zab_link_bytes(w->z, i + 1, buf_slice(&b), w->now_ns);
    buf_deinit(&b);
}

static void bytes_event(struct world *w, struct fz *f)
{
    uint64_t link = 1 + fz_below(f, LINKS);
    struct buf b = {0};
    for (uint32_t n = 1 + fz_below(f, 3); n > 0; n--)
        put_packet(&b, f, w);
    if (fz_one_in(f, 32) && b.len > 0)
        b.ptr[fz_u16(f) % b.len] = fz_u8(f);
    size_t cut = fz_one_in(f, 4) ? fz_u16(f) % (b.len + 1) : b.len;
    uint8_t *first = mem_dup(b.ptr, cut);
    zab_link_bytes(w->z, link, slice_of(first, cut), w->now_ns);
    free(first);
    if (cut < b.len)
        zab_link_bytes(w->z, link, slice_of(b.ptr + cut, b.len - cut), w->now_ns);
    buf_deinit(&b);
}

static void open_event(struct world *w, struct fz *f)
{
    uint32_t i = fz_below(f, LINKS);
    bool learner = zab_role(w->z) == ZAB_FOLLOWING || zab_role(w->z) == ZAB_OBSERVING;
    if (learner && w->links[0].open && i == 0) {
        zab_link_open(w->z, 1, false, w->now_ns);
    } else if (i > 0 && !w->links[i].open) {
        w->links[i].open = true;
        w->links[i].stage = 0;
        if (zab_role(w->z) == ZAB_FOLLOWING)
            zab_observer_open(w->z, i + 1, w->now_ns);
        else
            zab_link_open(w->z, i + 1, true, w->now_ns);
    }
}

static void close_event(struct world *w, struct fz *f)
{
    uint32_t i = fz_below(f, LINKS);
    if (!w->links[i].open)
        return;
    w->links[i].open = false;
    zab_link_closed(w->z, i + 1, w->now_ns);
}

static void disk_event(struct world *w, struct fz *f)
{
    uint64_t ahead = w->ticket - w->durable;
    w->durable += fz_one_in(f, 2) ? ahead : ahead > 0 ? fz_below(f, 8) % (ahead + 1) : 0;
    zab_durable(w->z, w->durable);
    if (w->truncating && fz_one_in(f, 2)) {
        w->truncating = false;
        zab_truncated(w->z, !fz_one_in(f, 8));
    }
    if (w->installing && w->installed && fz_one_in(f, 2)) {
        w->installing = false;
        zab_installed(w->z);
    }
}

static void log_event(struct world *w, struct fz *f)
{
    if (!w->reading)
        return;
    w->reading = false;
    struct buf b = {0};
    for (uint32_t n = fz_below(f, 4); n > 0; n--) {
        struct buf entry = {0};
        put_entry(&entry, f, any_zxid(f, w));
        rec_put_slice(&b, buf_slice(&entry));
        buf_deinit(&entry);
    }
    zab_log_read(w->z, w->reading_link, buf_slice(&b), (enum zab_log_read)fz_below(f, 3));
    buf_deinit(&b);
}

static void propose_event(struct world *w)
{
    if (zab_role(w->z) != ZAB_LEADING || !zab_serving(w->z))
        return;
    int64_t zxid = zab_last_proposed(w->z) + 1;
    struct buf b = {0};
    struct rec_txn_header h = {.zxid = zxid, .type = -1};
    rec_put_txn_header(&b, &h);
    buf_put_i32(&b, 0);
    uint64_t ticket = append(w, zxid);
    zab_propose(w->z, zxid, buf_slice(&b), ticket, NULL);
    buf_deinit(&b);
}

static void role_event(struct world *w, struct fz *f)
{
    if (zab_role(w->z) != ZAB_IDLE || w->truncating || w->installing)
        return;
    w->established = false;
    if (fz_one_in(f, 2))
        zab_lead(w->z, w->log_end, w->now_ns);
    else
        zab_follow(w->z, fz_below(f, 4), w->log_end, w->now_ns);
}

static void time_event(struct world *w, struct fz *f)
{
    static const int ms[] = {1, 50, 100, 500, 3000};
    w->now_ns += (int64_t)ms[fz_below(f, 5)] * 1000000;
    zab_tick(w->z, w->now_ns);
}

static void client_event(struct world *w, struct fz *f)
{
    struct rec_id who = {slice_str("ip"), slice_str("1")};
    struct zab_request r = {1, 2, 9, slice_str("abc"), &who, 1};
    switch (fz_below(f, 4)) {
    case 0:
        zab_forward(w->z, &r);
        break;
    case 1:
        zab_revalidate(w->z, 5, 6);
        break;
    case 2:
        zab_answer_sync(w->z, fz_below(f, 6));
        break;
    default:
        if (fz_one_in(f, 8))
            zab_hand_over(w->z);
        break;
    }
}

static void event(struct world *w, struct fz *f)
{
    switch (fz_below(f, 16)) {
    case 0:
        role_event(w, f);
        break;
    case 1:
    case 2:
        open_event(w, f);
        break;
    case 3:
        close_event(w, f);
        break;
    case 4:
    case 5:
        disk_event(w, f);
        break;
    case 6:
        time_event(w, f);
        break;
    case 7:
        propose_event(w);
        break;
    case 8:
        log_event(w, f);
        break;
    case 9:
        zab_link_room(w->z, 1 + fz_below(f, LINKS));
        break;
    case 10:
        zab_snapshot_free(w->z);
        break;
    case 11:
        client_event(w, f);
        break;
    case 12:
    case 13:
        behaved_event(w, f);
        break;
    default:
        bytes_event(w, f);
        break;
    }
}

static void settle(struct world *w)
{
    zab_flush(w->z);
    if (!w->lost)
        return;
    FUZZ_CHECK(zab_deadline_ns(w->z) == INT64_MAX, "what is over waits for nothing");
    w->lost = false;
    zab_idle(w->z);
    FUZZ_CHECK(zab_role(w->z) == ZAB_IDLE && zab_leader(w->z) == -1, "idle");
    for (int i = 0; i < LINKS; i++)
        FUZZ_CHECK(!w->links[i].open, "no link outlives its role");
    if (w->installing && !w->installed)
        FUZZ_CHECK(false, "a picture that did not come whole is aborted");
    w->reading = false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    struct quorum *q = NULL;
    const char *text = "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\n"
                       "version=0";
    FUZZ_CHECK(quorum_parse(slice_str(text), &q, NULL) == 0, "the configuration is one");
    struct world *w = mem_calloc(1, sizeof *w);
    struct zab_options o = {.sid = 1 + fz_below(&f, 4),
                            .tick_ms = 100,
                            .init_limit = 10,
                            .sync_limit = 5,
                            .commit_log_count = 1 + fz_below(&f, 4),
                            .window_bytes = 100,
                            .pinned_bytes_max = 4000,
                            .packet_bytes_max = 5000,
                            .log_sync = fz_one_in(&f, 2),
                            .snap_syncs_max = 1,
                            .diff_syncs_max = 1,
                            .connect_retry_ms = 10,
                            .reconfig_enabled = fz_one_in(&f, 2)};
    o.observer = o.sid == 4;
    o.observer_masters = o.sid % 2 == 0;
    struct zab_host host = {w,
                            set_epoch,
                            set_current_epoch,
                            accept,
                            truncate_log,
                            install_begin,
                            install_bytes,
                            install_abort,
                            install_nothing,
                            commit,
                            established,
                            lost,
                            config_seen,
                            config,
                            connect_leader,
                            send_links,
                            disconnect,
                            on_link,
                            request,
                            touch,
                            revalidate,
                            observer_session,
                            observer_session,
                            observer_may_write,
                            learner_gone,
                            snapshot_begin,
                            snapshot_next,
                            snapshot_end,
                            read_log,
                            revalidated,
                            synced,
                            touches,
                            trace,
                            pause_link};
    w->z = zab_create(&o, &host, q, NULL);
    for (int step = 0; step < STEPS_MAX && fz_more(&f); step++) {
        event(w, &f);
        settle(w);
    }
    zab_free(w->z);
    for (int i = 0; i < LINKS; i++)
        buf_deinit(&w->links[i].sent);
    quorum_free(q);
    free(w);
    return 0;
}
