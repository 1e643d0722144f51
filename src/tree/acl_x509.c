/* acl_x509.c: distinguished names as ids of ACLs: what X500Principal of Java takes for one.
 *
 * "CN=a,OU=b+UID=c,O=\"d, e\"": types by word or number, values with escapes, in quotes, or as
 * "#" and hexadecimal digits; separated by "," or ";", and "+" within one name. */
#include "tree/acl.h"

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_space(s.ptr[0]))
        s = slice_from(s, 1);
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static uint8_t upper(uint8_t c)
{
    return c >= 'a' && c <= 'z' ? (uint8_t)(c - 'a' + 'A') : c;
}

static bool is_word(struct slice s, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i < s.len && i < len; i++) {
        if (upper(s.ptr[i]) != (uint8_t)word[i])
            return false;
    }
    return s.len == len;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* Two numbers at least, separated by dots. */
static bool is_number(struct slice s)
{
    size_t dots = 0;
    for (size_t i = 0; i < s.len; i++) {
        bool inside = i > 0 && i + 1 < s.len && s.ptr[i - 1] != '.';
        if (s.ptr[i] == '.' ? !inside : !is_digit(s.ptr[i]))
            return false;
        dots += s.ptr[i] == '.';
    }
    return dots > 0;
}

static bool type_valid(struct slice type)
{
    static const char *const words[] = {
        "CN",        "C",        "L",          "S",     "ST",           "O",   "OU",
        "T",         "IP",       "STREET",     "DC",    "DNQUALIFIER",  "DNQ", "SURNAME",
        "GIVENNAME", "INITIALS", "GENERATION", "EMAIL", "EMAILADDRESS", "UID", "SERIALNUMBER",
    };
    type = trim(type);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (is_word(type, words[i]))
            return true;
    }
    if (type.len > 4 && is_word(slice_of(type.ptr, 4), "OID."))
        type = slice_from(type, 4);
    return is_number(type);
}

static bool is_hex(uint8_t c)
{
    return is_digit(c) || (upper(c) >= 'A' && upper(c) <= 'F');
}

static bool encoded_valid(struct slice digits)
{
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_hex(digits.ptr[i]))
            return false;
    }
    return digits.len > 0 && digits.len % 2 == 0;
}

/* Up to the separator that ends the value, which is not consumed. False: it does not end. */
static bool take_value(struct slice *at, struct slice *ret)
{
    bool quoted = false;
    size_t i = 0;
    for (; i < at->len; i++) {
        uint8_t c = at->ptr[i];
        if (c == '\\') {
            if (++i == at->len)
                return false;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == ',' || c == ';' || c == '+')) {
            break;
        }
    }
    *ret = trim(slice_of(at->ptr, i));
    *at = slice_from(*at, i);
    return !quoted;
}

/* What begins with a quote ends with the next one. */
static bool value_valid(struct slice value)
{
    if (value.len > 0 && value.ptr[0] == '#')
        return encoded_valid(slice_from(value, 1));
    if (value.len == 0 || value.ptr[0] != '"')
        return value.len == 0 || memchr(value.ptr, '"', value.len) == NULL;
    size_t i = 1;
    while (i < value.len && value.ptr[i] != '"')
        i += value.ptr[i] == '\\' ? 2 : 1;
    return i + 1 == value.len;
}

bool acl_x509_valid(struct slice id)
{
    while (id.len > 0) {
        const uint8_t *equals = memchr(id.ptr, '=', id.len);
        if (equals == NULL || !type_valid(slice_of(id.ptr, (size_t)(equals - id.ptr))))
            return false;
        struct slice value;
        id = slice_from(id, (size_t)(equals - id.ptr) + 1);
        if (!take_value(&id, &value) || !value_valid(value))
            return false;
        if (id.len == 0)
            return true;
        id = slice_from(id, 1);
        if (id.len == 0)
            return false; /* a separator at the end */
    }
    return true;
}
