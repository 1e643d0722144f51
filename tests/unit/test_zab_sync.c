/* links: zab */
/* What a learner gets, case by case of LearnerHandler.syncFollower and queueCommittedProposals, and
 * what goes on meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "wire/zxid.h"
#include "zab_kit.h"

/* A leader of `epoch` that has served, over a log whose end is remembered; learner 1 serves. */
struct past {
    int64_t epoch;              /* the one it leads in now */
    const int64_t *history;     /* before that, 0 ends it */
    int committed, outstanding; /* proposals of this epoch */
    bool no_log_sync;
    bool discovery; /* not established: learner 1 has not acknowledged */
};

static const int64_t two_epochs[] = {0x100000003, 0x100000004, 0x100000005,
                                     0x200000001, 0x200000002, 0};

static struct kit *leader_with(struct past p)
{
    struct kit *k = kit_create((struct kit_options){.voters = 3,
                                                    .observers = 2,
                                                    .sid = 3,
                                                    .accepted_epoch = p.epoch - 1,
                                                    .current_epoch = p.epoch - 1,
                                                    .no_log_sync = p.no_log_sync});
    int64_t last = 0;
    for (int i = 0; p.history != NULL && p.history[i] != 0; i++)
        remember(k, last = p.history[i]);
    zab_lead(k->z, last, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, p.epoch - 1, 0);
    all_durable(k);
    ackepoch_in(k, 1, (int32_t)p.epoch - 1, last);
    all_durable(k);
    if (!p.discovery)
        plain_in(k, 1, 3, zx(p.epoch, 0));
    for (int i = 1; i <= p.committed + p.outstanding; i++) {
        propose(k, zx(p.epoch, (uint32_t)i));
        all_durable(k);
        if (i <= p.committed)
            plain_in(k, 1, 3, zx(p.epoch, (uint32_t)i));
    }
    k->tree_zxid = zab_serving(k->z) ? zab_committed(k->z) : last;
    forget(k);
    return k;
}

/* The config text in NEWLEADER is looked at elsewhere. */
static const char *without_config(struct kit *k)
{
    static char text[1 << 20];
    size_t at = 0;
    buf_put_u8(&k->log, 0);
    for (const char *line = (const char *)k->log.ptr; *line != 0;) {
        const char *end = strchr(line, '\n');
        size_t len = (size_t)(end - line);
        const char *config = strstr(line, "NEWLEADER ");
        if (config != NULL && config < end)
            len = (size_t)(strchr(config + 10, ' ') - line);
        memcpy(text + at, line, len);
        at += len;
        text[at++] = '\n';
        line = end + 1;
    }
    text[at] = 0;
    forget(k);
    return text;
}

static void expect_text(const char *got, const char *wanted, int line)
{
    if (strcmp(got, wanted) == 0)
        return;
    print_error("line %d\n--- wanted\n%s--- got\n%s---\n", line, wanted, got);
    fail();
}

#define expect_sync(k, wanted) expect_text(without_config(k), wanted, __LINE__)

static void sync_learner(struct kit *k, uint64_t link, int64_t sid, bool observer, int64_t peer)
{
    link_in(k, link);
    info_in(k, link, observer, sid, zab_accepted_epoch(k->z) - 1, 0);
    forget(k);
    ackepoch_in(k, link, (int32_t)zab_accepted_epoch(k->z) - 1, peer);
}

/* ---- the table ---- */

