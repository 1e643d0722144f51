/* What a client of the election's door sends, decoded: addresses, headers, tokens, bodies. The
 * first byte says which. What is accepted is bounded, lies in what was sent, and is written as it
 * was read. */
#include "election_rest/bodies.h"
#include "election_rest/token.h"
#include "election_rest/url.h"
#include "fuzz.h"

enum {
    KINDS = 4,
};

static void check_inside(struct slice part, struct slice whole)
{
    FUZZ_CHECK(part.len == 0 ||
                   (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len),
               "a part of what was sent");
}

static void address(struct slice text)
{
    struct url u;
    char *target = malloc(text.len + 1);
    if (text.len > 0)
        memcpy(target, text.ptr, text.len);
    struct slice whole = slice_of(target, text.len);
    if (url_read(target, text.len, &u)) {
        FUZZ_CHECK(u.part_count >= 1 && u.part_count <= URL_PARTS_MAX, "parts");
        FUZZ_CHECK(u.argument_count <= URL_ARGUMENTS_MAX, "arguments");
        for (size_t i = 0; i < u.part_count; i++)
            check_inside(u.parts[i], whole);
        for (size_t i = 0; i < u.argument_count; i++) {
            check_inside(u.arguments[i].name, whole);
            check_inside(u.arguments[i].value, whole);
        }
        (void)url_flag(&u, "linearizable");
    }
    free(target);
}

static void header(struct slice text)
{
    uint64_t number;
    uint8_t id[16];
    if (text_number(text, 1, 60000, &number))
        FUZZ_CHECK(number >= 1 && number <= 60000, "in its range");
    if (text_revision(text, 254, &number))
        FUZZ_CHECK(number <= 254, "in its range");
    if (text_uuid(text, id))
        FUZZ_CHECK(text.len == 32 || text.len == 36, "as long as it is");
    (void)text_is_media_type(text, "application/json");
    (void)text_has_tag(text, slice_str("abc"));
}

static void token(struct slice text)
{
    struct token t;
    struct buf again = {0};
    if (!token_read(text, &t))
        return;
    token_write(&t, &again);
    FUZZ_CHECK(slice_eq(text, buf_slice(&again)), "one form for each token");
    buf_deinit(&again);
}

static void body(struct slice text)
{
    struct buf candidate = {0};
    struct command c = {0};
    if (body_read_vote(text, &candidate) == NULL)
        FUZZ_CHECK(candidate.len <= text.len, "no longer than it was written");
    if (body_read_command(text, &c) == NULL)
        FUZZ_CHECK(c.drain_ms <= 600000 && c.round <= INT64_MAX, "in their ranges");
    buf_deinit(&candidate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[KINDS])(struct slice) = {address, header, token, body};
    if (size > 0)
        kinds[data[0] % KINDS](slice_of(data + 1, size - 1));
    return 0;
}
