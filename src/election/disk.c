#include "election/disk_internal.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"

void disk_queue_deinit(struct queue *q)
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

void disk_queue_move(struct queue *from, struct queue *to)
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

static void start_thread(pthread_t *ret, void *(*run)(void *), struct disk *d)
{
    int rc = pthread_create(ret, NULL, run, d);
    invariant(rc == 0);
}

struct disk *disk_start(struct journal *j, const struct disk_options *options)
{
    struct disk *d = mem_calloc(1, sizeof *d);
    pthread_condattr_t attr;
    d->options = *options;
    d->journal = j;
    list_init(&d->all);
    list_init(&d->in_block);
    list_init(&d->late);
    list_init(&d->in_journal);
    list_init(&d->dirty);
    list_init(&d->reported);
    list_init(&d->settling);
    pthread_mutex_init(&d->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&d->work, &attr);
    pthread_cond_init(&d->settle, &attr);
    pthread_condattr_destroy(&attr);
    pthread_cond_init(&d->settled, NULL);
    start_thread(&d->writer, disk_write_all, d);
    start_thread(&d->settler, disk_settle_all, d);
    return d;
}

void disk_stop(struct disk *d)
{
    if (d == NULL)
        return;
    disk_submit(d);
    pthread_mutex_lock(&d->lock);
    d->stopping = true;
    pthread_cond_signal(&d->work);
    pthread_mutex_unlock(&d->lock);
    pthread_join(d->writer, NULL);
    pthread_join(d->settler, NULL);
    while (!list_is_empty(&d->all)) {
        struct disk_log *l = list_entry(list_take(&d->all), struct disk_log, all);
        disk_queue_deinit(&l->filling);
        disk_queue_deinit(&l->waiting);
        disk_queue_deinit(&l->working);
        free(l);
    }
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->settle);
    pthread_cond_destroy(&d->settled);
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
    list_init(&l->settling);
    list_init(&l->taken);
    list_init(&l->in_block);
    list_init(&l->late);
    list_init(&l->in_journal);
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
        disk_queue_move(&l->filling, &l->waiting);
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
