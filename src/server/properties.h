/* properties.h: the file format of zoo.cfg: java.util.Properties.
 *
 *   # comment            also with "!"; never continued
 *   key = value          or "key: value", or "key value"; blanks around are dropped
 *   a\ key\:=value       a backslash takes the next character literally; \t \n \r \f \uXXXX
 *   key = first \        an odd number of backslashes at the end continues the line; the blanks
 *         second         at the beginning of the next one are dropped
 *
 * Like ZooKeeper, and unlike Java, blanks at the end of a value are dropped too. Bytes above 0x7f
 * are taken as they are (Java reads them as Latin-1; a path in UTF-8 then names another file). A
 * key that comes twice counts with its last line. Pure; the parse result owns its texts. */
#ifndef CAUCUS_SERVER_PROPERTIES_H
#define CAUCUS_SERVER_PROPERTIES_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

struct property {
    char *key;
    char *value;
    int line; /* where it began, from 1 */
};

struct properties {
    struct property *items; /* in order of their lines; each key once */
    size_t count;
};

/* ERR_INVALID with the line if a \u is followed by anything but four hex digits, or if there is a
 * zero byte (both end the reading of the file in Java or in C). Deinit is due only on success. */
int properties_parse(struct slice text, struct properties *ret, struct err *err);
/* One more, or another value for a key that is there. */
void properties_set(struct properties *p, const char *key, const char *value, int line);
/* Appends the text with *** for the values of the keys that `is_secret` knows; all else as it is.
 */
void properties_hide(struct slice text, bool (*is_secret)(const char *key), struct buf *out);
void properties_deinit(struct properties *p);

#endif
