/* disk_threads.c: the writer, which makes durable what waits, by the journal; the settler, which
 * syncs the logs' own files, so that the journal's older half can be written again. */
#include <time.h>

#include "election/disk_internal.h"

enum {
    /* Who reads a log's file from outside finds it complete so long after the last vote. */
    QUIET_NS = 2 * 1000 * 1000,
    /* At the latest: an append to each of 51 files costs more than the journal's block. */
    FLUSH_NS = 100 * 1000 * 1000,
    /* Between the syncs of two logs' files: 51 at once keep the disk from the journal for as long
     * as the slowest vote may take. */
    SETTLE_NS = 50 * 1000 * 1000,
};

static int64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void add_once(struct list *to, struct list *node)
{
    list_remove(node);
    list_append(to, node);
}

static void fail(struct disk *d, int rc, const struct err *err)
{
    pthread_mutex_lock(&d->lock);
    if (d->status == 0) {
        d->status = rc;
        d->err = *err;
    }
    pthread_cond_signal(&d->work);
    pthread_cond_signal(&d->settle);
    pthread_cond_signal(&d->settled);
    pthread_mutex_unlock(&d->lock);
    d->options.on_report(d->options.arg);
}

/* ---- the settler ---- */

/* With d->lock. False: time is up. */
static bool wait_until(struct disk *d, pthread_cond_t *cond, int64_t until_ns)
{
    struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    return pthread_cond_timedwait(cond, &d->lock, &until) == 0;
}

/* With d->lock. There is time, unless the writer waits. */
static void pause_settling(struct disk *d)
{
    int64_t until_ns = clock_ns() + SETTLE_NS;
    while (!list_is_empty(&d->settling) && !d->writer_waits && d->status == 0 &&
           wait_until(d, &d->settle, until_ns))
        ;
}

/* NULL: it is time to end. */
static struct disk_log *next_to_settle(struct disk *d)
{
    struct list *first = NULL;
    pthread_mutex_lock(&d->lock);
    if (list_is_empty(&d->settling)) {
        d->settler_works = false;
        pthread_cond_signal(&d->settled);
    }
    while (d->status == 0 && !d->writer_ended && list_is_empty(&d->settling))
        pthread_cond_wait(&d->settle, &d->lock);
    pause_settling(d);
    if (d->status == 0)
        first = list_take(&d->settling);
    pthread_mutex_unlock(&d->lock);
    return first != NULL ? list_entry(first, struct disk_log, settling) : NULL;
}

void *disk_settle_all(void *disk)
{
    struct disk *d = disk;
    struct err err = {""};
    for (struct disk_log *l; (l = next_to_settle(d)) != NULL;) {
        int rc = votelog_sync(l->log, &err);
        if (rc < 0) {
            fail(d, rc, &err);
            break;
        }
    }
    return NULL;
}

/* ---- the writer: the journal ---- */

/* Waits, rarely, until the settler is done with the generation before. */
static int wait_settled(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    d->writer_waits = true;
    pthread_cond_signal(&d->settle);
    while (d->settler_works && d->status == 0)
        pthread_cond_wait(&d->settled, &d->lock);
    d->writer_waits = false;
    int status = d->status;
    pthread_mutex_unlock(&d->lock);
    return status < 0 ? ERR_POISONED : 0;
}

static bool settler_is_done(struct disk *d)
{
    pthread_mutex_lock(&d->lock);
    bool done = !d->settler_works;
    pthread_mutex_unlock(&d->lock);
    return done;
}

