#include "election/disk.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/list.h"
#include "base/mem.h"

/* What is to be written to one log: entry i's bytes are at persists[i].at. */
struct queue {
    struct shard_persist *persists;
    size_t count, cap;
    struct buf bytes;
};

struct disk_log {
    struct disk *disk;
    struct votelog *log;
    void *owner;
    struct list all;
    struct queue filling; /* the loop's */

    /* Under disk->lock: */
    struct queue waiting;
    struct list dirty;    /* disk->dirty: something waits */
    struct list reported; /* disk->reported: `durable` rose */
    uint64_t durable;

    struct queue working; /* the thread's */
    struct list taken;    /* likewise */
};

struct disk {
    struct disk_options options;
    pthread_t thread;
    struct list all; /* the loop's */

    /* Guards what follows and what the logs share; nothing is called while it is held. */
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list dirty, reported;
    bool stopping;
    int status;
    struct err err;
    struct disk_report report;
};

static void queue_deinit(struct queue *q)
{
    free(q->persists);
    buf_deinit(&q->bytes);
    *q = (struct queue){0};
}

static void queue_add(struct queue *q, const struct shard_persist *p, struct slice bytes)
{
    if (q->count == q->cap) {
        q->cap = q->cap ? q->cap * 2 : 16;
        q->persists = mem_realloc(q->persists, q->cap * sizeof *q->persists);
    }
    struct shard_persist *copy = &q->persists[q->count++];
    *copy = *p;
    copy->at = q->bytes.len;
    copy->len = bytes.len;
    buf_put_slice(&q->bytes, bytes);
}

static void queue_move(struct queue *from, struct queue *to)
{
    if (to->count == 0) {
        struct queue empty = *to;
        *to = *from;
        *from = empty;
        return;
    }
    for (size_t i = 0; i < from->count; i++) {
        const struct shard_persist *p = &from->persists[i];
        queue_add(to, p, buf_part(&from->bytes, p->at, p->len));
    }
    from->count = 0;
    buf_clear(&from->bytes);
}

