/* journal_open.c: what a crash left of a journal, and the folders brought up to it. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vote_io/journal_internal.h"

enum {
    FIRST_GENERATION = 2, /* so that it is in the first half */
};

/* The blocks of one half that follow each other from its beginning. */
struct run {
    uint8_t *bytes;
    size_t len;
    uint64_t generation, oldest, count; /* generation 0: no block stands at its beginning */
    bool last;                          /* it has the generation's last block */
    size_t end;
};

static int corrupt(const struct journal *j, uint64_t half, uint64_t at, struct err *err,
                   const char *what)
{
    return err_set(err, ERR_CORRUPT, "'%s': byte %" PRIu64 ": %s", j->path,
                   half * j->half_bytes + at, what);
}

static int read_half(struct journal *j, uint64_t half, struct run *r, struct err *err)
{
    struct file_stat st;
    uint64_t from = half * j->half_bytes;
    int rc = j->fs->stat_fd(j->fs, j->fd, &st);
    if (rc < 0)
        return journal_fail(j, err, rc, "look at");
    uint64_t there = (uint64_t)st.size > from ? (uint64_t)st.size - from : 0;
    r->len = (size_t)(there < j->half_bytes ? there : j->half_bytes);
    r->bytes = mem_alloc(r->len + 1);
    int64_t got = file_read_full(j->fs, j->fd, r->bytes, r->len, (int64_t)from);
    if (got != (int64_t)r->len)
        return journal_fail(j, err, got < 0 ? got : -EIO, "read");
    return 0;
}

static struct slice rest_of(const struct run *r, size_t at)
{
    return slice_of(r->bytes + at, r->len - at);
}

static void follow(struct run *r)
{
    struct block b;
    while (!r->last && r->end < r->len && journal_read_block(rest_of(r, r->end), &b)) {
        if (b.number != r->count || (r->count > 0 && b.generation != r->generation))
            return;
        r->generation = b.generation;
        r->oldest = b.oldest;
        r->count++;
        r->last = (b.flags & BLOCK_LAST) != 0;
        r->end = b.len < r->len - r->end ? r->end + b.len : r->len;
    }
}

/* Whether a block of `generation` stands at `from` or behind it. */
static bool has_block(const struct run *r, size_t from, uint64_t generation)
{
    struct block b;
    for (size_t at = from; at < r->len; at += BLOCK_ALIGN) {
        if (journal_read_block(rest_of(r, at), &b) && b.generation == generation)
            return true;
    }
    return false;
}

/* *ret: of the two, the half that has the newest generation. */
static int judge(const struct journal *j, const struct run runs[2], uint64_t *ret, struct err *err)
{
    uint64_t half = runs[1].generation > runs[0].generation ? 1 : 0;
    const struct run *newest = &runs[half], *other = &runs[1 - half];
    if (newest->generation == 0)
        return corrupt(j, 0, 0, err, "neither half begins with a block");
    for (uint64_t h = 0; h < 2; h++) {
        if (runs[h].generation != 0 && runs[h].generation % 2 != h)
            return corrupt(j, h, 0, err, "a block of the other half");
    }
    if (has_block(newest, newest->end, newest->generation))
        return corrupt(j, half, newest->end, err, "damaged, and whole blocks behind it");
    if (has_block(other, 0, newest->generation + 1))
        return corrupt(j, 1 - half, 0, err, "damaged, and whole blocks behind it");
    if (!newest->last && newest->end + BLOCK_ALIGN > j->half_bytes) /* journal_has_room */
        return corrupt(j, half, newest->end, err, "no room is left for its last block");
    if (newest->oldest == newest->generation) {
        *ret = half;
        return 0;
    }
    if (newest->oldest != newest->generation - 1)
        return corrupt(j, half, 0, err, "it needs a generation that cannot be there");
    if (other->generation != newest->oldest || !other->last)
        return corrupt(j, 1 - half, other->end, err, "damaged, and still needed");
    *ret = half;
    return 0;
}

