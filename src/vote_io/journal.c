#include "vote_io/journal_internal.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

static const uint8_t block_magic[4] = {'C', 'V', 'J', '1'};

enum {
    BLOCK_BYTES_MAX = 4 << 20, /* and one record: what one sync is waited for */
    CHECKED_BYTES = 40,
};

int journal_fail(struct journal *j, struct err *err, int64_t rc, const char *what)
{
    j->failed = file_error(err, (int)rc, what, j->path);
    return j->failed;
}

uint64_t journal_place(const struct journal *j, uint64_t generation, uint64_t at)
{
    return (generation & 1) * j->half_bytes + at;
}

static uint64_t aligned(uint64_t len)
{
    return (len + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static uint64_t check(const uint8_t *heading, struct slice records)
{
    return hash_slice(records, hash_bytes(heading, CHECKED_BYTES, 0));
}

bool journal_read_block(struct slice bytes, struct block *ret)
{
    const uint8_t *p = bytes.ptr;
    if (bytes.len < BLOCK_HEADING_BYTES || memcmp(p, block_magic, sizeof block_magic) != 0)
        return false;
    size_t len = load_be32(p + 32);
    if (bytes.len - BLOCK_HEADING_BYTES < len)
        return false;
    *ret = (struct block){
        .flags = load_be32(p + 4),
        .generation = load_be64(p + 8),
        .number = load_be64(p + 16),
        .oldest = load_be64(p + 24),
        .records = slice_of(p + BLOCK_HEADING_BYTES, len),
        .len = (size_t)aligned(BLOCK_HEADING_BYTES + len),
    };
    return load_be64(p + CHECKED_BYTES) == check(p, ret->records);
}

/* ---- writing ---- */

static void seal_block(struct journal *j, uint32_t flags)
{
    uint8_t *p = j->block.ptr;
    size_t len = j->block.len - BLOCK_HEADING_BYTES;
    memset(p, 0, BLOCK_HEADING_BYTES);
    memcpy(p, block_magic, sizeof block_magic);
    store_be32(p + 4, flags);
    store_be64(p + 8, j->generation);
    store_be64(p + 16, j->number);
    store_be64(p + 24, j->oldest);
    store_be32(p + 32, (uint32_t)len);
    store_be64(p + CHECKED_BYTES, check(p, slice_of(p + BLOCK_HEADING_BYTES, len)));
}

static void clear_block(struct journal *j)
{
    static const uint8_t room[BLOCK_HEADING_BYTES];
    buf_clear(&j->block);
    buf_put(&j->block, room, sizeof room);
}

/* A sync of bytes that are in the file already costs half of one that makes the file longer. */
static int write_ahead(struct journal *j)
{
    uint64_t *ahead = &j->ahead[j->generation & 1];
    uint64_t len = j->half_bytes / 8 < AHEAD_BYTES ? j->half_bytes / 8 : AHEAD_BYTES;
    if (len > j->half_bytes - *ahead)
        len = j->half_bytes - *ahead;
    struct iovec zeros = {j->zeros, (size_t)len};
    uint64_t at = journal_place(j, j->generation, *ahead);
    *ahead += len;
    return len > 0 ? file_write_full(j->fs, j->fd, &zeros, 1, (int64_t)at) : 0;
}

bool journal_wants_ahead(const struct journal *j)
{
    uint64_t ahead = j->ahead[j->generation & 1];
    uint64_t most = j->at < j->half_bytes / 4 ? j->at : j->half_bytes / 4;
    return ahead < j->half_bytes && ahead < j->at + most;
}

int journal_go_ahead(struct journal *j, struct err *err)
{
    if (j->failed != 0)
        return err_set(err, ERR_POISONED, "'%s' failed before", j->path);
    int rc = write_ahead(j);
    if (rc < 0)
        return journal_fail(j, err, rc, "write");
    rc = j->fs->sync(j->fs, j->fd);
    return rc < 0 ? journal_fail(j, err, rc, "sync") : 0;
}

int journal_write(struct journal *j, uint32_t flags, struct err *err)
{
    seal_block(j, flags);
    uint64_t end = j->at + aligned(j->block.len);
    struct iovec parts[2] = {
        {j->block.ptr, j->block.len},
        {j->zeros, (size_t)(aligned(j->block.len) - j->block.len)},
    };
    int rc = file_write_full(j->fs, j->fd, parts, parts[1].iov_len > 0 ? 2 : 1,
                             (int64_t)journal_place(j, j->generation, j->at));
    uint64_t *ahead = &j->ahead[j->generation & 1];
    if (rc == 0 && end > *ahead) {
        *ahead = end;
        rc = (flags & BLOCK_LAST) == 0 ? write_ahead(j) : 0;
    }
    if (rc < 0)
        return journal_fail(j, err, rc, "write");
    rc = j->fs->sync(j->fs, j->fd);
    if (rc < 0)
        return journal_fail(j, err, rc, "sync");
    j->at = end;
    j->number++;
    clear_block(j);
    return 0;
}

void journal_begin(struct journal *j, uint64_t generation)
{
    j->generation = generation;
    j->number = j->at = 0;
    clear_block(j);
}

struct buf *journal_block(struct journal *j)
{
    return &j->block;
}

bool journal_block_is_full(const struct journal *j)
{
    uint64_t most = j->half_bytes / 4 < BLOCK_BYTES_MAX ? j->half_bytes / 4 : BLOCK_BYTES_MAX;
    return j->block.len >= most;
}

/* Room for the generation's last block stays. */
bool journal_has_room(const struct journal *j)
{
    return j->at + aligned(j->block.len) + BLOCK_ALIGN <= j->half_bytes;
}

int journal_commit(struct journal *j, struct err *err)
{
    if (j->failed != 0)
        return err_set(err, ERR_POISONED, "'%s' failed before", j->path);
    if (!journal_has_room(j)) {
        j->failed = ERR_TOOBIG;
        return err_set(err, ERR_TOOBIG, "'%s': a block of %zu bytes", j->path, j->block.len);
    }
    return journal_write(j, 0, err);
}

void journal_settled(struct journal *j)
{
    j->oldest = j->generation;
}

bool journal_is_settled(const struct journal *j)
{
    return j->oldest == j->generation;
}

/* What is in the block waits for the next generation. */
int journal_turn(struct journal *j, struct err *err)
{
    invariant(journal_is_settled(j));
    if (j->failed != 0)
        return err_set(err, ERR_POISONED, "'%s' failed before", j->path);
    struct buf waiting = j->block;
    j->block = (struct buf){0};
    clear_block(j);
    int rc = journal_write(j, BLOCK_LAST, err);
    journal_begin(j, j->generation + 1);
    buf_deinit(&j->block);
    j->block = waiting;
    return rc;
}

int journal_finish(struct journal *j, struct err *err)
{
    journal_settled(j);
    int rc = journal_turn(j, err);
    if (rc < 0)
        return rc;
    journal_settled(j);
    return journal_commit(j, err);
}

void journal_close(struct journal *j)
{
    if (j == NULL)
        return;
    if (j->fd >= 0)
        j->fs->close(j->fs, j->fd);
    buf_deinit(&j->block);
    free(j->zeros);
    free(j);
}
