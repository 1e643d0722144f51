/* roll_upload.c: a roll that comes over the network: to a file beside the one that is in force,
 * read and checked on a thread, then put in its place, and into the replica, at one moment. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "election/service_internal.h"

enum {
    PATH_BYTES = 4096 + 256,
};

struct roll_upload {
    struct service *service; /* NULL: it ended meanwhile */
    int state;
    char folder[PATH_BYTES], path[PATH_BYTES]; /* `path`: of what is written */
    int fd;
    uint64_t bytes;
    const struct definition *definition;
    bool working; /* on a thread */
    uv_work_t work;
    int rc;
    struct err err;
    struct voters voters;
    struct hash hash;
    roll_done_fn *done;
    void *arg;
};

/* NULL: rolls can be changed. */
static const char *objection(const struct service *s, enum roll_outcome *ret)
{
    const struct nation_view *nation =
        s->coordination != NULL ? coordination_nation(s->coordination) : NULL;
    *ret = ROLL_UNAVAILABLE;
    if (s->closing || nation == NULL || !nation->known)
        return "this server has not begun, or ends";
    *ret = ROLL_NOT_NOW;
    return nation->global.round == 0 ? NULL : "rolls are taken before the first round begins";
}

static void destroy(struct roll_upload *u)
{
    if (u->fd >= 0) {
        close(u->fd);
        unlink(u->path);
    }
    voters_deinit(&u->voters);
    free(u);
}

enum roll_outcome service_roll_begin(struct service *s, int state, struct roll_upload **ret,
                                     struct err *err)
{
    enum roll_outcome outcome;
    const char *why = objection(s, &outcome);
    if (why == NULL && s->upload != NULL) {
        why = "another roll is being taken";
        outcome = ROLL_UNAVAILABLE;
    }
    if (why != NULL) {
        err_set(err, ERR_BUSY, "%s", why);
        return outcome;
    }
    struct roll_upload *u = mem_calloc(1, sizeof *u);
    *u = (struct roll_upload){.service = s, .state = state, .definition = s->definition};
    /* Servers of one machine may share the folder. */
    snprintf(u->folder, sizeof u->folder, "%.4000s/roll", s->definition->dir);
    snprintf(u->path, sizeof u->path, "%.4100s/%s.%s.new", u->folder,
             s->definition->info.states[state].names.code, s->self.name);
    if (mkdir(u->folder, 0755) < 0 && errno != EEXIST)
        err_set(err, ERR_IO, "'%s': %s", u->folder, strerror(errno));
    u->fd = open(u->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (u->fd < 0) {
        err_set(err, ERR_IO, "the election's folder cannot be written to: %s", strerror(errno));
        destroy(u);
        return ROLL_UNAVAILABLE;
    }
    *ret = s->upload = u;
    return ROLL_OK;
}

enum roll_outcome service_roll_add(struct roll_upload *u, struct slice piece, struct err *err)
{
    u->bytes += piece.len;
    if (u->bytes > ROLL_BYTES_MAX) {
        err_set(err, ERR_TOOBIG, "the roll is longer than %d MiB", ROLL_BYTES_MAX >> 20);
        return ROLL_WRONG;
    }
    while (piece.len > 0) {
        ssize_t n = write(u->fd, piece.ptr, piece.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err_set(err, ERR_IO, "the roll cannot be written: %s", strerror(errno));
            return ROLL_UNAVAILABLE;
        }
        piece = slice_from(piece, (size_t)n);
    }
    return ROLL_OK;
}

void service_roll_drop(struct roll_upload *u)
{
    u->service->upload = NULL;
    destroy(u);
}

/* ---- on a thread ---- */

static void read_roll(uv_work_t *work)
{
    struct roll_upload *u = work->data;
    if (lseek(u->fd, 0, SEEK_SET) != 0)
        u->rc = err_set(&u->err, ERR_IO, "%s", strerror(errno));
    else
        u->rc = definition_roll_read(u->definition, u->state, u->fd, &u->voters, &u->err);
    if (u->rc == 0 && u->voters.count == 0)
        u->rc = err_set(&u->err, ERR_INVALID, "no voter of the state is in it");
    if (u->rc == 0 && fsync(u->fd) < 0)
        u->rc = err_set(&u->err, ERR_IO, "%s", strerror(errno));
    if (u->rc == 0)
        u->hash = voters_hash(&u->voters);
}

/* ---- in its place ---- */

static enum roll_outcome put(struct roll_upload *u, struct err *err)
{
    struct service *s = u->service;
    struct replica *r = s->replicas[u->state];
    char path[PATH_BYTES];
    enum roll_outcome outcome;
    const char *why = objection(s, &outcome); /* it took its time */
    if (why != NULL) {
        err_set(err, ERR_BUSY, "%s", why);
        return outcome;
    }
    if (r != NULL && (r->shard == NULL || shard_status(r->shard).round != 0)) {
        err_set(err, ERR_BUSY, "its replica is not ready for another roll");
        return ROLL_UNAVAILABLE;
    }
    snprintf(path, sizeof path, "%.4100s/%s.csv", u->folder,
             s->definition->info.states[u->state].names.code);
    if (rename(u->path, path) < 0) {
        err_set(err, ERR_IO, "'%s': %s", path, strerror(errno));
        return ROLL_UNAVAILABLE;
    }
    close(u->fd);
    u->fd = -1;
    if (r != NULL) {
        shard_change_roll(r->shard, &u->voters);
        replica_look_at_rolls(r);
    }
    return ROLL_OK;
}

static void roll_read(uv_work_t *work, int status)
{
    struct roll_upload *u = work->data;
    struct roll_reply reply = {.detail = u->err.text, .voters = u->voters.count, .hash = u->hash};
    (void)status;
    if (u->service == NULL) { /* it was answered */
        destroy(u);
        return;
    }
    reply.outcome = u->rc == 0             ? put(u, &u->err)
                    : u->rc == ERR_INVALID ? ROLL_WRONG
                                           : ROLL_UNAVAILABLE;
    u->service->upload = NULL;
    u->done(u->arg, &reply);
    destroy(u);
}

void service_roll_end(struct roll_upload *u, roll_done_fn *done, void *arg)
{
    u->done = done;
    u->arg = arg;
    u->working = true;
    u->work.data = u;
    uv_queue_work(&u->service->loop->uv, &u->work, read_roll, roll_read);
}

void roll_upload_end(struct service *s)
{
    struct roll_upload *u = s->upload;
    if (u == NULL || !u->working)
        return; /* whoever writes it drops or ends it */
    s->upload = NULL;
    u->service = NULL;
    struct roll_reply reply = {.outcome = ROLL_UNAVAILABLE, .detail = "this server ends"};
    u->done(u->arg, &reply);
}

bool service_roll(const struct service *s, int state, uint64_t *ret_voters, struct hash *ret)
{
    const struct replica *r = s->replicas[state];
    if (r == NULL || r->shard == NULL)
        return false;
    *ret = shard_roll(r->shard, ret_voters);
    return true;
}
