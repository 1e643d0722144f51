/* txnlog.c: one batch = one write + one fdatasync. What a file looks like is in
 * docs/DISK-FORMAT.md.
 *
 *   0      16        position                 zeroed_to                size
 *   | head | records | next batch goes here 0 0 0 | hole: reads as zeros |
 *   |<---- durable --->|                                                 (padding as FilePadding)
 */
#include "io/txnlog.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/names.h"
#include "io/synced.h"

enum {
    /* Measured with bench/fsync.c: steps of 256 KiB cost the sync behind them least. */
    ZERO_STEP_BYTES = 256 << 10,
    ZERO_PAGE_BYTES = 4096,
    ZERO_BLOCKS_BYTES = 64 << 10,
    SMALL_BYTES_MAX = 4 << 10,       /* of a batch: a few writes */
    DIRECT_BYTES_MAX = 512 << 10,    /* of a batch: what a thousand requests in flight come to */
    ZERO_BATCH_STEP_BYTES = 1 << 20, /* written with a batch */
    ZERO_LEFT_MIN_BYTES = 128 << 10,
    ZERO_LEFT_URGENT_BYTES = 32 << 10,
    PADDING_MARGIN_BYTES = 4096, /* FilePadding */
};

static const uint8_t LOG_HEADER[TXNLOG_HEADER_BYTES] = {
    'Z', 'K', 'L', 'G', 0, 0, 0, 2, /* magic, version; then dbid 0 */
};
static const uint8_t RECORD_END = 'B';

struct txnlog {
    struct files *fs;
    char *dir;
    struct txnlog_options options;
    bool poisoned;

    /* The current file; fd -1 = the next batch opens one. */
    int fd;
    int64_t file_zxid;
    int64_t position;        /* durable; 0 = not even the header */
    int64_t size;            /* as FilePadding counts it: not moved by a batch that overshoots */
    int64_t zeroed_to;       /* real zeros (or records) up to here */
    int64_t zeros_cached_to; /* zeros before it came through the system's cache, and may be in it */
    uint64_t inode;
    uint64_t first_checksum;
    bool name_durable;

    /* The batch: borrowed frames. */
    struct iovec *parts;
    int part_count, part_cap;
    size_t batch_bytes;
    int64_t batch_zxid;

    /* Past the system's cache, see goes_direct; -1 = not possible. `blocks` begins with what is in
     * the file from the last block boundary up to `position`. */
    int direct_fd;
    uint8_t *blocks_memory, *blocks;
    size_t blocks_bytes;
    bool busy; /* the last batch was not small: the next one takes its zeros with it */

    int synced_fd; /* -1 = not open */
    int64_t synced_position;

    int64_t
        direct_ns; /* the last write past the cache took, which waits for the disk as syncs do */
    int64_t sync_ns;
    uint64_t file_count;
    uint64_t total_bytes;
};

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* Its first block is kept. */
static void room_in_blocks(struct txnlog *l, size_t bytes)
{
    if (bytes <= l->blocks_bytes)
        return;
    uint8_t *memory = mem_alloc(bytes + FILE_BLOCK_BYTES);
    uint8_t *blocks = memory + (FILE_BLOCK_BYTES - (uintptr_t)memory % FILE_BLOCK_BYTES);
    if (l->blocks != NULL)
        memcpy(blocks, l->blocks, FILE_BLOCK_BYTES);
    free(l->blocks_memory);
    l->blocks_memory = memory;
    l->blocks = blocks;
    l->blocks_bytes = bytes;
}

int txnlog_open(struct files *fs, const char *dir, const struct txnlog_options *options,
                struct txnlog **ret, struct err *err)
{
    char path[FILE_PATH_MAX];
    int rc = file_path(path, dir, "log.ffffffffffffffff", err); /* later names are not longer */
    if (rc < 0)
        return rc;