static void each_case_of_syncfollower(void **state)
{
    (void)state;
    struct past before = {.epoch = 3, .history = two_epochs, .discovery = true};
    struct past served = {.epoch = 3, .history = two_epochs, .committed = 2};
    struct past idle = {.epoch = 3, .history = two_epochs};
    struct past no_log = {.epoch = 3, .history = two_epochs, .committed = 2, .no_log_sync = true};
    struct past empty = {.epoch = 1, .discovery = true};
    static const int64_t long_ago[] = {0x100000005, 0x100000006, 0};
    struct past one_epoch = {.epoch = 2, .history = long_ago, .discovery = true};

    const struct {
        const char *what;
        const struct past *past;
        int64_t peer;
        const char *wanted;
    } cases[] = {
        {"2: in sync already", &before, 0x200000002, "2< DIFF 200000002\n2< NEWLEADER 300000000\n"},
        {"2: everybody is empty", &empty, 0, "2< DIFF 0\n2< NEWLEADER 100000000\n"},
        {"2: in sync with the start of our epoch", &idle, 0x300000000,
         "2< DIFF 300000000\n2< NEWLEADER 300000000\n"},
        {"3: it has more of the last epoch", &before, 0x200000007,
         "2< TRUNC 200000002\n2< NEWLEADER 300000000\n"},
        {"3: ... and we serve", &served, 0x300000007,
         "2< TRUNC 300000002\n2< NEWLEADER 300000000\n"},
        {"3: ... of an epoch we know nothing of", &one_epoch, 0x200000009,
         "2< TRUNC 100000006\n2< NEWLEADER 200000000\n"},
        {"3: the start of an epoch is never truncated", &before, 0x300000000,
         "picture begins\n2< SNAP 200000002\n2< <tree\nwant room 2\n"},
        {"4: in the window", &before, 0x200000001,
         "2< DIFF 200000002\n2< PROPOSAL 200000002 ..\n2< COMMIT 200000002\n"
         "2< NEWLEADER 300000000\n"},
        {"4: at its beginning", &before, 0x100000003,
         "2< DIFF 200000002\n"
         "2< PROPOSAL 100000004 ..\n2< COMMIT 100000004\n"
         "2< PROPOSAL 100000005 ..\n2< COMMIT 100000005\n"
         "2< PROPOSAL 200000001 ..\n2< COMMIT 200000001\n"
         "2< PROPOSAL 200000002 ..\n2< COMMIT 200000002\n"
         "2< NEWLEADER 300000000\n"},
        {"4: ... and we serve: the last transaction is the end, not the epoch", &idle, 0x200000002,
         "2< DIFF 200000002\n2< NEWLEADER 300000000\n"},
        {"4: at the start of an epoch in the middle", &before, 0x200000000,
         "2< DIFF 200000002\n"
         "2< PROPOSAL 200000001 ..\n2< COMMIT 200000001\n"
         "2< PROPOSAL 200000002 ..\n2< COMMIT 200000002\n"
         "2< NEWLEADER 300000000\n"},
        {"4: a tail that is not ours, the next epoch behind it: no TRUNC across epochs", &before,
         0x100000007, "picture begins\n2< SNAP 200000002\n2< <tree\nwant room 2\n"},
        {"5: before the window", &served, 0x100000001, "read log for 2: (100000001, 100000002]\n"},
        {"5: ... without log files", &no_log, 0x100000001,
         "picture begins\n2< SNAP 300000002\n2< <tree\nwant room 2\n"},
        {"an empty learner", &served, 0,
         "picture begins\n2< SNAP 300000002\n2< <tree\nwant room 2\n"},
        {"a zxid that is none", &served, -1,
         "picture begins\n2< SNAP 300000002\n2< <tree\nwant room 2\n"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct kit *k = leader_with(*cases[i].past);
        sync_learner(k, 2, 2, false, cases[i].peer);
        const char *got = without_config(k);
        /* A leader that is not established applies its history before it shows its tree. */
        if (strncmp(got, "commit ", 7) == 0)
            got = strchr(got, '\n') + 1;
        if (strcmp(got, cases[i].wanted) != 0)
            print_error("%s\n", cases[i].what);
        expect_text(got, cases[i].wanted, __LINE__);
        kit_free(k);
    }
}

/* ---- the log files ---- */

static void log_answer(struct kit *k, enum zab_log_read how, const int64_t *zxids, size_t count)
{
    struct buf b = {0};
    for (size_t i = 0; i < count; i++) {
        uint8_t entry[36];
        rec_put_slice(&b, txn_bytes(entry, zxids[i]));
    }
    zab_log_read(k->z, 2, buf_slice(&b), how);
    settle(k);
    buf_deinit(&b);
}

static struct kit *reading_for(int64_t peer)
{
    struct kit *k = leader_with((struct past){.epoch = 3, .history = two_epochs, .committed = 1});
    sync_learner(k, 2, 2, false, peer);
    forget(k);
    return k;
}

#define ZXIDS(...)                                                                                 \
    (const int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)

static const char the_window[] = "2< PROPOSAL 100000003 ..\n2< COMMIT 100000003\n"
                                 "2< PROPOSAL 100000004 ..\n2< COMMIT 100000004\n"
                                 "2< PROPOSAL 100000005 ..\n2< COMMIT 100000005\n"
                                 "2< PROPOSAL 200000001 ..\n2< COMMIT 200000001\n"
                                 "2< PROPOSAL 200000002 ..\n2< COMMIT 200000002\n"
                                 "2< PROPOSAL 300000001 ..\n2< COMMIT 300000001\n"
                                 "2< NEWLEADER 300000000\n";

static void expect_then_window(struct kit *k, const char *before, int line)
{
    char wanted[4000];
    snprintf(wanted, sizeof wanted, "%s%s", before, the_window);
    expect_text(without_config(k), wanted, line);
}

static void what_it_lacks_comes_from_the_files_and_then_from_the_window(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x100000001);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000001, 0x100000002));
    expect_then_window(k,
                       "2< DIFF 300000001\n"
                       "2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n",
                       __LINE__);
    kit_free(k);
}

