/* folder.h: where a cluster of our own lies, and that only one lives there. */
#ifndef CAUCUS_UP_FOLDER_H
#define CAUCUS_UP_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/* DIR/a/b..., formatted, into ret (UP_PATH_BYTES). False: too long (told). */
bool folder_path(char *ret, const char *dir, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Made if it is not there. False after having told why. */
bool folder_make(const char *path);
/* All of it or, after having told why, nothing new. */
bool folder_write(const char *path, const char *text);

/* Takes DIR/pid; the descriptor is the lock, and goes with the process. -1 after having told why.
 */
int folder_lock(const char *dir);
/* The process that has it: 0 = nobody. -1 after having told why. Waits for its end. */
int folder_owner(const char *dir, int *ret_fd);
bool folder_wait_unlocked(int fd, int timeout_s);

/* What a cluster left: the four folders of it, nothing else. False after having told why. */
bool folder_clean(const char *dir);

#endif
