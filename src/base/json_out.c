#include "base/json_out.h"

#include <inttypes.h>

#include "base/utf8.h"

static void put_escaped(struct buf *out, uint8_t c)
{
    static const char short_forms[] = "\bb\ff\nn\rr\tt\"\"\\\\";
    for (const char *at = short_forms; *at != '\0'; at += 2) {
        if (*at == (char)c) {
            buf_put_u8(out, '\\');
            buf_put_u8(out, (uint8_t)at[1]);
            return;
        }
    }
    if (c < 0x20)
        buf_printf(out, "\\u%04X", c);
    else
        buf_put_u8(out, c);
}

void json_out_quote(struct buf *out, struct slice text)
{
    buf_put_u8(out, '"');
    while (text.len > 0) {
        size_t len = utf8_length((const char *)text.ptr, text.len);
        if (len == 1)
            put_escaped(out, text.ptr[0]);
        else if (len > 1)
            buf_put(out, text.ptr, len);
        else
            buf_put(out, "\xef\xbf\xbd", 3);
        text = slice_from(text, len > 0 ? len : 1);
    }
    buf_put_u8(out, '"');
}

static void put_name(struct json_out *j, const char *name)
{
    if (j->more)
        buf_put_u8(j->out, ',');
    j->more = true;
    if (name != NULL) {
        json_out_quote(j->out, slice_str(name));
        buf_put_u8(j->out, ':');
    }
}

static void open_with(struct json_out *j, char bracket)
{
    buf_put_u8(j->out, (uint8_t)bracket);
    j->more = false;
}

static void close_with(struct json_out *j, char bracket)
{
    buf_put_u8(j->out, (uint8_t)bracket);
    j->more = true;
}

void json_out_begin(struct json_out *j, struct buf *out)
{
    j->out = out;
    open_with(j, '{');
}

void json_out_end(struct json_out *j)
{
    close_with(j, '}');
}

void json_out_object(struct json_out *j, const char *name)
{
    put_name(j, name);
    open_with(j, '{');
}

void json_out_object_end(struct json_out *j)
{
    close_with(j, '}');
}

void json_out_list(struct json_out *j, const char *name)
{
    put_name(j, name);
    open_with(j, '[');
}

void json_out_list_end(struct json_out *j)
{
    close_with(j, ']');
}

void json_out_text(struct json_out *j, const char *name, struct slice text)
{
    put_name(j, name);
    json_out_quote(j->out, text);
}

void json_out_string(struct json_out *j, const char *name, const char *text)
{
    json_out_text(j, name, slice_str(text));
}

void json_out_number(struct json_out *j, const char *name, int64_t number)
{
    put_name(j, name);
    buf_printf(j->out, "%" PRId64, number);
}

void json_out_unsigned(struct json_out *j, const char *name, uint64_t number)
{
    put_name(j, name);
    buf_printf(j->out, "%" PRIu64, number);
}

void json_out_flag(struct json_out *j, const char *name, bool flag)
{
    put_name(j, name);
    const char *word = flag ? "true" : "false";
    buf_put(j->out, word, strlen(word));
}

void json_out_null(struct json_out *j, const char *name)
{
    put_name(j, name);
    buf_put(j->out, "null", 4);
}

void json_out_hex(struct json_out *j, const char *name, const uint8_t *bytes, size_t len)
{
    static const char digits[] = "0123456789abcdef";
    put_name(j, name);
    buf_put_u8(j->out, '"');
    for (size_t i = 0; i < len; i++) {
        buf_put_u8(j->out, (uint8_t)digits[bytes[i] >> 4]);
        buf_put_u8(j->out, (uint8_t)digits[bytes[i] & 15]);
    }
    buf_put_u8(j->out, '"');
}