static int turn_journal(struct disk *d, struct err *err)
{
    int rc = wait_settled(d);
    if (rc < 0)
        return rc;
    journal_settled(d->journal);
    rc = journal_turn(d->journal, err);
    pthread_mutex_lock(&d->lock);
    while (!list_is_empty(&d->in_journal))
        list_append(&d->settling,
                    &list_entry(list_take(&d->in_journal), struct disk_log, in_journal)->settling);
    d->settler_works = !list_is_empty(&d->settling);
    pthread_cond_signal(&d->settle);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int commit(struct disk *d, struct err *err)
{
    if (!journal_is_settled(d->journal) && settler_is_done(d))
        journal_settled(d->journal);
    int rc = journal_has_room(d->journal) ? 0 : turn_journal(d, err);
    if (rc < 0)
        return rc;
    int64_t began = clock_ns();
    rc = journal_commit(d->journal, err);
    int64_t took_ns = clock_ns() - began;
    pthread_mutex_lock(&d->lock);
    d->report.syncs++;
    d->report.sync_ns_sum += (uint64_t)took_ns;
    if ((uint64_t)took_ns > d->report.sync_ns_max)
        d->report.sync_ns_max = (uint64_t)took_ns;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

/* Whether somebody waits for what goes into the block. For what was seen committed nobody does: it
 * goes along with what comes next. */
static int fill_from(struct disk *d, struct disk_log *l, bool *ret_awaited, struct err *err)
{
    struct buf *block = journal_block(d->journal);
    int rc = 0;
    add_once(&d->in_block, &l->in_block);
    while (rc == 0 && l->next < l->working.count && !journal_block_is_full(d->journal)) {
        const struct shard_persist *p = &l->working.persists[l->next];
        rc = votelog_write(l->log, p, buf_part(&l->working.bytes, p->at, p->len), block, err);
        if (rc == 0) {
            *ret_awaited = *ret_awaited || p->ticket > 0;
            l->next++;
        }
    }
    return rc;
}

/* Into the block what fits; *ret_all: that was all there is. */
static int fill_block(struct disk *d, struct list *taken, bool *ret_all, bool *ret_awaited,
                      struct err *err)
{
    *ret_all = true;
    *ret_awaited = false;
    for (struct list *at = taken->next; at != taken; at = at->next) {
        struct disk_log *l = list_entry(at, struct disk_log, taken);
        int rc = fill_from(d, l, ret_awaited, err);
        if (rc < 0)
            return rc;
        *ret_all = *ret_all && l->next == l->working.count;
    }
    return 0;
}

static void tell(struct disk *d)
{
    while (!list_is_empty(&d->in_block)) {
        struct disk_log *l = list_entry(list_take(&d->in_block), struct disk_log, in_block);
        uint64_t ticket = votelog_safe(l->log);
        add_once(&d->late, &l->late);
        add_once(&d->in_journal, &l->in_journal);
        pthread_mutex_lock(&d->lock);
        if (ticket > l->durable) {
            l->durable = ticket;
            add_once(&d->reported, &l->reported);
        }
        pthread_mutex_unlock(&d->lock);
    }
    d->options.on_report(d->options.arg);
}

static void forget_taken(struct disk *d, struct list *taken)
{
    pthread_mutex_lock(&d->lock);
    while (!list_is_empty(taken)) {
        struct disk_log *l = list_entry(list_take(taken), struct disk_log, taken);
        d->report.bytes += l->working.bytes.len;
        d->report.queued_bytes -= l->working.bytes.len;
        l->working.count = l->next = 0;
        buf_clear(&l->working.bytes);
    }
    pthread_mutex_unlock(&d->lock);
}

/* A round begins in a block of its own, hence the loop also where one block holds it all. Whoever
 * is told that all is durable finds nothing queued. */
static int make_durable(struct disk *d, struct list *taken, struct err *err)
{
    bool all = false, awaited;
    while (!all) {
        int rc = fill_block(d, taken, &all, &awaited, err);
        awaited = awaited || !all;
        if (rc == 0 && awaited)
            rc = commit(d, err);
        if (rc < 0)
            return rc;
        if (all)
            forget_taken(d, taken);
        if (awaited)
            tell(d);
    }
    return 0;
}

/* ---- the writer: the files ---- */

static int flush_late(struct disk *d, struct err *err)
{
    int rc = 0;
    if (!list_is_empty(&d->in_block)) {
        rc = commit(d, err);
        if (rc == 0)
            tell(d);
    }
    while (rc == 0 && !list_is_empty(&d->late))
        rc = votelog_flush(list_entry(list_take(&d->late), struct disk_log, late)->log, err);
    return rc;
}

static bool nothing_is_late(const struct disk *d)
{
    return list_is_empty(&d->late) && list_is_empty(&d->in_block);
}

/* What is done when nothing has come for a moment. */
static int use_quiet(struct disk *d, struct err *err)
{
    return nothing_is_late(d) ? journal_go_ahead(d->journal, err) : flush_late(d, err);
}

/* With d->lock. False: time is up. */
static bool wait_for_work(struct disk *d)
{
    if (nothing_is_late(d) && !journal_wants_ahead(d->journal)) {
        pthread_cond_wait(&d->work, &d->lock);
        return true;
    }
    return wait_until(d, &d->work, clock_ns() + QUIET_NS);
}

/* False: it is time to end. */
static bool take(struct disk *d, struct list *taken)
{
    list_init(taken);
    pthread_mutex_lock(&d->lock);
    while (list_is_empty(&d->dirty) && !d->stopping && d->status == 0 && wait_for_work(d))
        ;
    while (!list_is_empty(&d->dirty)) {
        struct disk_log *l = list_entry(list_take(&d->dirty), struct disk_log, dirty);
        disk_queue_move(&l->waiting, &l->working);
        list_append(taken, &l->taken);
    }
    bool go_on = d->status == 0 && (!d->stopping || !list_is_empty(taken));
    pthread_mutex_unlock(&d->lock);
    return go_on;
}

/* Everything is in the files, and on disk. */
static int end(struct disk *d, struct err *err)
{
    int rc = flush_late(d, err);
    if (rc == 0)
        rc = wait_settled(d);
    while (rc == 0 && !list_is_empty(&d->in_journal)) {
        struct list *first = list_take(&d->in_journal);
        rc = votelog_sync(list_entry(first, struct disk_log, in_journal)->log, err);
    }
    return rc < 0 ? rc : journal_finish(d->journal, err);
}

/* The files get theirs when nothing else is to be done, or when it is time; the journal its room.
 */
static int work(struct disk *d, struct list *taken, struct err *err)
{
    if (list_is_empty(taken))
        return use_quiet(d, err);
    if (nothing_is_late(d))
        d->flush_by_ns = clock_ns() + FLUSH_NS;
    int rc = make_durable(d, taken, err);
    return rc == 0 && clock_ns() >= d->flush_by_ns ? flush_late(d, err) : rc;
}

void *disk_write_all(void *disk)
{
    struct disk *d = disk;
    struct list taken;
    struct err err = {""};
    int rc = 0;
    while (rc == 0 && take(d, &taken))
        rc = work(d, &taken, &err);
    if (rc == 0)
        rc = end(d, &err);
    if (rc < 0)
        fail(d, rc, &err);
    pthread_mutex_lock(&d->lock);
    d->writer_ended = true;
    pthread_cond_signal(&d->settle);
    pthread_mutex_unlock(&d->lock);
    return NULL;
}
