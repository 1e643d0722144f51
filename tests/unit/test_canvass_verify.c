/* links: canvass */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "canvass/files.h"
#include "canvass/log.h"
#include "canvass/roll.h"
#include "canvass/verify.h"
#include "vote_kit.h"

static const char definition[] =
    "election 1\nid=kit\ntitle=Kit\nallocation=winner\npublish=live\nreplicas=3\ncopies_min=2\n"
    "revisions_max=16\nroll_scale=1/1\nkey=00\n"
    "candidate \"a\" \"A\"\ncandidate \"b\" \"B\"\ncandidate \"c\" \"C\"\n"
    "state NY \"new_york\" \"New York\" electors=28 districts=2 divided=0 roll=20 ballot=7\n";

enum {
    FLIPS = 15 /* of a file, evenly */
};

struct folder {
    char dir[64];
    struct kit_log log;
    struct buf sums;
    struct err err;
};

static void write_file(struct folder *f, const char *name, struct slice bytes)
{
    if (canvass_write(f->dir, name, bytes, &f->sums, &f->err) < 0)
        fail_msg("%s", f->err.text);
}

static void write_roll(struct folder *f)
{
    uint8_t bytes[CANVASS_ROLL_HEADING_BYTES + KIT_VOTERS * CANVASS_ROLL_ENTRY_BYTES];
    struct voters roll = kit_roll();
    canvass_roll_heading("NY", roll.count, bytes);
    for (size_t i = 0; i < roll.count; i++) {
        uint8_t *at = bytes + CANVASS_ROLL_HEADING_BYTES + i * CANVASS_ROLL_ENTRY_BYTES;
        memcpy(at, roll.array[i].pseudonym.bytes, PSEUDONYM_BYTES);
        at[PSEUDONYM_BYTES] = roll.array[i].district;
    }
    voters_deinit(&roll);
    write_file(f, "NY/roll", slice_of(bytes, sizeof bytes));
}

