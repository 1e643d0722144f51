/* url.h: what stands in a request's line and head, taken apart. Pure.
 *
 * A target is cut at its slashes, and its query at & and =, before anything is decoded: %2F in a
 * part is a letter of it. Decoding takes place in the target's own bytes, once. What is wrong (%
 * without two digits, too many parts) fails as a whole; bytes of any value, zeros too, are fine. */
#ifndef CAUCUS_ELECTION_REST_URL_H
#define CAUCUS_ELECTION_REST_URL_H

#include "base/slice.h"
#include "vote/record.h"

enum {
    URL_PARTS_MAX = 10,
    URL_ARGUMENTS_MAX = 8,
};

struct url_argument {
    struct slice name, value;
};

struct url {
    struct slice
        parts[URL_PARTS_MAX]; /* of the path, without slashes; "/" has one, which is empty */
    size_t part_count;
    struct url_argument arguments[URL_ARGUMENTS_MAX];
    size_t argument_count;
};

/* Slices of `ret` point into `target`, which is changed. */
bool url_read(char *target, size_t bytes, struct url *ret);
/* The value; ptr NULL: not there. */
struct slice url_argument(const struct url *u, const char *name);
/* Whether `?name`, `?name=1` or `?name=true` is there. */
bool url_flag(const struct url *u, const char *name);

/* Decimal digits and nothing else, from min to max. */
bool text_number(struct slice text, uint64_t min, uint64_t max, uint64_t *ret);
/* 32 hex digits, or the same with hyphens as UUIDs have them. All zero is none. */
bool text_uuid(struct slice text, uint8_t ret[16]);
/* The value of If-Match and of an ETag of ours: digits, between quotes or not. */
bool text_revision(struct slice text, uint64_t max, uint64_t *ret);
/* Whether `name` is the media type of a Content-Type, whatever its parameters. */
bool text_is_media_type(struct slice content_type, const char *name);
/* Whether one of the entity tags of an If-None-Match is `tag` (without quotes), or "*". */
bool text_has_tag(struct slice header, struct slice tag);

#endif
