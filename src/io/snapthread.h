/* snapthread.h: thread T2, which writes a snapshot while the core goes on.
 *
 *   core: begin(zxid) chunk chunk ... end(digest)          (or abort)
 *   T2:   snapfile_create, write ..., publish -> on_report() whenever room or an outcome appears
 *   core: (woken) snapthread_poll -> finished? and snapthread_room -> NODE_SNAPSHOT_PULL(room)
 *
 * One snapshot at a time. All functions belong to the core's thread; on_report is called on T2 and
 * may only wake the core. Chunks are copied. Bound: snapthread_room says how many bytes the queue
 * takes before it is full (SNAPTHREAD_QUEUE_BYTES_MAX); a chunk that is larger is taken all the
 * same. A failure is reported once, the chunks that still come are dropped, and the older snapshots
 * are as they were. */
#ifndef CAUCUS_IO_SNAPTHREAD_H
#define CAUCUS_IO_SNAPTHREAD_H

#include "io/snapfile.h"

enum {
    SNAPTHREAD_QUEUE_BYTES_MAX = 4 << 20
};

struct snapthread_options {
    struct snapfile_options file;
    void (*on_report)(void *arg); /* T2; may be NULL */
    void *arg;
};

struct snapthread_report {
    bool finished; /* the snapshot ended since the poll before: durable if status is 0 */
    int64_t zxid;
    int status; /* 0 or the error */
    struct err err;
    int64_t file_bytes;
    int64_t elapsed_ns; /* from begin to the name being durable */
};

struct snapthread;

int snapthread_start(struct files *fs, const char *dir, const struct snapthread_options *options,
                     struct snapthread **ret, struct err *err);
void snapthread_stop(
    struct snapthread *t); /* an unfinished snapshot is discarded; a finished one is published */

void snapthread_begin(struct snapthread *t, int64_t zxid, struct slice body);
void snapthread_chunk(struct snapthread *t, struct slice body);
void snapthread_end(struct snapthread *t, uint64_t digest);
void snapthread_abort(struct snapthread *t); /* reported as finished with ERR_INVALID "aborted" */

/* For another thread: until nothing is being written and nothing waits to be (after an abort). */
void snapthread_wait_idle(struct snapthread *t);

size_t snapthread_room(const struct snapthread *t); /* 0 = full */
void snapthread_poll(struct snapthread *t, struct snapthread_report *ret);

#endif