static void write_log(struct folder *f)
{
    struct buf bytes = {0};
    uint8_t heading[LOG_HEADING_BYTES];
    log_heading_encode(&f->log.heading, heading);
    buf_put(&bytes, heading, sizeof heading);
    buf_put_slice(&bytes, buf_slice(&f->log.bytes));
    write_file(f, "NY/log", buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void write_seal(struct folder *f)
{
    const struct recount *r = &f->log.fold;
    struct commit c = {.round = 7,
                       .epoch = 1,
                       .index = r->count.tree.size,
                       .bytes = r->bytes,
                       .batches = r->batches,
                       .chain = r->chain,
                       .root = merkle_root(&r->count.tree),
                       .holders = 3,
                       .sealed = true,
                       .tally = r->count.tally};
    struct buf bytes = {0};
    commit_encode(&c, &bytes);
    write_file(f, "NY/seal", buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void write_sums(struct folder *f)
{
    struct buf none = {0};
    char path[128];
    snprintf(path, sizeof path, "%s/SHA256SUMS", f->dir);
    unlink(path);
    if (canvass_write(f->dir, "SHA256SUMS", buf_slice(&f->sums), &none, &f->err) < 0)
        fail_msg("%s", f->err.text);
    buf_deinit(&none);
}

/* Five votes by four voters. */
static int make_folder(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    struct global g = {.round = 7, .phase = PHASE_CLOSED};
    struct buf bytes = {0};
    char path[128];
    snprintf(f->dir, sizeof f->dir, "/tmp/caucus-canvass-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(path, sizeof path, "%s/NY", f->dir);
    assert_int_equal(mkdir(path, 0755), 0);

    kit_log_init(&f->log);
    sha256_of(definition, strlen(definition), f->log.heading.config.bytes);
    recount_init(&f->log.fold, &f->log.heading, &f->log.voters, KIT_CANDIDATES, 2);
    kit_vote(&f->log, 0, 1);
    kit_vote(&f->log, 1, 1);
    kit_vote(&f->log, 2, 2);
    kit_vote(&f->log, 3, 1);
    kit_vote(&f->log, 3, 0);

    memcpy(g.config.bytes, f->log.heading.config.bytes, SHA256_BYTES);
    write_file(f, "definition.txt", slice_str(definition));
    global_encode(&g, &bytes);
    write_file(f, "global", buf_slice(&bytes));
    buf_deinit(&bytes);
    write_log(f);
    write_roll(f);
    write_seal(f);
    write_sums(f);
    *state = f;
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"definition.txt", "global",  "NY/log",
                                        "NY/roll",        "NY/seal", "SHA256SUMS"};
    struct folder *f = *state;
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/NY", f->dir);
    rmdir(path);
    assert_int_equal(rmdir(f->dir), 0);
    buf_deinit(&f->sums);
    kit_log_deinit(&f->log);
    free(f);
    return 0;
}

static void a_whole_export_is_counted(void **state)
{
    struct folder *f = *state;
    struct canvass *a;
    if (canvass_verify(f->dir, NULL, NULL, &a, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_string_equal(a->states[0].problem, "");
    assert_int_equal(a->wrong, 0);
    assert_int_equal(a->states[0].tally.voters, 4);
    assert_int_equal(tally_votes(&a->states[0].tally, 1), 2);
    assert_int_equal(a->states[0].roll, KIT_VOTERS);
    assert_int_equal(a->nation.electors[1], 28);
    assert_int_equal(a->nation.winner, 1);
    struct hash closing = commit_closing(&a->states[0].seal);
    assert_true(hash_eq(&closing, &a->states[0].closing));
    canvass_free(a);
}

/* ---- a byte that is not as it was ---- */

static struct buf read_file(struct folder *f, const char *name)
{
    struct buf bytes;
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    if (canvass_file_read(path, 1 << 20, &bytes, &f->err) < 0)
        fail_msg("%s", f->err.text);
    return bytes;
}

static void replace_file(struct folder *f, const char *name, struct slice bytes)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    FILE *file = fopen(path, "wb");
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, file), bytes.len);
    assert_int_equal(fclose(file), 0);
}

static bool is_right(struct folder *f)
{
    struct canvass *a;
    if (canvass_verify(f->dir, NULL, NULL, &a, &f->err) < 0)
        return false;
    bool right = a->wrong == 0;
    canvass_free(a);
    return right;
}

/* As somebody would who can change every file of the export. */
static void make_sums_fit(struct folder *f)
{
    static const char *const names[] = {"definition.txt", "global", "NY/log", "NY/roll", "NY/seal"};
    buf_clear(&f->sums);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct hash hash;
        char path[128], text[HASH_TEXT_BYTES];
        snprintf(path, sizeof path, "%s/%s", f->dir, names[i]);
        assert_int_equal(canvass_file_hash(path, &hash, &f->err), 0);
        hash_text(&hash, text);
        buf_printf(&f->sums, "%s  %s\n", text, names[i]);
    }
    write_sums(f);
}

static void flip(struct folder *f, const char *name, size_t at)
{
    struct buf bytes = read_file(f, name);
    bytes.ptr[at] ^= 1;
    replace_file(f, name, buf_slice(&bytes));
    buf_deinit(&bytes);
}

static void no_byte_of_any_file_can_be_changed(void **state)
{
    static const char *const names[] = {"definition.txt", "global",  "NY/log",
                                        "NY/roll",        "NY/seal", "SHA256SUMS"};
    struct folder *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf bytes = read_file(f, names[i]);
        for (size_t at = 0; at < bytes.len; at += 1 + bytes.len / FLIPS) {
            flip(f, names[i], at);
            if (is_right(f))
                fail_msg("byte %zu of %s", at, names[i]);
            flip(f, names[i], at);
        }
        buf_deinit(&bytes);
    }
    assert_true(is_right(f));
}

/* Nor does it help to make the sums fit: what decides is what fits together. */
static void nor_with_sums_that_fit(void **state)
{
    static const char *const names[] = {"definition.txt", "NY/log", "NY/roll"};
    struct folder *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf bytes = read_file(f, names[i]);
        for (size_t at = 0; at < bytes.len; at += 1 + bytes.len / FLIPS) {
            flip(f, names[i], at);
            make_sums_fit(f);
            if (is_right(f))
                fail_msg("byte %zu of %s", at, names[i]);
            flip(f, names[i], at);
        }
        buf_deinit(&bytes);
    }
    make_sums_fit(f);
    assert_true(is_right(f));
}

