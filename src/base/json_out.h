/* json_out.h: JSON for others, written piece by piece into a buffer, without blanks.
 *
 *   struct json_out j;
 *   json_out_begin(&j, &buf);
 *   json_out_text(&j, "name", slice_str("Ohio"));
 *   json_out_list(&j, "votes");
 *   json_out_number(&j, NULL, 17);
 *   json_out_list_end(&j);
 *   json_out_end(&j);                      {"name":"Ohio","votes":[17]}
 *
 * `name` NULL: an element of a list. What is closed is what was opened last; that is not checked.
 * No errors but the buffer's. */
#ifndef CAUCUS_BASE_JSON_OUT_H
#define CAUCUS_BASE_JSON_OUT_H

#include "base/buf.h"

/* The text between quotes. What is not UTF-8 becomes U+FFFD. */
void json_out_quote(struct buf *out, struct slice text);

struct json_out {
    struct buf *out;
    bool more; /* a comma is wanted before what comes next */
};

void json_out_begin(struct json_out *j, struct buf *out); /* the outermost object */
void json_out_end(struct json_out *j);

void json_out_object(struct json_out *j, const char *name);
void json_out_object_end(struct json_out *j);
void json_out_list(struct json_out *j, const char *name);
void json_out_list_end(struct json_out *j);

void json_out_text(struct json_out *j, const char *name, struct slice text);
void json_out_string(struct json_out *j, const char *name, const char *text);
void json_out_number(struct json_out *j, const char *name, int64_t number);
void json_out_unsigned(struct json_out *j, const char *name, uint64_t number);
void json_out_flag(struct json_out *j, const char *name, bool flag);
void json_out_null(struct json_out *j, const char *name);
/* Bytes as hex digits, in a text. */
void json_out_hex(struct json_out *j, const char *name, const uint8_t *bytes, size_t len);

#endif
