/* test_checkers.c: each checker is shown a broken promise, and a kept one. A checker that cannot
 * fail is a defect. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wire/zk.h"
#include "world.h"

enum {
    SESSION = 0x77
};

/* Three servers that never run: what they have on their disks is what a test says. */
struct fixture {
    struct world w;
    int32_t next_cxid;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    world_init(&f->w, 1);
    f->w.profile.tick_ms = 100;
    f->w.server_count = 3;
    for (int i = 0; i < 3; i++)
        server_init(&f->w, &f->w.servers[i], i);
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_init(&f->w, i);
    first_config_text(&f->w, 3, 0, false);
    assert_int_equal(quorum_parse(buf_slice(&f->w.first_config), &f->w.history.config, NULL), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    world_deinit(&f->w);
    free(f);
    return 0;
}

static void fails_with(struct fixture *f, const char *text)
{
    if (strstr(f->w.violation, text) == NULL)
        fail_msg("'%s' is not what was wanted: '%s'", f->w.violation, text);
    f->w.violation[0] = 0;
}

static void holds(struct fixture *f)
{
    assert_string_equal(f->w.violation, "");
}

/* ---- transactions ---- */

static struct buf header(int64_t zxid, int32_t cxid, int32_t type)
{
    struct buf b = {0};
    rec_put_txn_header(&b, &(struct rec_txn_header){
                               .client_id = SESSION, .cxid = cxid, .zxid = zxid, .type = type});
    return b;
}

static struct buf create_txn(int64_t zxid, int32_t cxid, const char *path, bool ephemeral)
{
    struct buf b = header(zxid, cxid, ZK_OP_CREATE);
    rec_put_create_txn(&b, &(struct rec_create_txn){.path = slice_str(path),
                                                    .data = slice_str("1"),
                                                    .acl = {.count = 0},
                                                    .ephemeral = ephemeral,
                                                    .parent_cversion = 1});
    return b;
}

static struct buf set_txn(int64_t zxid, int32_t cxid, const char *path, int32_t version)
{
    struct buf b = header(zxid, cxid, ZK_OP_SET_DATA);
    rec_put_set_data_txn(&b, &(struct rec_set_data_txn){.path = slice_str(path),
                                                        .data = slice_str("2"),
                                                        .version = version});
    return b;
}

static struct buf session_txn(int64_t zxid, int32_t type, int32_t cxid)
{
    struct buf b = header(zxid, cxid, type);
    if (type == ZK_OP_CREATE_SESSION)
        rec_put_create_session_txn(&b, &(struct rec_create_session_txn){.time_out = 1000});
    return b;
}

/* In the log of a server, and on its disk. */
static void log_it(struct fixture *f, int server, int64_t zxid, struct buf txn)
{
    struct server *v = &f->w.servers[server];
    check_appended(&f->w, v, zxid, buf_slice(&txn));
    zxids_push(&v->disk.log, zxid);
    buf_deinit(&txn);
}

static void log_on_two(struct fixture *f, int64_t zxid, struct buf txn)
{
    struct buf copy = {0};
    buf_put_slice(&copy, buf_slice(&txn));
    log_it(f, 0, zxid, txn);
    log_it(f, 1, zxid, copy);
}

static void commit_on_two(struct fixture *f, int64_t zxid, struct buf txn)
{
    log_on_two(f, zxid, txn);
    check_applied(&f->w, &f->w.servers[0], zxid);
}

static int64_t z(int64_t epoch, uint32_t counter)
{
    return zxid_make(epoch, counter);
}

/* ---- check_log.c ---- */

static void a_zxid_is_one_transaction(void **state)
{
    struct fixture *f = *state;
    log_it(f, 0, z(1, 1), create_txn(z(1, 1), 1, "/a", false));
    log_it(f, 1, z(1, 1), create_txn(z(1, 1), 1, "/a", false));
    holds(f);
    log_it(f, 2, z(1, 1), create_txn(z(1, 1), 1, "/b", false));
    fails_with(f, "another transaction as 1.1");
}

static void a_log_has_no_hole(void **state)
{
    struct fixture *f = *state;
    for (uint32_t i = 1; i <= 3; i++)
        log_it(f, 0, z(1, i), create_txn(z(1, i), 1, "/a", false));
    log_it(f, 1, z(1, 1), create_txn(z(1, 1), 1, "/a", false));
    log_it(f, 1, z(1, 3), create_txn(z(1, 3), 1, "/a", false));
    fails_with(f, "logs 1.3 behind 1.1; elsewhere it stands behind 1.2");
}

static void a_log_goes_forward(void **state)
{
    struct fixture *f = *state;
    log_it(f, 0, z(1, 2), create_txn(z(1, 2), 1, "/a", false));
    log_it(f, 0, z(1, 1), create_txn(z(1, 1), 1, "/a", false));
    fails_with(f, "logs 1.1 behind 1.2");
}

static void what_is_committed_is_on_a_quorum(void **state)
{
    struct fixture *f = *state;
    log_it(f, 0, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    check_applied(&f->w, &f->w.servers[0], z(1, 1));
    fails_with(f, "only 1 disks hold it");
}

static void what_is_committed_stays_on_a_quorum(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    holds(f);
    zxids_cut(&f->w.servers[1].disk.log, 0);
    check_disk_shrunk(&f->w, &f->w.servers[1]);
    fails_with(f, "after a disk was changed only 1 disks");
}

/* A snapshot stands for the transactions it is made of, and only for those. */
static void a_snapshot_holds_its_own_history(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    log_it(f, 2, z(2, 1), create_txn(z(2, 1), 1, "/other", false));
    struct disk *d = &f->w.servers[0].disk;
    d->snapshot_count = 1;
    d->snapshots[0].zxid = z(2, 1);
    assert_false(disk_holds(&f->w, d, z(1, 1)));
    d->snapshots[0].zxid = z(1, 1);
    assert_true(disk_holds(&f->w, d, z(1, 1)));
    d->snapshot_count = 0;
}

static void only_what_is_committed_is_served(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(2, 1), create_txn(z(2, 1), 1, "/a", false));
    holds(f);
    f->w.servers[2].log.count = 0;
    log_it(f, 2, z(1, 2), create_txn(z(1, 2), 2, "/b", false));
    check_applied(&f->w, &f->w.servers[2], z(1, 2));
    fails_with(f, "serves 1.2, which is not committed");
}

static void committed_prefixes_agree(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 1, "/a", false));
    f->w.servers[2].base = 0;
    log_it(f, 2, z(3, 1), create_txn(z(3, 1), 2, "/b", false));
    log_it(f, 0, z(4, 1), create_txn(z(4, 1), 3, "/c", false));
    holds(f);
    check_applied(&f->w, &f->w.servers[2], z(3, 1));
    fails_with(f, "applies 3.1 behind 0.0; committed was 1.2");
}

