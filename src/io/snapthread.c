#include "io/snapthread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "io/thread.h"

enum step_type {
    STEP_BEGIN,
    STEP_CHUNK,
    STEP_END,
    STEP_ABORT,
};

struct step {
    struct step *next;
    enum step_type type;
    int64_t zxid;    /* BEGIN */
    uint64_t digest; /* END */
    size_t len;
    uint8_t bytes[];
};

struct snapthread {
    struct files *fs;
    char *dir;
    struct snapthread_options options;
    pthread_t thread;

    /* Guards the queue and the report, for a few assignments; never held over a system call. A
     * snapshot is some thousand steps, so a lock costs nothing here. */
    pthread_mutex_t lock;
    pthread_cond_t changed, idle;
    struct step *first, *last;
    bool stopping;
    bool busy; /* a step is being carried out, or a snapshot is half written */
    struct snapthread_report report;

    _Atomic size_t queued_bytes;

    /* T2's. */
    struct snapfile *file; /* NULL = none, or it failed */
    int64_t zxid;
    int64_t begun_ns;
    bool running; /* between begin and outcome */
};

static int64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

/* ---- the core's side ---- */

static void push(struct snapthread *t, enum step_type type, int64_t zxid, uint64_t digest,
                 struct slice bytes)
{
    struct step *step = mem_alloc(sizeof *step + bytes.len);
    *step = (struct step){.type = type, .zxid = zxid, .digest = digest, .len = bytes.len};
    if (bytes.len > 0)
        memcpy(step->bytes, bytes.ptr, bytes.len);
    atomic_fetch_add_explicit(&t->queued_bytes, bytes.len, memory_order_relaxed);

    pthread_mutex_lock(&t->lock);
    if (t->first == NULL)
        t->first = step;
    else
        t->last->next = step;
    t->last = step;
    pthread_mutex_unlock(&t->lock);
    pthread_cond_signal(&t->changed);
}

void snapthread_begin(struct snapthread *t, int64_t zxid, struct slice body)
{
    push(t, STEP_BEGIN, zxid, 0, body);
}

void snapthread_chunk(struct snapthread *t, struct slice body)
{
    push(t, STEP_CHUNK, 0, 0, body);
}

void snapthread_end(struct snapthread *t, uint64_t digest)
{
    push(t, STEP_END, 0, digest, slice_of(NULL, 0));
}

void snapthread_abort(struct snapthread *t)
{
    push(t, STEP_ABORT, 0, 0, slice_of(NULL, 0));
}

size_t snapthread_room(const struct snapthread *t)
{
    size_t queued = atomic_load_explicit(&t->queued_bytes, memory_order_relaxed);
    return queued < SNAPTHREAD_QUEUE_BYTES_MAX ? SNAPTHREAD_QUEUE_BYTES_MAX - queued : 0;
}

void snapthread_poll(struct snapthread *t, struct snapthread_report *ret)
{
    pthread_mutex_lock(&t->lock);
    *ret = t->report;
    t->report.finished = false;
    pthread_mutex_unlock(&t->lock);
}

/* ---- T2 ---- */

static void outcome(struct snapthread *t, int status, int64_t file_bytes, const struct err *err)
{
    if (!t->running)
        return; /* it failed earlier, and that was reported */
    t->running = false;
    t->file = NULL;

    pthread_mutex_lock(&t->lock);
    t->report = (struct snapthread_report){
        .finished = true,
        .zxid = t->zxid,
        .status = status,
        .err = *err,
        .file_bytes = file_bytes,
        .elapsed_ns = monotonic_ns() - t->begun_ns,
    };
    pthread_mutex_unlock(&t->lock);
}

static void give_up(struct snapthread *t, int status, const struct err *err)
{
    snapfile_discard(t->file);
    outcome(t, status, 0, err);
}

static void write_body(struct snapthread *t, const struct step *step)
{
    struct err err = {""};
    if (!t->running)
        return;
    int rc = snapfile_write(t->file, slice_of(step->bytes, step->len), &err);
    if (rc < 0)
        give_up(t, rc, &err);
}

