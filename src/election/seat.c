#include "election/seat.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"

enum {
    GUID_DIGITS = 2 * SEAT_PROCESS_BYTES + 8,
};

void seat_prefix(const struct seat_name *n, char ret[SEAT_NAME_BYTES_MAX])
{
    char process[2 * SEAT_PROCESS_BYTES + 1];
    hex_write(n->process, SEAT_PROCESS_BYTES, process);
    snprintf(ret, SEAT_NAME_BYTES_MAX, "n-%s%08x-%u-", process, n->serial, n->member);
}

/* Digits from *text on, at most 10 of them; false: none, or more than 32 bits. */
static bool take_number(const char **text, uint32_t *ret)
{
    uint64_t v = 0;
    const char *p = *text;
    while (*p >= '0' && *p <= '9' && p - *text < 10)
        v = v * 10 + (uint64_t)(*p++ - '0');
    if (p == *text || v > UINT32_MAX)
        return false;
    *text = p;
    *ret = (uint32_t)v;
    return true;
}

/* "0000000007"; "-2147483648". */
static bool take_sequence(const char *text, uint64_t *ret)
{
    bool negative = *text == '-';
    uint32_t v;
    text += negative;
    if (!take_number(&text, &v) || *text != '\0' || v > (negative ? UINT32_C(1) << 31 : INT32_MAX))
        return false;
    *ret = (uint64_t)(negative ? 0U - v : v) + 1;
    return true;
}

bool seat_parse(const char *name, struct seat_name *ret)
{
    struct seat_name n;
    uint8_t serial[4];
    if (strncmp(name, "n-", 2) != 0 || strlen(name) < 2 + GUID_DIGITS ||
        !hex_read(name + 2, SEAT_PROCESS_BYTES, n.process) ||
        !hex_read(name + 2 + 2 * SEAT_PROCESS_BYTES, sizeof serial, serial))
        return false;
    n.serial = (uint32_t)serial[0] << 24 | (uint32_t)serial[1] << 16 | (uint32_t)serial[2] << 8 |
               serial[3];
    const char *at = name + 2 + GUID_DIGITS;
    if (*at++ != '-' || !take_number(&at, &n.member) || *at++ != '-' || !take_sequence(at, &n.seat))
        return false;
    *ret = n;
    return true;
}
