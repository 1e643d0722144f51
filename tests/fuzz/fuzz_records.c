/* Every decoder takes every input. What was decoded is encoded, decoded and encoded again: the two
 * encodings are the same bytes. A vector that was accepted can be walked to its end. */
#include "fuzz.h"
#include "wire/records.h"

#define ROUND_TRIP(name)                                                                           \
    static void round_trip_##name(struct slice input)                                              \
    {                                                                                              \
        struct dec d = dec_of(input);                                                              \
        struct rec_##name first;                                                                   \
        bool ok = rec_get_##name(&d, &first);                                                      \
        FUZZ_CHECK(ok == !d.bad, "the result says what bad says");                                 \
        if (!ok)                                                                                   \
            return;                                                                                \
        struct buf a = {0}, b = {0};                                                               \
        rec_put_##name(&a, &first);                                                                \
        FUZZ_CHECK(a.len <= input.len, "an encoding is no longer than its input");                 \
        struct rec_##name second;                                                                  \
        struct dec again = dec_of(buf_slice(&a));                                                  \
        FUZZ_CHECK(rec_get_##name(&again, &second), "what was encoded is decoded");                \
        FUZZ_CHECK(dec_left(&again) == 0, "nothing is left over");                                 \
        rec_put_##name(&b, &second);                                                               \
        FUZZ_CHECK(slice_eq(buf_slice(&a), buf_slice(&b)), "two encodings are equal");             \
        buf_deinit(&a);                                                                            \
        buf_deinit(&b);                                                                            \
    }
REC_MAP(ROUND_TRIP)

typedef void round_trip(struct slice input);
#define ROUND_TRIP_ENTRY(name) round_trip_##name,
static round_trip *const ROUND_TRIPS[] = {REC_MAP(ROUND_TRIP_ENTRY)};

#define WALK(element, take)                                                                        \
    static void walk_##element(struct slice input)                                                 \
    {                                                                                              \
        struct dec d = dec_of(input);                                                              \
        struct rec_vec v = rec_get_vec_##element(&d);                                              \
        if (d.bad)                                                                                 \
            return;                                                                                \
        struct dec elements = dec_of(v.raw);                                                       \
        for (int32_t i = 0; i < v.count; i++)                                                      \
            take;                                                                                  \
        FUZZ_CHECK(!elements.bad, "every element can be read again");                              \
        FUZZ_CHECK(dec_left(&elements) == 0, "the elements are all there is");                     \
    }
WALK(acl, rec_get_acl(&elements, &(struct rec_acl){0}))
WALK(ustring, dec_ustring(&elements))
WALK(client_info, rec_get_client_info(&elements, &(struct rec_client_info){0}))
WALK(txn, rec_get_txn(&elements, &(struct rec_txn){0}))
WALK(id, rec_get_id(&elements, &(struct rec_id){0}))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum {
        COUNT = sizeof ROUND_TRIPS / sizeof ROUND_TRIPS[0]
    };
    struct fz f = fz_of(data, size);
    uint8_t which = fz_u8(&f);
    struct slice input = fz_rest(&f);
    if (which < COUNT) {
        ROUND_TRIPS[which](input);
        return 0;
    }
    for (size_t i = 0; i < COUNT; i++)
        ROUND_TRIPS[i](input);
    walk_acl(input);
    walk_ustring(input);
    walk_client_info(input);
    walk_txn(input);
    walk_id(input);
    return 0;
}
