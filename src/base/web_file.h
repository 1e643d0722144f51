/* web_file.h: files of a page inside a program, as they were when it was built (cmake/embed.cmake
 * writes the tables). Pure. */
#ifndef CAUCUS_BASE_WEB_FILE_H
#define CAUCUS_BASE_WEB_FILE_H

#include "base/slice.h"

struct web_file {
    const char *name; /* "style.css" */
    const char *content_type;
    const char *tag; /* the beginning of its SHA-256: changes with the file */
    const unsigned char *bytes;
    size_t len;
};

/* What a page may do, whoever wrote the texts in it: load what is ours, and nothing else. */
#define WEB_FILE_POLICY                                                                            \
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "                \
    "img-src 'self' data:; manifest-src 'self'; base-uri 'none'; form-action 'none'; "             \
    "frame-ancestors 'none'"

/* NULL: there is none. */
const struct web_file *web_file_find(const struct web_file *files, size_t count, struct slice name);

#endif
