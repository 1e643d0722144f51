#include "server/command_format.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    DOUBLE_DIGITS_MAX = 17,
    DOUBLE_TEXT_MAX = 40
};

/* The fewest digits that read back as the same number: d.ddd and a power of ten. */
static int shortest_digits(double value, char digits[DOUBLE_DIGITS_MAX + 1], int *ret_exponent)
{
    char text[DOUBLE_TEXT_MAX];
    int count = 1;
    for (; count <= DOUBLE_DIGITS_MAX; count++) {
        snprintf(text, sizeof text, "%.*e", count - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    const char *e = strchr(text, 'e');
    *ret_exponent = atoi(e + 1);
    int len = 0;
    for (const char *at = text; at < e; at++) {
        if (*at >= '0' && *at <= '9')
            digits[len++] = *at;
    }
    digits[len] = '\0';
    return len;
}

static void put_plain(struct buf *out, const char *digits, int len, int exponent)
{
    if (exponent < 0) {
        buf_printf(out, "0.%.*s%s", -exponent - 1, "00", digits);
        return;
    }
    for (int i = 0; i <= exponent; i++)
        buf_put_u8(out, i < len ? (uint8_t)digits[i] : '0');
    buf_printf(out, ".%s", len > exponent + 1 ? digits + exponent + 1 : "0");
}

void format_double(struct buf *out, double value)
{
    if (isnan(value)) {
        buf_printf(out, "NaN");
        return;
    }
    if (signbit(value)) {
        buf_put_u8(out, '-');
        value = -value;
    }
    if (isinf(value)) {
        buf_printf(out, "Infinity");
        return;
    }
    if (value < 1e7 && value == (double)(int64_t)value) {
        buf_printf(out, "%" PRId64 ".0", (int64_t)value);
        return;
    }
    char digits[DOUBLE_DIGITS_MAX + 1];
    int exponent;
    int len = shortest_digits(value, digits, &exponent);
    if (exponent >= -3 && exponent < 7)
        put_plain(out, digits, len, exponent);
    else
        buf_printf(out, "%c.%sE%d", digits[0], len > 1 ? digits + 1 : "0", exponent);
}

void format_date(struct buf *out, int64_t wall_ms)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    if (localtime_r(&seconds, &tm) == NULL)
        return;
    buf_printf(out, "%s %s %02d %02d:%02d:%02d %s %d", days[tm.tm_wday], months[tm.tm_mon],
               tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_zone, tm.tm_year + 1900);
}

static void put_ipv6(struct buf *out, const struct in6_addr *address)
{
    for (size_t i = 0; i < 8; i++) {
        unsigned group = (unsigned)address->s6_addr[2 * i] << 8 | address->s6_addr[2 * i + 1];
        buf_printf(out, "%s%x", i == 0 ? "[" : ":", group);
    }
    buf_put_u8(out, ']');
}

static void put_ipv4(struct buf *out, const uint8_t bytes[4])
{
    buf_printf(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

/* A client that came by IPv4 to a socket for both is an IPv4 address to Java. */
void format_address(struct buf *out, const struct sockaddr_storage *address)
{
    uint16_t port = 0;
    if (address->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)address;
        port = in6->sin6_port;
        if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
            put_ipv4(out, in6->sin6_addr.s6_addr + 12);
        else
            put_ipv6(out, &in6->sin6_addr);
    } else if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)address;
        port = in->sin_port;
        put_ipv4(out, (const uint8_t *)&in->sin_addr.s_addr);
    }
    buf_printf(out, ":%u", ntohs(port));
}
