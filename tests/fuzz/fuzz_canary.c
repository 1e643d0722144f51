/* A bug is planted here: the fuzzing must find it, or it would find nothing elsewhere either. It
 * takes a valid record, a path nobody gave it, and it is a read one byte behind an allocation. */
#include "base/mem.h"
#include "fuzz.h"
#include "wire/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dec d = dec_of(slice_of(data, size));
    struct rec_create_request req;
    if (!rec_get_create_request(&d, &req) || !slice_starts_with(req.path, slice_str("/egg")))
        return 0;
    uint8_t *copy = mem_dup(req.path.ptr, req.path.len);
    volatile uint8_t behind = copy[req.path.len];
    (void)behind;
    free(copy);
    return 0;
}
