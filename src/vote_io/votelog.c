#include "vote_io/votelog_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    SENT_BYTES = 256 << 10,
};

int votelog_fail(struct votelog *l, struct err *err, int64_t rc, const char *what)
{
    l->failed = file_error(err, (int)rc, what, l->dir);
    return l->failed;
}

int votelog_poisoned(const struct votelog *l, struct err *err)
{
    return l->failed == 0 ? 0 : err_set(err, ERR_POISONED, "'%s' failed before", l->dir);
}

void votelog_path(const struct votelog *l, const char *name, char ret[FILE_PATH_BYTES])
{
    snprintf(ret, FILE_PATH_BYTES, "%s/%s", l->dir, name);
}

int votelog_write_at(struct votelog *l, int fd, const uint8_t *p, size_t len, uint64_t at)
{
    struct iovec part = {(void *)(uintptr_t)p, len};
    return file_write_full(l->fs, fd, &part, 1, (int64_t)at);
}

void votelog_add_place(struct votelog *l, uint64_t first, uint64_t offset)
{
    if (l->place_count == l->place_cap) {
        l->place_cap = l->place_cap ? l->place_cap * 2 : 256;
        l->places = mem_realloc(l->places, l->place_cap * sizeof *l->places);
    }
    l->places[l->place_count++] = (struct place){first, offset};
}

/* ---- from memory to the files ---- */

/* Not kept open until it is synced: of rounds that nobody votes in there may be very many. */
static void let_go_of_log(struct votelog *l)
{
    if (l->log_fd < 0)
        return;
    l->old_rounds = mem_realloc(l->old_rounds, (l->old_count + 1) * sizeof *l->old_rounds);
    l->old_rounds[l->old_count++] = l->log_round;
    if (l->log_fd != l->syncing_fd)
        l->fs->close(l->fs, l->log_fd);
    l->log_fd = -1;
}

static int open_log(const struct votelog *l, uint64_t round, unsigned more)
{
    char name[32], path[FILE_PATH_BYTES];
    redo_log_name(round, name);
    votelog_path(l, name, path);
    return l->fs->open(l->fs, path, FILE_READ | FILE_WRITE | more);
}

static int begin_file(struct votelog *l)
{
    let_go_of_log(l);
    l->log_fd = open_log(l, l->round, FILE_CREATE | FILE_EMPTY | FILE_PRIVATE);
    if (l->log_fd < 0)
        return l->log_fd;
    l->log_round = l->round;
    l->begin = OWED_NOTHING;
    l->sent = 0;
    l->new_name = l->unsynced = true;
    return votelog_write_at(l, l->log_fd, l->heading, sizeof l->heading, 0);
}

static int cut_file(struct votelog *l)
{
    l->cut = OWED_NOTHING;
    if (l->sent > l->size)
        l->sent = l->size;
    l->unsynced = true;
    return l->fs->resize(l->fs, l->log_fd, (int64_t)l->size);
}

/* All at once at the end of a generation, tens of megabytes of a busy state, the disk would be kept
 * from the journal for as long as that takes. Whole pages: the last one is about to change. */
static void send_to_disk(struct votelog *l)
{
    uint64_t until = l->size & ~UINT64_C(4095);
    if (until < l->sent + SENT_BYTES)
        return;
    l->fs->write_soon(l->fs, l->log_fd, (int64_t)l->sent, (int64_t)(until - l->sent));
    l->sent = until;
}

static int write_late(struct votelog *l)
{
    size_t len = l->late_safe;
    int rc = votelog_write_at(l, l->log_fd, l->late.ptr, len, l->size);
    l->size += len;
    l->late.len -= len;
    memmove(l->late.ptr, l->late.ptr + len, l->late.len);
    l->late_safe = 0;
    l->unsynced = true;
    if (rc == 0)
        send_to_disk(l);
    return rc;
}

static int flush(struct votelog *l, struct err *err)
{
    int rc = votelog_poisoned(l, err);
    if (rc < 0)
        return rc;
    if (l->begin == OWED && (rc = begin_file(l)) < 0)
        return votelog_fail(l, err, rc, "begin the log of a round in");
    if (l->cut == OWED && (rc = cut_file(l)) < 0)
        return votelog_fail(l, err, rc, "cut the log in");
    if (l->late_safe > 0 && (rc = write_late(l)) < 0)
        return votelog_fail(l, err, rc, "write the log in");
    return 0;
}

