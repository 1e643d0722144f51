#include "election_rest/url.h"

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* In place. */
static bool decode(uint8_t *text, size_t *len, bool plus_is_blank)
{
    size_t to = 0;
    for (size_t at = 0; at < *len; at++) {
        uint8_t c = text[at];
        if (c == '%') {
            int high = at + 2 < *len ? hex_digit(text[at + 1]) : -1;
            int low = at + 2 < *len ? hex_digit(text[at + 2]) : -1;
            if (high < 0 || low < 0)
                return false;
            c = (uint8_t)(high << 4 | low);
            at += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        text[to++] = c;
    }
    *len = to;
    return true;
}

static bool take_part(struct slice *ret, uint8_t *from, uint8_t *to, bool plus_is_blank)
{
    size_t len = (size_t)(to - from);
    if (!decode(from, &len, plus_is_blank))
        return false;
    *ret = slice_of(from, len);
    return true;
}

/* The first of these bytes, or the end. */
static uint8_t *find(uint8_t *from, uint8_t *end, char c)
{
    uint8_t *found = from < end ? memchr(from, c, (size_t)(end - from)) : NULL;
    return found != NULL ? found : end;
}

static bool read_path(uint8_t *at, uint8_t *end, struct url *u)
{
    if (at == end || *at != '/')
        return false;
    while (at < end) {
        uint8_t *from = at + 1;
        at = find(from, end, '/');
        if (u->part_count == URL_PARTS_MAX ||
            !take_part(&u->parts[u->part_count++], from, at, false))
            return false;
    }
    return true;
}

static bool read_query(uint8_t *at, uint8_t *end, struct url *u)
{
    while (at < end) {
        uint8_t *to = find(at, end, '&'), *equals = find(at, to, '=');
        if (to > at) {
            if (u->argument_count == URL_ARGUMENTS_MAX)
                return false;
            struct url_argument *a = &u->arguments[u->argument_count++];
            uint8_t *value = equals < to ? equals + 1 : to;
            if (!take_part(&a->name, at, equals, true) || !take_part(&a->value, value, to, true))
                return false;
        }
        at = to < end ? to + 1 : end;
    }
    return true;
}

bool url_read(char *target, size_t bytes, struct url *ret)
{
    uint8_t *begin = (uint8_t *)target, *end = begin + bytes;
    uint8_t *query = find(begin, end, '?');
    memset(ret, 0, sizeof *ret);
    return read_path(begin, query, ret) && (query == end || read_query(query + 1, end, ret));
}

struct slice url_argument(const struct url *u, const char *name)
{
    for (size_t i = 0; i < u->argument_count; i++) {
        if (slice_eq_str(u->arguments[i].name, name))
            return u->arguments[i].value;
    }
    return slice_of(NULL, 0);
}

bool url_flag(const struct url *u, const char *name)
{
    struct slice value = url_argument(u, name);
    return !slice_is_null(value) &&
           (value.len == 0 || slice_eq_str(value, "1") || slice_eq_str(value, "true"));
}

bool text_number(struct slice text, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t number = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.ptr[i] - '0');
        if (digit > 9 || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, digit, &number))
            return false;
    }
    if (number < min || number > max)
        return false;
    *ret = number;
    return true;
}

bool text_uuid(struct slice text, uint8_t ret[16])
{
    bool hyphens = text.len == 36;
    uint8_t bytes[16] = {0};
    size_t digits = 0;
    if (text.len != 32 && !hyphens)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (hyphens && (i == 8 || i == 13 || i == 18 || i == 23)) {
            if (text.ptr[i] != '-')
                return false;
            continue;
        }
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0)
            return false;
        bytes[digits / 2] = (uint8_t)(bytes[digits / 2] << 4 | digit);
        digits++;
    }
    memcpy(ret, bytes, sizeof bytes);
    return true;
}

/* Without the quotes around it. */
static struct slice unquote(struct slice text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"')
        return slice_of(text.ptr + 1, text.len - 2);
    return text;
}

bool text_revision(struct slice text, uint64_t max, uint64_t *ret)
{
    return text_number(unquote(text), 0, max, ret);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

static struct slice trim(struct slice text)
{
    while (text.len > 0 && is_blank(text.ptr[0]))
        text = slice_from(text, 1);
    while (text.len > 0 && is_blank(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

/* What stands in front of the first `c`, trimmed; *rest: behind it, ptr NULL at the end. */
static struct slice cut_at(struct slice text, char c, struct slice *rest)
{
    const uint8_t *at = text.len > 0 ? memchr(text.ptr, c, text.len) : NULL;
    *rest = slice_of(NULL, 0);
    if (at == NULL)
        return trim(text);
    size_t len = (size_t)(at - text.ptr);
    *rest = slice_from(text, len + 1);
    return trim(slice_of(text.ptr, len));
}

bool text_is_media_type(struct slice content_type, const char *name)
{
    struct slice rest, type = cut_at(content_type, ';', &rest);
    if (type.len != strlen(name))
        return false;
    for (size_t i = 0; i < type.len; i++) {
        uint8_t c = type.ptr[i];
        if ((c >= 'A' && c <= 'Z' ? c | 0x20 : c) != (uint8_t)name[i])
            return false;
    }
    return true;
}

bool text_has_tag(struct slice header, struct slice tag)
{
    for (struct slice rest = header; !slice_is_null(rest);) {
        struct slice one = cut_at(rest, ',', &rest);
        if (slice_eq_str(one, "*"))
            return true;
        if (slice_starts_with(one, slice_str("W/")))
            one = slice_from(one, 2);
        if (one.len >= 2 && slice_eq(unquote(one), tag))
            return true;
    }
    return false;
}