/* ---- the thread ---- */

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int write_log(struct disk_log *l, struct err *err)
{
    for (size_t i = 0; i < l->working.count; i++) {
        const struct shard_persist *p = &l->working.persists[i];
        int rc = votelog_write(l->log, p, buf_part(&l->working.bytes, p->at, p->len), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void tell(struct disk_log *l, uint64_t ticket, int64_t took_ns)
{
    struct disk *d = l->disk;
    pthread_mutex_lock(&d->lock);
    d->report.syncs++;
    d->report.sync_ns_sum += (uint64_t)took_ns;
    if ((uint64_t)took_ns > d->report.sync_ns_max)
        d->report.sync_ns_max = (uint64_t)took_ns;
    d->report.bytes += l->working.bytes.len;
    d->report.queued_bytes -= l->working.bytes.len;
    if (ticket > l->durable) {
        l->durable = ticket;
        list_remove(&l->reported);
        list_append(&d->reported, &l->reported);
    }
    pthread_mutex_unlock(&d->lock);
    l->working.count = 0;
    buf_clear(&l->working.bytes);
    d->options.on_report(d->options.arg);
}

static int sync_log(struct disk_log *l, struct err *err)
{
    uint64_t ticket = 0;
    int64_t began = clock_ns();
    int rc = votelog_sync(l->log, &ticket, err);
    if (rc == 0)
        tell(l, ticket, clock_ns() - began);
    return rc;
}

/* All logs are on their way to the disk before the first is waited for. */
static int work(struct list *taken, struct err *err)
{
    int rc = 0;
    bool several = taken->next->next != taken;
    for (struct list *at = taken->next; rc == 0 && at != taken; at = at->next) {
        struct disk_log *l = list_entry(at, struct disk_log, taken);
        rc = write_log(l, err);
        if (rc == 0 && several)
            rc = votelog_push(l->log, err);
    }
    while (rc == 0 && !list_is_empty(taken))
        rc = sync_log(list_entry(list_take(taken), struct disk_log, taken), err);
    return rc;
}

/* False: it is time to end. */
static bool take(struct disk *d, struct list *taken)
{
    pthread_mutex_lock(&d->lock);
    while (list_is_empty(&d->dirty) && !d->stopping)
        pthread_cond_wait(&d->work, &d->lock);
    list_init(taken);
    while (!list_is_empty(&d->dirty)) {
        struct disk_log *l = list_entry(list_take(&d->dirty), struct disk_log, dirty);
        queue_move(&l->waiting, &l->working);
        list_append(taken, &l->taken);
    }
    pthread_mutex_unlock(&d->lock);
    return !list_is_empty(taken);
}

static void *run(void *arg)
{
    struct disk *d = arg;
    struct list taken;
    struct err err = {""};
    int rc = 0;
    while (rc == 0 && take(d, &taken))
        rc = work(&taken, &err);
    pthread_mutex_lock(&d->lock);
    d->status = rc;
    d->err = err;
    pthread_mutex_unlock(&d->lock);
    if (rc < 0)
        d->options.on_report(d->options.arg);
    return NULL;
}

/* ---- the loop's side ---- */

struct disk *disk_start(const struct disk_options *options)
{
    struct disk *d = mem_calloc(1, sizeof *d);
    d->options = *options;
    list_init(&d->all);
    list_init(&d->dirty);
    list_init(&d->reported);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->work, NULL);
    int rc = pthread_create(&d->thread, NULL, run, d);
    invariant(rc == 0);
    return d;
}

void disk_stop(struct disk *d)
{
    disk_submit(d);
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->thread, NULL);
    while (!list_is_empty(&d->all)) {
        struct disk_log *l = list_entry(list_take(&d->all), struct disk_log, all);
        queue_deinit(&l->filling);
        queue_deinit(&l->waiting);
        queue_deinit(&l->working);
        free(l);
    }
    pthread_cond_destroy(&d->work);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct disk_log *disk_add(struct disk *d, struct votelog *log, void *owner)
{
    struct disk_log *l = mem_calloc(1, sizeof *l);
    l->disk = d;
    l->log = log;
    l->owner = owner;
    list_init(&l->dirty);
    list_init(&l->reported);
    list_init(&l->taken);
    list_append(&d->all, &l->all);
    return l;
}

void disk_put(struct disk_log *l, const struct shard_persist *p, struct slice bytes)
{
    queue_add(&l->filling, p, bytes);
}

void disk_submit(struct disk *d)
{
    bool any = false;
    for (struct list *at = d->all.next; at != &d->all; at = at->next)
        any = any || list_entry(at, struct disk_log, all)->filling.count > 0;
    if (!any)
        return;
    pthread_mutex_lock(&d->lock);
    for (struct list *at = d->all.next; at != &d->all; at = at->next) {
        struct disk_log *l = list_entry(at, struct disk_log, all);
        if (l->filling.count == 0)
            continue;
        d->report.queued_bytes += l->filling.bytes.len;
        queue_move(&l->filling, &l->waiting);
        list_remove(&l->dirty);
        list_append(&d->dirty, &l->dirty);
    }
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
}

void *disk_poll(struct disk *d, uint64_t *ret_ticket)
{
    void *owner = NULL;
    pthread_mutex_lock(&d->lock);
    struct list *first = list_take(&d->reported);
    if (first != NULL) {
        struct disk_log *l = list_entry(first, struct disk_log, reported);
        owner = l->owner;
        *ret_ticket = l->durable;
    }
    pthread_mutex_unlock(&d->lock);
    return owner;
}

int disk_status(struct disk *d, struct err *err)
{
    pthread_mutex_lock(&d->lock);
    int status = d->status;
    if (status < 0 && err != NULL)
        *err = d->err;
    pthread_mutex_unlock(&d->lock);
    return status;
}

void disk_get_report(struct disk *d, struct disk_report *ret)
{
    pthread_mutex_lock(&d->lock);
    *ret = d->report;
    pthread_mutex_unlock(&d->lock);
}