static void the_files_may_begin_with_an_older_one(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x100000001);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x4f, 0x100000001, 0x100000002));
    expect_then_window(k,
                       "2< DIFF 300000001\n"
                       "2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n",
                       __LINE__);
    kit_free(k);
}

static void the_files_come_in_pieces_as_there_is_room(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x7f);
    log_answer(k, ZAB_LOG_MORE, ZXIDS(0x7f, 0x80, 0x81));
    expect_sync(k, "2< DIFF 300000001\n"
                   "2< PROPOSAL 80 ..\n2< COMMIT 80\n2< PROPOSAL 81 ..\n2< COMMIT 81\n"
                   "want room 2\n");
    zab_link_room(k->z, 2);
    expect_sync(k, "read log for 2: (81, 100000002]\n");
    log_answer(k, ZAB_LOG_END, ZXIDS(0x81, 0x100000001, 0x100000002));
    expect_then_window(k,
                       "2< PROPOSAL 100000001 ..\n2< COMMIT 100000001\n"
                       "2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n",
                       __LINE__);
    kit_free(k);
}

static void a_tail_that_is_not_ours_is_truncated_by_the_files(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x85);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x80, 0x86, 0x100000002));
    expect_then_window(k,
                       "2< TRUNC 80\n"
                       "2< PROPOSAL 86 ..\n2< COMMIT 86\n"
                       "2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n",
                       __LINE__);
    kit_free(k);
}

static void files_that_do_not_help_are_followed_by_snap(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x100000001);
    log_answer(k, ZAB_LOG_MISSING, NULL, 0);
    expect_sync(k, "picture begins\n2< SNAP 300000001\n2< <tree\nwant room 2\n");
    kit_free(k);

    k = reading_for(0x100000001); /* they begin behind it */
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000002));
    expect_sync(k, "picture begins\n2< SNAP 300000001\n2< <tree\nwant room 2\n");
    kit_free(k);

    k = reading_for(0x85); /* TRUNC would lead across an epoch */
    log_answer(k, ZAB_LOG_END, ZXIDS(0x80, 0x100000002));
    expect_sync(k, "picture begins\n2< SNAP 300000001\n2< <tree\nwant room 2\n");
    kit_free(k);
}

static void the_start_of_an_epoch_is_found_between_transactions(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x100000000);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x85, 0x100000001, 0x100000002));
    expect_then_window(k,
                       "2< DIFF 300000001\n"
                       "2< PROPOSAL 100000001 ..\n2< COMMIT 100000001\n"
                       "2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n",
                       __LINE__);
    kit_free(k);
}

/* The window moves on while files are read: they are read further. */
static void the_window_may_run_away_from_the_files(void **state)
{
    (void)state;
    struct kit *k = kit_create(
        (struct kit_options){.voters = 3, .sid = 3, .window_bytes = 1, .commit_log_count = 2});
    zab_lead(k->z, 0, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    all_durable(k);
    ackepoch_in(k, 1, 0, 0);
    all_durable(k);
    plain_in(k, 1, 3, zx(1, 0));
    for (uint32_t i = 1; i <= 4; i++) {
        propose(k, zx(1, i));
        all_durable(k);
        plain_in(k, 1, 3, zx(1, i));
    }
    sync_learner(k, 2, 2, false, zx(1, 1));
    expect_sync(k, "read log for 2: (100000001, 100000002]\n");
    propose(k, zx(1, 5));
    all_durable(k);
    plain_in(k, 1, 3, zx(1, 5));
    forget(k);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000001, 0x100000002));
    expect_sync(k, "2< DIFF 100000005\n2< PROPOSAL 100000002 ..\n2< COMMIT 100000002\n"
                   "read log for 2: (100000002, 100000003]\n");
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000002, 0x100000003));
    expect_sync(k, "2< PROPOSAL 100000003 ..\n2< COMMIT 100000003\n"
                   "2< PROPOSAL 100000004 ..\n2< COMMIT 100000004\n"
                   "2< PROPOSAL 100000005 ..\n2< COMMIT 100000005\n"
                   "2< NEWLEADER 100000000\n");
    kit_free(k);
}

