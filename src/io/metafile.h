/* metafile.h: small files with one number in decimal: acceptedEpoch, currentEpoch, myid. */
#ifndef CAUCUS_IO_METAFILE_H
#define CAUCUS_IO_METAFILE_H

#include "io/file.h"

/* The number in the first line of dir/name. ERR_NOTFOUND, ERR_CORRUPT (no number), ERR_IO. */
int metafile_read(struct files *fs, const char *dir, const char *name, int64_t *ret,
                  struct err *err);

/* Replaces it: name.tmp, sync, rename, sync the directory. Durable when it returns 0; otherwise the
 * old content is there. */
int metafile_write(struct files *fs, const char *dir, const char *name, int64_t value,
                   struct err *err);

#endif
