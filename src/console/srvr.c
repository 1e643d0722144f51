#include "console/srvr.h"

#include <string.h>

static struct slice take_line(struct slice *rest)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct slice line = end != NULL ? slice_of(rest->ptr, (size_t)(end - rest->ptr)) : *rest;
    *rest = slice_from(*rest, line.len + (end != NULL));
    while (line.len > 0 && (line.ptr[line.len - 1] == '\r' || line.ptr[line.len - 1] == ' '))
        line.len--;
    return line;
}

static bool value_of(struct slice line, const char *key, struct slice *ret)
{
    size_t len = strlen(key);
    if (!slice_starts_with(line, slice_str(key)))
        return false;
    *ret = slice_from(line, len);
    while (ret->len > 0 && ret->ptr[0] == ' ')
        *ret = slice_from(*ret, 1);
    return true;
}

static void copy_text(char to[SRVR_TEXT_BYTES], struct slice text)
{
    size_t len = text.len < SRVR_TEXT_BYTES - 1 ? text.len : SRVR_TEXT_BYTES - 1;
    memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A number at the front of *text, which moves behind it; -1: there is none, or it is too large. */
static int64_t take_number(struct slice *text, int base)
{
    uint64_t number = 0;
    size_t digits = 0;
    for (; digits < text->len; digits++) {
        int digit = digit_of(text->ptr[digits]);
        if (digit < 0 || digit >= base)
            break;
        if (number > ((uint64_t)INT64_MAX - (uint64_t)digit) / (uint64_t)base)
            return -1;
        number = number * (uint64_t)base + (uint64_t)digit;
    }
    *text = slice_from(*text, digits);
    return digits > 0 ? (int64_t)number : -1;
}

static bool take_byte(struct slice *text, char c)
{
    if (text->len == 0 || text->ptr[0] != (uint8_t)c)
        return false;
    *text = slice_from(*text, 1);
    return true;
}

/* "3" or "3.4567" milliseconds, in microseconds. */
static int64_t take_milliseconds(struct slice *text)
{
    int64_t whole = take_number(text, 10);
    if (whole < 0 || whole > INT64_MAX / 2000)
        return -1;
    int64_t us = whole * 1000;
    if (!take_byte(text, '.'))
        return us;
    for (int64_t unit = 100;
         text->len > 0 && digit_of(text->ptr[0]) >= 0 && digit_of(text->ptr[0]) < 10; unit /= 10) {
        us += unit * digit_of(text->ptr[0]);
        *text = slice_from(*text, 1);
    }
    return us;
}

/* "0/0.5/12" */
static void take_latency(struct slice text, struct srvr *r)
{
    int64_t min = take_number(&text, 10);
    int64_t mean = take_byte(&text, '/') ? take_milliseconds(&text) : -1;
    int64_t max = take_byte(&text, '/') ? take_number(&text, 10) : -1;
    if (min < 0 || mean < 0 || max < 0)
        return;
    r->latency_min_ms = min;
    r->latency_mean_us = mean;
    r->latency_max_ms = max;
}

bool srvr_parse(struct slice text, struct srvr *ret)
{
    struct srvr r = {.zxid = -1,
                     .latency_min_ms = -1,
                     .latency_mean_us = -1,
                     .latency_max_ms = -1,
                     .connections = -1,
                     .outstanding = -1,
                     .znodes = -1};
    while (text.len > 0) {
        struct slice line = take_line(&text), value;
        if (value_of(line, "Zookeeper version:", &value)) {
            const uint8_t *comma = value.len > 0 ? memchr(value.ptr, ',', value.len) : NULL;
            copy_text(r.version,
                      comma != NULL ? slice_of(value.ptr, (size_t)(comma - value.ptr)) : value);
        } else if (value_of(line, "Mode:", &value)) {
            copy_text(r.mode, value);
        } else if (value_of(line, "Zxid: 0x", &value)) {
            r.zxid = take_number(&value, 16);
        } else if (value_of(line, "Connections:", &value)) {
            r.connections = take_number(&value, 10);
        } else if (value_of(line, "Outstanding:", &value)) {
            r.outstanding = take_number(&value, 10);
        } else if (value_of(line, "Node count:", &value)) {
            r.znodes = take_number(&value, 10);
        } else if (value_of(line, "Latency min/avg/max:", &value)) {
            take_latency(value, &r);
        }
    }
    if (r.mode[0] == '\0')
        return false;
    *ret = r;
    return true;
}
