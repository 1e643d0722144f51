#include "election_client/http.h"

#include <string.h>

enum {
    LENGTH_DIGITS_MAX = 12
};

static struct slice head_of(struct slice bytes)
{
    const uint8_t *end = bytes.len > 0 ? memmem(bytes.ptr, bytes.len, "\r\n\r\n", 4) : NULL;
    return slice_of(bytes.ptr, end != NULL ? (size_t)(end - bytes.ptr) + 2 : 0);
}

static bool is_letter_of(uint8_t a, char b)
{
    return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b;
}

/* Takes a line off `rest`, without its end. */
static struct slice take_line(struct slice *rest)
{
    const uint8_t *end = memmem(rest->ptr, rest->len, "\r\n", 2);
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice_of(rest->ptr, len);
    *rest = slice_from(*rest, end != NULL ? len + 2 : len);
    return line;
}

/* `name` in lower case, with its colon. */
static bool header_is(struct slice line, const char *name, struct slice *ret_value)
{
    size_t len = strlen(name);
    if (line.len < len)
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_letter_of(line.ptr[i], name[i]))
            return false;
    while (len < line.len && line.ptr[len] == ' ')
        len++;
    *ret_value = slice_from(line, len);
    return true;
}

static bool read_length(struct slice text, size_t *ret)
{
    size_t n = 0;
    if (text.len == 0 || text.len > LENGTH_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (size_t)(text.ptr[i] - '0');
    }
    *ret = n;
    return true;
}

static bool read_status(struct slice line, int *ret_status, bool *ret_stays)
{
    if (line.len < 12 || memcmp(line.ptr, "HTTP/1.", 7) != 0 || line.ptr[8] != ' ')
        return false;
    *ret_stays = line.ptr[7] == '1';
    *ret_status = 0;
    for (int i = 9; i < 12; i++) {
        if (line.ptr[i] < '0' || line.ptr[i] > '9')
            return false;
        *ret_status = *ret_status * 10 + line.ptr[i] - '0';
    }
    return *ret_status >= 200;
}

enum http_verdict http_read(struct slice bytes, size_t body_bytes_max, struct http_answer *ret)
{
    struct slice head = head_of(bytes), value;
    ret->bytes = bytes.len + 1;
    if (head.len == 0)
        return bytes.len < HTTP_HEAD_BYTES_MAX ? HTTP_MORE : HTTP_WRONG;
    size_t head_bytes = head.len + 2, body_bytes = 0;
    bool has_length = false;
    if (!read_status(take_line(&head), &ret->status, &ret->stays))
        return HTTP_WRONG;
    while (head.len > 0) {
        struct slice line = take_line(&head);
        if (header_is(line, "content-length:", &value)) {
            if (!read_length(value, &body_bytes) || body_bytes > body_bytes_max)
                return HTTP_WRONG;
            has_length = true;
        } else if (header_is(line, "connection: close", &value)) {
            ret->stays = false;
        }
    }
    if (!has_length && ret->status != 204)
        return HTTP_WRONG;
    ret->bytes = head_bytes + body_bytes;
    if (bytes.len < ret->bytes)
        return HTTP_MORE;
    ret->body = slice_of(bytes.ptr + head_bytes, body_bytes);
    return HTTP_WHOLE;
}
