#include "base/json_in.h"

#include "base/utf8.h"

void json_in_init(struct json_in *in, struct slice text)
{
    const char *at = text.len > 0 ? (const char *)text.ptr : "";
    *in = (struct json_in){.at = at, .end = at + text.len};
}

static bool fail(struct json_in *in)
{
    in->failed = true;
    in->at = in->end;
    return false;
}

static void skip_space(struct json_in *in)
{
    while (in->at < in->end &&
           (*in->at == ' ' || *in->at == '\t' || *in->at == '\n' || *in->at == '\r'))
        in->at++;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

char json_in_peek(struct json_in *in)
{
    skip_space(in);
    if (in->at == in->end)
        return 0;
    char c = *in->at;
    if (c == '-' || is_digit(c))
        return '0';
    return c == '"' || c == '{' || c == '[' || c == 't' || c == 'f' || c == 'n' ? c : 0;
}

bool json_in_is_over(struct json_in *in)
{
    skip_space(in);
    return !in->failed && in->at == in->end;
}

/* Whether this character is next; it is taken. */
static bool take(struct json_in *in, char c)
{
    skip_space(in);
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static bool take_word(struct json_in *in, const char *word)
{
    size_t len = strlen(word);
    skip_space(in);
    if ((size_t)(in->end - in->at) < len || memcmp(in->at, word, len) != 0)
        return false;
    in->at += len;
    return true;
}

/* ---- Objects ---- */

bool json_in_object(struct json_in *in)
{
    if (!take(in, '{'))
        return fail(in);
    return !take(in, '}');
}

bool json_in_name(struct json_in *in, struct buf *ret)
{
    return json_in_text(in, ret) && (take(in, ':') || fail(in));
}

bool json_in_next(struct json_in *in)
{
    if (in->failed || take(in, '}'))
        return false;
    return take(in, ',') || fail(in);
}

bool json_in_list(struct json_in *in)
{
    if (!take(in, '['))
        return fail(in);
    return !take(in, ']');
}

bool json_in_list_next(struct json_in *in)
{
    if (in->failed || take(in, ']'))
        return false;
    return take(in, ',') || fail(in);
}

/* ---- Texts ---- */

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four digits. */
static bool read_code(struct json_in *in, uint32_t *ret)
{
    if (in->end - in->at < 4)
        return false;
    uint32_t code = 0;
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(*in->at++);
        if (digit < 0)
            return false;
        code = code << 4 | (uint32_t)digit;
    }
    *ret = code;
    return true;
}

/* Behind "\u": one of them, or a surrogate pair. */
static bool read_character(struct json_in *in, uint32_t *ret)
{
    uint32_t high, low;
    if (!read_code(in, &high))
        return false;
    if (high < 0xd800 || high > 0xdfff) {
        *ret = high;
        return true;
    }
    if (high > 0xdbff || in->end - in->at < 2 || in->at[0] != '\\' || in->at[1] != 'u')
        return false;
    in->at += 2;
    if (!read_code(in, &low) || low < 0xdc00 || low > 0xdfff)
        return false;
    *ret = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    return true;
}

static bool read_escape(struct json_in *in, struct buf *ret)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (in->at == in->end)
        return false;
    char c = *in->at++;
    if (c == 'u') {
        uint32_t code;
        if (!read_character(in, &code) || code == 0)
            return false;
        utf8_put(ret, code);
        return true;
    }
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (known == NULL)
        return false;
    buf_put_u8(ret, (uint8_t)to[known - from]);
    return true;
}

bool json_in_text(struct json_in *in, struct buf *ret)
{
    if (!take(in, '"'))
        return fail(in);
    while (in->at < in->end && *in->at != '"') {
        if (*in->at == '\\') {
            in->at++;
            if (!read_escape(in, ret))
                return fail(in);
            continue;
        }
        size_t len = utf8_length(in->at, (size_t)(in->end - in->at));
        if (len == 0 || (unsigned char)*in->at < 0x20)
            return fail(in);
        buf_put(ret, in->at, len);
        in->at += len;
    }
    return take(in, '"') || fail(in);
}

