#include "tls/secret.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

int secret_read(const char *path, char ret[SECRET_BYTES], struct err *err)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return err_set(err, ERR_IO, "%s", strerror(errno));
    ret[0] = 0;
    errno = 0;
    bool read = fgets(ret, SECRET_BYTES, f) != NULL || ferror(f) == 0;
    int error = errno;
    fclose(f);
    if (!read)
        return err_set(err, ERR_IO, "%s", strerror(error));
    size_t len = strcspn(ret, "\r\n");
    if (len == SECRET_BYTES - 1)
        return err_set(err, ERR_TOOBIG, "the first line is longer than %d bytes", SECRET_BYTES - 2);
    ret[len] = 0;
    return 0;
}
