/* err.h: operating errors, as one table.
 *
 * Three kinds of trouble exist (docs/ARCHITECTURE.md): an answer to a client is data (wire/zk.h);
 * the world failing is one of these, returned as a negative int with an explanation in struct err;
 * a broken invariant aborts. */
#ifndef CAUCUS_BASE_ERR_H
#define CAUCUS_BASE_ERR_H

#define ERR_MAP(X)                                                                                 \
    X(ERR_IO, -1001, "input/output error")                                                         \
    X(ERR_NOSPACE, -1002, "no space left")                                                         \
    X(ERR_CORRUPT, -1003, "corrupt data")                                                          \
    X(ERR_INVALID, -1004, "invalid input")                                                         \
    X(ERR_NOTFOUND, -1005, "not found")                                                            \
    X(ERR_POISONED, -1006, "stopped after an earlier failure")                                     \
    X(ERR_TOOBIG, -1007, "too big")                                                                \
    X(ERR_BUSY, -1008, "busy")                                                                     \
    X(ERR_UNSUPPORTED, -1009, "not supported")

enum err_code {
#define ERR_ENUM(name, value, text) name = value,
    ERR_MAP(ERR_ENUM)
#undef ERR_ENUM
};

/* What went wrong, outermost step first: "load snapshot 'x': node 12 at offset 400: bad length". */
struct err {
    char text[512];
};

const char *err_name(int code); /* the table's text; "unknown error" otherwise */

/* Starts an explanation; returns `code`, so that `return err_set(...)` reads well. err may be NULL.
 */
int err_set(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<format>: " in front of the explanation. Returns `code`. err may be NULL. */
int err_wrap(struct err *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
