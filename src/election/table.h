/* table.h: a small CSV file, row by row, all fields of a row at hand.
 *
 * Errors name file, line and column. Fields are text: no control characters. */
#ifndef CAUCUS_ELECTION_TABLE_H
#define CAUCUS_ELECTION_TABLE_H

#include "vote/csv.h"

enum {
    TABLE_FIELDS_MAX = 32,
};

struct table_row {
    const char *file;
    uint64_t line;
    size_t count;
    const char *fields[TABLE_FIELDS_MAX]; /* beyond `count`: "" */
};

/* 0, or an error that ends the reading (table_error). */
typedef int table_row_fn(void *arg, const struct table_row *row, struct err *err);

/* ERR_NOTFOUND: there is no such file. */
int table_read(const char *path, table_row_fn *on_row, void *arg, struct err *err);

/* "FILE:LINE: what", ERR_INVALID. */
int table_error(const struct table_row *row, struct err *err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* All of a file, with a zero behind; ERR_TOOBIG beyond `max`. The caller frees. */
int file_read_whole(const char *path, size_t max, char **ret, size_t *ret_len, struct err *err);

#endif
