#include "grpc/text.h"

#include <stdio.h>

#include "grpc/grpc.h"

const char *grpc_code_name(int code)
{
    switch (code) {
#define CODE_NAME(name, value, text)                                                               \
    case name:                                                                                     \
        return text;
        GRPC_CODE_MAP(CODE_NAME)
#undef CODE_NAME
    default:
        return "UNKNOWN";
    }
}

/* ---- Timeouts ---- */

static const struct {
    char unit;
    int64_t per_ms;   /* of this unit in a millisecond; 0: it is longer */
    int64_t ms_of_it; /* else */
} units[] = {
    {'n', 1000000, 0}, {'u', 1000, 0},  {'m', 1, 0},
    {'S', 0, 1000},    {'M', 0, 60000}, {'H', 0, 3600000},
};

enum {
    TIMEOUT_DIGITS_MAX = 8,
    TIMEOUT_NUMBER_MAX = 99999999,
};

bool timeout_parse(struct slice text, int64_t *ret_ms)
{
    if (text.len < 2 || text.len > TIMEOUT_DIGITS_MAX + 1)
        return false;
    int64_t number = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (text.ptr[i] - '0');
    }
    char unit = (char)text.ptr[text.len - 1];
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (units[i].unit != unit)
            continue;
        int64_t per_ms = units[i].per_ms;
        *ret_ms = per_ms > 0 ? (number + per_ms - 1) / per_ms : number * units[i].ms_of_it;
        return true;
    }
    return false;
}

size_t timeout_print(int64_t ms, char ret[TIMEOUT_TEXT_BYTES])
{
    int64_t number = ms;
    size_t unit = 2; /* milliseconds */
    while (number > TIMEOUT_NUMBER_MAX && unit + 1 < sizeof units / sizeof units[0]) {
        unit++;
        number = ms / units[unit].ms_of_it + (ms % units[unit].ms_of_it != 0);
    }
    if (number > TIMEOUT_NUMBER_MAX)
        number = TIMEOUT_NUMBER_MAX;
    return (size_t)snprintf(ret, TIMEOUT_TEXT_BYTES, "%d%c", (int)number, units[unit].unit);
}

/* ---- Status messages ---- */

void percent_encode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.ptr[i];
        if (byte >= 0x20 && byte <= 0x7e && byte != '%')
            buf_put_u8(out, byte);
        else
            buf_printf(out, "%%%02X", byte);
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

void percent_decode(struct slice text, struct buf *out)
{
    for (size_t i = 0; i < text.len; i++) {
        int high = -1, low = -1;
        if (text.ptr[i] == '%' && text.len - i > 2) {
            high = hex_digit(text.ptr[i + 1]);
            low = hex_digit(text.ptr[i + 2]);
        }
        if (high >= 0 && low >= 0) {
            buf_put_u8(out, (uint8_t)(high << 4 | low));
            i += 2;
        } else {
            buf_put_u8(out, text.ptr[i]);
        }
    }
}

/* ---- Base64 ---- */

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct slice bytes, struct buf *out)
{
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t group = 0;
        for (size_t k = 0; k < 3; k++)
            group = group << 8 | (k < count ? bytes.ptr[i + k] : 0);
        for (size_t k = 0; k <= count; k++)
            buf_put_u8(out, (uint8_t)base64_digits[group >> (18 - 6 * k) & 63]);
    }
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_decode(struct slice text, struct buf *out)
{
    size_t len = text.len;
    if (len % 4 == 0)
        for (int padding = 0; padding < 2 && len > 0 && text.ptr[len - 1] == '='; padding++)
            len--;
    if (len % 4 == 1)
        return false;
    uint32_t bits = 0;
    int have = 0;
    for (size_t i = 0; i < len; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        bits = bits << 6 | (uint32_t)digit;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_put_u8(out, (uint8_t)(bits >> have & 255));
        }
    }
    return true;
}

/* ---- Codes ---- */

bool code_parse(struct slice text, int *ret)
{
    if (text.len == 0 || text.len > 9)
        return false;
    int code = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        code = code * 10 + (text.ptr[i] - '0');
    }
    *ret = code;
    return true;
}

int code_of_http(int status)
{
    switch (status) {
    case 400:
        return GRPC_INTERNAL;
    case 401:
        return GRPC_UNAUTHENTICATED;
    case 403:
        return GRPC_PERMISSION_DENIED;
    case 404:
        return GRPC_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return GRPC_UNAVAILABLE;
    default:
        return GRPC_UNKNOWN;
    }
}

/* Numbers of RFC 9113, section 7. */
int code_of_reset(uint32_t error)
{
    switch (error) {
    case 0x7: /* REFUSED_STREAM */
        return GRPC_UNAVAILABLE;
    case 0x8: /* CANCEL */
        return GRPC_CANCELLED;
    case 0xb: /* ENHANCE_YOUR_CALM */
        return GRPC_RESOURCE_EXHAUSTED;
    case 0xc: /* INADEQUATE_SECURITY */
        return GRPC_PERMISSION_DENIED;
    default:
        return GRPC_INTERNAL;
    }
}