    struct txnlog *l = mem_calloc(1, sizeof *l);
    l->fs = fs;
    l->dir = mem_dup(dir, strlen(dir) + 1);
    l->options = *options;
    l->fd = l->direct_fd = -1;
    room_in_blocks(l, SMALL_BYTES_MAX + 2 * FILE_BLOCK_BYTES);
    l->file_zxid = -1;
    l->synced_fd = -1;
    *ret = l;
    return 0;
}

static void close_direct(struct txnlog *l)
{
    if (l->direct_fd >= 0)
        l->fs->close(l->fs, l->direct_fd);
    l->direct_fd = -1;
}

static void close_file(struct txnlog *l)
{
    if (l->fd >= 0)
        l->fs->close(l->fs, l->fd);
    l->fd = -1;
    close_direct(l);
}

void txnlog_close(struct txnlog *l)
{
    if (l == NULL)
        return;
    close_file(l);
    if (l->synced_fd >= 0)
        l->fs->close(l->fs, l->synced_fd);
    free(l->parts);
    free(l->blocks_memory);
    free(l->dir);
    free(l);
}

void txnlog_frame(struct buf *out, struct slice record)
{
    if (!buf_reserve(out, record.len + TXNLOG_FRAME_OVERHEAD))
        return;
    uint8_t *at = out->ptr + out->len;
    store_be64(at, 0);
    store_be32(at + 8, (uint32_t)record.len);
    if (record.len > 0)
        memcpy(at + 12, record.ptr, record.len);
    at[12 + record.len] = RECORD_END;
    out->len += record.len + TXNLOG_FRAME_OVERHEAD;
}

void txnlog_seal(uint8_t *frames, size_t len)
{
    size_t at = 0;
    while (at < len) {
        invariant(len - at >= TXNLOG_FRAME_OVERHEAD);
        size_t record_len = load_be32(frames + at + 8);
        invariant(len - at - TXNLOG_FRAME_OVERHEAD >= record_len);
        store_be64(frames + at, adler32_z(1, frames + at + 12, record_len));
        at += record_len + TXNLOG_FRAME_OVERHEAD;
    }
}

int txnlog_append(struct txnlog *l, int64_t zxid, struct slice frames)
{
    if (l->poisoned)
        return ERR_POISONED;
    if (l->part_count == l->part_cap) {
        l->part_cap = l->part_cap ? l->part_cap * 2 : 16;
        l->parts = mem_realloc(l->parts, (size_t)l->part_cap * sizeof *l->parts);
    }
    if (l->batch_bytes == 0)
        l->batch_zxid = zxid;
    /* iovec has no const; file_write_full does not write through it. */
    l->parts[l->part_count++] = (struct iovec){(void *)(uintptr_t)frames.ptr, frames.len};
    l->batch_bytes += frames.len;
    return 0;
}

/* Says what failed, and poisons unless it was the lack of space. */
static int fail(struct txnlog *l, int rc, const char *what, struct err *err)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX] = "";
    name_log(name, l->file_zxid);
    file_path(path, l->dir, name, NULL);
    int code = file_error(err, rc, what, path);
    if (code == ERR_NOSPACE)
        return code;
    l->poisoned = true;
    return code == ERR_NOTFOUND ? ERR_IO : code;
}

static int open_file(struct txnlog *l, struct err *err)
{
    char name[NAME_BYTES_MAX], path[FILE_PATH_MAX];
    name_log(name, l->batch_zxid);
    int rc = file_path(path, l->dir, name, err);
    if (rc < 0)
        return rc;
    l->file_zxid = l->batch_zxid;

    /* A log that is there holds transactions or was removed by recovery; to write over it would
     * lose them (ZooKeeper would). */
    int fd = l->fs->open(l->fs, path, FILE_WRITE | FILE_CREATE | FILE_NEW);
    if (fd < 0)
        return fail(l, fd, "create log file", err);

    struct file_stat st;
    rc = l->fs->stat_fd(l->fs, fd, &st);
    if (rc < 0) {
        l->fs->close(l->fs, fd);
        return fail(l, rc, "look at log file", err);
    }

    l->fd = fd;
    l->direct_fd = l->options.no_sync ? -1 : l->fs->open(l->fs, path, FILE_WRITE | FILE_DIRECT);
    l->inode = st.inode;
    l->position = 0;
    l->size = TXNLOG_HEADER_BYTES;
    l->zeroed_to = l->zeros_cached_to = 0;
    l->synced_position = 0;
    l->name_durable = false;
    l->file_count++;
    return 0;
}