static int carry_out(struct replay *replay, const struct run *r, struct err *err)
{
    struct block b;
    for (size_t at = 0; at < r->end; at += b.len) {
        int rc = journal_read_block(rest_of(r, at), &b) ? replay_records(replay, b.records, err)
                                                        : ERR_CORRUPT;
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int carry_out_all(struct journal *j, const struct run runs[2], uint64_t half,
                         uint64_t *ret_records, struct err *err)
{
    struct replay *replay = replay_begin(j->fs, j->dir);
    int rc = 0;
    if (runs[half].oldest < runs[half].generation)
        rc = carry_out(replay, &runs[1 - half], err);
    if (rc == 0)
        rc = carry_out(replay, &runs[half], err);
    if (rc == 0)
        rc = replay_sync(replay, err);
    *ret_records = replay_count(replay);
    replay_free(replay);
    return rc < 0 ? err_wrap(err, rc, "carry out '%s'", j->path) : 0;
}

static bool is_torn(const struct run *r)
{
    static const uint8_t magic[4] = {'C', 'V', 'J', '1'};
    struct slice rest = rest_of(r, r->end);
    return !r->last && rest.len >= sizeof magic && memcmp(rest.ptr, magic, sizeof magic) == 0 &&
           load_be64(rest.ptr + 8) == r->generation;
}

/* All of it is on disk elsewhere: its generation ends with a block that says so, and the next one
 * begins. */
static int go_on(struct journal *j, const struct run *newest, struct err *err)
{
    int rc = 0;
    journal_begin(j, newest->generation);
    j->number = newest->count;
    j->at = newest->end;
    journal_settled(j);
    if (!newest->last)
        rc = journal_write(j, BLOCK_LAST, err);
    journal_begin(j, newest->generation + 1);
    journal_settled(j);
    return rc;
}

static int recover(struct journal *j, struct journal_found *ret, struct err *err)
{
    struct run runs[2] = {0};
    uint64_t half = 0;
    /* What is read may be in the cache of a process that was killed, and nowhere else. It has to be
     * on disk before a block is written behind it. */
    int rc = j->fs->sync(j->fs, j->fd);
    if (rc < 0)
        return journal_fail(j, err, rc, "sync");
    for (uint64_t h = 0; rc == 0 && h < 2; h++) {
        rc = read_half(j, h, &runs[h], err);
        if (rc == 0)
            follow(&runs[h]);
        j->ahead[h] = runs[h].len;
    }
    if (rc == 0)
        rc = judge(j, runs, &half, err);
    if (rc == 0)
        rc = carry_out_all(j, runs, half, &ret->records, err);
    if (rc == 0) {
        ret->torn = is_torn(&runs[half]);
        rc = go_on(j, &runs[half], err);
    }
    free(runs[0].bytes);
    free(runs[1].bytes);
    return rc;
}

/* Under another name until its first block is on disk: a journal that is there has one. */
static int make(struct journal *j, struct err *err)
{
    char new_path[FILE_PATH_MAX];
    int rc = file_path(new_path, j->dir, "journal.new", err);
    if (rc < 0)
        return rc;
    j->fd = j->fs->open(j->fs, new_path,
                        FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EMPTY | FILE_PRIVATE);
    if (j->fd < 0)
        return journal_fail(j, err, j->fd, "make");
    journal_begin(j, FIRST_GENERATION);
    journal_settled(j);
    rc = journal_write(j, 0, err);
    if (rc < 0)
        return rc;
    rc = j->fs->rename(j->fs, new_path, j->path);
    if (rc == 0)
        rc = j->fs->sync_dir(j->fs, j->dir);
    return rc < 0 ? journal_fail(j, err, rc, "make") : 0;
}

static int open_file(struct journal *j, const char *dir, struct journal_found *ret, struct err *err)
{
    int rc = file_path(j->path, dir, "journal", err);
    if (rc < 0)
        return rc;
    memcpy(j->dir, dir, strlen(dir) + 1);
    j->fd = j->fs->open(j->fs, j->path, FILE_READ | FILE_WRITE);
    if (j->fd == -ENOENT)
        return make(j, err);
    return j->fd < 0 ? journal_fail(j, err, j->fd, "open") : recover(j, ret, err);
}

int journal_open(struct files *fs, const char *dir, uint64_t half_bytes, struct journal **ret,
                 struct journal_found *ret_found, struct err *err)
{
    struct journal *j = mem_calloc(1, sizeof *j);
    struct journal_found found = {0};
    j->fs = fs;
    j->fd = -1;
    j->half_bytes = half_bytes;
    j->zeros = mem_calloc(1, AHEAD_BYTES);
    int rc = open_file(j, dir, &found, err);
    if (rc < 0) {
        journal_close(j);
        return rc;
    }
    *ret = j;
    *ret_found = found;
    return 0;
}