int votelog_flush(struct votelog *l, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = flush(l, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

/* ---- writing ---- */

static void put_redo(const struct votelog *l, struct buf *redo, enum redo_kind kind, uint64_t at,
                     struct slice bytes)
{
    struct redo r = {
        .kind = kind, .folder = l->folder, .round = l->round, .at = at, .bytes = bytes};
    redo_put(redo, &r);
}

static bool all_is_safe(const struct votelog *l)
{
    return l->begin != OWED_LATER && l->cut != OWED_LATER && l->late_safe == l->late.len;
}

static int begin_round(struct votelog *l, uint64_t round, struct slice heading, struct buf *redo,
                       struct err *err)
{
    if (heading.len != LOG_HEADING_BYTES)
        return err_set(err, ERR_INVALID, "a heading that is none");
    if (!all_is_safe(l))
        return VOTELOG_WAITS;
    int rc = flush(l, err);
    if (rc < 0)
        return rc;
    memcpy(l->heading, heading.ptr, heading.len);
    l->round = round;
    l->size = heading.len;
    l->end = l->place_count = 0;
    l->begin = OWED_LATER;
    put_redo(l, redo, REDO_BEGIN, 0, heading);
    notes_change(l, redo);
    return 0;
}

static int append(struct votelog *l, struct slice bytes, struct buf *redo, struct err *err)
{
    struct batch b;
    uint64_t at = l->size + l->late.len;
    if (l->round == 0 || batch_read(bytes, &b) != BATCH_VALID || b.first != l->end)
        return err_set(err, ERR_INVALID, "a batch that is not the next one");
    votelog_add_place(l, b.first, at);
    l->end = batch_end(&b);
    put_redo(l, redo, REDO_WRITE, at, bytes);
    buf_put_slice(&l->late, bytes);
    return 0;
}

/* What the journal has goes to the file first. Whoever syncs that before the journal has the cut
 * says that the journal need not have it any more, and then it would be nowhere. */
static int truncate_log(struct votelog *l, uint64_t index, struct buf *redo, struct err *err)
{
    size_t count = l->place_count;
    while (count > 0 && l->places[count - 1].first >= index)
        count--;
    if (count == l->place_count)
        return 0;
    int rc = flush(l, err);
    if (rc < 0)
        return rc;
    uint64_t at = l->places[count].offset;
    l->end = index;
    l->place_count = count;
    if (at < l->size) {
        l->size = at;
        l->cut = OWED_LATER;
    }
    l->late.len = (size_t)(at - l->size);
    if (l->late_safe > l->late.len)
        l->late_safe = l->late.len;
    put_redo(l, redo, REDO_CUT, at, slice_str(""));
    return 0;
}

static int carry_out(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                     struct buf *redo, struct err *err)
{
    int rc = votelog_poisoned(l, err);
    if (rc < 0)
        return rc;
    switch (p->type) {
    case SHARD_PERSIST_ROUND:
        rc = begin_round(l, p->value, bytes, redo, err);
        break;
    case SHARD_PERSIST_APPEND:
        rc = append(l, bytes, redo, err);
        break;
    case SHARD_PERSIST_TRUNCATE:
        rc = truncate_log(l, p->value, redo, err);
        break;
    case SHARD_PERSIST_PROMISE:
        l->promised = p->value;
        notes_change(l, redo);
        break;
    case SHARD_PERSIST_SEEN:
        l->seen_round = p->round;
        l->seen_epoch = p->epoch;
        l->seen_index = p->value;
        notes_change(l, redo);
        break;
    }
    if (rc == 0 && p->ticket > l->ticket)
        l->ticket = p->ticket;
    return rc;
}

int votelog_write(struct votelog *l, const struct shard_persist *p, struct slice bytes,
                  struct buf *redo, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = carry_out(l, p, bytes, redo, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}

uint64_t votelog_safe(struct votelog *l)
{
    pthread_mutex_lock(&l->lock);
    if (l->begin == OWED_LATER)
        l->begin = OWED;
    if (l->cut == OWED_LATER)
        l->cut = OWED;
    if (l->notes_later) {
        memcpy(l->notes_safe, l->notes_now, sizeof l->notes_safe);
        l->notes_owed = true;
        l->notes_later = false;
    }
    l->late_safe = l->late.len;
    uint64_t ticket = l->ticket;
    pthread_mutex_unlock(&l->lock);
    return ticket;
}

/* ---- from the files to the disk ---- */

static int sync_old_log(const struct votelog *l, uint64_t round)
{
    int fd = open_log(l, round, 0);
    if (fd < 0)
        return fd;
    int rc = l->fs->sync(l->fs, fd);
    l->fs->close(l->fs, fd);
    return rc;
}

/* One after the other without the lock. */
static int sync_files(struct votelog *l, const uint64_t *old_rounds, size_t old_count, int log_fd,
                      bool new_name)
{
    int rc = 0;
    l->syncing_fd = log_fd;
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; rc == 0 && i < old_count; i++)
        rc = sync_old_log(l, old_rounds[i]);
    if (rc == 0 && log_fd >= 0)
        rc = l->fs->sync(l->fs, log_fd);
    if (rc == 0 && new_name)
        rc = l->fs->sync_dir(l->fs, l->dir);
    pthread_mutex_lock(&l->lock);
    l->syncing_fd = -1;
    if (log_fd >= 0 && log_fd != l->log_fd)
        l->fs->close(l->fs, log_fd);
    return rc;
}

/* The notes last, and as they were when the log was flushed: they name a round, and speak of what
 * is in its log. */
static int sync_all(struct votelog *l, struct err *err)
{
    uint8_t notes[NOTES_BYTES];
    int rc = flush(l, err);
    if (rc < 0)
        return rc;
    memcpy(notes, l->notes_safe, sizeof notes);
    bool with_notes = l->notes_owed, new_name = l->new_name;
    uint64_t *old_rounds = l->old_rounds;
    size_t old_count = l->old_count;
    int log_fd = l->unsynced ? l->log_fd : -1;
    l->notes_owed = l->new_name = l->unsynced = false;
    l->old_rounds = NULL;
    l->old_count = 0;
    rc = sync_files(l, old_rounds, old_count, log_fd, new_name);
    free(old_rounds);
    if (rc < 0)
        return votelog_fail(l, err, rc, "sync the log in");
    return with_notes ? notes_sync(l, notes, err) : 0;
}

int votelog_sync(struct votelog *l, struct err *err)
{
    pthread_mutex_lock(&l->lock);
    int rc = sync_all(l, err);
    pthread_mutex_unlock(&l->lock);
    return rc;
}
