/* thread.h: threads beside the loop's, which never have a signal delivered to them.
 *
 * What a program does about SIGTERM is its loop's business. When the loop has ended, its thread
 * blocks the signal, and a second one would find any other thread that does not: the end of the
 * process, in the middle of its orderly end. */
#ifndef CAUCUS_IO_THREAD_H
#define CAUCUS_IO_THREAD_H

#include <pthread.h>
#include <uv.h>

/* pthread_create. attr may be NULL. */
int io_thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg);

/* uv_queue_work: the first one of a process starts libuv's threads, which stay. */
void io_queue_work(uv_loop_t *uv, uv_work_t *work, uv_work_cb run, uv_after_work_cb done);

#endif
