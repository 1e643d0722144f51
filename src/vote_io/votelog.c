#include "vote_io/votelog_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

int votelog_fail(struct votelog *l, struct err *err, const char *what)
{
    int code = errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO;
    l->failed = code;
    return err_set(err, code, "%s in '%s': %s", what, l->dir, strerror(errno));
}

/* ---- whole reads and writes ---- */

bool votelog_write_all(int fd, const uint8_t *p, size_t len, uint64_t at)
{
    while (len > 0) {
        ssize_t n = pwrite(fd, p, len, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        p += n;
        at += (uint64_t)n;
        len -= (size_t)n;
    }
    return true;
}

/* Less than asked for only at the end of the file; -1 = it failed. */
ssize_t votelog_read_up_to(int fd, uint8_t *p, size_t len, uint64_t at)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(fd, p + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

void votelog_name(uint64_t round, char ret[32])
{
    snprintf(ret, 32, "log-%016" PRIx64, round);
}

void votelog_add_place(struct votelog *l, uint64_t first, uint64_t offset)
{
    if (l->place_count == l->place_cap) {
        l->place_cap = l->place_cap ? l->place_cap * 2 : 256;
        l->places = mem_realloc(l->places, l->place_cap * sizeof *l->places);
    }
    l->places[l->place_count++] = (struct place){first, offset};
}

/* ---- writing ---- */

int votelog_sync_file(struct votelog *l, int fd)
{
    pthread_mutex_unlock(&l->lock);
    int rc = fdatasync(fd);
    int error = errno;
    pthread_mutex_lock(&l->lock);
    errno = error;
    return rc;
}

static int flush(struct votelog *l, struct err *err)
{
    if (l->late.len == 0)
        return 0;
    if (!votelog_write_all(l->log_fd, l->late.ptr, l->late.len, l->size))
        return votelog_fail(l, err, "write the log");
    l->size += l->late.len;
    l->unsynced = true;
    buf_clear(&l->late);
    return 0;
}

static int flush_and_sync(struct votelog *l, struct err *err)
{
    int rc = flush(l, err);
    if (rc < 0 || !l->unsynced)
        return rc;
    if (votelog_sync_file(l, l->log_fd) < 0)
        return votelog_fail(l, err, "sync the log");
    l->unsynced = false;
    return 0;
}

/* The log is there, with its name, before the notes name it. */
static int begin_round(struct votelog *l, uint64_t round, struct slice heading, struct err *err)
{
    char name[32];
    int rc = flush_and_sync(l, err);
    if (rc < 0)
        return rc;
    if (l->log_fd >= 0)
        close(l->log_fd);
    votelog_name(round, name);
    l->log_fd = openat(l->dir_fd, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (l->log_fd < 0 || !votelog_write_all(l->log_fd, heading.ptr, heading.len, 0) ||
        fsync(l->log_fd) < 0 || fsync(l->dir_fd) < 0)
        return votelog_fail(l, err, "begin the log of a round");
    l->round = round;
    l->size = heading.len;
    l->end = l->place_count = 0;
    return notes_write(l, true, err);
}

static int append(struct votelog *l, struct slice bytes, struct err *err)
{
    struct batch b;
    if (l->log_fd < 0 || batch_read(bytes, &b) != BATCH_VALID || b.first != l->end)
        return err_set(err, ERR_INVALID, "a batch that is not the next one");
    votelog_add_place(l, b.first, l->size + l->late.len);
    l->end = batch_end(&b);
    buf_put_slice(&l->late, bytes);
    return l->late.len >= WRITE_BYTES ? flush(l, err) : 0;
}

/* On disk before anything is written in the place of what goes. */
static int truncate_log(struct votelog *l, uint64_t index, struct err *err)
{
    int rc = flush(l, err);
    size_t count = l->place_count;
    while (count > 0 && l->places[count - 1].first >= index)
        count--;
    if (rc < 0 || count == l->place_count)
        return rc;
    l->size = l->places[count].offset;
    l->end = index;
    l->place_count = count;
    l->unsynced = true;
    if (ftruncate(l->log_fd, (off_t)l->size) < 0)
        return votelog_fail(l, err, "cut the log");
    return flush_and_sync(l, err);
}

static int carry_out(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                     struct err *err)
{
    if (l->failed != 0)
        return err_set(err, ERR_POISONED, "'%s' failed before", l->dir);
    int rc = 0;
    switch (p->type) {
    case SHARD_PERSIST_ROUND:
        rc = begin_round(l, p->value, bytes, err);
        break;
    case SHARD_PERSIST_APPEND:
        rc = append(l, bytes, err);
        break;
    case SHARD_PERSIST_TRUNCATE:
        rc = truncate_log(l, p->value, err);
        break;
    case SHARD_PERSIST_PROMISE:
        l->promised = p->value;
        rc = flush_and_sync(l, err);
        rc = rc < 0 ? rc : notes_write(l, true, err);
        break;
    case SHARD_PERSIST_SEEN:
        l->seen_round = p->round;
        l->seen_epoch = p->epoch;
        l->seen_index = p->value;
        l->seen_late = true;
        return 0;
    }
    if (rc == 0 && p->ticket > l->ticket)
        l->ticket = p->ticket;
    return rc;
}

int votelog_write(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                  struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = carry_out(l, p, bytes, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

int votelog_push(struct votelog *l, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = flush(l, err);
#ifdef SYNC_FILE_RANGE_WRITE
    if (rc == 0 && l->unsynced && sync_file_range(l->log_fd, 0, 0, SYNC_FILE_RANGE_WRITE) < 0 &&
        errno != ENOSYS)
        rc = votelog_fail(l, err, "begin to sync the log");
#endif
    pthread_mutex_unlock(&l->lock);
    return rc;
}

static int sync_all(struct votelog *l, uint64_t *ret_ticket, struct err *err)
{
    if (l->failed != 0)
        return err_set(err, ERR_POISONED, "'%s' failed before", l->dir);
    int rc = flush_and_sync(l, err);
    if (rc < 0)
        return rc;
    *ret_ticket = l->ticket;
    if (!l->seen_late)
        return 0;
    l->seen_late = false;
    return notes_write(l, false, err);
}

int votelog_sync(struct votelog *l, uint64_t *ret_ticket, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = sync_all(l, ret_ticket, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* ---- reading ---- */

/* The last batch that begins at `index` or before it; place_count = none. */
static size_t place_of(const struct votelog *l, uint64_t index)
{
    size_t low = 0, high = l->place_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (l->places[mid].first <= index)
            low = mid + 1;
        else
            high = mid;
    }
    return low > 0 ? low - 1 : l->place_count;
}

static bool read_record(const struct votelog *l, uint64_t index, uint8_t ret[RECORD_BYTES])
{
    size_t i = place_of(l, index);
    if (index >= l->end || i == l->place_count)
        return false;
    uint64_t at =
        l->places[i].offset + BATCH_HEADING_BYTES + (index - l->places[i].first) * RECORD_BYTES;
    if (at >= l->size) /* not written yet */
        memcpy(ret, l->late.ptr + (at - l->size), RECORD_BYTES);
    else if (votelog_read_up_to(l->log_fd, ret, RECORD_BYTES, at) != RECORD_BYTES)
        return false;
    return record_decode(ret).index == index;
}

bool votelog_read(void *arg, uint64_t index, uint8_t ret[RECORD_BYTES])
{
    struct votelog *l = arg;
    pthread_mutex_lock(&l->lock);
    bool done = read_record(l, index, ret);
    pthread_mutex_unlock(&l->lock);
    return done;
}

static int read_batches(struct votelog *l, uint64_t round, uint64_t from, uint64_t until,
                        size_t bytes_max, struct buf *ret, struct err *err)
{
    size_t first = place_of(l, from), i = first;
    int rc = flush(l, err);
    if (rc < 0)
        return rc;
    if (round != l->round || first == l->place_count || l->places[first].first != from)
        return err_set(err, ERR_NOTFOUND, "no batch begins at %" PRIu64, from);

    uint64_t begin = l->places[first].offset, stop = begin;
    for (; i < l->place_count; i++) {
        bool last = i + 1 == l->place_count;
        uint64_t end = last ? l->end : l->places[i + 1].first;
        uint64_t end_offset = last ? l->size : l->places[i + 1].offset;
        if (end > until || (i > first && end_offset - begin > bytes_max))
            break;
        stop = end_offset;
    }
    if (stop == begin)
        return 0;
    size_t len = (size_t)(stop - begin);
    if (!buf_reserve(ret, len))
        return err_set(err, ERR_TOOBIG, "no room for a batch");
    if (votelog_read_up_to(l->log_fd, ret->ptr + ret->len, len, begin) != (ssize_t)len)
        return votelog_fail(l, err, "read the log");
    ret->len += len;
    return 0;
}

int votelog_batches(struct votelog *l, uint64_t round, uint64_t from, uint64_t until,
                    size_t bytes_max, struct buf *ret, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = read_batches(l, round, from, until, bytes_max, ret, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}
