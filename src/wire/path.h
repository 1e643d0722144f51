/* path.h: which paths a znode can have (PathUtils.validatePath), and taking paths apart. Pure. */
#ifndef CAUCUS_WIRE_PATH_H
#define CAUCUS_WIRE_PATH_H

#include <stdbool.h>

#include "base/slice.h"

/* NULL when valid, else what is wrong, for logs. `sequential`: a number will be appended, so the
 * last component may still be empty, "." or "..".
 *
 * ZooKeeper judges the UTF-16 that Java made of the bytes: control characters, U+D800 to U+F8FF and
 * U+FFF0 to U+FFFF are refused. Therefore everything above U+FFFF is refused too (two
 * surrogates), and so are bytes that are not UTF-8 (Java decodes them as U+FFFD). */
const char *path_check(struct slice path, bool sequential);

/* What stands before the last slash: "" for "/a" and for "/"; "" too where there is no slash. */
struct slice path_parent(struct slice path);

/* What stands behind the last slash: "" for "/"; everything where there is no slash. */
struct slice path_name(struct slice path);

#endif
