#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum {
    BUF_BYTES_FIRST = 256
};

void buf_init(struct buf *b, size_t bytes_max)
{
    *b = (struct buf){.bytes_max = bytes_max};
}

void buf_deinit(struct buf *b)
{
    free(b->ptr);
    *b = (struct buf){.bytes_max = b->bytes_max};
}

bool buf_grow(struct buf *b, size_t more)
{
    if (b->overflow || more > SIZE_MAX / 4 || (b->bytes_max > 0 && more > b->bytes_max - b->len)) {
        b->overflow = true;
        return false;
    }

    size_t need = b->len + more;
    size_t cap = b->cap ? b->cap : BUF_BYTES_FIRST;
    while (cap < need)
        cap *= 2;
    if (b->bytes_max > 0 && cap > b->bytes_max)
        cap = b->bytes_max;

    b->ptr = mem_realloc(b->ptr, cap);
    b->cap = cap;
    return true;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);

    /* One byte more than the text, for the zero that vsnprintf insists on. */
    if (len > 0 && buf_reserve(b, (size_t)len + 1)) {
        vsnprintf((char *)b->ptr + b->len, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    }
    va_end(again);
}
