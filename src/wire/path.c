#include "wire/path.h"

static bool is_continuation(uint8_t c)
{
    return (c & 0xc0) == 0x80;
}

/* The length of an allowed character of two or three bytes at `p`; 0 when it is not one. Overlong
 * forms fall below the first code point of their length; surrogates fall into the forbidden range.
 */
static size_t multibyte_len(const uint8_t *p, size_t left)
{
    if (left >= 2 && (p[0] & 0xe0) == 0xc0 && is_continuation(p[1])) {
        uint32_t c = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
        return c >= 0xa0 ? 2 : 0;
    }
    if (left >= 3 && (p[0] & 0xf0) == 0xe0 && is_continuation(p[1]) && is_continuation(p[2])) {
        uint32_t c = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
        bool allowed = c >= 0x800 && !(c >= 0xd800 && c <= 0xf8ff) && c < 0xfff0;
        return allowed ? 3 : 0;
    }
    return 0;
}

static const char *check_component(const uint8_t *p, size_t len)
{
    if (len == 0)
        return "empty node name";
    if (p[0] == '.' && (len == 1 || (len == 2 && p[1] == '.')))
        return "relative paths not allowed";
    return NULL;
}

const char *path_check(struct slice path, bool sequential)
{
    if (slice_is_null(path))
        return "path is null";
    if (path.len == 0)
        return "path is empty";
    if (path.ptr[0] != '/')
        return "path does not start with /";
    if (path.len == 1)
        return NULL;

    size_t component_at = 1;
    for (size_t i = 1; i < path.len;) {
        uint8_t c = path.ptr[i];
        size_t len = 1;
        if (c == '/') {
            const char *wrong = check_component(path.ptr + component_at, i - component_at);
            if (wrong != NULL)
                return wrong;
            component_at = i + 1;
        } else if (c < 0x20 || c == 0x7f) {
            return "control character";
        } else if (c >= 0x80) {
            len = multibyte_len(path.ptr + i, path.len - i);
            if (len == 0)
                return "invalid character";
        }
        i += len;
    }
    if (sequential)
        return NULL;
    if (component_at == path.len)
        return "path ends with /";
    return check_component(path.ptr + component_at, path.len - component_at);
}

/* The index behind the last slash, 0 without one. */
static size_t name_at(struct slice path)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/')
        at--;
    return at;
}

struct slice path_parent(struct slice path)
{
    size_t at = name_at(path);
    return slice_of(path.ptr, at > 0 ? at - 1 : 0);
}

struct slice path_name(struct slice path)
{
    size_t at = name_at(path);
    return at > 0 ? slice_from(path, at) : path;
}
