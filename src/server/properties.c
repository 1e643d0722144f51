#include "server/properties.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/utf8.h"

/* A logical line: comments gone, continuations joined, escapes still in place. */
struct reader {
    const uint8_t *at, *end;
    int line; /* of `at`, from 1 */
    struct buf logical;
    const uint8_t *logical_begin; /* in the text */
    int logical_line;
};

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\f';
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->end && is_blank(*r->at))
        r->at++;
}

/* The end of the natural line that begins at `at`. */
static const uint8_t *line_end(const struct reader *r)
{
    const uint8_t *p = r->at;
    while (p < r->end && *p != '\n' && *p != '\r')
        p++;
    return p;
}

/* Behind the line's terminator: \n, \r or \r\n. */
static void next_line(struct reader *r, const uint8_t *end)
{
    r->at = end;
    if (r->at == r->end)
        return;
    bool crlf = *r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n';
    r->at += crlf ? 2 : 1;
    r->line++;
}

static bool is_continued(const uint8_t *begin, const uint8_t *end)
{
    size_t backslashes = 0;
    while (end > begin && end[-1] == '\\') {
        backslashes++;
        end--;
    }
    return backslashes % 2 == 1;
}

static bool read_logical(struct reader *r)
{
    buf_clear(&r->logical);
    for (;;) {
        skip_blanks(r);
        if (r->at == r->end)
            return false;
        const uint8_t *end = line_end(r);
        if (end > r->at && *r->at != '#' && *r->at != '!')
            break;
        next_line(r, end);
    }

    r->logical_begin = r->at;
    r->logical_line = r->line;
    for (;;) {
        const uint8_t *end = line_end(r);
        bool more = is_continued(r->at, end);
        buf_put(&r->logical, r->at, (size_t)(end - r->at) - more);
        next_line(r, end);
        if (!more)
            return true;
        skip_blanks(r);
    }
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Resolves the escapes of `s` into a new text; NULL if one is malformed. */
static char *unescape(struct slice s)
{
    struct buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (c != '\\' || i + 1 == s.len) {
            if (c != '\\')
                buf_put_u8(&out, c);
            continue;
        }
        c = s.ptr[++i];
        if (c != 'u') {
            static const char from[] = "tnrf", to[] = "\t\n\r\f";
            const char *known = c != 0 ? strchr(from, c) : NULL;
            buf_put_u8(&out, known != NULL ? (uint8_t)to[known - from] : c);
            continue;
        }
        unsigned code = 0;
        for (int digit = 0; digit < 4; digit++) {
            int v = ++i < s.len ? hex_digit(s.ptr[i]) : -1;
            if (v < 0) {
                buf_deinit(&out);
                return NULL;
            }
            code = code << 4 | (unsigned)v;
        }
        utf8_put(&out, code);
    }
    buf_put_u8(&out, 0);
    return (char *)out.ptr;
}

static char *trimmed(char *text)
{
    size_t begin = 0, len = strlen(text);
    while (len > 0 && (unsigned char)text[len - 1] <= ' ')
        len--;
    while (begin < len && (unsigned char)text[begin] <= ' ')
        begin++;
    memmove(text, text + begin, len - begin);
    text[len - begin] = 0;
    return text;
}

/* Where the key ends: the first blank, "=" or ":" that is not escaped. */
static size_t key_end(struct slice line)
{
    size_t i = 0;
    while (i < line.len && !is_blank(line.ptr[i]) && line.ptr[i] != '=' && line.ptr[i] != ':')
        i += line.ptr[i] == '\\' ? 2 : 1;
    return i < line.len ? i : line.len;
}

static size_t value_begin(struct slice line, size_t at)
{
    while (at < line.len && is_blank(line.ptr[at]))
        at++;
    if (at < line.len && (line.ptr[at] == '=' || line.ptr[at] == ':'))
        at++;
    while (at < line.len && is_blank(line.ptr[at]))
        at++;
    return at;
}

void properties_set(struct properties *p, const char *key, const char *value, int line)
{
    for (size_t i = 0; i < p->count; i++) {
        if (strcmp(p->items[i].key, key) != 0)
            continue;
        struct property old = p->items[i];
        memmove(&p->items[i], &p->items[i + 1], (p->count - i - 1) * sizeof old);
        p->count--;
        free(old.key);
        free(old.value);
        break;
    }
    p->items = mem_realloc(p->items, (p->count + 1) * sizeof *p->items);
    p->items[p->count++] =
        (struct property){mem_dup(key, strlen(key) + 1), mem_dup(value, strlen(value) + 1), line};
}

static int add_line(struct properties *p, struct slice line, int number, struct err *err)
{
    size_t end = key_end(line);
    char *key = unescape(slice_of(line.ptr, end));
    char *value = unescape(slice_from(line, value_begin(line, end)));
    int rc = 0;
    if (key == NULL || value == NULL)
        rc = err_set(err, ERR_INVALID, "line %d: \\u must be followed by four hexadecimal digits",
                     number);
    else
        properties_set(p, trimmed(key), trimmed(value), number);
    free(key);
    free(value);
    return rc;
}

int properties_parse(struct slice text, struct properties *ret, struct err *err)
{
    struct properties p = {0};
    if (text.len == 0)
        text = slice_str("");
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .line = 1};
    int rc = 0;
    while (rc == 0 && read_logical(&r)) {
        if (r.logical.len > 0 && memchr(r.logical.ptr, 0, r.logical.len) != NULL)
            rc = err_set(err, ERR_INVALID, "line %d: a zero byte", r.logical_line);
        else if (r.logical.len > 0)
            rc = add_line(&p, buf_slice(&r.logical), r.logical_line, err);
    }
    buf_deinit(&r.logical);
    if (rc < 0) {
        properties_deinit(&p);
        return rc;
    }
    *ret = p;
    return 0;
}

static bool has_secret(struct slice line, bool (*is_secret)(const char *key))
{
    size_t end = key_end(line);
    char *key = unescape(slice_of(line.ptr, end));
    bool secret = key != NULL && value_begin(line, end) < line.len && is_secret(trimmed(key));
    free(key);
    return secret;
}

void properties_hide(struct slice text, bool (*is_secret)(const char *key), struct buf *out)
{
    if (text.len == 0)
        return;
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .line = 1};
    const uint8_t *copied = text.ptr;
    while (read_logical(&r)) {
        struct slice line = buf_slice(&r.logical);
        if (line.len == 0 || !has_secret(line, is_secret))
            continue;
        buf_put(out, copied, (size_t)(r.logical_begin - copied));
        if (line.ptr[0] == '#' || line.ptr[0] == '!') /* behind a continued line without a text */
            buf_put_u8(out, '\\');
        buf_put(out, line.ptr, key_end(line));
        buf_put_slice(out, slice_str("=***\n"));
        copied = r.at;
    }
    buf_put(out, copied, (size_t)(r.end - copied));
    buf_deinit(&r.logical);
}

void properties_deinit(struct properties *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->items[i].key);
        free(p->items[i].value);
    }
    free(p->items);
    *p = (struct properties){0};
}
