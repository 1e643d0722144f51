/* links: vote_io */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "vote_io/votelog.h"
#include "vote_kit.h"

enum {
    BATCHES = 5,
};

struct place {
    char dir[64], log[96], notes[96];
    struct kit_log kit;
    struct batch batches[BATCHES];
};

static int begin(void **state)
{
    struct place *p = mem_calloc(1, sizeof *p);
    memcpy(p->dir, "/tmp/votelog-XXXXXX", 20);
    assert_non_null(mkdtemp(p->dir));
    snprintf(p->log, sizeof p->log, "%s/log-%016x", p->dir, 7);
    snprintf(p->notes, sizeof p->notes, "%s/notes", p->dir);
    kit_log_init(&p->kit);
    size_t at[BATCHES + 1] = {0};
    for (int i = 0; i < BATCHES; i++) {
        kit_vote(&p->kit, i, 1);
        at[i + 1] = p->kit.bytes.len;
    }
    for (int i = 0; i < BATCHES; i++)
        assert_int_equal(
            batch_read(buf_part(&p->kit.bytes, at[i], at[i + 1] - at[i]), &p->batches[i]),
            BATCH_VALID);
    *state = p;
    return 0;
}

static int end(void **state)
{
    struct place *p = *state;
    unlink(p->log);
    unlink(p->notes);
    assert_int_equal(rmdir(p->dir), 0);
    kit_log_deinit(&p->kit);
    free(p);
    return 0;
}

static struct votelog *open_log(struct place *p)
{
    struct votelog *l;
    struct err err = {""};
    if (votelog_open(files_posix(), p->dir, &l, &err) < 0)
        fail_msg("%s", err.text);
    return l;
}

static void assert_refused(struct place *p, const char *what)
{
    struct votelog *l;
    struct err err = {""};
    assert_int_equal(votelog_open(files_posix(), p->dir, &l, &err), ERR_CORRUPT);
    if (strstr(err.text, what) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, what);
}

static void write_one(struct votelog *l, enum shard_persist_type type, uint64_t ticket,
                      uint64_t value, struct slice bytes)
{
    struct err err;
    struct shard_persist e = {
        .type = type, .ticket = ticket, .value = value, .round = 7, .epoch = 1};
    struct buf redo = {0};
    assert_int_equal(votelog_write(l, &e, bytes, &redo, &err), 0);
    assert_true(redo.len > 0);
    buf_deinit(&redo);
}

static void sync_all(struct votelog *l, uint64_t ticket)
{
    struct err err;
    assert_int_equal(votelog_safe(l), ticket);
    assert_int_equal(votelog_sync(l, &err), 0);
}

/* Round 7 with all batches, of which `seen` are known to be committed. */
static void write_all_batches(struct place *p, uint64_t seen)
{
    uint8_t heading[LOG_HEADING_BYTES];
    struct votelog *l = open_log(p);
    log_heading_encode(&p->kit.heading, heading);
    write_one(l, SHARD_PERSIST_ROUND, 1, 7, slice_of(heading, sizeof heading));
    write_one(l, SHARD_PERSIST_PROMISE, 2, 3, slice_str(""));
    sync_all(l, 2);
    for (uint64_t i = 0; i < BATCHES; i++)
        write_one(l, SHARD_PERSIST_APPEND, 3 + i, i, p->batches[i].bytes);
    if (seen > 0)
        write_one(l, SHARD_PERSIST_SEEN, 0, seen, slice_str(""));
    sync_all(l, 2 + BATCHES);
    votelog_close(l);
}

static struct buf read_file(const char *path)
{
    struct buf b = {0};
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    for (int c; (c = fgetc(f)) != EOF;)
        buf_put_u8(&b, (uint8_t)c);
    fclose(f);
    return b;
}

static void write_file(const char *path, struct slice bytes)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes.ptr, 1, bytes.len, f), bytes.len);
    assert_int_equal(fclose(f), 0);
}

static void a_new_folder_is_empty(void **state)
{
    struct place *p = *state;
    for (int i = 0; i < 2; i++) {
        struct votelog *l = open_log(p);
        assert_int_equal(votelog_found(l)->round, 0);
        assert_int_equal(votelog_found(l)->mark_count, 0);
        votelog_close(l);
    }
}