static void files_that_are_not_asked_for_are_nobodys(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x100000001);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000001, 0x100000002));
    forget(k);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x100000001, 0x100000002));
    zab_log_read(k->z, 77, slice_str("garbage"), ZAB_LOG_END);
    expect_sync(k, "");
    kit_free(k);

    k = reading_for(0x100000001); /* what the host cannot mean is taken as missing */
    zab_log_read(k->z, 2, slice_of("\0\0\0\3abc", 7), ZAB_LOG_END);
    expect_sync(k, "picture begins\n2< SNAP 300000001\n2< <tree\nwant room 2\n");
    kit_free(k);
}

static void a_hole_in_the_files_sends_everything_the_next_time(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x7f);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x7f, 0x80, 0x82, 0x100000002));
    expect_sync(k, "2< DIFF 300000001\n"
                   "disconnect 2: gap between the log files and the window\n");
    kit_free(k);
}

/* A DIFF that broke off cannot be taken back: the learner comes again and gets everything. */
static void a_gap_behind_the_files_sends_everything_the_next_time(void **state)
{
    (void)state;
    struct kit *k = reading_for(0x7f);
    log_answer(k, ZAB_LOG_END, ZXIDS(0x7f, 0x80));
    expect_sync(k, "2< DIFF 300000001\n2< PROPOSAL 80 ..\n2< COMMIT 80\n"
                   "disconnect 2: gap between the log files and the window\n");
    sync_learner(k, 5, 2, false, 0x80);
    expect_sync(k, "picture begins\n5< SNAP 300000001\n5< <tree\nwant room 5\n");
    kit_free(k);
}

/* ---- the tree ---- */

static void a_snapshot_is_followed_by_what_came_meanwhile(void **state)
{
    (void)state;
    struct kit *k = leader_with((struct past){.epoch = 3, .history = two_epochs, .committed = 1});
    sync_learner(k, 2, 2, false, 0);
    expect_sync(k, "picture begins\n2< SNAP 300000001\n2< <tree\nwant room 2\n");
    propose(k, zx(3, 2));
    all_durable(k);
    plain_in(k, 1, 3, zx(3, 2));
    propose(k, zx(3, 3)); /* not committed: behind NEWLEADER */
    forget(k);
    zab_link_room(k->z, 2);
    expect_sync(k, "2< -end>\n2< BenWasHere\npicture ends\n"
                   "2< PROPOSAL 300000002 ..\n2< COMMIT 300000002\n"
                   "2< NEWLEADER 300000000\n"
                   "2< PROPOSAL 300000003 ..\n");
    propose(k, zx(3, 4));
    expect_sync(k, "1< PROPOSAL 300000004 ..\n2< PROPOSAL 300000004 ..\n");
    plain_in(k, 2, 3, zx(3, 0));
    expect_sync(k, "2< UPTODATE -1\n");
    plain_in(k, 2, 3, zx(3, 0));
    plain_in(k, 2, 3, zx(3, 3));
    all_durable(k);
    expect_sync(k, "1< COMMIT 300000003\n2< COMMIT 300000003\ncommit 300000003\n");
    kit_free(k);
}