static void a_learner_waits_for_its_leader(void **state)
{
    struct fixture *f = *state;
    check_waits(&f->w, &f->w.servers[0], NODE_INSTALLED, z(1, 1), z(1, 5));
    check_waits(&f->w, &f->w.servers[0], NODE_DURABLE, z(1, 1), z(1, 1));
    holds(f);
    check_waits(&f->w, &f->w.servers[0], NODE_DURABLE, z(1, 1), z(1, 2));
    fails_with(f, "before its leader serves");
}

static void alone_what_was_applied_survives(void **state)
{
    struct fixture *f = *state;
    f->w.profile.alone = true;
    quorum_free(f->w.history.config);
    f->w.history.config = NULL;
    f->w.server_count = 1;
    log_it(f, 0, z(0, 1), session_txn(z(0, 1), ZK_OP_CREATE_SESSION, 0));
    check_applied(&f->w, &f->w.servers[0], z(0, 1));
    holds(f);
    zxids_cut(&f->w.servers[0].disk.log, 0);
    check_crashed(&f->w, &f->w.servers[0]);
    fails_with(f, "is not on the disk after a crash");
    f->w.server_count = 3;
}

/* ---- check_leaders.c, check_digest.c ---- */

static void an_epoch_has_one_leader(void **state)
{
    struct fixture *f = *state;
    check_established(&f->w, &f->w.servers[0], 1);
    holds(f);
    check_established(&f->w, &f->w.servers[1], 1);
    fails_with(f, "epoch 1 is established by server 2, after server 1");
}

