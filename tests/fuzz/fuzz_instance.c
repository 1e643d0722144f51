/* What others put into the node of a service's instance: any text is refused, or read as an
 * instance that can be written and read again as the same. */
#include "fuzz.h"
#include "recipes/instance.h"

static bool is_same(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct caucus_instance *first = instance_read(slice_of(data, size));
    if (first == NULL)
        return 0;
    FUZZ_CHECK(first->port >= 0 && first->port <= 65535, "a port");
    FUZZ_CHECK(first->tls_port >= 0 && first->tls_port <= 65535, "a port");
    FUZZ_CHECK(first->registered_ms >= 0, "a time");
    first->is_disabled = false; /* which is not written */
    if (instance_is_sound(first)) {
        struct buf out = {0};
        instance_write(&out, first);
        struct caucus_instance *second = instance_read(buf_slice(&out));
        FUZZ_CHECK(second != NULL, "written, it can be read");
        FUZZ_CHECK(is_same(first->name, second->name) && is_same(first->id, second->id) &&
                       is_same(first->address, second->address) &&
                       is_same(first->payload, second->payload) &&
                       first->payload_is_json == second->payload_is_json &&
                       first->port == second->port && first->tls_port == second->tls_port &&
                       first->registered_ms == second->registered_ms,
                   "the same");
        caucus_instance_free(second);
        buf_deinit(&out);
    }
    caucus_instance_free(first);
    return 0;
}
