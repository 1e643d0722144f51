/* links: server node tree session watch fle zab io wire base */
/* SASL of clients: the example of RFC 2831 in our realm, what is refused, and files of users. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "server/digest_md5.h"

static const char CONTEXT[] = "// users\n"
                              "Client { org.example.Other required user_eve=\"x\"; };\n"
                              "Server { /* ours */\n"
                              "  org.apache.zookeeper.server.auth.DigestLoginModule required\n"
                              "  user_super=top debug=true\n"
                              "  user_bob=\"open sesame\"; };\n";

static void users_are_those_of_the_context(void **state)
{
    (void)state;
    struct jaas j;
    struct err err = {""};
    assert_int_equal(jaas_parse(slice_str(CONTEXT), "Server", &j, &err), 0);
    assert_int_equal(j.count, 2);
    assert_string_equal(jaas_password(&j, slice_str("bob")), "open sesame");
    assert_string_equal(jaas_password(&j, slice_str("super")), "top");
    assert_null(jaas_password(&j, slice_str("eve")));
    jaas_deinit(&j);
    assert_int_equal(jaas_parse(slice_str(CONTEXT), "Other", &j, &err), ERR_NOTFOUND);
    assert_int_equal(jaas_parse(slice_str(CONTEXT), "Client", &j, &err), ERR_UNSUPPORTED);
}

static void what_is_no_context_is_refused_with_its_line(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "\nServer",
        "\nServer {",
        "\nServer { a }",
        "\nServer { a b c }",
        "\nServer { a b c= }",
        "\nServer { a b c=\"d }",
        "\nServer { a b c=d; }",
        "\nServer { a b c=d };",
        "\n= {};",
        "\nServer { a b \"c",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct jaas j;
        struct err err = {""};
        assert_int_equal(jaas_parse(slice_str(wrong[i]), "Other", &j, &err), ERR_INVALID);
        assert_non_null(strstr(err.text, "line 2"));
    }
}

static struct jaas_user bob[] = {{"bob", "open sesame"}};
static const struct jaas USERS = {bob, 1};

static void begin(struct digest_md5 *d, char *ret_challenge, size_t bytes)
{
    uint8_t nonce[DIGEST_MD5_NONCE_BYTES] = {1, 2, 3};
    struct buf reply = {0};
    digest_md5_init(d, nonce);
    assert_int_equal(digest_md5_step(d, &USERS, slice_str(""), &reply), DIGEST_MD5_CHALLENGED);
    snprintf(ret_challenge, bytes, "%.*s", (int)reply.len, (const char *)reply.ptr);
    buf_deinit(&reply);
}

