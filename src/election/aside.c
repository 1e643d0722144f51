/* aside.c: what this server has of a log behind a loss that was admitted while it was away.
 *
 * The replica takes no part until these records are in a file beside the log, on disk; then it goes
 * back to where the loss begins, and is one that is behind (vote/shard_loss.c).
 *
 *   lost-<round>-<epoch>   16 hex digits each: the heading of the log, and batches, as
 * vote/record.h has them, from the first that was given up; if there is another one of this name
 * already, with -2, -3 ... behind it */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "election/service_internal.h"
#include "io/log.h"

enum {
    PATH_BYTES = 4096 + 64,
    FULL_WAIT_S = 10,
};

struct aside {
    uv_work_t work;
    struct replica *replica; /* NULL: it is gone */
    uint64_t round, epoch, from, until;
    char dir[4096], log[PATH_BYTES], made[PATH_BYTES], path[PATH_BYTES];
    bool was_there, is_full;
    int rc;
    struct err err;
};

/* ---- on a thread ---- */

static int wrong(struct aside *a, const char *what, const char *path)
{
    a->is_full = errno == ENOSPC || errno == EDQUOT;
    return err_set(&a->err, ERR_IO, "%s '%s': %s", what, path, strerror(errno));
}

static int write_all(struct aside *a, int to, const uint8_t *p, size_t len)
{
    while (len > 0) {
        ssize_t n = write(to, p, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return wrong(a, "write", a->made);
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

/* The whole batch at `at`, in `window`. What is in front of `from` is only passed over. */
static int read_batch(struct aside *a, int fd, uint64_t at, uint8_t *window, struct batch *ret)
{
    ssize_t n = pread(fd, window, BATCH_BYTES_MAX, (off_t)at);
    if (n < 0)
        return wrong(a, "read", a->log);
    if (batch_read(slice_of(window, (size_t)n), ret) != BATCH_VALID)
        return err_set(&a->err, ERR_CORRUPT, "'%s': byte %" PRIu64 ": no batch", a->log, at);
    return 0;
}

static int copy(struct aside *a, int from, int to, uint8_t *window)
{
    struct batch b = {.first = 0};
    int rc = 0;
    if (pread(from, window, LOG_HEADING_BYTES, 0) != LOG_HEADING_BYTES)
        return wrong(a, "read", a->log);
    rc = write_all(a, to, window, LOG_HEADING_BYTES);
    for (uint64_t at = LOG_HEADING_BYTES; rc == 0 && batch_end(&b) < a->until; at += b.bytes.len) {
        rc = read_batch(a, from, at, window, &b);
        if (rc == 0 && b.first >= a->from)
            rc = write_all(a, to, b.bytes.ptr, b.bytes.len);
    }
    if (rc == 0 && fsync(to) < 0)
        rc = wrong(a, "sync", a->made);
    return rc;
}

static bool is_same(int a, int b)
{
    uint8_t x[4096], y[4096];
    off_t at = 0;
    for (;; at += (off_t)sizeof x) {
        ssize_t n = pread(a, x, sizeof x, at), m = pread(b, y, sizeof y, at);
        if (n < 0 || n != m || memcmp(x, y, (size_t)n) != 0)
            return false;
        if (n < (ssize_t)sizeof x)
            return true;
    }
}

static bool is_made_again(const struct aside *a)
{
    int made = open(a->made, O_RDONLY | O_CLOEXEC), there = open(a->path, O_RDONLY | O_CLOEXEC);
    bool same = made >= 0 && there >= 0 && is_same(made, there);
    if (made >= 0)
        close(made);
    if (there >= 0)
        close(there);
    return same;
}

/* Of a life before this one there may be the same already, or less: whoever led before the loss may
 * have sent more meanwhile. */
static void find_name(struct aside *a)
{
    size_t len = strlen(a->path);
    for (unsigned n = 2; !a->was_there && access(a->path, F_OK) == 0; n++) {
        a->was_there = is_made_again(a);
        if (!a->was_there)
            snprintf(a->path + len, sizeof a->path - len, "-%u", n);
    }
}

/* The file is there by its name when it is whole. */
static int put_in_place(struct aside *a)
{
    find_name(a);
    if (a->was_there ? unlink(a->made) < 0 : rename(a->made, a->path) < 0)
        return wrong(a, "make", a->path);
    int dir = open(a->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int rc = dir < 0 || fsync(dir) < 0 ? wrong(a, "sync", a->dir) : 0;
    if (dir >= 0)
        close(dir);
    return rc;
}

static void run(uv_work_t *work)
{
    struct aside *a = work->data;
    uint8_t *window = mem_alloc(BATCH_BYTES_MAX);
    int from = open(a->log, O_RDONLY | O_CLOEXEC);
    int to = open(a->made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (from < 0 || to < 0)
        a->rc = wrong(a, "open", from < 0 ? a->log : a->made);
    else
        a->rc = copy(a, from, to, window);
    if (to >= 0 && close(to) < 0 && a->rc == 0)
        a->rc = wrong(a, "close", a->made);
    if (from >= 0)
        close(from);
    if (a->rc == 0)
        a->rc = put_in_place(a);
    if (a->rc < 0)
        unlink(a->made); /* what there is of it may be what fills the disk */
    free(window);
}

/* ---- in the loop ---- */

static void tell(const struct replica *r, const struct aside *a)
{
    struct log_line line;
    log_begin(&line, LOG_WARN, "set_aside");
    log_text(&line, "state", r->service->definition->info.states[r->state].names.code);
    log_int(&line, "records", (int64_t)(a->until - a->from));
    log_text(&line, "file", a->path);
    log_text(&line, "text", "votes that this server had and that were given up while it was away");
    log_end(&line);
}

static void tell_full(const struct replica *r, const struct aside *a)
{
    struct log_line line;
    log_begin(&line, LOG_ERROR, "set_aside_waits");
    log_text(&line, "state", r->service->definition->info.states[r->state].names.code);
    log_text(&line, "reason", a->err.text);
    log_text(&line, "text", "the replica takes no part until there is room for a copy");
    log_end(&line);
}

static void done(uv_work_t *work, int status)
{
    struct aside *a = work->data;
    struct replica *r = a->replica;
    (void)status;
    if (r != NULL) {
        /* Another loss, admitted meanwhile, may go further back: then all is done again. */
        struct shard_status s = shard_status(r->shard);
        bool enough = s.superseded_by == a->epoch && s.superseded_from == a->from;
        struct shard_event ev = {.type = enough ? SHARD_SET_ASIDE : SHARD_TICK};
        r->aside = NULL;
        if (a->rc < 0 && a->is_full) { /* other states are well; nothing is cut before it is done */
            tell_full(r, a);
            r->aside_at_ns = service_now_ns(r->service) + INT64_C(1000000000) * FULL_WAIT_S;
            ev.type = SHARD_TICK;
            replica_step(r, &ev);
        } else if (a->rc < 0) {
            service_fail(r->service, "%s", a->err.text);
        } else {
            if (!a->was_there)
                tell(r, a);
            proofs_forget(r->service, r->state);
            replica_step(r, &ev);
        }
    }
    free(a);
}

void aside_look(struct replica *r)
{
    if (!shard_is_superseded(r->shard) || r->aside != NULL || r->service->failed)
        return;
    if (service_now_ns(r->service) < r->aside_at_ns) {
        if (r->aside_at_ns < r->deadline_ns)
            r->deadline_ns = r->aside_at_ns;
        return;
    }
    struct shard_status s = shard_status(r->shard);
    if (s.durable < s.last) /* not all of it is in the file yet; another step follows */
        return;
    struct aside *a = mem_calloc(1, sizeof *a);
    a->work.data = a;
    a->replica = r;
    a->round = s.round;
    a->epoch = s.superseded_by;
    a->from = s.superseded_from;
    a->until = s.last;
    snprintf(a->dir, sizeof a->dir, "%s", r->dir);
    snprintf(a->log, sizeof a->log, "%s/log-%016" PRIx64, r->dir, a->round);
    snprintf(a->path, sizeof a->path, "%s/lost-%016" PRIx64 "-%016" PRIx64, r->dir, a->round,
             a->epoch);
    snprintf(a->made, sizeof a->made, "%s/lost.new", r->dir);
    r->aside = a;
    replica_flush(r);
    uv_queue_work(&r->service->loop->uv, &a->work, run, done);
}

void aside_end(struct replica *r)
{
    if (r->aside != NULL)
        r->aside->replica = NULL;
    r->aside = NULL;
}
