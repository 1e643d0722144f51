#include "io/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"

static enum log_level least_level = LOG_INFO;

void log_set_level(enum log_level least)
{
    least_level = least;
}

static void put(struct log_line *l, const char *bytes, size_t len)
{
    size_t room = sizeof l->text - 1 - l->len; /* the line's end always fits */
    if (len > room)
        len = room;
    memcpy(l->text + l->len, bytes, len);
    l->len += len;
}

static void put_format(struct log_line *l, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void put_format(struct log_line *l, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (len > 0)
        put(l, text, (size_t)len < sizeof text ? (size_t)len : sizeof text - 1);
}

static void put_head(struct log_line *l, enum log_level level, const char *event)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    struct timespec now;
    struct tm t;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &t);
    put_format(l, "ts=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ level=%s event=%s", t.tm_year + 1900,
               t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, (int)(now.tv_nsec / 1000000),
               names[level], event);
}

void log_begin(struct log_line *l, enum log_level level, const char *event)
{
    l->wanted = level >= least_level;
    l->len = 0;
    if (l->wanted)
        put_head(l, level, event);
}

static bool is_plain(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return false;
    }
    return value.len > 0;
}

static void put_quoted(struct log_line *l, struct slice value)
{
    put(l, "\"", 1);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.ptr[i];
        if (c == '"' || c == '\\')
            put_format(l, "\\%c", c);
        else if (c == '\n')
            put(l, "\\n", 2);
        else if (c < ' ' || c == 0x7f)
            put_format(l, "\\u%04x", c);
        else
            put(l, (const char *)&value.ptr[i], 1);
    }
    put(l, "\"", 1);
}

void log_slice(struct log_line *l, const char *key, struct slice value)
{
    if (!l->wanted)
        return;
    put_format(l, " %s=", key);
    if (is_plain(value))
        put(l, (const char *)value.ptr, value.len);
    else
        put_quoted(l, value);
}

void log_text(struct log_line *l, const char *key, const char *value)
{
    log_slice(l, key, slice_str(value));
}

void log_int(struct log_line *l, const char *key, int64_t value)
{
    if (l->wanted)
        put_format(l, " %s=%lld", key, (long long)value);
}

void log_hex(struct log_line *l, const char *key, int64_t value)
{
    if (l->wanted)
        put_format(l, " %s=0x%llx", key, (unsigned long long)value);
}

void log_end(struct log_line *l)
{
    if (!l->wanted)
        return;
    l->text[l->len++] = '\n';
    ssize_t written = write(STDERR_FILENO, l->text, l->len);
    (void)written; /* a log that cannot be written is no reason to stop */
}

void log_whole(enum log_level level, const char *event, struct slice rest)
{
    struct log_line head = {.wanted = true};
    struct buf line = {0};
    put_head(&head, level, event);
    buf_put(&line, head.text, head.len);
    buf_put_u8(&line, '\t');
    buf_put_slice(&line, rest);
    buf_put_u8(&line, '\n');
    ssize_t written = write(STDERR_FILENO, line.ptr, line.len);
    (void)written;
    buf_deinit(&line);
}

bool log_gate_pass(struct log_gate *g, int64_t now_ns, uint64_t *ret_held_back)
{
    if (now_ns < g->open_at_ns) {
        g->held_back++;
        return false;
    }
    *ret_held_back = g->held_back;
    g->held_back = 0;
    g->open_at_ns = now_ns + 1000000000;
    return true;
}
