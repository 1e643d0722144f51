/* journal_replay.c: records of a journal, carried out. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "vote_io/journal_internal.h"
#include "vote_io/redo.h"

/* A file that was changed. */
struct target {
    char folder[REDO_FOLDER_BYTES_MAX + 1];
    uint64_t round; /* 0: the notes */
    int fd;         /* -1 = closed for now */
    bool new_name;  /* it may have been made */
};

struct replay {
    struct files *fs;
    const char *dir; /* borrowed */
    struct target *targets;
    size_t count, cap, last; /* last: the one that was wanted before */
    uint64_t records;
};

struct replay *replay_begin(struct files *fs, const char *dir)
{
    struct replay *r = mem_calloc(1, sizeof *r);
    r->fs = fs;
    r->dir = dir;
    return r;
}

static bool is_target(const struct target *t, const struct redo *e, uint64_t round)
{
    return t->round == round && slice_eq_str(e->folder, t->folder);
}

static struct target *known_target(struct replay *r, const struct redo *e, uint64_t round)
{
    if (r->last < r->count && is_target(&r->targets[r->last], e, round))
        return &r->targets[r->last];
    for (r->last = 0; r->last < r->count; r->last++) {
        if (is_target(&r->targets[r->last], e, round))
            return &r->targets[r->last];
    }
    return NULL;
}

static struct target *add_target(struct replay *r)
{
    if (r->count == r->cap) {
        r->cap = r->cap ? r->cap * 2 : 64;
        r->targets = mem_realloc(r->targets, r->cap * sizeof *r->targets);
    }
    r->last = r->count;
    struct target *t = &r->targets[r->count++];
    *t = (struct target){0};
    return t;
}

static int target_path(const struct replay *r, struct slice folder, uint64_t round,
                       char ret[FILE_PATH_MAX], struct err *err)
{
    char name[32] = "notes";
    if (round > 0)
        redo_log_name(round, name);
    int len = snprintf(ret, FILE_PATH_MAX, "%s/%.*s/%s", r->dir, (int)folder.len,
                       (const char *)folder.ptr, name);
    if (len < 0 || len >= FILE_PATH_MAX)
        return err_set(err, ERR_TOOBIG, "the name of a file in '%s' is too long", r->dir);
    return 0;
}

static void close_targets(struct replay *r)
{
    for (size_t i = 0; i < r->count; i++) {
        if (r->targets[i].fd >= 0)
            r->fs->close(r->fs, r->targets[i].fd);
        r->targets[i].fd = -1;
    }
}

/* A journal may have changes of more files than a process can have open: of many rounds without a
 * vote. */
static int open_file(struct replay *r, const char *path, unsigned made, struct err *err)
{
    int fd = r->fs->open(r->fs, path, FILE_READ | FILE_WRITE | made);
    if (fd == -EMFILE) {
        close_targets(r);
        fd = r->fs->open(r->fs, path, FILE_READ | FILE_WRITE | made);
    }
    if (fd == -ENOENT)
        return err_set(err, ERR_CORRUPT, "it has changes of '%s', which is not there", path);
    return fd < 0 ? file_error(err, fd, "open", path) : fd;
}

/* What was there when its record was written has to be there; a log that begins is made. */
static int open_target(struct replay *r, const struct redo *e, struct target **ret, struct err *err)
{
    char path[FILE_PATH_MAX];
    uint64_t round = e->kind == REDO_NOTES ? 0 : e->round;
    *ret = known_target(r, e, round);
    if (*ret != NULL && (*ret)->fd >= 0)
        return 0;
    bool begins = e->kind == REDO_BEGIN;
    int fd = target_path(r, e->folder, round, path, err);
    if (fd == 0)
        fd = open_file(r, path, begins ? FILE_CREATE | FILE_PRIVATE : 0, err);
    if (fd < 0)
        return fd;
    if (*ret == NULL) {
        *ret = add_target(r);
        memcpy((*ret)->folder, e->folder.ptr, e->folder.len);
        (*ret)->round = round;
        (*ret)->new_name = begins;
    }
    (*ret)->fd = fd;
    return 0;
}

static int write_bytes(struct replay *r, int fd, struct slice bytes, uint64_t at)
{
    struct iovec part = {(void *)(uintptr_t)bytes.ptr, bytes.len};
    return bytes.len > 0 ? file_write_full(r->fs, fd, &part, 1, (int64_t)at) : 0;
}

static int change(struct replay *r, const struct redo *e, int fd)
{
    int rc = 0;
    switch (e->kind) {
    case REDO_BEGIN:
        rc = r->fs->resize(r->fs, fd, 0);
        return rc < 0 ? rc : write_bytes(r, fd, e->bytes, 0);
    case REDO_WRITE:
        return write_bytes(r, fd, e->bytes, e->at);
    case REDO_CUT:
        return r->fs->resize(r->fs, fd, (int64_t)e->at);
    case REDO_NOTES:
        return write_bytes(r, fd, e->bytes, e->at * NOTES_SLOT_BYTES);
    }
    return -EINVAL;
}

int replay_records(struct replay *r, struct slice records, struct err *err)
{
    while (records.len > 0) {
        struct redo e;
        struct target *t;
        if (!redo_take(&records, &e))
            return err_set(err, ERR_CORRUPT, "a record that is none");
        int rc = open_target(r, &e, &t, err);
        if (rc < 0)
            return rc;
        rc = change(r, &e, t->fd);
        if (rc < 0)
            return file_error(err, rc, "write to a file in", t->folder);
        r->records++;
    }
    return 0;
}

static int sync_target(struct replay *r, const struct target *t, struct err *err)
{
    char path[FILE_PATH_MAX];
    int fd = target_path(r, slice_str(t->folder), t->round, path, err);
    fd = fd < 0 ? fd : open_file(r, path, 0, err);
    if (fd < 0)
        return fd;
    int rc = r->fs->sync(r->fs, fd);
    r->fs->close(r->fs, fd);
    if (rc == 0 && t->new_name) {
        if (file_path(path, r->dir, t->folder, err) < 0)
            return ERR_TOOBIG;
        rc = r->fs->sync_dir(r->fs, path); /* which opens it */
    }
    return rc < 0 ? file_error(err, rc, "sync a file in", t->folder) : 0;
}

int replay_sync(struct replay *r, struct err *err)
{
    close_targets(r);
    for (size_t i = 0; i < r->count; i++) {
        int rc = sync_target(r, &r->targets[i], err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

uint64_t replay_count(const struct replay *r)
{
    return r->records;
}

void replay_free(struct replay *r)
{
    close_targets(r);
    free(r->targets);
    free(r);
}
