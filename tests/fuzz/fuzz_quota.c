/* The text of quotas: any text is taken, and what is written from it reads as the same. */
#include "fuzz.h"
#include "tree/quota.h"

static const char *const KEYS[] = {"count", "bytes", "countHardLimit", "byteHardLimit"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct quota_track first, second;
    struct buf a = {0}, b = {0};
    quota_track_parse(&first, slice_of(data, size));
    FUZZ_CHECK(first.count <= QUOTA_PAIRS_MAX, "no more pairs than there is room for");
    quota_track_put(&first, &a);
    quota_track_parse(&second, buf_slice(&a));
    quota_track_put(&second, &b);

    /* count and bytes are always written: a full table may have no room for them when read. */
    if (first.count + 2 <= QUOTA_PAIRS_MAX) {
        for (size_t i = 0; i < 4; i++)
            FUZZ_CHECK(quota_track_get(&first, KEYS[i]) == quota_track_get(&second, KEYS[i]),
                       "every limit is read as it was written");
        FUZZ_CHECK(slice_eq(buf_slice(&a), buf_slice(&b)), "the text is stable");
    }
    quota_track_set(&first, "count", -7);
    FUZZ_CHECK(quota_track_get(&first, "count") == -7 || first.count == QUOTA_PAIRS_MAX,
               "what is set is there");
    buf_deinit(&a);
    buf_deinit(&b);
    return 0;
}