static void two_learners_share_a_walk_and_a_third_has_the_next(void **state)
{
    (void)state;
    struct kit *k = leader_with((struct past){.epoch = 3, .history = two_epochs, .committed = 1});
    k->refuse_picture = true;
    sync_learner(k, 2, 2, false, 0);
    expect_sync(k, "no picture now\n");
    sync_learner(k, 4, 4, true, 0);
    expect_sync(k, "");
    k->refuse_picture = false;
    zab_snapshot_free(k->z);
    expect_sync(k, "picture begins\n2< SNAP 300000001\n4< SNAP 300000001\n"
                   "2< <tree\n4< <tree\nwant room 2\nwant room 4\n");
    sync_learner(k, 5, 5, true, 0);
    expect_sync(k, "");
    zab_link_room(k->z, 2);
    expect_sync(k, "");
    zab_link_room(k->z, 4);
    expect_sync(k, "2< -end>\n2< BenWasHere\n4< -end>\n4< BenWasHere\npicture ends\n"
                   "2< NEWLEADER 300000000\n4< NEWLEADER 300000000\n"
                   "picture begins\n5< SNAP 300000001\n5< <tree\nwant room 5\n");
    zab_link_closed(k->z, 5, k->now_ns);
    expect_sync(k, "picture ends\n");
    kit_free(k);
}

static void who_takes_nothing_of_a_snapshot_does_not_stop_the_others(void **state)
{
    (void)state;
    struct kit *k = leader_with((struct past){.epoch = 3, .history = two_epochs, .committed = 1});
    k->refuse_picture = true;
    sync_learner(k, 2, 2, false, 0);
    sync_learner(k, 4, 4, true, 0);
    k->refuse_picture = false;
    zab_snapshot_free(k->z);
    zab_link_room(k->z, 2);
    forget(k);
    zab_link_closed(k->z, 4, k->now_ns);
    expect_sync(k, "2< -end>\n2< BenWasHere\npicture ends\n2< NEWLEADER 300000000\n");
    kit_free(k);
}

