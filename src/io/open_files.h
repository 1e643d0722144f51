/* open_files.h: how many files and sockets this process may have open. */
#ifndef CAUCUS_IO_OPEN_FILES_H
#define CAUCUS_IO_OPEN_FILES_H

#include <stdint.h>

/* Shells give few and allow more (RLIMIT_NOFILE): takes what is allowed, and returns how many that
 * is; UINT64_MAX = no limit. */
uint64_t open_files_raise_max(void);

#endif
