/* secret.h: a secret from the file it lies in. What stands on a command line, everybody on the
 * machine can read. */
#ifndef CAUCUS_TLS_SECRET_H
#define CAUCUS_TLS_SECRET_H

#include <stddef.h>

#include "base/err.h"

enum {
    SECRET_BYTES = 1024
};

/* The first line, without its end; "" is allowed. ERR_IO: it cannot be read, ERR_TOOBIG: the line
 * does not fit; `err` names no file. */
int secret_read(const char *path, char ret[SECRET_BYTES], struct err *err);

#endif