static void observers_wait_outside_when_too_many_are_synchronized(void **state)
{
    (void)state;
    struct kit *k = kit_create(
        (struct kit_options){.voters = 3, .observers = 3, .sid = 3, .snap_syncs_max = 1});
    k->tree_zxid = zx(1, 0);
    zab_lead(k->z, 0, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    all_durable(k);
    ackepoch_in(k, 1, 0, 0);
    all_durable(k);
    plain_in(k, 1, 3, zx(1, 0));
    sync_learner(k, 4, 4, true, 0);
    forget(k);
    sync_learner(k, 5, 5, true, 0);
    expect_sync(k, "disconnect 5: too many concurrent syncs\n");
    sync_learner(k, 2, 2, false, 0); /* followers are needed */
    expect_sync(k, "");
    kit_free(k);
}

/* A picture older than our history could take from the learner what it has acknowledged. */
static void before_establishment_our_history_is_applied_first(void **state)
{
    (void)state;
    struct kit *k =
        leader_with((struct past){.epoch = 3, .history = two_epochs, .discovery = true});
    zab_idle(k->z);
    zab_follow(k->z, 1, 0x200000002, k->now_ns);
    zab_link_open(k->z, 101, false, k->now_ns);
    packet_in(k, 101, 17, zx(4, 0), slice_of("\0\1\0\0", 4));
    all_durable(k);
    plain_in(k, 101, 13, 0x200000002);
    proposal_in(k, 101, 0x300000001);
    zab_idle(k->z);
    zab_lead(k->z, 0x300000001, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, 3, 0);
    all_durable(k);
    forget(k);
    k->tree_zxid = 0x300000001;
    ackepoch_in(k, 1, 3, 0x100000007);
    expect_sync(k, "currentEpoch 5 @6\n"
                   "commit 300000001\n"
                   "picture begins\n1< SNAP 300000001\n1< <tree\nwant room 1\n");
    kit_free(k);
}

/* ---- leaders that proposed nothing ---- */

static void lead_again(struct kit *k, int64_t last_zxid)
{
    zab_lead(k->z, last_zxid, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, zab_accepted_epoch(k->z), 0);
    all_durable(k);
    ackepoch_in(k, 1, (int32_t)zxid_epoch(last_zxid), last_zxid);
    all_durable(k);
    forget(k);
}

static void the_window_outlives_an_epoch_without_a_write(void **state)
{
    (void)state;
    struct kit *k = leader_with((struct past){.epoch = 3, .history = two_epochs});
    zab_idle(k->z);
    lead_again(k, 0x300000000);
    sync_learner(k, 2, 2, false, 0x200000001);
    expect_sync(k, "2< DIFF 200000002\n2< PROPOSAL 200000002 ..\n2< COMMIT 200000002\n"
                   "2< NEWLEADER 400000000\n");
    kit_free(k);
}

/* After a restart nothing shows that the files end where our history does. */
static void the_files_cannot_show_that_an_epoch_without_a_write_follows(void **state)
{
    (void)state;
    struct kit *k = kit_create(
        (struct kit_options){.voters = 3, .sid = 3, .accepted_epoch = 3, .current_epoch = 3});
    lead_again(k, 0x300000000);
    k->tree_zxid = 0x300000000;
    sync_learner(k, 2, 2, false, 0x200000001);
    expect_sync(k, "picture begins\n2< SNAP 300000000\n2< <tree\nwant room 2\n");
    kit_free(k);
}

/* ---- bounds ---- */

static void a_learner_for_which_too_much_is_kept_has_to_come_again(void **state)
{
    (void)state;
    struct kit *k = kit_create((struct kit_options){.voters = 3,
                                                    .sid = 3,
                                                    .window_bytes = 100,
                                                    .commit_log_count = 1,
                                                    .pinned_bytes_max = 1000});
    k->tree_zxid = zx(1, 0);
    zab_lead(k->z, 0, k->now_ns);
    link_in(k, 1);
    info_in(k, 1, false, 1, 0, 0);
    all_durable(k);
    ackepoch_in(k, 1, 0, 0);
    all_durable(k);
    plain_in(k, 1, 3, zx(1, 0));
    sync_learner(k, 2, 2, false, 0);
    for (uint32_t i = 1; i < 18; i++) {
        propose(k, zx(1, i));
        all_durable(k);
        forget(k);
        plain_in(k, 1, 3, zx(1, i));
    }
    forget(k);
    propose(k, zx(1, 18));
    expect_sync(k, "1< PROPOSAL 100000012 ..\n"
                   "disconnect 2: too slow: too much is kept for it\npicture ends\n");
    kit_free(k);
}

/* A long DIFF leaves as there is room. */
static void a_long_window_is_sent_in_bursts(void **state)
{
    (void)state;
    static int64_t history[8001];
    for (int i = 0; i < 8000; i++)
        history[i] = 0x100000001 + i;
    struct kit *k = leader_with((struct past){.epoch = 2, .history = history, .discovery = true});
    sync_learner(k, 2, 2, false, 0x100000001);
    int proposals = 0, rooms = 0;
    bool newleader = false;
    while (!newleader) {
        const char *text = without_config(k);
        newleader = strstr(text, "NEWLEADER") != NULL;
        for (const char *p = text; (p = strstr(p, "PROPOSAL")) != NULL; p++)
            proposals++;
        if (newleader)
            break;
        assert_non_null(strstr(text, "want room 2"));
        rooms++;
        zab_link_room(k->z, 2);
    }
    assert_int_equal(proposals, 7999);
    assert_true(rooms >= 2);
    kit_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_case_of_syncfollower),
        cmocka_unit_test(what_it_lacks_comes_from_the_files_and_then_from_the_window),
        cmocka_unit_test(the_files_may_begin_with_an_older_one),
        cmocka_unit_test(the_files_come_in_pieces_as_there_is_room),
        cmocka_unit_test(a_tail_that_is_not_ours_is_truncated_by_the_files),
        cmocka_unit_test(files_that_do_not_help_are_followed_by_snap),
        cmocka_unit_test(the_start_of_an_epoch_is_found_between_transactions),
        cmocka_unit_test(the_window_may_run_away_from_the_files),
        cmocka_unit_test(files_that_are_not_asked_for_are_nobodys),
        cmocka_unit_test(a_hole_in_the_files_sends_everything_the_next_time),
        cmocka_unit_test(a_gap_behind_the_files_sends_everything_the_next_time),
        cmocka_unit_test(a_snapshot_is_followed_by_what_came_meanwhile),
        cmocka_unit_test(two_learners_share_a_walk_and_a_third_has_the_next),
        cmocka_unit_test(who_takes_nothing_of_a_snapshot_does_not_stop_the_others),
        cmocka_unit_test(observers_wait_outside_when_too_many_are_synchronized),
        cmocka_unit_test(before_establishment_our_history_is_applied_first),
        cmocka_unit_test(the_window_outlives_an_epoch_without_a_write),
        cmocka_unit_test(the_files_cannot_show_that_an_epoch_without_a_write_follows),
        cmocka_unit_test(a_learner_for_which_too_much_is_kept_has_to_come_again),
        cmocka_unit_test(a_long_window_is_sent_in_bursts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