/* ---- Numbers and words ---- */

static size_t take_digits(struct json_in *in)
{
    const char *from = in->at;
    while (in->at < in->end && is_digit(*in->at))
        in->at++;
    return (size_t)(in->at - from);
}

static bool take_here(struct json_in *in, char c)
{
    return in->at < in->end && *in->at == c && in->at++ != NULL;
}

/* Any number there can be. */
static bool skip_number(struct json_in *in)
{
    skip_space(in);
    take_here(in, '-');
    bool begins_with_0 = in->at < in->end && *in->at == '0';
    size_t digits = take_digits(in);
    if (digits == 0 || (begins_with_0 && digits > 1))
        return false;
    if (take_here(in, '.') && take_digits(in) == 0)
        return false;
    if (take_here(in, 'e') || take_here(in, 'E')) {
        if (!take_here(in, '+'))
            take_here(in, '-');
        return take_digits(in) > 0;
    }
    return true;
}

bool json_in_number(struct json_in *in, int64_t min, int64_t max, int64_t *ret)
{
    skip_space(in);
    const char *from = in->at;
    if (!skip_number(in))
        return fail(in);
    bool is_negative = *from == '-';
    int64_t number = 0;
    for (const char *p = from + is_negative; p < in->at; p++) {
        if (!is_digit(*p) || __builtin_mul_overflow(number, 10, &number) ||
            __builtin_sub_overflow(number, *p - '0', &number))
            return fail(in);
    }
    if (!is_negative && __builtin_sub_overflow(0, number, &number))
        return fail(in);
    if (number < min || number > max)
        return fail(in);
    *ret = number;
    return true;
}

bool json_in_flag(struct json_in *in, bool *ret)
{
    bool flag = take_word(in, "true");
    if (!flag && !take_word(in, "false"))
        return fail(in);
    *ret = flag;
    return true;
}

bool json_in_null(struct json_in *in)
{
    return take_word(in, "null");
}

/* ---- Anything ---- */

static bool skip_scalar(struct json_in *in, struct buf *scratch)
{
    switch (json_in_peek(in)) {
    case '"':
        buf_clear(scratch);
        return json_in_text(in, scratch);
    case '0':
        return skip_number(in);
    case 't':
        return take_word(in, "true");
    case 'f':
        return take_word(in, "false");
    case 'n':
        return take_word(in, "null");
    default:
        return false;
    }
}

/* The ends that are wanted, innermost last, are the depth. */
static bool skip_nested(struct json_in *in, struct buf *scratch)
{
    char ends[JSON_IN_DEPTH_MAX];
    size_t depth = 0;
    for (;;) {
        bool is_empty = false;
        char c = json_in_peek(in);
        if (c == '{' || c == '[') {
            if (depth == JSON_IN_DEPTH_MAX)
                return false;
            take(in, c);
            ends[depth++] = c == '{' ? '}' : ']';
            is_empty = take(in, ends[depth - 1]);
            depth -= is_empty;
        } else if (!skip_scalar(in, scratch)) {
            return false;
        }
        bool is_value_over = is_empty || (c != '{' && c != '[');
        while (is_value_over && depth > 0 && take(in, ends[depth - 1]))
            depth--;
        if (depth == 0)
            return true;
        if (is_value_over && !take(in, ','))
            return false;
        buf_clear(scratch);
        if (ends[depth - 1] == '}' && !json_in_name(in, scratch))
            return false;
    }
}

bool json_in_skip(struct json_in *in, struct slice *ret)
{
    struct buf scratch = {0};
    skip_space(in);
    const char *from = in->at;
    bool is_json = skip_nested(in, &scratch);
    buf_deinit(&scratch);
    if (!is_json)
        return fail(in);
    *ret = slice_of(from, (size_t)(in->at - from));
    return true;
}