static void what_was_written_is_found(void **state)
{
    struct place *p = *state;
    write_all_batches(p, 2);
    struct votelog *l = open_log(p);
    const struct shard_disk *d = votelog_found(l);
    assert_int_equal(d->round, 7);
    assert_int_equal(d->promised, 3);
    assert_int_equal(d->seen_round, 7);
    assert_int_equal(d->seen_epoch, 1);
    assert_int_equal(d->seen_index, 2);
    assert_int_equal(d->base.end, 2);
    assert_true(hash_eq(&d->base.chain, &p->batches[1].chain));
    assert_int_equal(d->mark_count, BATCHES - 2);
    for (size_t i = 0; i < d->mark_count; i++) {
        assert_int_equal(d->marks[i].end, i + 3);
        assert_true(hash_eq(&d->marks[i].chain, &p->batches[i + 2].chain));
    }
    assert_int_equal(votelog_bytes_cut(l), 0);
    votelog_close(l);
}

static void records_and_batches_are_read_back(void **state)
{
    struct place *p = *state;
    struct err err;
    uint8_t record[RECORD_BYTES];
    write_all_batches(p, 0);
    struct votelog *l = open_log(p);
    for (uint64_t i = 0; i < BATCHES; i++) {
        assert_true(votelog_read(l, i, record));
        assert_memory_equal(record, batch_record(&p->batches[i], 0).ptr, RECORD_BYTES);
    }
    assert_false(votelog_read(l, BATCHES, record));

    struct buf b = {0};
    size_t one = p->batches[0].bytes.len;
    assert_int_equal(votelog_batches(l, 7, 1, 4, 2 * one, &b, &err), 0);
    assert_int_equal(b.len, 2 * one);
    assert_memory_equal(b.ptr, p->kit.bytes.ptr + one, b.len);
    buf_clear(&b);
    assert_int_equal(votelog_batches(l, 7, 3, BATCHES, 1, &b, &err), 0); /* at least one */
    assert_int_equal(b.len, one);
    assert_int_equal(votelog_batches(l, 7, BATCHES, 9, 1, &b, &err), ERR_NOTFOUND);
    assert_int_equal(votelog_batches(l, 6, 0, 9, 1, &b, &err), ERR_NOTFOUND);
    buf_deinit(&b);
    votelog_close(l);
}

static void a_log_goes_on_where_it_was_cut(void **state)
{
    struct place *p = *state;
    uint8_t record[RECORD_BYTES];
    write_all_batches(p, 2);
    struct votelog *l = open_log(p);
    write_one(l, SHARD_PERSIST_TRUNCATE, 1, 3, slice_str(""));
    assert_false(votelog_read(l, 3, record));
    write_one(l, SHARD_PERSIST_APPEND, 2, 3, p->batches[3].bytes);
    assert_true(votelog_read(l, 3, record)); /* before it is written, too */
    sync_all(l, 2);
    votelog_close(l);
    l = open_log(p);
    assert_int_equal(votelog_found(l)->mark_count, 2);
    assert_true(votelog_read(l, 3, record));
    votelog_close(l);
}

/* Whatever part of the last write is there, it is cut off, and what was before is whole. */
static void a_torn_end_is_cut_off(void **state)
{
    struct place *p = *state;
    write_all_batches(p, 2);
    struct buf whole = read_file(p->log);
    size_t last = whole.len - p->batches[4].bytes.len;
    for (size_t len = last; len < whole.len; len += 3) {
        write_file(p->log, slice_of(whole.ptr, len));
        struct votelog *l = open_log(p);
        assert_int_equal(votelog_found(l)->mark_count, 2);
        assert_int_equal(votelog_bytes_cut(l), len - last);
        votelog_close(l);
        struct buf cut = read_file(p->log);
        assert_int_equal(cut.len, last);
        buf_deinit(&cut);
    }
    buf_deinit(&whole);
}

static void damage_is_refused(void **state)
{
    struct place *p = *state;
    write_all_batches(p, 2);
    struct buf whole = read_file(p->log);
    size_t one = p->batches[0].bytes.len;

    whole.ptr[LOG_HEADING_BYTES + 3 * one + 100] ^= 1; /* in the fourth of five */
    write_file(p->log, buf_slice(&whole));
    assert_refused(p, "damaged, and whole batches behind it");
    whole.ptr[LOG_HEADING_BYTES + 3 * one + 100] ^= 1;

    write_file(p->log, slice_of(whole.ptr, LOG_HEADING_BYTES + one + 50)); /* two were committed */
    assert_refused(p, "what was committed is not whole");

    whole.ptr[3] ^= 1;
    write_file(p->log, buf_slice(&whole));
    assert_refused(p, "not the heading of this log");
    buf_deinit(&whole);
}

/* A folder is given its notes before any log: who lost them is not taken for new, and his log not
 * for one that may be written over. */
