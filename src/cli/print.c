#include "cli/print.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/utf8.h"

/* How much at *text is written as it is; 0: one byte that is to be escaped. */
static size_t harmless_length(const char *text, size_t bytes, const char *kept)
{
    unsigned char c = (unsigned char)text[0];
    size_t len = utf8_length(text, bytes);
    bool control = (c < 0x20 && (c == 0 || strchr(kept, c) == NULL)) || c == 0x7f ||
                   (len == 2 && c == 0xc2 && (unsigned char)text[1] < 0xa0);
    return control ? 0 : len;
}

/* Controls and what is no UTF-8 are escaped, but for those that are kept. */
static void print_escaped(const char *text, size_t bytes, const char *kept)
{
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t len = harmless_length(text + i, bytes - i, kept);
        if (len == 0)
            printf("\\x%02x", c);
        else
            fwrite(text + i, 1, len, stdout);
        i += len > 0 ? len : 1;
    }
}

void print_data(const void *data, size_t bytes, bool end_line)
{
    if (isatty(STDOUT_FILENO)) {
        print_escaped(data, bytes, "\n\t");
        end_line = true;
    } else if (bytes > 0) {
        fwrite(data, 1, bytes, stdout);
    }
    if (end_line && bytes > 0 && ((const char *)data)[bytes - 1] != '\n')
        putchar('\n');
}

void print_line_text(const void *data, size_t bytes)
{
    print_escaped(data, bytes, "");
}

void print_excerpt(const void *data, size_t bytes, size_t bytes_max)
{
    putchar('"');
    print_line_text(data, bytes < bytes_max ? bytes : bytes_max);
    putchar('"');
    if (bytes > bytes_max)
        printf("... (%zu bytes)", bytes);
}

void time_text(int64_t ms, char ret[TIME_TEXT_BYTES])
{
    char seconds[32];
    struct tm tm;
    time_t s = (time_t)(ms / 1000 - (ms % 1000 < 0));
    if (gmtime_r(&s, &tm) == NULL ||
        strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        snprintf(ret, TIME_TEXT_BYTES, "%lld ms", (long long)ms);
    else
        snprintf(ret, TIME_TEXT_BYTES, "%s.%03dZ", seconds, (int)(ms - (int64_t)s * 1000));
}

static void print_time(const char *name, int64_t ms)
{
    char text[32];
    struct tm tm;
    time_t s = (time_t)(ms / 1000);
    if (gmtime_r(&s, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        snprintf(text, sizeof text, "?");
    printf("%-16s%s.%03d UTC\n", name, text, (int)(ms % 1000));
}

void print_stat(const struct caucus_stat *s)
{
    printf("%-16s0x%llx\n", "czxid", (unsigned long long)s->czxid);
    print_time("ctime", s->ctime_ms);
    printf("%-16s0x%llx\n", "mzxid", (unsigned long long)s->mzxid);
    print_time("mtime", s->mtime_ms);
    printf("%-16s0x%llx\n", "pzxid", (unsigned long long)s->pzxid);
    printf("%-16s%d\n", "version", s->version);
    printf("%-16s%d\n", "cversion", s->cversion);
    printf("%-16s%d\n", "aversion", s->aversion);
    printf("%-16s0x%llx\n", "ephemeralOwner", (unsigned long long)s->ephemeral_owner);
    printf("%-16s%d\n", "dataLength", s->data_length);
    printf("%-16s%d\n", "numChildren", s->num_children);
}

static void add_cell(struct table *t, char *cell)
{
    if (t->count == t->room) {
        t->room = t->room == 0 ? 64 : t->room * 2;
        t->cells = mem_realloc(t->cells, t->room * sizeof *t->cells);
    }
    t->cells[t->count++] = cell;
}

void cli_table_init(struct table *t, size_t columns, const char *const *titles)
{
    *t = (struct table){.columns = columns};
    for (size_t i = 0; i < columns; i++)
        add_cell(t, mem_dup(titles[i], strlen(titles[i]) + 1));
}

void cli_table_cell(struct table *t, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add_cell(t, mem_dup(text, strlen(text) + 1));
}

void cli_table_bytes(struct table *t, const void *data, size_t bytes)
{
    char text[256];
    const char *p = data;
    size_t used = 0;
    for (size_t i = 0; i < bytes && used + 5 < sizeof text;) {
        size_t len = harmless_length(p + i, bytes - i, "");
        if (len == 0)
            used += (size_t)snprintf(text + used, 5, "\\x%02x", (unsigned char)p[i]);
        else
            memcpy(text + used, p + i, len);
        used += len;
        i += len > 0 ? len : 1;
    }
    add_cell(t, mem_dup(text, used + 1));
    t->cells[t->count - 1][used] = 0;
}

void cli_table_print(const struct table *t)
{
    size_t width[TABLE_COLUMNS_MAX] = {0};
    for (size_t i = 0; i < t->count; i++) {
        size_t len = strlen(t->cells[i]);
        if (len > width[i % t->columns])
            width[i % t->columns] = len;
    }
    for (size_t i = 0; i < t->count; i++) {
        bool last = i % t->columns == t->columns - 1;
        if (last)
            printf("%s\n", t->cells[i]);
        else
            printf("%-*s  ", (int)width[i % t->columns], t->cells[i]);
    }
}

void cli_table_deinit(struct table *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void sort_names(const char **names, size_t count)
{
    if (count > 0)
        qsort(names, count, sizeof *names, compare_names);
}