static void a_leader_has_what_is_committed(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    check_established(&f->w, &f->w.servers[1], 2);
    holds(f);
    check_established(&f->w, &f->w.servers[2], 3);
    fails_with(f, "lacks 1.1, which is committed");
}

static void an_epoch_on_disk_has_its_history(void **state)
{
    struct fixture *f = *state;
    log_it(f, 0, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    check_leading(&f->w, &f->w.servers[0], 2);
    check_epoch_written(&f->w, &f->w.servers[0], 2);
    holds(f);
    check_epoch_written(&f->w, &f->w.servers[1], 2);
    fails_with(f, "has epoch 2 on its disk, and not 1.1");
}

static void equal_zxids_have_equal_digests(void **state)
{
    struct fixture *f = *state;
    check_digest(&f->w, &f->w.servers[0], z(1, 1), 5);
    check_digest(&f->w, &f->w.servers[1], z(1, 1), 5);
    holds(f);
    check_digest(&f->w, &f->w.servers[1], z(1, 1), 6);
    fails_with(f, "has digest 6 at 1.1; it was 5");
}

/* ---- the model ---- */

static void a_request_is_done_once(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 1, "/a", false));
    holds(f);
    commit_on_two(f, z(1, 3), create_txn(z(1, 3), 1, "/b", false));
    fails_with(f, "is a request that was committed before");
}

static void a_session_is_done_in_its_order(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 5, "/a", false));
    commit_on_two(f, z(1, 3), create_txn(z(1, 3), 4, "/b", false));
    fails_with(f, "overtook a later write");
}

static void a_version_follows_another(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 1, "/a", false));
    commit_on_two(f, z(1, 3), set_txn(z(1, 3), 2, "/a", 1));
    holds(f);
    commit_on_two(f, z(1, 4), set_txn(z(1, 4), 3, "/a", 3));
    fails_with(f, "skips a version");
}

static void an_ephemeral_needs_a_session(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 1, "/e", true));
    commit_on_two(f, z(1, 3), session_txn(z(1, 3), ZK_OP_CLOSE_SESSION, 0));
    holds(f);
    const struct state *s =
        model_at(&f->w.history, model_find(&f->w.history, slice_str("/e")), z(1, 3));
    assert_false(s->exists);
    commit_on_two(f, z(1, 4), create_txn(z(1, 4), 2, "/f", true));
    fails_with(f, "session that is over");
}

static void a_session_expires_once(void **state)
{
    struct fixture *f = *state;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), session_txn(z(1, 2), ZK_OP_CLOSE_SESSION, 0));
    holds(f);
    commit_on_two(f, z(1, 3), session_txn(z(1, 3), ZK_OP_CLOSE_SESSION, 0));
    fails_with(f, "ends a session that is over");
}

/* ---- clients ---- */

static struct sim_client *some_client(struct fixture *f)
{
    struct sim_client *c = &f->w.clients[0];
    c->session_id = SESSION;
    c->server = 0;
    c->timeout_ms = c->timeout_ms_min = 1000;
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    commit_on_two(f, z(1, 2), create_txn(z(1, 2), 1, "/k1", false));
    return c;
}

static struct sim_request asked(struct fixture *f, int32_t op, int32_t xid)
{
    struct sim_request r = {.op = op, .xid = xid, .path = 1};
    check_write_sent(&f->w, &r);
    return r;
}

static void write_is_answered(struct fixture *f, const struct sim_request *r, int64_t zxid,
                              int32_t err)
{
    struct rec_reply_header h = {.xid = r->xid, .zxid = zxid, .err = err};
    check_write_answered(&f->w, &f->w.clients[0], r, &h, dec_of(slice_str("")));
}

