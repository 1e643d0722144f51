/* What another server says of itself to the console: texts that end, numbers that are none or not
 * below 0, and the same whatever stands behind a line that was not asked for. */
#include "console/srvr.h"
#include "fuzz.h"

static void check_text(const char text[SRVR_TEXT_BYTES])
{
    FUZZ_CHECK(memchr(text, 0, SRVR_TEXT_BYTES) != NULL, "a text ends");
    FUZZ_CHECK(strchr(text, '\n') == NULL, "a text is of one line");
}

static bool is_same(const struct srvr *a, const struct srvr *b)
{
    return strcmp(a->version, b->version) == 0 && strcmp(a->mode, b->mode) == 0 &&
           a->zxid == b->zxid && a->latency_min_ms == b->latency_min_ms &&
           a->latency_mean_us == b->latency_mean_us && a->latency_max_ms == b->latency_max_ms &&
           a->connections == b->connections && a->outstanding == b->outstanding &&
           a->znodes == b->znodes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct srvr r, again;
    if (!srvr_parse(slice_of(data, size), &r))
        return 0;
    check_text(r.version);
    check_text(r.mode);
    FUZZ_CHECK(r.mode[0] != 0, "who serves says as what");
    FUZZ_CHECK(r.zxid >= -1 && r.latency_min_ms >= -1 && r.latency_mean_us >= -1 &&
                   r.latency_max_ms >= -1 && r.connections >= -1 && r.outstanding >= -1 &&
                   r.znodes >= -1,
               "numbers");

    struct buf longer = {0};
    buf_put_slice(&longer, slice_of(data, size));
    buf_put_slice(&longer, slice_str("\nReceived: 5\n"));
    FUZZ_CHECK(srvr_parse(buf_slice(&longer), &again) && is_same(&r, &again), "the same");
    buf_deinit(&longer);
    return 0;
}