/* FilePadding.calculateFileSizeWithPadding: `position` as it was before the batch. */
static int64_t padded_size(int64_t position, int64_t size, int64_t step)
{
    if (step <= 0 || position + PADDING_MARGIN_BYTES < size)
        return size;
    if (position > size)
        return (position + step) - (position + step) % step;
    return size + step;
}

static int pad_file(struct txnlog *l, struct err *err)
{
    int64_t position = l->position ? l->position : TXNLOG_HEADER_BYTES;
    int64_t size = padded_size(position, l->size, l->options.preallocate_bytes);
    if (size == l->size)
        return 0;

    int rc = l->fs->resize(l->fs, l->fd, size);
    if (rc < 0)
        return fail(l, rc, "extend log file", err);
    l->size = size;
    return 0;
}

/* ---- past the cache ----
 *
 * What a small batch costs is the call: a sync of what lies in the system's cache first writes it
 * from there, and takes 10 % longer than a write that goes to the disk by itself and a sync behind
 * it (bench/fsync.c: O_DIRECT). What large ones cost is the cache: its pages, and two copies, one
 * of them of the zeros. So a large batch takes the next zeros with it, past the cache as well. Only
 * zeros that are in the cache already are written over there: to take them out block by block costs
 * more than it brings.
 *
 * Whole blocks only: the one where the last batch ended is written again, with what is in it. The
 * disk has these bytes, so that whatever becomes of the write they stay as they are; and a small
 * batch only where zeros are already: what has no blocks yet costs the file system's journal. */

static int64_t block_of(int64_t at)
{
    return at - at % FILE_BLOCK_BYTES;
}

static int64_t blocks_end(const struct txnlog *l, int64_t at)
{
    return block_of(at + (int64_t)l->batch_bytes + FILE_BLOCK_BYTES - 1);
}

/* A large batch that ends at `until`: as many zeros as small ones find ahead are left behind it, or
 * it takes the next ones. So a disk that is nearly full says so while there are some. */
static bool wants_zeros(const struct txnlog *l, int64_t until)
{
    return l->zeroed_to - until < ZERO_LEFT_MIN_BYTES && l->zeroed_to < block_of(l->size);
}

static bool goes_direct(const struct txnlog *l, int64_t at)
{
    int64_t until = blocks_end(l, at);
    if (l->direct_fd < 0 || l->position == 0 || l->batch_bytes > DIRECT_BYTES_MAX)
        return false;
    if (l->batch_bytes <= SMALL_BYTES_MAX)
        return until <= l->zeroed_to;
    return until <= l->size && (wants_zeros(l, until) || block_of(at) >= l->zeros_cached_to);
}

/* The zeros that go with a batch which ends at `until`, in `parts`; how many parts. */
static int zeros_with_batch(const struct txnlog *l, int64_t until, struct iovec *parts)
{
    static _Alignas(FILE_BLOCK_BYTES) uint8_t zeros[ZERO_BLOCKS_BYTES];

    int count = 0;
    int64_t end = until + ZERO_BATCH_STEP_BYTES;
    if (end > block_of(l->size))
        end = block_of(l->size);
    for (int64_t at = until; at < end && wants_zeros(l, until); count++) {
        size_t len = end - at < ZERO_BLOCKS_BYTES ? (size_t)(end - at) : ZERO_BLOCKS_BYTES;
        parts[count] = (struct iovec){zeros, len};
        at += (int64_t)len;
    }
    return count;
}

