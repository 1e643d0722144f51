/* http.h: an answer of HTTP/1.1 as servers of the election give it: a head, and a body of a length
 * that is told. Any bytes are fine. Pure. */
#ifndef CAUCUS_ELECTION_CLIENT_HTTP_H
#define CAUCUS_ELECTION_CLIENT_HTTP_H

#include <stdbool.h>

#include "base/slice.h"

enum {
    HTTP_HEAD_BYTES_MAX = 16 << 10
};

struct http_answer {
    int status;
    bool stays;        /* the connection, open for another request */
    struct slice body; /* in the bytes that were given */
    size_t bytes;      /* all of it, head and body; of MORE: at least so many are wanted */
};

enum http_verdict {
    HTTP_WHOLE,
    HTTP_MORE, /* of it has to come */
    HTTP_WRONG,
};
enum http_verdict http_read(struct slice bytes, size_t body_bytes_max, struct http_answer *ret);

#endif