static void logs_without_notes_are_refused(void **state)
{
    struct place *p = *state;
    write_all_batches(p, 2);
    assert_int_equal(unlink(p->notes), 0);
    assert_refused(p, "/notes' is not there, but logs are");
    assert_refused(p, "/notes' is not there, but logs are"); /* nothing was made */
}

/* It is not the log that they speak of. */
static void notes_of_a_boundary_that_is_not_there_are_refused(void **state)
{
    struct place *p = *state;
    struct hash before = log_genesis(&p->kit.heading);
    struct buf b = {0};
    write_all_batches(p, 0);
    struct votelog *l = open_log(p);
    write_one(l, SHARD_PERSIST_TRUNCATE, 1, 0, slice_str(""));
    batch_begin(&b, 7, 1, 0, &before);
    for (uint64_t i = 0; i < BATCHES; i++)
        buf_put_slice(&b, batch_record(&p->batches[i], 0));
    write_one(l, SHARD_PERSIST_APPEND, 2, 0, batch_end_writing(&b, 0).bytes);
    write_one(l, SHARD_PERSIST_SEEN, 0, 2, slice_str(""));
    sync_all(l, 2);
    votelog_close(l);
    buf_deinit(&b);
    assert_refused(p, "what was committed is not whole");
}

/* Each batch is whole and belongs behind the one before, but no leader writes so. */
static void a_log_whose_epochs_fall_ends_there(void **state)
{
    struct place *p = *state;
    uint8_t heading[LOG_HEADING_BYTES];
    struct hash chain = log_genesis(&p->kit.heading);
    struct buf b = {0};
    write_all_batches(p, 0);
    log_heading_encode(&p->kit.heading, heading);
    buf_put(&b, heading, sizeof heading);
    size_t at = 0;
    for (uint64_t i = 0; i < 2; i++) {
        at = b.len;
        batch_begin(&b, 7, 2 - i, i, &chain);
        buf_put_slice(&b, batch_record(&p->batches[i], 0));
        chain = batch_end_writing(&b, at).chain;
    }
    write_file(p->log, buf_slice(&b));
    struct votelog *l = open_log(p);
    assert_int_equal(votelog_found(l)->mark_count, 1);
    assert_int_equal(votelog_bytes_cut(l), b.len - at);
    votelog_close(l);
    buf_deinit(&b);
}

/* A slot that is torn costs what it was to say; the other one is as it was. */
static void a_torn_note_leaves_the_one_before(void **state)
{
    struct place *p = *state;
    write_all_batches(p, 2);
    struct buf notes = read_file(p->notes);
    int refused = 0;
    for (int slot = 0; slot < 2; slot++) {
        struct buf torn = {0};
        buf_put_slice(&torn, buf_slice(&notes));
        torn.ptr[slot * 4096 + 50] ^= 1;
        write_file(p->notes, buf_slice(&torn));
        struct votelog *l = open_log(p);
        assert_int_equal(votelog_found(l)->promised, 3);
        refused += votelog_found(l)->seen_index == 0;
        votelog_close(l);
        torn.ptr[(1 - slot) * 4096 + 50] ^= 1;
        write_file(p->notes, buf_slice(&torn));
        assert_refused(p, "neither slot is valid");
        buf_deinit(&torn);
    }
    assert_int_equal(refused, 1);
    buf_deinit(&notes);
}

static void what_is_not_the_next_batch_is_not_written(void **state)
{
    struct place *p = *state;
    struct err err;
    write_all_batches(p, 2);
    struct votelog *l = open_log(p);
    struct shard_persist e = {.type = SHARD_PERSIST_APPEND, .ticket = 1};
    struct buf redo = {0};
    assert_int_equal(votelog_write(l, &e, p->batches[1].bytes, &redo, &err), ERR_INVALID);
    assert_int_equal(votelog_write(l, &e, slice_str("x"), &redo, &err), ERR_INVALID);
    assert_int_equal(redo.len, 0);
    votelog_close(l);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        TEST(a_new_folder_is_empty),
        TEST(what_was_written_is_found),
        TEST(records_and_batches_are_read_back),
        TEST(a_log_goes_on_where_it_was_cut),
        TEST(a_torn_end_is_cut_off),
        TEST(damage_is_refused),
        TEST(logs_without_notes_are_refused),
        TEST(notes_of_a_boundary_that_is_not_there_are_refused),
        TEST(a_log_whose_epochs_fall_ends_there),
        TEST(a_torn_note_leaves_the_one_before),
        TEST(what_is_not_the_next_batch_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