static void expect_problem(struct folder *f, const char *text)
{
    struct canvass *a;
    make_sums_fit(f);
    if (canvass_verify(f->dir, NULL, NULL, &a, &f->err) < 0)
        fail_msg("%s", f->err.text);
    assert_int_equal(a->wrong, 1);
    if (strstr(a->states[0].problem, text) == NULL)
        fail_msg("'%s', not '%s'", a->states[0].problem, text);
    assert_int_equal(a->nation.electors_open, 28);
    canvass_free(a);
}

static void a_seal_with_another_count_is_told(void **state)
{
    struct folder *f = *state;
    struct buf bytes = read_file(f, "NY/seal");
    struct commit c;
    assert_true(commit_decode(buf_slice(&bytes), &c));
    tally_change(&c.tally, 1, 2, f->log.voters.array[0].district);
    buf_clear(&bytes);
    commit_encode(&c, &bytes);
    replace_file(f, "NY/seal", buf_slice(&bytes));
    buf_deinit(&bytes);
    expect_problem(f, "the count is not the one that was sealed");
}

/* To the first `kept` batches of the log, of a record each. */
static struct loss loss_to(struct folder *f, uint64_t epoch, uint32_t kept)
{
    struct buf bytes = read_file(f, "NY/log");
    size_t batch = BATCH_HEADING_BYTES + RECORD_BYTES + SHA256_BYTES;
    struct loss l = {.epoch = epoch, .from = 10 + epoch, .to = kept, .batches = kept};
    assert_int_equal(bytes.len, LOG_HEADING_BYTES + 5 * batch);
    if (kept > 0)
        memcpy(l.chain.bytes, bytes.ptr + LOG_HEADING_BYTES + kept * batch - SHA256_BYTES,
               SHA256_BYTES);
    else
        sha256_of(bytes.ptr, LOG_HEADING_BYTES, l.chain.bytes);
    buf_deinit(&bytes);
    return l;
}

static void seal_with(struct folder *f, const struct loss *losses, uint32_t count)
{
    struct buf bytes = read_file(f, "NY/seal");
    struct commit c;
    assert_true(commit_decode(buf_slice(&bytes), &c));
    c.epoch = 9;
    c.loss_count = count;
    memcpy(c.losses, losses, count * sizeof *losses);
    buf_clear(&bytes);
    commit_encode(&c, &bytes);
    replace_file(f, "NY/seal", buf_slice(&bytes));
    buf_deinit(&bytes);
    make_sums_fit(f);
}

static void a_loss_leaves_a_log_that_begins_with_what_was_kept(void **state)
{
    struct folder *f = *state;
    struct canvass *a;
    for (uint32_t kept = 0; kept <= 5; kept++) {
        struct loss l = loss_to(f, 2, kept);
        seal_with(f, &l, 1);
        if (canvass_verify(f->dir, NULL, NULL, &a, &f->err) < 0)
            fail_msg("%s", f->err.text);
        assert_string_equal(a->states[0].problem, "");
        assert_int_equal(commit_lost(&a->states[0].seal), 12 - kept);
        canvass_free(a);

        l.chain.bytes[0] ^= 1;
        seal_with(f, &l, 1);
        expect_problem(f, "the log does not begin with what was kept when records were given up");
        l = loss_to(f, 2, kept);
        if (kept == 5)
            continue; /* a seal behind its own end is none, see below */
        l.to++;
        seal_with(f, &l, 1);
        expect_problem(f, "the log does not begin with what was kept when records were given up");
    }
    struct loss none = {.epoch = 2, .from = 12, .to = 6, .batches = 6};
    seal_with(f, &none, 1);
    expect_problem(f, "the seal is none");
}