static void an_acknowledged_write_is_committed(void **state)
{
    struct fixture *f = *state;
    some_client(f);
    struct sim_request known = asked(f, ZK_OP_CREATE, 1), unknown = asked(f, ZK_OP_CREATE, 2);
    write_is_answered(f, &known, z(1, 2), 0);
    write_is_answered(f, &unknown, z(1, 2), ZK_SESSIONEXPIRED);
    holds(f);
    write_is_answered(f, &unknown, z(1, 3), 0);
    fails_with(f, "is acknowledged and not committed");
}

static void the_answer_to_a_write_is_true(void **state)
{
    struct fixture *f = *state;
    some_client(f);
    struct sim_request r = asked(f, ZK_OP_CREATE, 1);
    write_is_answered(f, &r, z(1, 2), ZK_NODEEXISTS);
    fails_with(f, "what was committed says 0");
    write_is_answered(f, &r, z(1, 1), 0);
    fails_with(f, "is answered with zxid 1.1");
}

static void writes_are_linearizable(void **state)
{
    struct fixture *f = *state;
    some_client(f);
    commit_on_two(f, z(1, 3), create_txn(z(1, 3), 2, "/k2", false));
    struct sim_request first = asked(f, ZK_OP_CREATE, 2);
    write_is_answered(f, &first, z(1, 3), 0);
    struct sim_request late = asked(f, ZK_OP_CREATE, 1);
    write_is_answered(f, &late, z(1, 2), 0);
    fails_with(f, "became 1.2, after 1.3 had been acknowledged");
}

static void a_session_does_not_go_back(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_zxid_seen(&f->w, c, z(1, 2));
    holds(f);
    check_zxid_seen(&f->w, c, z(1, 1));
    fails_with(f, "goes back from 1.2 to 1.1");
}

static void nothing_uncommitted_is_shown(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_zxid_seen(&f->w, c, z(1, 3));
    fails_with(f, "is shown 1.3; committed is 1.2");
}

static void read_is_answered(struct fixture *f, int64_t zxid, const char *data, int64_t czxid,
                             int32_t err)
{
    struct sim_request r = asked(f, ZK_OP_GET_DATA, 9);
    struct rec_reply_header h = {.xid = 9, .zxid = zxid, .err = err};
    struct buf body = {0};
    struct rec_get_data_response rsp = {.data = slice_str(data),
                                        .stat = {.czxid = czxid, .mzxid = czxid, .pzxid = czxid}};
    rec_put_get_data_response(&body, &rsp);
    check_read_answered(&f->w, &f->w.clients[0], &r, &h, dec_of(buf_slice(&body)));
    buf_deinit(&body);
}

static void a_read_shows_what_was_there(void **state)
{
    struct fixture *f = *state;
    some_client(f);
    read_is_answered(f, z(1, 2), "1", z(1, 2), 0);
    read_is_answered(f, z(1, 1), "", 0, ZK_NONODE);
    holds(f);
    read_is_answered(f, z(1, 2), "3", z(1, 2), 0);
    fails_with(f, "other data than was written");
    read_is_answered(f, z(1, 2), "1", z(1, 1), 0);
    fails_with(f, "another Stat than it has");
    read_is_answered(f, z(1, 2), "", 0, ZK_NONODE);
    fails_with(f, "is there, and is not found");
    read_is_answered(f, z(1, 1), "1", z(1, 2), 0);
    fails_with(f, "is found, and is not there");
}

static void a_sync_brings_what_was_acknowledged(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    struct sim_request w = asked(f, ZK_OP_CREATE, 1);
    write_is_answered(f, &w, z(1, 2), 0);
    struct sim_request sync = asked(f, ZK_OP_SYNC, 2);
    struct rec_reply_header h = {.xid = 2, .zxid = z(1, 2)};
    check_sync_answered(&f->w, c, &sync, &h);
    holds(f);
    h.zxid = z(1, 1);
    check_sync_answered(&f->w, c, &sync, &h);
    fails_with(f, "a sync is answered at 1.1; 1.2 had been acknowledged");
}

/* ---- watches ---- */

