/* web.h: the files of web/, as they were when the program was built (cmake/embed.cmake writes the
 * table). Pure. */
#ifndef CAUCUS_ELECTION_REST_WEB_H
#define CAUCUS_ELECTION_REST_WEB_H

#include "base/slice.h"

struct web_file {
    const char *name; /* "style.css" */
    const char *content_type;
    const char *tag; /* the beginning of its SHA-256: changes with the file */
    const unsigned char *bytes;
    size_t len;
};
extern const struct web_file web_files[];
extern const size_t web_file_count;

/* NULL: there is none. */
const struct web_file *web_find(struct slice name);

#endif