static void what_a_later_loss_went_behind_is_not_in_the_log(void **state)
{
    struct folder *f = *state;
    struct loss losses[] = {loss_to(f, 2, 4), loss_to(f, 3, 2)};
    losses[0].chain.bytes[0] ^= 1; /* of a log that is no more */
    seal_with(f, losses, 2);
    assert_true(is_right(f));
    losses[1].to = 4, losses[1].batches = 4;
    seal_with(f, losses, 2);
    expect_problem(f, "given up in epoch 2");
}

static void a_batch_that_is_missing_is_told(void **state)
{
    struct folder *f = *state;
    struct buf bytes = read_file(f, "NY/log");
    size_t batch = BATCH_HEADING_BYTES + RECORD_BYTES + SHA256_BYTES;
    replace_file(f, "NY/log", slice_of(bytes.ptr, bytes.len - batch));
    expect_problem(f, "the log has 4 records, and 5 were sealed");
    replace_file(f, "NY/log", slice_of(bytes.ptr, bytes.len - 1));
    expect_problem(f, "no whole batch");
    buf_deinit(&bytes);
}

static void a_candidate_of_another_ballot_is_told(void **state)
{
    struct folder *f = *state;
    struct canvass_definition *d = calloc(1, sizeof *d);
    struct buf text = {0};
    buf_put(&text, definition, strlen(definition));
    memcpy(text.ptr + text.len - 2, "5", 1); /* ballot=5: without b */
    assert_int_equal(canvass_definition_read(buf_slice(&text), d, &f->err), 0);
    assert_int_equal(d->states[0].on_ballot, 5);
    buf_deinit(&text);
    free(d);
}

/* ---- definitions and lists that are none ---- */

static void a_definition_that_is_none_is_refused(void **state)
{
    struct folder *f = *state;
    struct canvass_definition *d = calloc(1, sizeof *d);
    static const char *const wrong[] = {
        "",
        "election 2\n",
        "election 1\n",
        "election 1\ncandidate a\n",
        "election 1\ncandidate \"a\" \"A\"\nstate NY\n",
        "election 1\ncandidate \"a\" \"A\"\nstate ../X \"k\" \"n\" electors=1 districts=1 "
        "divided=0 "
        "roll=1 ballot=1\n",
        "election 1\ncandidate \"a\" \"A\"\nstate NY \"k\" \"n\" electors=1 districts=9 divided=0 "
        "roll=1 ballot=1\n",
        "election 1\ncandidate \"a\" \"A\"\nstate NY \"k\" \"n\" electors=-1 districts=1 divided=0 "
        "roll=1 ballot=1\n",
        "election 1\ncandidate \"a\" \"A\"\nstate NY \"k\" \"n\" electors=1 districts=1 divided=0 "
        "roll=1 ballot=1", /* no end of the line */
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(canvass_definition_read(slice_str(wrong[i]), d, &f->err), ERR_INVALID);
    for (size_t len = 0; len < strlen(definition); len++)
        assert_true(canvass_definition_read(slice_of(definition, len), d, &f->err) < 0);
    free(d);
}

static void a_list_leads_nowhere_else(void **state)
{
    (void)state;
    static const char *const names[] = {"/etc/passwd", "../x", "NY/../../x", ""};
    struct canvass_sum sum;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct buf line = {0};
        for (int k = 0; k < 64; k++)
            buf_put_u8(&line, 'a');
        buf_printf(&line, "  %s\n", names[i]);
        struct slice rest = buf_slice(&line);
        assert_int_equal(canvass_sum_take(&rest, &sum, NULL), ERR_INVALID);
        buf_deinit(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_whole_export_is_counted, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(no_byte_of_any_file_can_be_changed, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(nor_with_sums_that_fit, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_seal_with_another_count_is_told, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_loss_leaves_a_log_that_begins_with_what_was_kept,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(what_a_later_loss_went_behind_is_not_in_the_log,
                                        make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_batch_that_is_missing_is_told, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_candidate_of_another_ballot_is_told, make_folder,
                                        remove_folder),
        cmocka_unit_test_setup_teardown(a_definition_that_is_none_is_refused, make_folder,
                                        remove_folder),
        cmocka_unit_test(a_list_leads_nowhere_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
