#include "io/snappy_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char LIBRARY[] = "libsnappy.so.1";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct snappy_library library;
static bool loaded;
static char failure[256];

/* POSIX lets a data pointer hold a function's address; ISO C has no cast for it. */
static bool find(void *handle, const char *name, void *ret_function)
{
    void *address = dlsym(handle, name);
    memcpy(ret_function, &address, sizeof address);
    return address != NULL;
}

static void load(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle != NULL && find(handle, "snappy_compress", &library.compress) &&
        find(handle, "snappy_uncompress", &library.uncompress) &&
        find(handle, "snappy_max_compressed_length", &library.max_compressed_length) &&
        find(handle, "snappy_uncompressed_length", &library.uncompressed_length)) {
        loaded = true;
        return;
    }
    const char *why = dlerror();
    snprintf(failure, sizeof failure, "%s cannot be used: %s", LIBRARY,
             why != NULL ? why : "unknown");
}

const struct snappy_library *snappy_library(struct err *err)
{
    pthread_once(&once, load);
    if (loaded)
        return &library;
    err_set(err, ERR_UNSUPPORTED, "%s", failure);
    return NULL;
}
