#include "cli/json.h"

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"

/* The text is UTF-8, or bytes that are not are replaced: it is to be valid JSON in any case. */
static void put_string(const char *text, size_t bytes)
{
    putchar('"');
    for (size_t i = 0; i < bytes;) {
        unsigned char c = (unsigned char)text[i];
        size_t len = utf8_length(text + i, bytes - i);
        if (len == 0)
            fputs("\\ufffd", stdout);
        else if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c == '\n')
            fputs("\\n", stdout);
        else if (c < 0x20 || c == 0x7f)
            printf("\\u%04x", c);
        else
            fwrite(text + i, 1, len, stdout);
        i += len > 0 ? len : 1;
    }
    putchar('"');
}

static void put_name(struct json *j, const char *name)
{
    if (j->more)
        fputs(", ", stdout);
    j->more = true;
    if (name != NULL) {
        put_string(name, strlen(name));
        fputs(": ", stdout);
    }
}

void cli_json_begin(struct json *j)
{
    j->more = false;
    putchar('{');
}

void cli_json_end(struct json *j)
{
    j->more = true;
    fputs("}\n", stdout);
}

void cli_json_text(struct json *j, const char *name, const char *text)
{
    cli_json_slice(j, name, slice_str(text));
}

void cli_json_slice(struct json *j, const char *name, struct slice text)
{
    put_name(j, name);
    put_string((const char *)text.ptr, text.len);
}

void cli_json_number(struct json *j, const char *name, int64_t number)
{
    put_name(j, name);
    printf("%lld", (long long)number);
}

void cli_json_flag(struct json *j, const char *name, bool flag)
{
    put_name(j, name);
    fputs(flag ? "true" : "false", stdout);
}

void cli_json_id(struct json *j, const char *name, int64_t id)
{
    put_name(j, name);
    printf("\"0x%llx\"", (unsigned long long)id);
}

void cli_json_null(struct json *j, const char *name)
{
    put_name(j, name);
    fputs("null", stdout);
}

static void put_base64(const unsigned char *p, size_t bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < bytes; i += 3) {
        size_t n = bytes - i < 3 ? bytes - i : 3;
        unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0u) |
                     (n > 2 ? (unsigned)p[i + 2] : 0u);
        putchar(digits[v >> 18]);
        putchar(digits[v >> 12 & 63]);
        putchar(n > 1 ? digits[v >> 6 & 63] : '=');
        putchar(n > 2 ? digits[v & 63] : '=');
    }
}

void cli_json_bytes(struct json *j, const char *name, const void *data, size_t bytes)
{
    char encoded[64];
    if (data == NULL) {
        cli_json_null(j, name);
    } else if (utf8_is_valid(data, bytes)) {
        put_name(j, name);
        put_string(data, bytes);
    } else {
        snprintf(encoded, sizeof encoded, "%s_base64", name);
        put_name(j, encoded);
        putchar('"');
        put_base64(data, bytes);
        putchar('"');
    }
}

void cli_json_data(struct json *j, const void *data, size_t bytes)
{
    cli_json_bytes(j, "data", data, bytes);
}

void cli_json_stat(struct json *j, const char *name, const struct caucus_stat *s)
{
    cli_json_object(j, name);
    cli_json_id(j, "czxid", s->czxid);
    cli_json_id(j, "mzxid", s->mzxid);
    cli_json_id(j, "pzxid", s->pzxid);
    cli_json_number(j, "ctime_ms", s->ctime_ms);
    cli_json_number(j, "mtime_ms", s->mtime_ms);
    cli_json_number(j, "version", s->version);
    cli_json_number(j, "cversion", s->cversion);
    cli_json_number(j, "aversion", s->aversion);
    cli_json_id(j, "ephemeral_owner", s->ephemeral_owner);
    cli_json_number(j, "data_length", s->data_length);
    cli_json_number(j, "num_children", s->num_children);
    cli_json_object_end(j);
}

void cli_json_list(struct json *j, const char *name)
{
    put_name(j, name);
    putchar('[');
    j->more = false;
}

void cli_json_list_end(struct json *j)
{
    putchar(']');
    j->more = true;
}

void cli_json_object(struct json *j, const char *name)
{
    put_name(j, name);
    putchar('{');
    j->more = false;
}

void cli_json_object_end(struct json *j)
{
    putchar('}');
    j->more = true;
}
