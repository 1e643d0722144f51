/* logthread.h: thread T1, which makes transactions durable.
 *
 * The core hands over records in order, each with a rising ticket; the thread writes everything it
 * finds waiting as one batch, syncs once, and reports the last ticket that is on disk. So one
 * fdatasync serves all that wait, and the batch grows by itself when the disk is slow.
 *
 *   core:  logthread_append ... append, roll ... logthread_submit      once per turn of the loop
 *   T1:    take all submitted -> one write -> one fdatasync -> report -> on_report()
 *   core:  (woken by on_report) logthread_poll -> NODE_DURABLE(durable_ticket)
 *
 * Threads: all functions belong to the core's thread; on_report is called on T1 and may only wake
 * the core (uv_async_send, an eventfd). Memory: records are copied by logthread_append.
 *
 * Bound: appends are never refused (after commit nobody can say no), so the core must stop taking
 * writes while logthread_queued_bytes is above its limit.
 *
 * Other work on the files that must keep the log's order (epochs, truncation) is handed over in the
 * same way: it is run on T1 when everything before it is durable, before anything behind it is
 * written, and comes back to the core by logthread_done.
 *
 * Errors come with the report and last: after a failed write or sync nothing is retried and nothing
 * becomes durable any more (status ERR_IO). A full disk (ERR_NOSPACE) loses nothing: what is queued
 * stays queued until logthread_resume, or for ever. */
#ifndef CAUCUS_IO_LOGTHREAD_H
#define CAUCUS_IO_LOGTHREAD_H

#include "base/err.h"
#include "base/slice.h"
#include "io/txnlog.h"

struct logthread_options {
    struct txnlog_options log;
    void (*on_report)(void *arg); /* T1; may be NULL */
    void *arg;
};

enum {
    LOGTHREAD_SYNCS_KEPT = 32
};

struct logthread_report {
    uint64_t durable_ticket; /* everything up to it is on disk */
    int status;              /* 0; ERR_NOSPACE: waits for space; other: failed for ever */
    struct err err;          /* explains the status, or space_low */
    bool space_low;          /* zeros could not be written ahead: stop taking writes */

    /* Since the poll before: the first LOGTHREAD_SYNCS_KEPT durations, and the sums of all. */
    int64_t sync_ns[LOGTHREAD_SYNCS_KEPT];
    uint64_t sync_count;
    int64_t sync_ns_sum, sync_ns_max;
    uint64_t batch_bytes_sum;

    int64_t file_zxid;    /* current log file; -1 = none yet */
    int64_t file_bytes;   /* durable in it */
    uint64_t total_bytes; /* written since the start, padding not counted */
};

struct logthread_work {
    /* On T1. 0; ERR_NOSPACE: run again after logthread_resume; another error ends the log. */
    int (*run)(struct logthread_work *w, struct err *err);
    /* On the core's thread, by whoever took it from logthread_done, or by logthread_stop. */
    void (*free)(struct logthread_work *w);
    bool rolls;   /* the log file is closed before, later appends go to a new one */
    size_t bytes; /* counted as queued */

    /* private */
    uint64_t ticket;
    struct logthread_work *next;
};

struct logthread;

int logthread_start(struct files *fs, const char *dir, const struct logthread_options *options,
                    struct logthread **ret, struct err *err);
/* Waits until everything submitted is durable or has failed, then ends the thread and frees. A full
 * disk does not hold it up: what is queued then is lost, as it was never acknowledged. */
void logthread_stop(struct logthread *t);

void logthread_append(struct logthread *t, uint64_t ticket, int64_t zxid, struct slice record);
void logthread_roll(struct logthread *t, uint64_t ticket); /* later appends go to a new file */
/* The work is T1's until logthread_done gives it back. */
void logthread_work(struct logthread *t, uint64_t ticket, struct logthread_work *w);
void logthread_submit(struct logthread *t); /* wakes T1 if anything was added */

size_t logthread_queued_bytes(const struct logthread *t); /* appended and not yet durable */
uint64_t logthread_durable(const struct logthread *t);    /* the ticket alone: cheap */
void logthread_poll(struct logthread *t, struct logthread_report *ret);
/* Work that has been done, oldest first; NULL = none. Its ticket is durable. */
struct logthread_work *logthread_done(struct logthread *t);
void logthread_resume(struct logthread *t); /* after ERR_NOSPACE or space_low: try again */

#endif
