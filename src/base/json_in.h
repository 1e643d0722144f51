/* json_in.h: JSON that others wrote, read from the front.
 *
 * RFC 8259. A reader that meets what is not JSON fails, and stays so; what it returned before may
 * be used. Objects are walked member by member, and what is of no interest is skipped:
 *
 *   for (bool more = json_in_object(&in); more; more = json_in_next(&in))
 *       if (json_in_name(&in, &name)) ... read or skip the value ...
 *
 * Nesting has a bound, and no recursion. */
#ifndef CAUCUS_BASE_JSON_IN_H
#define CAUCUS_BASE_JSON_IN_H

#include "base/buf.h"

enum {
    JSON_IN_DEPTH_MAX = 64
};

struct json_in {
    const char *at;
    const char *end;
    bool failed;
};

void json_in_init(struct json_in *in, struct slice text);
/* What is next: '"', '{', '[', '0' (a number), 't', 'f', 'n', or 0 (the end, or no JSON). */
char json_in_peek(struct json_in *in);
bool json_in_is_over(struct json_in *in); /* nothing but space is left, and nothing failed */

/* Enters an object: whether it has a member. */
bool json_in_object(struct json_in *in);
/* The member's name, up to its value; appended. */
bool json_in_name(struct json_in *in, struct buf *ret);
/* Behind a value: whether another member follows. */
bool json_in_next(struct json_in *in);

/* Enters a list: whether it has an element. Behind an element: whether another follows. */
bool json_in_list(struct json_in *in);
bool json_in_list_next(struct json_in *in);

/* The text, without a zero, appended: valid UTF-8. One with a zero in it fails. */
bool json_in_text(struct json_in *in, struct buf *ret);
/* A whole number in the range; else it fails. */
bool json_in_number(struct json_in *in, int64_t min, int64_t max, int64_t *ret);
bool json_in_flag(struct json_in *in, bool *ret);
/* A null, if it is next. */
bool json_in_null(struct json_in *in);
/* Any value, as it is written. */
bool json_in_skip(struct json_in *in, struct slice *ret);

#endif
