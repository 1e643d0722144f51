/* votelog_open.c: what a crash left, read through. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "vote_io/votelog_internal.h"

/* ---- opening ---- */

static void add_mark(struct votelog *l, const struct batch *b)
{
    struct shard_mark mark = {batch_end(b), b->epoch, b->chain};
    /* Of what was seen committed the last boundary is enough. */
    if (l->round == l->seen_round && mark.end <= l->seen_index) {
        l->found.base = mark;
        l->found.base_batches++;
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

static int64_t read_window(const struct scan *s, uint64_t at)
{
    return file_read_full(s->l->fs, s->l->log_fd, s->window, BATCH_BYTES_MAX, (int64_t)at);
}

/* Whether a whole batch stands anywhere behind l->size. */
static int whole_batch_behind(struct scan *s, bool *ret, struct err *err)
{
    struct batch b;
    *ret = false;
    for (uint64_t at = s->l->size + 1;;) {
        int64_t len = read_window(s, at);
        if (len < 0)
            return votelog_fail(s->l, err, len, "read the log in");
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
    /* A batch ends there. */
    if (l->round == l->seen_round && l->found.base.end != l->seen_index)
        return corrupt(l, err, "what was committed is not whole");
    int rc = whole_batch_behind(s, &more, err);
    if (rc < 0)
        return rc;
    if (more)
        return corrupt(l, err, "damaged, and whole batches behind it");
    l->bytes_cut = file_size - l->size;
    if (l->bytes_cut > 0)
        rc = l->fs->resize(l->fs, l->log_fd, (int64_t)l->size);
    /* Also what is whole may have been read from the cache of a process that was killed. */
    if (rc == 0)
        rc = l->fs->sync(l->fs, l->log_fd);
    return rc < 0 ? votelog_fail(l, err, rc, "cut the log in") : 0;
}

static int scan_batches(struct scan *s, struct err *err)
{
    struct votelog *l = s->l;
    struct file_stat st;
    int rc = l->fs->stat_fd(l->fs, l->log_fd, &st);
    if (rc < 0)
        return votelog_fail(l, err, rc, "look at the log in");
    for (;;) {
        int64_t len = read_window(s, l->size);
        if (len < 0)
            return votelog_fail(l, err, len, "read the log in");
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
            return end_of_log(s, (uint64_t)st.size, err);
    }
}

static int read_log(struct votelog *l, struct err *err)
{
    char name[32], path[FILE_PATH_BYTES];
    uint8_t heading[LOG_HEADING_BYTES];
    struct log_heading h;
    if (l->round == 0)
        return 0;
    redo_log_name(l->round, name);
    votelog_path(l, name, path);
    l->log_fd = l->fs->open(l->fs, path, FILE_READ | FILE_WRITE);
    if (l->log_fd < 0)
        return votelog_fail(l, err, l->log_fd, "open the log that the notes name in");
    l->log_round = l->round;
    if (file_read_full(l->fs, l->log_fd, heading, sizeof heading, 0) != sizeof heading ||
        !log_heading_decode(heading, &h) || h.round != l->round)
        return corrupt(l, err, "not the heading of this log");

    struct scan s = {.l = l, .chain = log_genesis(&h), .window = mem_alloc(BATCH_BYTES_MAX)};
    l->size = LOG_HEADING_BYTES;
    int rc = scan_batches(&s, err);
    free(s.window);
    return rc;
}

/* Its name is on disk before anything is in it. */
static int make_folder(struct votelog *l)
{
    char parent[FOLDER_PATH_BYTES];
    int rc = l->fs->mkdir(l->fs, l->dir);
    if (rc < 0)
        return rc == -EEXIST ? 0 : rc;
    size_t len = strlen(l->dir) - l->folder.len;
    memcpy(parent, l->dir, len);
    parent[len > 1 ? len - 1 : len] = 0; /* without its '/', unless it is "/" */
    return l->fs->sync_dir(l->fs, len > 0 ? parent : ".");
}

static int open_all(struct votelog *l, struct err *err)
{
    int rc = make_folder(l);
    if (rc < 0)
        return votelog_fail(l, err, rc, "make the folder");
    rc = notes_open(l, err);
    return rc < 0 ? rc : read_log(l, err);
}

static struct slice last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slice_str(slash != NULL ? slash + 1 : path);
}

int votelog_open(struct files *fs, const char *dir, struct votelog **ret, struct err *err)
{
    if (strlen(dir) >= FOLDER_PATH_BYTES || !redo_folder_is_valid(last_part(dir)))
        return err_set(err, ERR_INVALID, "'%s' is no name for the folder of a replica", dir);
    struct votelog *l = mem_calloc(1, sizeof *l);
    pthread_mutex_init(&l->lock, NULL);
    l->fs = fs;
    l->notes_fd = l->log_fd = l->syncing_fd = -1;
    memcpy(l->dir, dir, strlen(dir));
    l->folder = last_part(l->dir);
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
        l->fs->close(l->fs, l->log_fd);
    if (l->notes_fd >= 0)
        l->fs->close(l->fs, l->notes_fd);
    free(l->old_rounds);
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