static void abort_running(struct snapthread *t)
{
    struct err err = {""};
    if (t->running)
        give_up(t, err_set(&err, ERR_INVALID, "aborted"), &err);
}

static void begin(struct snapthread *t, const struct step *step)
{
    struct err err = {""};
    abort_running(t);
    t->zxid = step->zxid;
    t->begun_ns = monotonic_ns();
    t->running = true;
    int rc = snapfile_create(t->fs, t->dir, t->zxid, &t->options.file, &t->file, &err);
    if (rc < 0)
        outcome(t, rc, 0, &err);
    else
        write_body(t, step);
}

static void end(struct snapthread *t, uint64_t digest)
{
    struct err err = {""};
    if (!t->running)
        return;
    int64_t file_bytes = 0;
    int rc = snapfile_publish(t->file, digest, &file_bytes, &err);
    outcome(t, rc, file_bytes, &err);
}

static void carry_out(struct snapthread *t, const struct step *step)
{
    switch (step->type) {
    case STEP_BEGIN:
        begin(t, step);
        break;
    case STEP_CHUNK:
        write_body(t, step);
        break;
    case STEP_END:
        end(t, step->digest);
        break;
    case STEP_ABORT:
        abort_running(t);
        break;
    }
}

/* The next step, waiting for it; NULL when there will be none. */
static struct step *next_step(struct snapthread *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->first == NULL && !t->stopping)
        pthread_cond_wait(&t->changed, &t->lock);
    struct step *step = t->first;
    if (step != NULL) {
        t->first = step->next;
        t->busy = true;
    }
    pthread_mutex_unlock(&t->lock);
    return step;
}

static void step_is_done(struct snapthread *t)
{
    pthread_mutex_lock(&t->lock);
    t->busy = t->running;
    if (!t->busy && t->first == NULL)
        pthread_cond_broadcast(&t->idle);
    pthread_mutex_unlock(&t->lock);
}

void snapthread_wait_idle(struct snapthread *t)
{
    pthread_mutex_lock(&t->lock);
    while (t->busy || t->first != NULL)
        pthread_cond_wait(&t->idle, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void *snapthread_main(void *arg)
{
    struct snapthread *t = arg;
    struct step *step;
    while ((step = next_step(t)) != NULL) {
        carry_out(t, step);
        atomic_fetch_sub_explicit(&t->queued_bytes, step->len, memory_order_relaxed);
        free(step);
        step_is_done(t);
        if (t->options.on_report != NULL)
            t->options.on_report(t->options.arg);
    }
    abort_running(t);
    step_is_done(t);
    return NULL;
}

/* ---- life ---- */

int snapthread_start(struct files *fs, const char *dir, const struct snapthread_options *options,
                     struct snapthread **ret, struct err *err)
{
    struct snapthread *t = mem_calloc(1, sizeof *t);
    t->fs = fs;
    t->dir = mem_dup(dir, strlen(dir) + 1);
    t->options = *options;
    pthread_mutex_init(&t->lock, NULL);
    pthread_cond_init(&t->changed, NULL);
    pthread_cond_init(&t->idle, NULL);

    int rc = io_thread_start(&t->thread, NULL, snapthread_main, t);
    if (rc != 0) {
        pthread_cond_destroy(&t->changed);
        pthread_cond_destroy(&t->idle);
        pthread_mutex_destroy(&t->lock);
        free(t->dir);
        free(t);
        return err_set(err, ERR_IO, "start the snapshot thread: %s", strerror(rc));
    }
    pthread_setname_np(t->thread, "caucus-snap");
    *ret = t;
    return 0;
}

void snapthread_stop(struct snapthread *t)
{
    if (t == NULL)
        return;
    pthread_mutex_lock(&t->lock);
    t->stopping = true;
    pthread_mutex_unlock(&t->lock);
    pthread_cond_signal(&t->changed);
    pthread_join(t->thread, NULL);

    invariant(t->first == NULL);
    pthread_cond_destroy(&t->changed);
    pthread_cond_destroy(&t->idle);
    pthread_mutex_destroy(&t->lock);
    free(t->dir);
    free(t);
}
