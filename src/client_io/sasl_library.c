#include "client_io/sasl_library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const char LIBRARY[] = "libsasl2.so.2";

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct sasl_library library;
static bool loaded;
static char failure[256];

/* POSIX lets a data pointer hold a function's address; ISO C has no cast for it. */
static bool find(void *handle, const char *name, void *ret_function)
{
    void *address = dlsym(handle, name);
    memcpy(ret_function, &address, sizeof address);
    return address != NULL;
}

static bool find_all(void *handle)
{
    return find(handle, "sasl_client_init", &library.client_init) &&
           find(handle, "sasl_client_new", &library.client_new) &&
           find(handle, "sasl_client_start", &library.client_start) &&
           find(handle, "sasl_client_step", &library.client_step) &&
           find(handle, "sasl_setprop", &library.setprop) &&
           find(handle, "sasl_dispose", &library.dispose) &&
           find(handle, "sasl_errdetail", &library.errdetail);
}

static void load(void)
{
    void *handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL || !find_all(handle)) {
        const char *why = dlerror();
        snprintf(failure, sizeof failure, "%s cannot be used: %s", LIBRARY,
                 why != NULL ? why : "unknown");
        return;
    }
    int rc = library.client_init(NULL);
    loaded = rc == SASL_OK;
    if (!loaded)
        snprintf(failure, sizeof failure, "%s cannot be used: error %d", LIBRARY, rc);
}

const struct sasl_library *sasl_library(struct err *err)
{
    pthread_once(&once, load);
    if (loaded)
        return &library;
    err_set(err, ERR_UNSUPPORTED, "%s", failure);
    return NULL;
}
