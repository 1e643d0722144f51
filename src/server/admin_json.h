/* admin_json.h: JSON written piece by piece, laid out as ZooKeeper's AdminServer lays it out
 * (Jackson's default pretty printer), since people take it apart with grep.
 *
 *   {                          objects: one member per line, " : " between key and value
 *     "paths" : [ "/a", "/b" ],   arrays: in one line
 *     "none" : { }
 *   }
 *
 * Written straight into a buffer instead of building a tree first: an answer can be a list of a
 * million paths. Texts are made valid UTF-8: what is not becomes U+FFFD. In objects `key` is
 * needed, in arrays it is NULL. Any thread; no errors but the buffer's. */
#ifndef CAUCUS_SERVER_ADMIN_JSON_H
#define CAUCUS_SERVER_ADMIN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

enum {
    JSON_DEPTH_MAX = 8
};

struct json {
    struct buf *out;
    int depth;
    struct {
        bool array;
        bool any;
    } level[JSON_DEPTH_MAX + 1];
};

void json_begin(struct json *j, struct buf *out); /* the outermost object */
void json_end(struct json *j);

void json_object_open(struct json *j, const char *key);
void json_object_open_named(struct json *j, struct slice key);
void json_object_close(struct json *j);
void json_array_open(struct json *j, const char *key);
void json_array_open_named(struct json *j, struct slice key);
void json_array_close(struct json *j);

void json_text(struct json *j, const char *key, struct slice text);
void json_integer(struct json *j, const char *key, int64_t value);
void json_real(struct json *j, const char *key, double value); /* NaN as the text "NaN" */
void json_bool(struct json *j, const char *key, bool value);
void json_null(struct json *j, const char *key);

#endif