static int write_direct(struct txnlog *l, int64_t at)
{
    int64_t from = block_of(at), until = blocks_end(l, at);
    size_t len = (size_t)(at - from), whole = (size_t)(until - from);
    room_in_blocks(l, whole);
    for (int i = 0; i < l->part_count; i++) {
        memcpy(l->blocks + len, l->parts[i].iov_base, l->parts[i].iov_len);
        len += l->parts[i].iov_len;
    }
    memset(l->blocks + len, 0, whole - len);

    struct iovec parts[1 + ZERO_BATCH_STEP_BYTES / ZERO_BLOCKS_BYTES] = {{l->blocks, whole}};
    int zeros = zeros_with_batch(l, until, parts + 1);
    int rc = file_write_full(l->fs, l->direct_fd, parts, 1 + zeros, from);
    if (rc < 0)
        return rc;
    for (int i = 1; i <= zeros; i++)
        until += (int64_t)parts[i].iov_len;
    if (until > l->zeroed_to)
        l->zeroed_to = until;
    return 0;
}

/* What the next batch finds in its first block. */
static void keep_end(struct txnlog *l, int64_t at)
{
    int64_t end = at + (int64_t)l->batch_bytes, from = block_of(end);
    if (l->direct_fd < 0)
        return;
    for (int i = l->part_count - 1; i >= 0 && end > from; i--) {
        size_t len = l->parts[i].iov_len;
        size_t kept = end - from < (int64_t)len ? (size_t)(end - from) : len;
        end -= (int64_t)kept;
        memcpy(l->blocks + (end - from), (const uint8_t *)l->parts[i].iov_base + (len - kept),
               kept);
    }
    if (at == TXNLOG_HEADER_BYTES && end > from)
        memcpy(l->blocks, LOG_HEADER, sizeof LOG_HEADER);
}

static int write_batch(struct txnlog *l, struct err *err)
{
    struct iovec header = {(void *)(uintptr_t)LOG_HEADER, sizeof LOG_HEADER};
    int64_t at = l->position;
    if (at == 0) {
        int rc = file_write_full(l->fs, l->fd, &header, 1, 0);
        if (rc < 0)
            return fail(l, rc, "write log file", err);
        at = TXNLOG_HEADER_BYTES;
    }
    l->busy =
        l->direct_fd >= 0 && l->batch_bytes > SMALL_BYTES_MAX && l->batch_bytes <= DIRECT_BYTES_MAX;
    bool direct = goes_direct(l, at);
    int64_t start_ns = monotonic_ns();
    int rc = direct ? write_direct(l, at) : 0;
    l->direct_ns = direct ? monotonic_ns() - start_ns : 0;
    if (rc == -EINVAL) /* some take the flag, and not these blocks */
        close_direct(l);
    if (rc == -EINVAL || rc == -ENOSPC || rc == -EDQUOT) {
        direct = false; /* there may be room for the batch, if not for zeros as well */
        l->busy = false;
    }
    if (!direct)
        rc = file_write_full(l->fs, l->fd, l->parts, l->part_count, at);
    if (rc < 0)
        return fail(l, rc, "write log file", err);
    keep_end(l, at);
    return 0;
}

/* No return from here: after a failed sync nobody knows what is on the disk, and a second
 * one may succeed without having written anything. */
static int make_durable(struct txnlog *l, struct err *err)
{
    if (l->options.no_sync) {
        l->sync_ns = 0;
        return 0;
    }
    int64_t start_ns = monotonic_ns();
    const char *what = "sync log file";
    int rc = l->fs->sync(l->fs, l->fd);
    if (rc == 0 && !l->name_durable) {
        what = "sync the directory of log file";
        rc = l->fs->sync_dir(l->fs, l->dir);
    }
    l->sync_ns = l->direct_ns + (monotonic_ns() - start_ns);
    if (rc < 0) {
        fail(l, rc, what, err);
        l->poisoned = true;
        return ERR_IO;
    }
    l->name_durable = true;
    return 0;
}

