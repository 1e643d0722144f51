/* path_check against a second implementation that goes the long way: UTF-8 to UTF-16 as Java does,
 * then PathUtils.validatePath by its rules, one pass each. */
#include "fuzz.h"
#include "wire/path.h"

enum {
    REPLACEMENT = 0xfffd
};

/* One code point, or U+FFFD for anything that is not strict UTF-8; *at moves by at least one. */
static uint32_t take_code_point(struct slice s, size_t *at)
{
    uint8_t c = s.ptr[(*at)++];
    if (c < 0x80)
        return c;
    size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    if (c < 0xc2 || c > 0xf4)
        return REPLACEMENT;
    uint32_t point = c & (0x3fu >> more);
    for (size_t i = 0; i < more; i++) {
        if (*at == s.len || (s.ptr[*at] & 0xc0) != 0x80)
            return REPLACEMENT;
        point = point << 6 | (s.ptr[(*at)++] & 0x3f);
    }
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    bool surrogate = point >= 0xd800 && point <= 0xdfff;
    return point < least[more] || point > 0x10ffff || surrogate ? REPLACEMENT : point;
}

static size_t to_utf16(struct slice s, uint16_t *ret)
{
    size_t len = 0, at = 0;
    while (at < s.len) {
        uint32_t point = take_code_point(s, &at);
        if (point >= 0x10000) {
            ret[len++] = (uint16_t)(0xd800 + ((point - 0x10000) >> 10));
            point = 0xdc00 + (point & 0x3ff);
        }
        ret[len++] = (uint16_t)point;
    }
    return len;
}

static bool forbidden(uint16_t c)
{
    return c <= 0x1f || (c >= 0x7f && c <= 0x9f) || (c >= 0xd800 && c <= 0xf8ff) || c >= 0xfff0;
}

static bool valid(const uint16_t *c, size_t len)
{
    if (len == 0 || c[0] != '/')
        return false;
    if (len == 1)
        return true;
    if (c[len - 1] == '/')
        return false;
    for (size_t i = 1; i < len; i++) {
        bool ends = i + 1 == len || c[i + 1] == '/';
        if (forbidden(c[i]) || (c[i] == '/' && c[i - 1] == '/'))
            return false;
        if (c[i] == '.' && ends && c[i - 1] == '/')
            return false;
        if (c[i] == '.' && ends && c[i - 1] == '.' && c[i - 2] == '/')
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz f = fz_of(data, size);
    bool sequential = fz_u8(&f) & 1;
    struct slice path = fz_rest(&f);

    uint16_t *text = malloc((path.len + 1) * sizeof *text);
    size_t len = to_utf16(path, text);
    if (sequential && path.len > 0)
        text[len++] = '1';
    /* "/" with a number behind it is "/1"; ZooKeeper asks that too. */
    FUZZ_CHECK((path_check(path, sequential) == NULL) == valid(text, len), "the two agree");
    free(text);

    struct slice parent = path_parent(path), name = path_name(path);
    bool has_slash = path.len > 0 && memchr(path.ptr, '/', path.len) != NULL;
    FUZZ_CHECK(parent.len + has_slash + name.len == path.len, "parent, slash and name are all");
    return 0;
}
