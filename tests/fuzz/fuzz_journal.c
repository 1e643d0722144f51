/* A folder of votes with a journal of any content is opened: refused with a reason and left alone,
 * or carried out; carried out once more it makes the same files, and so does the journal that was
 * left. Logs and notes that come of it are read or refused, and read again as the same. */
#include <inttypes.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "crash_disk.h"
#include "gen.h"
#include "vote_io/journal_internal.h"
#include "vote_io/redo.h"
#include "vote_io/votelog.h"

enum {
    HALF_BYTES = 32 << 10,
    FOLDERS = 2,
    ROUNDS = 3,
    FILES = FOLDERS * (ROUNDS + 1),
    PLACE_MAX = 1 << 16, /* the disk has no holes */
    NOTES_CHECKED_BYTES = 56,
};

static const char *const folders[FOLDERS] = {"S0", "S1"};

/* ---- What a shard would have persisted ---- */

/* Of one log, as far as its records were put. */
struct log {
    struct log_heading heading;
    struct hash chain;
    uint64_t end, epoch, size;
};

struct world {
    struct fz *f;
    struct log logs[FOLDERS][ROUNDS + 1];
    uint64_t notes;
};

static void begin_log(struct log *l, uint64_t round, struct buf *bytes)
{
    *l = (struct log){.heading = {.round = round, .state = "CA"}, .epoch = 1};
    uint8_t heading[LOG_HEADING_BYTES];
    log_heading_encode(&l->heading, heading);
    buf_put(bytes, heading, sizeof heading);
    l->chain = log_genesis(&l->heading);
    l->size = sizeof heading;
}

static void put_batch(struct world *w, struct log *l, struct buf *bytes)
{
    uint32_t count = 1 + fz_below(w->f, 3);
    l->epoch += fz_below(w->f, 2);
    batch_begin(bytes, l->heading.round, l->epoch, l->end, &l->chain);
    for (uint32_t i = 0; i < count; i++) {
        struct record r = {.index = l->end + i, .epoch = (uint32_t)l->epoch, .revision = 1};
        uint8_t encoded[RECORD_BYTES];
        record_encode(&r, encoded);
        buf_put(bytes, encoded, sizeof encoded);
    }
    struct batch b = batch_end_writing(bytes, 0);
    l->chain = b.chain;
    l->end = batch_end(&b);
}

static void put_notes(struct world *w, uint64_t round, struct buf *bytes)
{
    const uint64_t fields[6] = {++w->notes,        round,
                                fz_below(w->f, 4), fz_below(w->f, ROUNDS + 1),
                                fz_below(w->f, 4), fz_below(w->f, 8)};
    buf_put(bytes, "CVN1\0\0\0\0", 8);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        buf_put_i64(bytes, (int64_t)fields[i]);
    uint8_t hash[SHA256_BYTES];
    sha256_of(bytes->ptr, NOTES_CHECKED_BYTES, hash);
    buf_put(bytes, hash, sizeof hash);
}

static void put_record(struct world *w, struct buf *out)
{
    uint8_t what = fz_u8(w->f);
    uint32_t folder = fz_below(w->f, FOLDERS), round = 1 + fz_below(w->f, ROUNDS);
    struct log *l = &w->logs[folder][round];
    struct buf bytes = {0};
    struct redo r = {.kind = REDO_WRITE, .folder = slice_str(folders[folder]), .round = round};
    if (what < 0x30 || l->size == 0) {
        r.kind = REDO_BEGIN;
        begin_log(l, round, &bytes);
    } else if (what < 0xa0) {
        put_batch(w, l, &bytes);
        r.at = l->size;
        l->size += bytes.len;
    } else if (what < 0xb0) {
        r.kind = REDO_CUT;
        r.at = fz_u16(w->f) % (l->size + 1);
    } else if (what < 0xe0) {
        r.kind = REDO_NOTES;
        r.round = 0;
        r.at = fz_below(w->f, 2);
        put_notes(w, round, &bytes);
    } else {
        r.at = fz_u16(w->f);
        buf_put_slice(&bytes, fz_blob(w->f));
    }
    r.bytes = buf_slice(&bytes);
    redo_put(out, &r);
    buf_deinit(&bytes);
}

/* ---- Blocks ---- */

static void seal(uint8_t *p, uint32_t len)
{
    store_be32(p + 32, len);
    store_be64(p + 40, hash_slice(slice_of(p + BLOCK_HEADING_BYTES, len), hash_bytes(p, 40, 0)));
}

