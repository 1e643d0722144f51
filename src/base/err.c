#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *err_name(int code)
{
    switch (code) {
#define ERR_TEXT(name, value, text)                                                                \
    case value:                                                                                    \
        return text;
        ERR_MAP(ERR_TEXT)
#undef ERR_TEXT
    default:
        return "unknown error";
    }
}

int err_set(struct err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return code;
}

int err_wrap(struct err *err, int code, const char *format, ...)
{
    if (err == NULL)
        return code;
    char inner[sizeof err->text];
    memcpy(inner, err->text, sizeof inner);

    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);

    /* What does not fit is cut off at the inner end. */
    size_t at = used < 0 ? 0 : (size_t)used;
    if (at + 3 < sizeof err->text) {
        int room = (int)(sizeof err->text - at - 3);
        snprintf(err->text + at, sizeof err->text - at, ": %.*s", room, inner);
    }
    return code;
}
