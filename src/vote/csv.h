/* csv.h: comma-separated values, as they come: RFC 4180 in pieces of any size.
 *
 * A row may be as wide as it likes (a state with all of its voters in one), so fields are handed
 * over one by one. Lines end with LF or CRLF; a byte order mark at the beginning is skipped; blank
 * lines are no rows; blanks around a field belong to it. Places are counted from 1: the line, the
 * byte in it, the field in its row.
 *
 * Errors: ERR_INVALID with the place; after one the reader takes nothing more and says it again. */
#ifndef CAUCUS_VOTE_CSV_H
#define CAUCUS_VOTE_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/slice.h"

enum {
    CSV_FIELD_BYTES_MAX = 256,
};

struct csv_place {
    uint64_t line;
    uint64_t byte;  /* in the line: where the field begins */
    uint64_t field; /* in the row */
};

/* One field; borrowed for the call. 0, or an error that ends the reading: say where (at). */
typedef int csv_field_fn(void *arg, struct slice text, const struct csv_place *at, struct err *err);
/* The row is complete. */
typedef int csv_row_fn(void *arg, const struct csv_place *at, struct err *err);

enum csv_state {
    CSV_FIELD_BEGIN, /* nothing of the field yet */
    CSV_PLAIN,
    CSV_QUOTED,
    CSV_QUOTE_ENDED, /* behind a quote that ends the field, or is the first of two */
    CSV_CR,          /* wants a LF */
};

struct csv {
    csv_field_fn *on_field;
    csv_row_fn *on_row;
    void *arg;
    enum csv_state state;
    uint64_t line, byte; /* of the next byte */
    struct csv_place at; /* of the current field */
    uint8_t field[CSV_FIELD_BYTES_MAX];
    size_t len;
    unsigned mark; /* bytes of the byte order mark seen */
    int failed;    /* 0, or the error that ended it */
    struct err err;
};

void csv_init(struct csv *c, csv_field_fn *on_field, csv_row_fn *on_row, void *arg);
int csv_add(struct csv *c, struct slice bytes, struct err *err);
/* The end of the file: completes a last line without its end. */
int csv_end(struct csv *c, struct err *err);

/* "line 3, column 17 (field 2)" for messages of those who are called. */
void csv_place_text(const struct csv_place *at, char *ret, size_t cap);

#endif
