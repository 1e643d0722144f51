/* identity.c: the ids and passwords of sessions, made as every ZooKeeper server makes them. */
#include "session/session.h"

static const int64_t CONTAINER_EPHEMERAL_OWNER = INT64_MIN;

int64_t session_first_id(int64_t wall_now_ms, int64_t server_id)
{
    uint64_t id = (((uint64_t)wall_now_ms << 24) >> 8) | ((uint64_t)server_id << 56);
    return (int64_t)id == CONTAINER_EPHEMERAL_OWNER ? (int64_t)(id + 1) : (int64_t)id;
}

int64_t session_next_id(int64_t *next_id)
{
    if (*next_id == CONTAINER_EPHEMERAL_OWNER)
        (*next_id)++;
    int64_t id = *next_id;
    *next_id = (int64_t)((uint64_t)id + 1);
    return id;
}

/* java.util.Random: a 48-bit linear congruential generator whose high 32 bits are the number. The
 * password is no secret from anyone who knows this file; it only has to be the same wherever a
 * session moves. */
void session_password(int64_t id, uint8_t ret_password[SESSION_PASSWORD_BYTES])
{
    const uint64_t multiplier = 0x5DEECE66D, addend = 0xB, mask = (1ULL << 48) - 1;
    const uint64_t secret = 0xB3415C00;

    uint64_t state = (((uint64_t)id ^ secret) ^ multiplier) & mask;
    for (size_t at = 0; at < SESSION_PASSWORD_BYTES; at += 4) {
        state = (state * multiplier + addend) & mask;
        uint32_t number = (uint32_t)(state >> 16);
        for (size_t i = 0; i < 4; i++)
            ret_password[at + i] = (uint8_t)(number >> (8 * i));
    }
}
