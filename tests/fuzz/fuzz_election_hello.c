/* Whoever connects to an election port: any bytes end as a greeting, as the wish for more of a
 * bounded length, or as nonsense; a greeting that is written again is read as the same. */
#include "fuzz.h"
#include "server/election_hello.h"

enum {
    HELLO_BYTES_MAX = 8 + 8 + 4 + ELECTION_HELLO_TEXT_MAX
};

static void check_again(const struct election_hello *h)
{
    static struct election_hello again;
    struct buf bytes = {0};
    size_t used = 0, want = 0;
    election_hello_format(h->sid, h->targets, h->target_count, true, &bytes);
    enum election_hello_result result =
        election_hello_parse(buf_slice(&bytes), &again, &used, &want);
    /* None, or none that fit, is no address. */
    if (result == ELECTION_HELLO_WHOLE) {
        FUZZ_CHECK(again.sid == h->sid && used == bytes.len, "the same greeting");
        FUZZ_CHECK(again.target_count <= h->target_count, "no more addresses");
        for (size_t i = 0; i < again.target_count; i++)
            FUZZ_CHECK(strcmp(again.targets[i].host, h->targets[i].host) == 0 &&
                           again.targets[i].port == h->targets[i].port,
                       "the same addresses");
    } else {
        FUZZ_CHECK(h->target_count == 0, "an address that was read can be written");
    }
    buf_deinit(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct election_hello h;
    size_t used = 0, want = 0;
    switch (election_hello_parse(slice_of(data, size), &h, &used, &want)) {
    case ELECTION_HELLO_MORE:
        FUZZ_CHECK(want > size && want <= HELLO_BYTES_MAX, "more is wanted, within bounds");
        break;
    case ELECTION_HELLO_WHOLE:
        FUZZ_CHECK(used <= size && used >= 8, "no more than there is");
        FUZZ_CHECK(h.target_count <= CONNECT_TARGETS_MAX, "a bounded number of addresses");
        if (used > 8)
            check_again(&h);
        break;
    case ELECTION_HELLO_BAD:
        break;
    }
    return 0;
}
