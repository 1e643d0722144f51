/* new_file.h: small files that are there whole, and on the disk, or not at all. */
#ifndef CAUCUS_COMMITTEE_NEW_FILE_H
#define CAUCUS_COMMITTEE_NEW_FILE_H

#include <sys/types.h>

#include "base/err.h"
#include "base/slice.h"

/* Nothing that is there is overwritten: ERR_INVALID. */
int new_file_write(const char *path, mode_t mode, struct slice bytes, struct err *err);
/* Puts it in the place of what is there, by way of PATH.new. */
int new_file_replace(const char *path, struct slice bytes, struct err *err);

/* Waits until nobody else has the folder of PATH locked: from before PATH is read until it is
 * replaced. An fd, whose close ends it. */
int new_file_lock(const char *path, struct err *err);

#endif
