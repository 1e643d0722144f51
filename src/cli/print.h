/* print.h: what people see on stdout. */
#ifndef CAUCUS_CLI_PRINT_H
#define CAUCUS_CLI_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caucus/caucus.h"

/* A node's data. Into a pipe or file: the bytes as they are. On a terminal what could upset it is
 * escaped, and a line ends. */
void print_data(const void *data, size_t bytes, bool end_line);

/* On one line wherever it goes to: controls and what is no UTF-8 are escaped. */
void print_line_text(const void *text, size_t bytes);
/* The same in quotes, at most so many bytes, and then the number of all. */
void print_excerpt(const void *data, size_t bytes, size_t bytes_max);

/* "2026-11-29T09:00:00.123Z" */
enum {
    TIME_TEXT_BYTES = 40
};
void time_text(int64_t ms, char ret[TIME_TEXT_BYTES]);

void print_stat(const struct caucus_stat *stat);

/* A table: cells are copied, columns are as wide as their widest cell. */
enum {
    TABLE_COLUMNS_MAX = 12
};

struct table {
    size_t columns;
    char **cells; /* row after row; the first row has the titles */
    size_t count;
    size_t room;
};

void cli_table_init(struct table *t, size_t columns, const char *const *titles);
void cli_table_cell(struct table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Bytes from outside, escaped as on a terminal, and of many the first. */
void cli_table_bytes(struct table *t, const void *data, size_t bytes);
void cli_table_print(const struct table *t);
void cli_table_deinit(struct table *t);

/* Into name order, as bytes. */
void sort_names(const char **names, size_t count);

#endif
