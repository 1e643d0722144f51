#include "client_io/thread.h"

#include <signal.h>

/* A new thread inherits the mask: no signal handler of the program runs on ours. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *arg)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(ret, NULL, run, arg);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int thread_start_detached(void *(*run)(void *), void *arg)
{
    pthread_t thread;
    int rc = thread_start(&thread, run, arg);
    if (rc == 0)
        pthread_detach(thread);
    return rc;
}
