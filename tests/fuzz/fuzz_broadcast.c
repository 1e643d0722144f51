/* The nodes of a broadcast's group: what is taken for a record, a slot or a batch is written back
 * as it was, and every message that a batch is said to have is in it. */
#include "fuzz.h"
#include "recipes/broadcast_format.h"

static void check_record(struct slice s)
{
    static struct broadcast_record r; /* 6 KiB */
    if (!broadcast_read_record(s, &r))
        return;
    FUZZ_CHECK(r.committed <= r.proposed && r.oldest <= r.proposed + 1, "a record can be");
    struct buf b = {0};
    broadcast_put_record(&b, &r);
    FUZZ_CHECK(slice_eq(buf_slice(&b), s), "a record is written as it was read");
    buf_deinit(&b);
}

static void check_slot(struct slice s)
{
    struct broadcast_slot slot;
    if (!broadcast_read_slot(s, &slot))
        return;
    struct buf b = {0};
    broadcast_put_slot(&b, slot.read, slot.number, slot.messages);
    FUZZ_CHECK(slice_eq(buf_slice(&b), s), "a slot is written as it was read");
    buf_deinit(&b);
}

static void check_batch(struct slice s)
{
    bool is_batch = broadcast_check_batch(s);
    struct broadcast_reader r;
    uint32_t count = 0;
    size_t bytes = 0;
    broadcast_reader_init(&r, s);
    while (broadcast_next(&r)) {
        FUZZ_CHECK(r.place == ++count, "places have no holes");
        bytes += r.message.len;
    }
    FUZZ_CHECK(bytes <= s.len, "messages do not overlap");
    FUZZ_CHECK(!is_batch || (count <= BROADCAST_BATCH_MESSAGES_MAX && r.rest.len == 0),
               "a batch is read to its end");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice s = slice_of(data, size);
    check_record(s);
    check_slot(s);
    check_batch(s);
    return 0;
}
