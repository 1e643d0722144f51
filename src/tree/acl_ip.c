/* acl_ip.c: the ip scheme (IPAuthenticationProvider of 3.9.5): "1.2.3.4", "1.2.3.0/24",
 * "2001:db8::/32".
 *
 * What it accepts is what Java's Integer.parseInt accepts, signs and leading zeros included: the
 * same lists must be valid on every replica of a mixed ensemble. */
#include "tree/acl.h"

enum {
    IP_BYTES_MAX = 16,
    IP6_SEGMENTS = 8,
};

struct ip {
    uint8_t bytes[IP_BYTES_MAX];
    size_t len; /* 4 or 16 */
};

struct ip_range {
    struct ip ip;
    uint32_t bits;
};

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Integer.parseInt(text, radix). */
static bool parse_int(struct slice text, int radix, int32_t *ret_value)
{
    size_t at = text.len > 0 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    bool negative = at == 1 && text.ptr[0] == '-';
    if (at == text.len)
        return false;

    int64_t value = 0;
    for (; at < text.len; at++) {
        int digit = digit_of(text.ptr[at]);
        if (digit >= radix)
            return false;
        value = value * radix + digit;
        if (value > (int64_t)INT32_MAX + negative)
            return false;
    }
    *ret_value = (int32_t)(negative ? -value : value);
    return true;
}

/* Takes the text up to the next `separator` off `rest`; *ret_more says whether there was one. */
static struct slice take_until(struct slice *rest, uint8_t separator, bool *ret_more)
{
    const uint8_t *at = rest->len > 0 ? memchr(rest->ptr, separator, rest->len) : NULL;
    *ret_more = at != NULL;
    struct slice head = *rest;
    if (at != NULL) {
        head.len = (size_t)(at - rest->ptr);
        *rest = slice_from(*rest, head.len + 1);
    } else {
        *rest = slice_from(*rest, rest->len);
    }
    return head;
}

static bool parse_ip4(struct slice text, struct ip *ret_ip)
{
    size_t count = 0;
    bool more = true;
    while (more) {
        struct slice part = take_until(&text, '.', &more);
        int32_t value;
        if (count == 4 || !parse_int(part, 10, &value) || value < 0 || value > 255)
            return false;
        ret_ip->bytes[count++] = (uint8_t)value;
    }
    ret_ip->len = 4;
    return count == 4;
}

/* Segments of one side of "::"; none for an empty side. */
static bool parse_segments(struct slice text, uint8_t *ret_bytes, size_t *ret_count)
{
    *ret_count = 0;
    bool more = text.len > 0;
    while (more) {
        struct slice part = take_until(&text, ':', &more);
        int32_t value;
        if (*ret_count == IP6_SEGMENTS || part.len > 4 || !parse_int(part, 16, &value))
            return false;
        ret_bytes[2 * *ret_count] = (uint8_t)((uint32_t)value >> 8);
        ret_bytes[2 * *ret_count + 1] = (uint8_t)value;
        (*ret_count)++;
    }
    return true;
}

static bool parse_ip6(struct slice text, struct ip *ret_ip)
{
    *ret_ip = (struct ip){.len = IP_BYTES_MAX};
    const uint8_t *gap = memmem(text.ptr, text.len, "::", 2);
    if (gap == NULL) {
        size_t count;
        return parse_segments(text, ret_ip->bytes, &count) && count == IP6_SEGMENTS;
    }

    struct slice left = slice_of(text.ptr, (size_t)(gap - text.ptr));
    struct slice right = slice_from(text, left.len + 2);
    uint8_t tail[IP_BYTES_MAX];
    size_t left_count, right_count;
    if (memmem(right.ptr, right.len, "::", 2) != NULL ||
        !parse_segments(left, ret_ip->bytes, &left_count) ||
        !parse_segments(right, tail, &right_count) || left_count + right_count >= IP6_SEGMENTS)
        return false;
    memcpy(ret_ip->bytes + IP_BYTES_MAX - 2 * right_count, tail, 2 * right_count);
    return true;
}

static bool parse_ip(struct slice text, struct ip *ret_ip)
{
    if (text.len == 0)
        return false;
    if (memchr(text.ptr, ':', text.len) != NULL)
        return parse_ip6(text, ret_ip);
    return parse_ip4(text, ret_ip);
}

static bool parse_range(struct slice text, struct ip_range *ret_range)
{
    bool has_bits;
    struct slice address = take_until(&text, '/', &has_bits);
    if (!parse_ip(address, &ret_range->ip))
        return false;

    int32_t all = (int32_t)ret_range->ip.len * 8;
    int32_t bits = all;
    if (has_bits && (!parse_int(text, 10, &bits) || bits < 0 || bits > all))
        return false;
    ret_range->bits = (uint32_t)bits;
    return true;
}

bool acl_ip_valid(struct slice id)
{
    struct ip_range range;
    return parse_range(id, &range);
}

bool acl_ip_matches(struct slice address, struct slice id)
{
    struct ip_range range;
    struct ip ip;
    if (!parse_range(id, &range) || !parse_ip(address, &ip) || ip.len != range.ip.len)
        return false;

    uint32_t whole = range.bits / 8;
    if (memcmp(ip.bytes, range.ip.bytes, whole) != 0)
        return false;
    uint32_t rest = range.bits % 8;
    uint32_t mask = 0xff00u >> rest & 0xff;
    return rest == 0 || ((ip.bytes[whole] ^ range.ip.bytes[whole]) & mask) == 0;
}
