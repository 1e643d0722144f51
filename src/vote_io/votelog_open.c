/* votelog_open.c: what a crash left, read through. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "vote_io/votelog_internal.h"

/* ---- opening ---- */

static void add_mark(struct votelog *l, const struct batch *b)
{
    struct shard_mark mark = {batch_end(b), b->epoch, b->chain};
    /* Of what was seen committed the last boundary is enough. */
    if (l->round == l->seen_round && mark.end <= l->seen_index) {
        l->found.base = mark;
        return;
    }
    if (l->found.mark_count == l->mark_cap) {
        l->mark_cap = l->mark_cap ? l->mark_cap * 2 : 64;
        l->marks = mem_realloc(l->marks, l->mark_cap * sizeof *l->marks);
    }
    l->marks[l->found.mark_count++] = mark;
}

struct scan {
    struct votelog *l;
    uint8_t *window;
    struct hash chain;
    uint64_t epoch;
};

static bool follows(const struct scan *s, const struct batch *b)
{
    return b->round == s->l->round && b->first == s->l->end && b->epoch >= s->epoch &&
           hash_eq(&b->before, &s->chain);
}

static int corrupt(const struct votelog *l, struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "'%s/log-%016" PRIx64 "': byte %" PRIu64 ": %s", l->dir,
                   l->round, l->size, what);
}

/* Whether a whole batch stands anywhere behind l->size. */
static int whole_batch_behind(struct scan *s, bool *ret, struct err *err)
{
    struct batch b;
    *ret = false;
    for (uint64_t at = s->l->size + 1;;) {
        ssize_t len = votelog_read_up_to(s->l->log_fd, s->window, BATCH_BYTES_MAX, at);
        if (len < 0)
            return votelog_fail(s->l, err, "read the log");
        if (len < BATCH_HEADING_BYTES)
            return 0;
        const uint8_t *magic = memmem(s->window, (size_t)len, "CVB1", 4);
        if (magic == NULL) {
            at += (uint64_t)len - 3;
            continue;
        }
        if (magic == s->window && batch_read(slice_of(magic, (size_t)len), &b) == BATCH_VALID) {
            *ret = true;
            return 0;
        }
        at += magic == s->window ? 1 : (uint64_t)(magic - s->window);
    }
}

/* What cannot be read any further: torn, or damaged? */
static int end_of_log(struct scan *s, uint64_t file_size, struct err *err)
{
    struct votelog *l = s->l;
    bool more = false;
    if (l->round == l->seen_round && l->end < l->seen_index)
        return corrupt(l, err, "what was committed is not whole");
    int rc = whole_batch_behind(s, &more, err);
    if (rc < 0)
        return rc;
    if (more)
        return corrupt(l, err, "damaged, and whole batches behind it");
    l->bytes_cut = file_size - l->size;
    if (l->bytes_cut > 0 && ftruncate(l->log_fd, (off_t)l->size) < 0)
        return votelog_fail(l, err, "cut the log");
    /* Also what is whole may have been read from the cache of a process that was killed. */
    return fdatasync(l->log_fd) < 0 ? votelog_fail(l, err, "sync the log") : 0;
}

static int scan_batches(struct scan *s, struct err *err)
{
    struct votelog *l = s->l;
    struct stat st;
    if (fstat(l->log_fd, &st) < 0)
        return votelog_fail(l, err, "look at the log");
    for (;;) {
        ssize_t len = votelog_read_up_to(l->log_fd, s->window, BATCH_BYTES_MAX, l->size);
        if (len < 0)
            return votelog_fail(l, err, "read the log");
        struct slice rest = slice_of(s->window, (size_t)len);
        struct batch b;
        bool any = false;
        while (batch_read(rest, &b) == BATCH_VALID && follows(s, &b)) {
            votelog_add_place(l, b.first, l->size);
            add_mark(l, &b);
            l->end = batch_end(&b);
            l->size += b.bytes.len;
            s->chain = b.chain;
            s->epoch = b.epoch;
            rest = slice_from(rest, b.bytes.len);
            any = true;
        }
        if (!any)
            return end_of_log(s, (uint64_t)st.st_size, err);
    }
}

static int read_log(struct votelog *l, struct err *err)
{
    char name[32];
    uint8_t heading[LOG_HEADING_BYTES];
    struct log_heading h;
    if (l->round == 0)
        return 0;
    votelog_name(l->round, name);
    l->log_fd = openat(l->dir_fd, name, O_RDWR | O_CLOEXEC);
    if (l->log_fd < 0)
        return votelog_fail(l, err, "open the log that the notes name");
    if (votelog_read_up_to(l->log_fd, heading, sizeof heading, 0) != sizeof heading ||
        !log_heading_decode(heading, &h) || h.round != l->round)
        return corrupt(l, err, "not the heading of this log");

    struct scan s = {.l = l, .chain = log_genesis(&h), .window = mem_alloc(BATCH_BYTES_MAX)};
    l->size = LOG_HEADING_BYTES;
    int rc = scan_batches(&s, err);
    free(s.window);
    return rc;
}

static int open_all(struct votelog *l, struct err *err)
{
    if (mkdir(l->dir, 0700) < 0 && errno != EEXIST)
        return votelog_fail(l, err, "make the folder");
    l->dir_fd = open(l->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (l->dir_fd < 0)
        return votelog_fail(l, err, "open the folder");
    int rc = notes_open(l, err);
    return rc < 0 ? rc : read_log(l, err);
}

int votelog_open(const char *dir, struct votelog **ret, struct err *err)
{
    if (strlen(dir) >= PATH_BYTES_MAX)
        return err_set(err, ERR_INVALID, "the folder's name is too long");
    struct votelog *l = mem_calloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    l->dir_fd = l->notes_fd = l->log_fd = -1;
    memcpy(l->dir, dir, strlen(dir));
    int rc = open_all(l, err);
    if (rc < 0) {
        votelog_close(l);
        return rc;
    }
    l->found.round = l->round;
    l->found.promised = l->promised;
    l->found.seen_round = l->seen_round;
    l->found.seen_epoch = l->seen_epoch;
    l->found.seen_index = l->seen_index;
    l->found.marks = l->marks;
    *ret = l;
    return 0;
}

void votelog_close(struct votelog *l)
{
    if (l == NULL)
        return;
    if (l->log_fd >= 0)
        close(l->log_fd);
    if (l->notes_fd >= 0)
        close(l->notes_fd);
    if (l->dir_fd >= 0)
        close(l->dir_fd);
    free(l->marks);
    free(l->places);
    buf_deinit(&l->late);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

const struct shard_disk *votelog_found(const struct votelog *l)
{
    return &l->found;
}

uint64_t votelog_bytes_cut(const struct votelog *l)
{
    return l->bytes_cut;
}
