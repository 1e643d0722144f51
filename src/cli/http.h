/* http.h: one request to a server's admin port, and its answer.
 *
 * HTTP/1.0: the answer ends with the connection, nothing is chunked; both caucusd and Apache's
 * Jetty speak it. Plain text only: a port that wants TLS is told as one that speaks no HTTP.
 * Blocking. */
#ifndef CAUCUS_CLI_HTTP_H
#define CAUCUS_CLI_HTTP_H

#include <stdint.h>

#include "base/buf.h"

enum {
    HTTP_TEXT_MAX = 1 << 20, /* of an answer that is kept in memory, its head included */
    HTTP_HEADER_MAX = 128,
    HTTP_PROBLEM_BYTES = 256,
};

struct http_call {
    const char *place; /* host:port */
    const char *method;
    const char *path;
    const char *authorization; /* NULL: none */
    int body;                  /* a file, sent to its end; -1: none */
    int64_t body_bytes;
    int to;             /* a file for the body of an answer of status 200; -1: keep it as text */
    int64_t timeout_ms; /* to connect, and without a byte of an answer that has begun */
};

struct http_answer {
    int status;
    char last_zxid[HTTP_HEADER_MAX]; /* of a header of that name; "": none */
    int64_t content_length;          /* -1: not told */
    int64_t body_bytes;              /* that came */
    struct buf text;                 /* of the body, with a zero behind; buf_deinit */
};

/* 0, or -1 with a problem for people. The answer's text is the caller's in both cases. */
int http_talk(const struct http_call *call, struct http_answer *ret,
              char problem[HTTP_PROBLEM_BYTES]);

/* The value of a flat member "name" in JSON as the admin port writes it: what stands behind the
 * colon, up to a comma, a brace or the end of the line; quotes are left out. False: not there. */
bool http_member(const char *json, const char *name, char *ret, size_t bytes);

#endif