static void an_event_comes_before_the_data(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_watch_set(c, 1, ON_DATA, z(1, 2));
    check_watches_spoke(&f->w, c, z(1, 2));
    commit_on_two(f, z(1, 3), set_txn(z(1, 3), 2, "/k1", 1));
    holds(f);
    check_watches_spoke(&f->w, c, z(1, 3));
    fails_with(f, "its watch of /k1 has not told of 1.3");
    check_watch_event(&f->w, c, z(1, 3), ZK_EVENT_NODE_DATA_CHANGED, slice_str("/k1"));
    check_watches_spoke(&f->w, c, z(1, 3));
    holds(f);
}

static void an_event_tells_what_happened(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_watch_set(c, 1, ON_DATA, z(1, 2));
    check_watch_event(&f->w, c, z(1, 2), ZK_EVENT_NODE_DATA_CHANGED, slice_str("/k1"));
    fails_with(f, "nothing changed since 1.2");
    commit_on_two(f, z(1, 3), set_txn(z(1, 3), 2, "/k1", 1));
    check_watch_set(c, 1, ON_DATA, z(1, 2));
    check_watch_event(&f->w, c, z(1, 3), ZK_EVENT_NODE_DELETED, slice_str("/k1"));
    fails_with(f, "event 3 is what happened");
    check_watch_set(c, 1, ON_DATA, z(1, 2));
    check_watch_event(&f->w, c, z(1, 2), ZK_EVENT_NODE_DATA_CHANGED, slice_str("/k1"));
    fails_with(f, "says zxid 1.2; it happened at 1.3");
}

static void an_event_comes_once(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_watch_set(c, 1, ON_DATA, z(1, 2));
    commit_on_two(f, z(1, 3), set_txn(z(1, 3), 2, "/k1", 1));
    check_watch_event(&f->w, c, z(1, 3), ZK_EVENT_NODE_DATA_CHANGED, slice_str("/k1"));
    holds(f);
    check_watch_event(&f->w, c, z(1, 3), ZK_EVENT_NODE_DATA_CHANGED, slice_str("/k1"));
    fails_with(f, "which it does not watch");
}

static void a_persistent_watch_misses_nothing(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_persistent_set(&f->w, c, z(1, 2));
    commit_on_two(f, z(1, 3), create_txn(z(1, 3), 2, "/p", false));
    commit_on_two(f, z(1, 4), create_txn(z(1, 4), 3, "/p/a", false));
    check_watch_event(&f->w, c, z(1, 4), ZK_EVENT_NODE_CREATED, slice_str("/p/a"));
    fails_with(f, "which it does not watch"); /* /p comes first */
    check_watch_event(&f->w, c, z(1, 3), ZK_EVENT_NODE_CREATED, slice_str("/p"));
    check_watches_spoke(&f->w, c, z(1, 3));
    holds(f);
    check_watches_spoke(&f->w, c, z(1, 4));
    fails_with(f, "its persistent watch has not told of 1.4");
}

static void a_renewed_watch_compares(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    struct sim_watch *watch = &c->watches[1][ON_DATA];
    *watch =
        (struct sim_watch){.set = true, .renewed = true, .since = z(1, 2), .relative = z(1, 2)};
    check_watches_renewed(&f->w, c, z(1, 2));
    holds(f);
    commit_on_two(f, z(1, 3), set_txn(z(1, 3), 2, "/k1", 1));
    watch->renewed = true;
    check_watches_renewed(&f->w, c, z(1, 3));
    fails_with(f, "was set again at 1.3 and has told nothing");
}

/* ---- sessions ---- */

static void a_session_lives_while_it_is_heard_of(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    struct server *leader = &f->w.servers[0];
    f->w.now_ns = 100000000000;
    check_closing(&f->w, leader, SESSION);
    holds(f); /* nobody has heard of it */
    f->w.disturbed_ns = f->w.now_ns - 2000000000;
    c->heard_ns[0] = f->w.now_ns - 650000000;
    c->heard_count = 1;
    check_closing(&f->w, leader, SESSION);
    fails_with(f, "server 1 heard of it 650 ms ago");
    f->w.disturbances = 1;
    check_closing(&f->w, leader, SESSION);
    holds(f);
}