static void hex_md5(const char *bytes, size_t len, uint8_t raw[16], char hex[33])
{
    EVP_Digest(bytes, len, raw, NULL, EVP_md5(), NULL);
    for (int i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
}

/* A client of its own, by the letter of the RFC. */
static void respond(const char *nonce, const char *password, const char *method, char ret[33])
{
    char text[512], hash[33], a2[33];
    uint8_t raw[16];
    int len = snprintf(text, sizeof text, "bob:zk-sasl-md5:%s", password);
    hex_md5(text, (size_t)len, raw, hash);
    memcpy(text, raw, 16);
    len = 16 + snprintf(text + 16, sizeof text - 16, ":%s:mine:bob", nonce);
    hex_md5(text, (size_t)len, raw, hash);
    char line[128];
    len = snprintf(line, sizeof line, "%s:zookeeper/zk-sasl-md5", method);
    hex_md5(line, (size_t)len, raw, a2);
    len = snprintf(text, sizeof text, "%s:%s:00000001:mine:auth:%s", hash, nonce, a2);
    hex_md5(text, (size_t)len, raw, ret);
}

/* In the pattern "@" stands for the nonce, "$" for the proof. */
static enum digest_md5_state answer(struct digest_md5 *d, const char *pattern, const char *password,
                                    struct buf *reply)
{
    char response[33];
    struct buf token = {0};
    respond(d->nonce, password, "AUTHENTICATE", response);
    for (; *pattern != 0; pattern++) {
        const char *what = *pattern == '@' ? d->nonce : *pattern == '$' ? response : NULL;
        if (what != NULL)
            buf_put(&token, what, strlen(what));
        else
            buf_put_u8(&token, (uint8_t)*pattern);
    }
    enum digest_md5_state state = digest_md5_step(d, &USERS, buf_part(&token, 0, token.len), reply);
    buf_deinit(&token);
    return state;
}

#define GOOD                                                                                       \
    "username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"@\",cnonce=\"mine\",nc=00000001,qop=auth,"     \
    "digest-uri=\"zookeeper/zk-sasl-md5\",response=$,charset=utf-8,authzid=\"b\\ob\""

static void who_knows_the_password_is_let_in_and_is_shown_that_we_know_it(void **state)
{
    (void)state;
    struct digest_md5 d;
    struct buf reply = {0};
    char challenge[512], ours[64] = "rspauth=";
    begin(&d, challenge, sizeof challenge);
    assert_non_null(strstr(challenge, "realm=\"zk-sasl-md5\""));
    assert_non_null(strstr(challenge, d.nonce));
    assert_int_equal(answer(&d, GOOD, "open sesame", &reply), DIGEST_MD5_DONE);
    assert_string_equal(d.user, "bob");
    respond(d.nonce, "open sesame", "", ours + 8);
    assert_int_equal(reply.len, strlen(ours));
    assert_memory_equal(reply.ptr, ours, reply.len);
    assert_int_equal(answer(&d, GOOD, "open sesame", &reply), DIGEST_MD5_FAILED);
    buf_deinit(&reply);
}

static void everybody_else_is_not(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "x",
        "=",
        "username",
        "username=\"bob",
        "nonce=@,nonce=@",
        ",,,, ",
        "username=\"\\",
        "username=\"eve\",nonce=\"@\",cnonce=\"mine\",nc=00000001,digest-uri=\"zookeeper/"
        "zk-sasl-md5\",response=$",
        "username=\"bob\",nonce=\"x@\",cnonce=\"mine\",nc=00000001,digest-uri=\"zookeeper/"
        "zk-sasl-md5\",response=$",
        "username=\"bob\",nonce=\"@\",cnonce=\"mine\",nc=00000002,digest-uri=\"zookeeper/"
        "zk-sasl-md5\",response=$",
        "username=\"bob\",nonce=\"@\",cnonce=\"mine\",nc=00000001,digest-uri=\"ldap/"
        "zk-sasl-md5\",response=$",
        "username=\"bob\",nonce=\"@\",cnonce=\"mine\",nc=00000001,qop=auth-conf,digest-uri="
        "\"zookeeper/zk-sasl-md5\",response=$",
    };
    char challenge[512];
    struct digest_md5 d;
    struct buf reply = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        begin(&d, challenge, sizeof challenge);
        assert_int_equal(answer(&d, wrong[i], "open sesame", &reply), DIGEST_MD5_FAILED);
        assert_non_null(d.why);
    }
    begin(&d, challenge, sizeof challenge);
    assert_int_equal(answer(&d, GOOD, "open says me", &reply), DIGEST_MD5_FAILED);
    static uint8_t huge[1 << 20];
    begin(&d, challenge, sizeof challenge);
    assert_int_equal(digest_md5_step(&d, &USERS, slice_of(huge, sizeof huge), &reply),
                     DIGEST_MD5_FAILED);
    assert_int_equal(reply.len, 0);
    digest_md5_init(&d, (const uint8_t[DIGEST_MD5_NONCE_BYTES]){0});
    assert_int_equal(digest_md5_step(&d, &USERS, slice_str("again"), &reply),
                     DIGEST_MD5_CHALLENGED);
    buf_deinit(&reply);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_those_of_the_context),
        cmocka_unit_test(what_is_no_context_is_refused_with_its_line),
        cmocka_unit_test(who_knows_the_password_is_let_in_and_is_shown_that_we_know_it),
        cmocka_unit_test(everybody_else_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
