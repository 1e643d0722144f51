#include "vote/csv.h"

#include <inttypes.h>
#include <stdio.h>

void csv_init(struct csv *c, csv_field_fn *on_field, csv_row_fn *on_row, void *arg)
{
    memset(c, 0, sizeof *c);
    c->on_field = on_field;
    c->on_row = on_row;
    c->arg = arg;
    c->line = c->byte = 1;
    c->at = (struct csv_place){1, 1, 1};
}

void csv_place_text(const struct csv_place *at, char *ret, size_t cap)
{
    snprintf(ret, cap, "line %" PRIu64 ", column %" PRIu64 " (field %" PRIu64 ")", at->line,
             at->byte, at->field);
}

static int fail(struct csv *c, const char *what)
{
    struct csv_place here = {c->line, c->byte, c->at.field};
    char where[96];
    csv_place_text(&here, where, sizeof where);
    return c->failed = err_set(&c->err, ERR_INVALID, "%s: %s", where, what);
}

static int put(struct csv *c, uint8_t byte)
{
    if (byte == 0)
        return fail(c, "a zero byte: this is not text");
    if (c->len == CSV_FIELD_BYTES_MAX)
        return fail(c, "the field is longer than 256 bytes");
    c->field[c->len++] = byte;
    return 0;
}

static int end_field(struct csv *c)
{
    c->failed = c->on_field(c->arg, slice_of(c->field, c->len), &c->at, &c->err);
    c->at.field++;
    c->at.byte = c->byte + 1;
    c->len = 0;
    c->state = CSV_FIELD_BEGIN;
    return c->failed;
}

static bool row_is_blank(const struct csv *c)
{
    return c->at.field == 1 && c->len == 0 && c->state == CSV_FIELD_BEGIN;
}

static int end_row(struct csv *c, bool blank)
{
    if (!blank && end_field(c) == 0)
        c->failed = c->on_row(c->arg, &c->at, &c->err);
    c->state = CSV_FIELD_BEGIN;
    c->line++;
    c->byte = 0; /* of the end of line itself: the next one is 1 */
    c->at = (struct csv_place){c->line, 1, 1};
    return c->failed;
}

/* What ends a field or a row, outside of quotes. */
static int separator(struct csv *c, uint8_t byte)
{
    if (byte == ',')
        return end_field(c);
    bool blank = row_is_blank(c);
    if (byte == '\n')
        return end_row(c, blank);
    /* A CR: the row ends with the LF behind it. */
    if (blank)
        c->len = 0;
    c->state = CSV_CR;
    return 0;
}

static bool is_separator(uint8_t byte)
{
    return byte == ',' || byte == '\n' || byte == '\r';
}

static int take(struct csv *c, uint8_t byte)
{
    switch (c->state) {
    case CSV_FIELD_BEGIN:
        if (byte == '"') {
            c->state = CSV_QUOTED;
            return 0;
        }
        if (is_separator(byte))
            return separator(c, byte);
        c->state = CSV_PLAIN;
        return put(c, byte);
    case CSV_PLAIN:
        if (is_separator(byte))
            return separator(c, byte);
        if (byte == '"')
            return fail(c, "a quote inside of a field that does not begin with one");
        return put(c, byte);
    case CSV_QUOTED:
        if (byte == '"') {
            c->state = CSV_QUOTE_ENDED;
            return 0;
        }
        if (byte == '\n') {
            c->line++;
            c->byte = 0;
        }
        return put(c, byte);
    case CSV_QUOTE_ENDED:
        if (byte == '"') {
            c->state = CSV_QUOTED;
            return put(c, byte);
        }
        if (is_separator(byte))
            return separator(c, byte);
        return fail(c, "text behind the closing quote");
    case CSV_CR:
        if (byte != '\n')
            return fail(c, "a carriage return without a line feed");
        return end_row(c, c->at.field == 1 && c->len == 0);
    }
    return 0;
}

/* The byte order mark, or what only began like one. */
static bool in_mark(struct csv *c, uint8_t byte)
{
    static const uint8_t mark[3] = {0xef, 0xbb, 0xbf};
    if (c->line != 1 || c->byte != c->mark + 1u || c->mark == 3 || byte != mark[c->mark])
        return false;
    if (++c->mark == 3) {
        c->len = 0;
        c->state = CSV_FIELD_BEGIN;
        c->mark = 3;
        c->byte = 0;
        return true;
    }
    return false;
}

int csv_add(struct csv *c, struct slice bytes, struct err *err)
{
    for (size_t i = 0; i < bytes.len && c->failed == 0; i++) {
        if (!in_mark(c, bytes.ptr[i]))
            take(c, bytes.ptr[i]);
        c->byte++;
    }
    if (c->failed != 0)
        return err_set(err, c->failed, "%s", c->err.text);
    return 0;
}

int csv_end(struct csv *c, struct err *err)
{
    if (c->failed == 0 && c->state == CSV_QUOTED)
        fail(c, "the file ends inside of quotes");
    if (c->failed == 0 && !row_is_blank(c))
        end_row(c, false);
    if (c->failed != 0)
        return err_set(err, c->failed, "%s", c->err.text);
    return 0;
}
