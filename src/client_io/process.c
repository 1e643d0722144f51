#include "client_io/process.h"

#include <pthread.h>
#include <stdatomic.h>

static atomic_uint forks;
static int trouble;

static void on_fork(void)
{
    atomic_fetch_add(&forks, 1);
}

static void begin(void)
{
    trouble = pthread_atfork(NULL, NULL, on_fork);
}

int process_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, begin);
    return trouble;
}

unsigned process_number(void)
{
    return atomic_load_explicit(&forks, memory_order_relaxed);
}
