/* The file format of zoo.cfg: any text is refused with its line, or read; what was read is written
 * plainly and read again as the same. */
#include "fuzz.h"
#include "server/properties.h"

/* A character that needs it gets a backslash. */
static void put_escaped(struct buf *out, const char *text)
{
    for (const char *c = text; *c != 0; c++) {
        static const char from[] = "\t\n\r\f", to[] = "tnrf";
        const char *known = strchr(from, *c);
        if (known != NULL || strchr(" \\=:#!", *c) != NULL)
            buf_put_u8(out, '\\');
        buf_put_u8(out, (uint8_t)(known != NULL ? to[known - from] : *c));
    }
}

static void put_all(const struct properties *p, struct buf *out)
{
    for (size_t i = 0; i < p->count; i++) {
        put_escaped(out, p->items[i].key);
        buf_put_u8(out, '=');
        put_escaped(out, p->items[i].value);
        buf_put_u8(out, '\n');
    }
}

static void check_items(const struct properties *p, struct slice text)
{
    int lines = 1;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n' || text.ptr[i] == '\r';
    for (size_t i = 0; i < p->count; i++) {
        FUZZ_CHECK(p->items[i].line >= 1 && p->items[i].line <= lines, "a line of the text");
        for (size_t k = 0; k < i; k++)
            FUZZ_CHECK(strcmp(p->items[i].key, p->items[k].key) != 0, "each key once");
    }
}

static bool nothing(const char *key)
{
    (void)key;
    return false;
}

static bool everything(const char *key)
{
    (void)key;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct properties first, second;
    struct err err = {""};
    struct slice text = slice_of(data, size);
    int rc = properties_parse(text, &first, &err);
    FUZZ_CHECK(rc == 0 || (rc == ERR_INVALID && err.text[0] != 0), "refused with a reason");
    if (rc < 0)
        return 0;
    check_items(&first, text);

    struct buf again = {0};
    put_all(&first, &again);
    FUZZ_CHECK(properties_parse(buf_slice(&again), &second, &err) == 0, "written, it can be read");
    FUZZ_CHECK(first.count == second.count, "as many");
    for (size_t i = 0; i < first.count; i++)
        FUZZ_CHECK(strcmp(first.items[i].key, second.items[i].key) == 0 &&
                       strcmp(first.items[i].value, second.items[i].value) == 0,
                   "the same keys and values");
    struct buf shown = {0};
    properties_hide(text, nothing, &shown);
    FUZZ_CHECK(slice_eq(buf_slice(&shown), text), "with nothing to hide it is as it was");
    buf_clear(&shown);
    properties_hide(text, everything, &shown);
    properties_deinit(&second);
    FUZZ_CHECK(properties_parse(buf_slice(&shown), &second, &err) == 0 &&
                   second.count == first.count,
               "hidden, it can be read");
    for (size_t i = 0; i < second.count; i++)
        FUZZ_CHECK(second.items[i].value[0] == 0 || strcmp(second.items[i].value, "***") == 0,
                   "and tells nothing");
    buf_deinit(&shown);
    buf_deinit(&again);
    properties_deinit(&first);
    properties_deinit(&second);
    return 0;
}