static void a_new_leader_gives_time(void **state)
{
    struct fixture *f = *state;
    some_client(f);
    f->w.now_ns = 100000000000;
    f->w.servers[0].established_ns = f->w.now_ns - 500000000;
    check_closing(&f->w, &f->w.servers[0], SESSION);
    fails_with(f, "500 ms after it began to lead");
}

static void a_living_session_is_not_refused(void **state)
{
    struct fixture *f = *state;
    struct sim_client *c = some_client(f);
    check_told_expired(&f->w, c);
    fails_with(f, "nobody has ended it");
    numbers_put(&f->w.closing, SESSION, 1);
    check_told_expired(&f->w, c);
    holds(f);
    c->session_id = SESSION + 1;
    check_told_expired(&f->w, c);
    fails_with(f, "which was never committed");
}

/* ---- progress ---- */

static void a_member_that_is_down_is_no_progress(void **state)
{
    struct fixture *f = *state;
    assert_false(check_settled(&f->w));
    check_not_settled(&f->w, "the servers do not reach one state");
    fails_with(f, "1 is down");
}

static void a_tree_is_what_was_written(void **state)
{
    struct fixture *f = *state;
    f->w.profile.alone = true;
    f->w.server_count = 1;
    f->w.queue.next_seq = 0;
    server_start(&f->w, &f->w.servers[0]);
    check_final_state(&f->w);
    holds(f);
    commit_on_two(f, z(1, 1), session_txn(z(1, 1), ZK_OP_CREATE_SESSION, 0));
    f->w.violation[0] = 0;
    struct buf txn = create_txn(z(1, 2), 1, "/a", false);
    struct entry *e = history_add(&f->w.history, z(1, 2), z(1, 1), buf_slice(&txn));
    assert_null(history_commit(&f->w.history, e));
    buf_deinit(&txn);
    check_final_state(&f->w);
    fails_with(f, "server 1 has another / than was written"); /* it lacks a child */
    f->w.server_count = 3;
}

#define CLAIM(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(a_zxid_is_one_transaction),
        CLAIM(a_log_has_no_hole),
        CLAIM(a_log_goes_forward),
        CLAIM(what_is_committed_is_on_a_quorum),
        CLAIM(what_is_committed_stays_on_a_quorum),
        CLAIM(a_snapshot_holds_its_own_history),
        CLAIM(only_what_is_committed_is_served),
        CLAIM(committed_prefixes_agree),
        CLAIM(a_learner_waits_for_its_leader),
        CLAIM(alone_what_was_applied_survives),
        CLAIM(an_epoch_has_one_leader),
        CLAIM(a_leader_has_what_is_committed),
        CLAIM(an_epoch_on_disk_has_its_history),
        CLAIM(equal_zxids_have_equal_digests),
        CLAIM(a_request_is_done_once),
        CLAIM(a_session_is_done_in_its_order),
        CLAIM(a_version_follows_another),
        CLAIM(an_ephemeral_needs_a_session),
        CLAIM(a_session_expires_once),
        CLAIM(an_acknowledged_write_is_committed),
        CLAIM(the_answer_to_a_write_is_true),
        CLAIM(writes_are_linearizable),
        CLAIM(a_session_does_not_go_back),
        CLAIM(nothing_uncommitted_is_shown),
        CLAIM(a_read_shows_what_was_there),
        CLAIM(a_sync_brings_what_was_acknowledged),
        CLAIM(an_event_comes_before_the_data),
        CLAIM(an_event_tells_what_happened),
        CLAIM(an_event_comes_once),
        CLAIM(a_persistent_watch_misses_nothing),
        CLAIM(a_renewed_watch_compares),
        CLAIM(a_session_lives_while_it_is_heard_of),
        CLAIM(a_new_leader_gives_time),
        CLAIM(a_living_session_is_not_refused),
        CLAIM(a_member_that_is_down_is_no_progress),
        CLAIM(a_tree_is_what_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
