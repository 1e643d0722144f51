/* text.h: the small texts of gRPC's headers: timeouts, status messages, base64, and what codes of
 * HTTP mean. Nothing here keeps state; bad input is false. */
#ifndef CAUCUS_GRPC_TEXT_H
#define CAUCUS_GRPC_TEXT_H

#include <stdbool.h>

#include "base/buf.h"

enum {
    TIMEOUT_TEXT_BYTES = 16
};

/* "100m" and the like, rounded up to milliseconds. */
bool timeout_parse(struct slice text, int64_t *ret_ms);
/* With at most eight digits, rounded up, in the finest unit that has room. ms > 0. Returns its
 * length. */
size_t timeout_print(int64_t ms, char ret[TIMEOUT_TEXT_BYTES]);

/* A status message: printable ASCII without '%' as it is, all else as %XX. */
void percent_encode(struct slice text, struct buf *out);
/* What is no %XX stays as it is: a message is for people, and a bad one better than none. */
void percent_decode(struct slice text, struct buf *out);

/* Without padding, as gRPC sends it. */
void base64_encode(struct slice bytes, struct buf *out);
/* With padding or without; whatever was appended before false is to be dropped. */
bool base64_decode(struct slice text, struct buf *out);

/* A status of digits; false: it is none. */
bool code_parse(struct slice text, int *ret);
/* What it means to a client that a reply has this :status and no grpc-status. */
int code_of_http(int status);
/* And that its stream was reset with this error of HTTP/2. */
int code_of_reset(uint32_t error);

#endif