/* What a half had before does not end with it. */
static void put_block(struct world *w, uint64_t generation, uint64_t number, uint8_t *half,
                      size_t *at)
{
    struct buf b = {0};
    uint8_t heading[BLOCK_HEADING_BYTES] = "CVJ1", how = fz_u8(w->f);
    store_be32(heading + 4, how & BLOCK_LAST);
    store_be64(heading + 8, generation);
    store_be64(heading + 16, how < 0xf0 ? number : fz_u8(w->f));
    store_be64(heading + 24, generation - (how >> 1 & 1));
    buf_put(&b, heading, sizeof heading);
    while (fz_more(w->f) && fz_below(w->f, 4) != 0)
        put_record(w, &b);
    if ((how & 0x1c) == 0x1c)
        gen_spoil(w->f, &b, sizeof heading);
    seal(b.ptr, (uint32_t)(b.len - sizeof heading));
    if ((how & 0x60) == 0x60)
        gen_spoil(w->f, &b, 0); /* by the disk */
    size_t len = b.len < HALF_BYTES - *at ? b.len : HALF_BYTES - *at;
    if (len > 0)
        memcpy(half + *at, b.ptr, len);
    *at += (b.len + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
    buf_deinit(&b);
}

static void put_half(struct world *w, uint64_t generation, uint8_t *half)
{
    size_t at = 0;
    for (uint64_t number = 0; at < HALF_BYTES && fz_more(w->f) && fz_below(w->f, 8) != 0; number++)
        put_block(w, generation, number, half, &at);
}

/* The older half first, as it was written. */
static void make_journal(struct world *w, struct crash_disk *disk)
{
    static uint8_t bytes[2 * HALF_BYTES];
    memset(bytes, 0, sizeof bytes);
    uint8_t how = fz_u8(w->f);
    uint64_t generation = 2 + (how & 1);
    size_t len = sizeof bytes;
    if (how >= 0xf0) {
        struct slice raw = fz_rest(w->f);
        len = raw.len < sizeof bytes ? raw.len : sizeof bytes;
        if (len > 0)
            memcpy(bytes, raw.ptr, len);
    } else {
        put_half(w, generation, bytes + (generation & 1) * HALF_BYTES);
        if ((how & 2) != 0)
            put_half(w, generation + 1, bytes + ((generation + 1) & 1) * HALF_BYTES);
        if ((how & 4) != 0)
            len = fz_u16(w->f) % sizeof bytes;
    }
    crash_disk_put(disk, "/d/journal", bytes, len);
}

/* ---- What is there ---- */

static void path_of(size_t file, char ret[64])
{
    char name[32] = "notes";
    if (file % (ROUNDS + 1) > 0)
        redo_log_name(file % (ROUNDS + 1), name);
    snprintf(ret, 64, "/d/%s/%s", folders[file / (ROUNDS + 1)], name);
}

struct copy {
    struct buf files[FILES], journal;
};

static void copy_one(struct crash_disk *disk, const char *path, struct buf *ret)
{
    size_t len;
    const uint8_t *bytes = crash_disk_bytes(disk, path, &len);
    buf_clear(ret);
    buf_put_u8(ret, bytes != NULL);
    if (bytes != NULL)
        buf_put(ret, bytes, len);
}

static void copy_all(struct crash_disk *disk, struct copy *ret)
{
    for (size_t i = 0; i < FILES; i++) {
        char path[64];
        path_of(i, path);
        copy_one(disk, path, &ret->files[i]);
    }
    copy_one(disk, "/d/journal", &ret->journal);
}

static bool same_files(const struct copy *a, const struct copy *b)
{
    for (size_t i = 0; i < FILES; i++) {
        if (!slice_eq(buf_slice(&a->files[i]), buf_slice(&b->files[i])))
            return false;
    }
    return true;
}

static void copy_deinit(struct copy *c)
{
    for (size_t i = 0; i < FILES; i++)
        buf_deinit(&c->files[i]);
    buf_deinit(&c->journal);
}

/* A folder that a server made, or none; a log whose beginning was not lost. */
static void make_folders(struct world *w, struct crash_disk *disk)
{
    struct files *fs = crash_disk_files(disk);
    uint8_t there = fz_u8(w->f);
    for (size_t i = 0; i < FOLDERS; i++) {
        char path[64];
        struct votelog *l = NULL;
        struct err err;
        snprintf(path, sizeof path, "/d/%s", folders[i]);
        if ((there >> i & 1) != 0)
            continue;
        FUZZ_CHECK(votelog_open(fs, path, &l, &err) == 0, "a new folder is made");
        votelog_close(l);
        if ((there >> (2 + i) & 1) == 0)
            continue;
        struct buf log = {0};
        begin_log(&w->logs[i][1], 1, &log);
        path_of(i * (ROUNDS + 1) + 1, path);
        crash_disk_put(disk, path, log.ptr, log.len);
        buf_deinit(&log);
    }
}

/* ---- Reading ---- */

/* One block of it, if it stands at the beginning; false: a disk in memory is too small for it. */
static bool check_block(struct slice bytes)
{
    struct block b;
    bool fits = true;
    if (!journal_read_block(bytes, &b))
        return true;
    FUZZ_CHECK(b.len % BLOCK_ALIGN == 0 && b.len >= BLOCK_HEADING_BYTES + b.records.len, "whole");
    struct slice rest = b.records;
    struct redo r;
    const uint8_t *at = rest.ptr;
    while (redo_take(&rest, &r)) {
        struct buf again = {0};
        redo_put(&again, &r);
        FUZZ_CHECK(slice_eq(buf_slice(&again), slice_of(at, again.len)) &&
                       at + again.len == rest.ptr,
                   "what is read is written as it was");
        buf_deinit(&again);
        at = rest.ptr;
        fits &= r.at + r.bytes.len <= PLACE_MAX;
    }
    return fits;
}

static bool check_blocks(struct crash_disk *disk)
{
    size_t len;
    bool fits = true;
    const uint8_t *bytes = crash_disk_bytes(disk, "/d/journal", &len);
    for (size_t at = 0; at < len; at += BLOCK_ALIGN)
        fits &= check_block(slice_of(bytes + at, len - at));
    return fits;
}

static int open_journal(struct crash_disk *disk, struct journal_found *ret)
{
    struct journal *j = NULL;
    struct err err = {""};
    int rc = journal_open(crash_disk_files(disk), "/d", HALF_BYTES, &j, ret, &err);
    FUZZ_CHECK(rc == 0 || err.text[0] != 0, "a refusal has its reason");
    journal_close(j);
    return rc;
}

static void check_again(struct crash_disk *disk, const struct copy *before,
                        const struct journal_found *found)
{
    struct copy once = {0}, twice = {0};
    struct journal_found more = {0};
    copy_all(disk, &once);
    crash_disk_put(disk, "/d/journal", before->journal.ptr + 1, before->journal.len - 1);
    FUZZ_CHECK(open_journal(disk, &more) == 0, "what was carried out can be");
    FUZZ_CHECK(more.records == found->records && more.torn == found->torn, "all of it");
    copy_all(disk, &twice);
    FUZZ_CHECK(same_files(&once, &twice), "twice is as once");
    FUZZ_CHECK(slice_eq(buf_slice(&once.journal), buf_slice(&twice.journal)), "the journal too");
    FUZZ_CHECK(open_journal(disk, &more) == 0 && !more.torn && more.records <= found->records,
               "what is left can be opened, and has nothing torn");
    copy_all(disk, &twice);
    FUZZ_CHECK(same_files(&once, &twice), "and nothing else to carry out");
    copy_deinit(&once);
    copy_deinit(&twice);
}

static void check_log(struct files *fs, const char *folder)
{
    char path[64];
    struct votelog *l = NULL;
    struct err err = {""};
    snprintf(path, sizeof path, "/d/%s", folder);
    int rc = votelog_open(fs, path, &l, &err);
    FUZZ_CHECK(rc == 0 || err.text[0] != 0, "a refusal has its reason");
    if (rc < 0)
        return;
    struct shard_disk found = *votelog_found(l);
    votelog_close(l);
    FUZZ_CHECK(votelog_open(fs, path, &l, &err) == 0, "what was read can be");
    const struct shard_disk *again = votelog_found(l);
    FUZZ_CHECK(votelog_bytes_cut(l) == 0, "nothing is left to cut");
    FUZZ_CHECK(again->round == found.round && again->promised == found.promised &&
                   again->seen_index == found.seen_index && again->base.end == found.base.end &&
                   again->mark_count == found.mark_count,
               "the same");
    votelog_close(l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    struct world w = {.f = &f, .notes = 16}; /* newer than a folder's first */
    struct crash_disk *disk = crash_disk_create();
    struct journal_found found = {0};
    struct copy before = {0}, after = {0};
    make_folders(&w, disk);
    make_journal(&w, disk);
    if (check_blocks(disk)) {
        copy_all(disk, &before);
        int rc = open_journal(disk, &found);
        copy_all(disk, &after);
        if (rc == 0)
            check_again(disk, &before, &found);
        else
            FUZZ_CHECK(slice_eq(buf_slice(&before.journal), buf_slice(&after.journal)),
                       "what is refused is left for whoever looks at it");
        for (size_t i = 0; rc == 0 && i < FOLDERS; i++)
            check_log(crash_disk_files(disk), folders[i]);
    }
    copy_deinit(&before);
    copy_deinit(&after);
    crash_disk_free(disk);
    return 0;
}
