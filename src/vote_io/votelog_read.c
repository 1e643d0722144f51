/* votelog_read.c: what is in the log, whether its file has it yet or not. */
#include <errno.h>
#include <inttypes.h>

#include "vote_io/votelog_internal.h"

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

/* 0, or what the system said; it is all there. */
static int64_t read_bytes(const struct votelog *l, uint8_t *ret, size_t len, uint64_t at)
{
    size_t in_file = 0;
    if (at < l->size) {
        in_file = l->size - at < len ? (size_t)(l->size - at) : len;
        int64_t got = file_read_full(l->fs, l->log_fd, ret, in_file, (int64_t)at);
        if (got != (int64_t)in_file)
            return got < 0 ? got : -EIO;
    }
    if (in_file < len)
        memcpy(ret + in_file, l->late.ptr + (at + in_file - l->size), len - in_file);
    return 0;
}

static bool read_record(const struct votelog *l, uint64_t index, uint8_t ret[RECORD_BYTES])
{
    size_t i = place_of(l, index);
    if (index >= l->end || i == l->place_count)
        return false;
    uint64_t at =
        l->places[i].offset + BATCH_HEADING_BYTES + (index - l->places[i].first) * RECORD_BYTES;
    return read_bytes(l, ret, RECORD_BYTES, at) == 0 && record_decode(ret).index == index;
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
    int rc = votelog_poisoned(l, err);
    if (rc < 0)
        return rc;
    if (round != l->round || first == l->place_count || l->places[first].first != from)
        return err_set(err, ERR_NOTFOUND, "no batch begins at %" PRIu64, from);

    uint64_t begin = l->places[first].offset, stop = begin;
    for (; i < l->place_count; i++) {
        bool last = i + 1 == l->place_count;
        uint64_t end = last ? l->end : l->places[i + 1].first;
        uint64_t end_offset = last ? l->size + l->late.len : l->places[i + 1].offset;
        if (end > until || (i > first && end_offset - begin > bytes_max))
            break;
        stop = end_offset;
    }
    if (stop == begin)
        return 0;
    size_t len = (size_t)(stop - begin);
    if (!buf_reserve(ret, len))
        return err_set(err, ERR_TOOBIG, "no room for a batch");
    int64_t read = read_bytes(l, ret->ptr + ret->len, len, begin);
    if (read < 0)
        return votelog_fail(l, err, read, "read the log in");
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
