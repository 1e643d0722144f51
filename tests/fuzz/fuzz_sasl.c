/* SASL of clients: a response is refused with a reason, or is the user's of the context; any text
 * is a login context whose users can be found, or refused with its line. */
#include "fuzz.h"
#include "server/digest_md5.h"

static void fuzz_context(struct slice text)
{
    struct jaas j;
    struct err err = {""};
    int rc = jaas_parse(text, "Server", &j, &err);
    FUZZ_CHECK(rc == 0 || err.text[0] != 0, "refused with a reason");
    if (rc < 0)
        return;
    FUZZ_CHECK(j.count <= JAAS_USERS_MAX, "bounded");
    for (size_t i = 0; i < j.count; i++)
        FUZZ_CHECK(jaas_password(&j, slice_str(j.users[i].name)) != NULL, "each user is found");
    jaas_deinit(&j);
}

static void fuzz_response(struct slice token)
{
    static struct jaas_user bob[] = {{"bob", "open sesame"}};
    static const struct jaas users = {bob, 1};
    static const uint8_t nonce[DIGEST_MD5_NONCE_BYTES] = {0};
    struct digest_md5 d;
    struct buf reply = {0};
    digest_md5_init(&d, nonce);
    FUZZ_CHECK(digest_md5_step(&d, &users, slice_str(""), &reply) == DIGEST_MD5_CHALLENGED,
               "it begins with a challenge");
    buf_clear(&reply);
    enum digest_md5_state state = digest_md5_step(&d, &users, token, &reply);
    if (state == DIGEST_MD5_DONE)
        FUZZ_CHECK(strcmp(d.user, "bob") == 0 && reply.len == strlen("rspauth=") + 32,
                   "nobody else gets in, and our proof is shown");
    else
        FUZZ_CHECK(state == DIGEST_MD5_FAILED && d.why != NULL && reply.len == 0,
                   "refused with a reason, and nothing else");
    buf_deinit(&reply);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice rest = slice_of(data + 1, size - 1);
    if (data[0] % 2 == 0)
        fuzz_context(rest);
    else
        fuzz_response(rest);
    return 0;
}
