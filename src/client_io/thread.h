/* thread.h: threads of the library: they leave the program's signals alone. */
#ifndef CAUCUS_CLIENT_IO_THREAD_H
#define CAUCUS_CLIENT_IO_THREAD_H

#include <pthread.h>

/* 0, or an errno value: the system refused. */
int thread_start(pthread_t *ret, void *(*run)(void *), void *arg);
int thread_start_detached(void *(*run)(void *), void *arg);

#endif
