#include "io/thread.h"

#include <signal.h>

/* A new thread inherits the mask. What a thread's own mistake raises stays: a handler tells of it.
 */
static sigset_t block_all(void)
{
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all, before;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&all, own[i]);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    return before;
}

static void restore(sigset_t before)
{
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

int io_thread_start(pthread_t *ret, const pthread_attr_t *attr, void *(*run)(void *), void *arg)
{
    sigset_t before = block_all();
    int rc = pthread_create(ret, attr, run, arg);
    restore(before);
    return rc;
}

void io_queue_work(uv_loop_t *uv, uv_work_t *work, uv_work_cb run, uv_after_work_cb done)
{
    sigset_t before = block_all();
    uv_queue_work(uv, work, run, done);
    restore(before);
}