int txnlog_sync(struct txnlog *l, struct err *err)
{
    if (l->poisoned)
        return err_set(err, ERR_POISONED, "the log stopped after an earlier failure");
    if (l->batch_bytes == 0)
        return 0;

    int rc = 0;
    if (l->fd < 0)
        rc = open_file(l, err);
    if (rc == 0)
        rc = pad_file(l, err);
    if (rc == 0)
        rc = write_batch(l, err);
    if (rc == 0)
        rc = make_durable(l, err);
    if (rc < 0)
        return rc;

    if (l->position == 0) {
        l->position = TXNLOG_HEADER_BYTES;
        l->first_checksum = load_be64(l->parts[0].iov_base);
    }
    l->position += (int64_t)l->batch_bytes;
    l->total_bytes += l->batch_bytes;
    l->part_count = 0;
    l->batch_bytes = 0;

    if (l->options.size_limit_bytes > 0 && l->position > l->options.size_limit_bytes)
        txnlog_roll(l);
    return 0;
}

/* ---- between the batches ---- */

/* The bound for recovery. It is a help, not a promise: a failure to write it is passed over. */
static void mark_synced(struct txnlog *l)
{
    if (l->options.no_sync || l->fd < 0 || l->synced_position == l->position)
        return;
    if (l->synced_fd < 0)
        l->synced_fd = synced_open(l->fs, l->dir);
    if (l->synced_fd < 0)
        return;

    struct synced s = {
        .file_zxid = l->file_zxid,
        .offset = l->position,
        .inode = l->inode,
        .first_checksum = l->first_checksum,
    };
    synced_write(l->fs, l->synced_fd, &s);
    l->synced_position = l->position;
}

void txnlog_roll(struct txnlog *l)
{
    invariant(l->batch_bytes == 0);
    if (!l->poisoned)
        mark_synced(l);
    close_file(l);
    if (l->synced_fd >= 0) /* who takes files away now takes this one, too */
        l->fs->close(l->fs, l->synced_fd);
    l->synced_fd = -1;
}

static int64_t zeros_left(const struct txnlog *l)
{
    return l->zeroed_to > l->position ? l->zeroed_to - l->position : 0;
}

bool txnlog_idle_urgent(const struct txnlog *l)
{
    return !l->poisoned && l->fd >= 0 && !l->busy && zeros_left(l) < ZERO_LEFT_URGENT_BYTES &&
           l->position + zeros_left(l) < l->size;
}

static int write_zeros_ahead(struct txnlog *l, struct err *err)
{
    static const uint8_t zero_page[ZERO_PAGE_BYTES];

    if (l->busy || zeros_left(l) >= ZERO_LEFT_MIN_BYTES)
        return 0;
    int64_t from = l->position + zeros_left(l);
    int64_t until = from + ZERO_STEP_BYTES;
    until -= until % ZERO_PAGE_BYTES;
    if (until > l->size)
        until = l->size;
    if (from >= until)
        return 0;

    struct iovec parts[ZERO_STEP_BYTES / ZERO_PAGE_BYTES];
    int count = 0;
    for (int64_t left = until - from; left > 0; left -= ZERO_PAGE_BYTES) {
        size_t len = left < ZERO_PAGE_BYTES ? (size_t)left : ZERO_PAGE_BYTES;
        parts[count++] = (struct iovec){(void *)(uintptr_t)zero_page, len};
    }
    int rc = file_write_full(l->fs, l->fd, parts, count, from);
    if (rc < 0)
        return fail(l, rc, "write zeros ahead in log file", err);
    l->zeroed_to = l->zeros_cached_to = until;
    return 0;
}

int txnlog_idle(struct txnlog *l, struct err *err)
{
    if (l->poisoned || l->fd < 0 || l->batch_bytes > 0)
        return 0;
    mark_synced(l);
    return write_zeros_ahead(l, err);
}

void txnlog_status(const struct txnlog *l, struct txnlog_status *ret)
{
    *ret = (struct txnlog_status){
        .file_zxid = l->file_zxid,
        .position = l->fd >= 0 ? l->position : 0,
        .sync_ns = l->sync_ns,
        .file_count = l->file_count,
        .total_bytes = l->total_bytes,
    };
}
