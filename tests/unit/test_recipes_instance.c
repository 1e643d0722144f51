/* links: recipes */
/* Instances of services as JSON: what Curator writes, what we write, and what nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/json_in.h"
#include "recipes/instance.h"

static struct caucus_instance *read_text(const char *json)
{
    return instance_read(slice_str(json));
}

static void what_curator_writes_is_read(void **state)
{
    (void)state;
    struct caucus_instance *i = read_text(
        "{\"name\":\"web\",\"id\":\"1f8c\",\"address\":\"10.0.0.7\",\"port\":8080,\"sslPort\":8443,"
        "\"payload\":{\"@class\":\"com.example.Payload\",\"val\":\"a}b\",\"list\":[1,2.5e-3,null]},"
        "\"registrationTimeUTC\":1325129459728,\"serviceType\":\"DYNAMIC\","
        "\"uriSpec\":{\"parts\":[{\"value\":\"scheme\",\"variable\":true}]},\"enabled\":false}");
    assert_non_null(i);
    assert_string_equal(i->name, "web");
    assert_string_equal(i->id, "1f8c");
    assert_string_equal(i->address, "10.0.0.7");
    assert_int_equal(i->port, 8080);
    assert_int_equal(i->tls_port, 8443);
    assert_true(i->payload_is_json);
    assert_string_equal(
        i->payload,
        "{\"@class\":\"com.example.Payload\",\"val\":\"a}b\",\"list\":[1,2.5e-3,null]}");
    assert_int_equal(i->registered_ms, 1325129459728);
    assert_true(i->is_disabled);
    caucus_instance_free(i);
}

static void what_is_missing_or_null_is_nothing(void **state)
{
    (void)state;
    struct caucus_instance *i =
        read_text(" {\"id\" : \"b\", \"name\":\"a\" , "
                  "\"port\":null,\"sslPort\":null,\"payload\":null,\"address\":null,"
                  "\"uriSpec\":null}\n");
    assert_non_null(i);
    assert_null(i->address);
    assert_null(i->payload);
    assert_false(i->payload_is_json || i->is_disabled);
    assert_int_equal(i->port + i->tls_port + i->registered_ms, 0);
    caucus_instance_free(i);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    const struct caucus_instance instances[] = {
        {.name = "a", .id = "b"},
        {.name = "z\xc3\xbcrich",
         .id = "\"\\\x01\x7f",
         .address = "::1",
         .port = 1,
         .tls_port = 65535,
         .payload = "\n\t{not json \xf0\x9f\x97\xb3",
         .registered_ms = INT64_MAX},
        {.name = "a", .id = "b", .payload = "[{\"x\":[]},{}, -0.5E+3 ]", .payload_is_json = true},
    };
    for (size_t n = 0; n < sizeof(instances) / sizeof(*instances); n++) {
        const struct caucus_instance *a = &instances[n];
        assert_true(instance_is_sound(a));
        struct buf out = {0};
        instance_write(&out, a);
        struct caucus_instance *b = instance_read(buf_slice(&out));
        assert_non_null(b);
        assert_string_equal(a->name, b->name);
        assert_string_equal(a->id, b->id);
        assert_true((a->address == NULL) == (b->address == NULL));
        assert_true((a->payload == NULL) == (b->payload == NULL));
        if (a->address != NULL)
            assert_string_equal(a->address, b->address);
        if (a->payload != NULL)
            assert_string_equal(a->payload, b->payload);
        assert_int_equal(a->payload_is_json, b->payload_is_json);
        assert_int_equal(a->port, b->port);
        assert_int_equal(a->tls_port, b->tls_port);
        assert_int_equal(a->registered_ms, b->registered_ms);
        caucus_instance_free(b);
        buf_deinit(&out);
    }
}

static void the_json_is_curators_to_the_byte(void **state)
{
    (void)state;
    struct buf out = {0};
    instance_write(&out, &(struct caucus_instance){.name = "name",
                                                   .id = "id",
                                                   .address = "address",
                                                   .port = 10,
                                                   .tls_port = 20,
                                                   .payload = "payload"});
    buf_put_u8(&out, 0);
    assert_string_equal(
        out.ptr,
        "{\"name\":\"name\",\"id\":\"id\",\"address\":\"address\",\"port\":10,\"sslPort\":20,"
        "\"payload\":\"payload\",\"registrationTimeUTC\":0,\"serviceType\":\"DYNAMIC\","
        "\"uriSpec\":null}");
    buf_deinit(&out);
}

static void what_cannot_be_written_is_known_before(void **state)
{
    (void)state;
    const struct caucus_instance bad[] = {
        {.id = "b"},
        {.name = "a"},
        {.name = "a/b", .id = "b"},
        {.name = "a", .id = ".."},
        {.name = "a", .id = "b", .address = "\xff"},
        {.name = "a", .id = "b", .port = 65536},
        {.name = "a", .id = "b", .tls_port = -1},
        {.name = "a", .id = "b", .payload = "\xed\xa0\x80"},
        {.name = "a", .id = "b", .payload = "{", .payload_is_json = true},
        {.name = "a", .id = "b", .payload = "1 2", .payload_is_json = true},
        {.name = "a", .id = "b", .payload = "", .payload_is_json = true},
        {.name = "a", .id = "b", .payload_is_json = true},
        {.name = "a", .id = "b", .registered_ms = -1},
        {.name = "a", .id = "b", .is_disabled = true},
    };
    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++)
        assert_false(instance_is_sound(&bad[n]));
}

static void escapes_are_resolved(void **state)
{
    (void)state;
    struct caucus_instance *i = read_text("{\"name\":\"a\",\"id\":\"b\",\"payload\":\"\\\"\\\\\\/"
                                          "\\b\\f\\n\\r\\t\\u00e4\\u20AC\\ud83d\\uddf3\"}");
    assert_non_null(i);
    assert_string_equal(i->payload, "\"\\/\b\f\n\r\t\xc3\xa4\xe2\x82\xac\xf0\x9f\x97\xb3");
    caucus_instance_free(i);
}

/* Each with the members that must be there, where that is not what is wrong. */
#define WITH(more) "{\"name\":\"a\",\"id\":\"b\"," more "}"

static void what_is_no_instance_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        " ",
        "null",
        "[]",
        "{",
        "}",
        "{}",
        "{\"name\":\"a\"}",
        "{\"id\":\"b\"}",
        "{\"name\":\"a\",\"id\":null}",
        "{\"name\":\"a\",\"id\":1}",
        "{\"name\":\"a\",\"id\":\"b\"",
        "{\"name\":\"a\",\"id\":\"b\"}x",
        "{\"name\":\"a\",\"id\":\"b\",}",
        "{\"name\" \"a\",\"id\":\"b\"}",
        "{\"name\":\"a\" \"id\":\"b\"}",
        "{'name':'a','id':'b'}",
        WITH("\"port\":\"80\""),
        WITH("\"port\":-1"),
        WITH("\"port\":65536"),
        WITH("\"port\":1.5"),
        WITH("\"port\":1e2"),
        WITH("\"port\":01"),
        WITH("\"port\":99999999999999999999"),
        WITH("\"port\":-"),
        WITH("\"enabled\":null"),
        WITH("\"enabled\":1"),
        WITH("\"registrationTimeUTC\":null"),
        WITH("\"address\":{}"),
        WITH("\"x\":tru"),
        WITH("\"x\":.5"),
        WITH("\"x\":1."),
        WITH("\"x\":1e"),
        WITH("\"x\":+1"),
        WITH("\"x\":[1,]"),
        WITH("\"x\":[1 2]"),
        WITH("\"x\":[}"),
        WITH("\"x\":{1:2}"),
        WITH("\"x\":{\"a\"}"),
        WITH("\"x\":\"\\x\""),
        WITH("\"x\":\"\\u12\""),
        WITH("\"x\":\"\\ud800\""),
        WITH("\"x\":\"\\udc00\""),
        WITH("\"x\":\"\\ud800\\u0041\""),
        WITH("\"x\":\"\\u0000\""),
        WITH("\"x\":\"\n\""),
        WITH("\"x\":\"\xc3\""),
        WITH("\"x\":\"open"),
        WITH("\"x\":"),
    };
    for (size_t n = 0; n < sizeof(bad) / sizeof(*bad); n++) {
        struct caucus_instance *i = read_text(bad[n]);
        if (i != NULL)
            fail_msg("was read: %s", bad[n]);
    }
    assert_null(instance_read(slice_of(NULL, 0)));
    assert_null(instance_read(slice_of("{\"name\":\"a\0\",\"id\":\"b\"}", 22)));
}

static void nesting_has_a_bound(void **state)
{
    (void)state;
    for (int deep = JSON_IN_DEPTH_MAX; deep <= JSON_IN_DEPTH_MAX + 1; deep++) {
        struct buf json = {0};
        buf_printf(&json, "{\"name\":\"a\",\"id\":\"b\",\"x\":");
        for (int i = 0; i < deep; i++)
            buf_printf(&json, i % 2 == 0 ? "[" : "{\"y\":");
        buf_printf(&json, "7");
        for (int i = deep - 1; i >= 0; i--)
            buf_printf(&json, i % 2 == 0 ? "]" : "}");
        buf_printf(&json, "}");
        struct caucus_instance *i = instance_read(buf_slice(&json));
        assert_int_equal(i != NULL, deep == JSON_IN_DEPTH_MAX);
        caucus_instance_free(i);
        buf_deinit(&json);
    }
}

static void of_a_member_that_comes_twice_the_last_counts(void **state)
{
    (void)state;
    struct caucus_instance *i =
        read_text(WITH("\"payload\":{},\"payload\":\"x\",\"id\":\"c\",\"port\":1,\"port\":null"));
    assert_non_null(i);
    assert_string_equal(i->id, "c");
    assert_string_equal(i->payload, "x");
    assert_false(i->payload_is_json);
    assert_int_equal(i->port, 0);
    caucus_instance_free(i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_curator_writes_is_read),
        cmocka_unit_test(what_is_missing_or_null_is_nothing),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(the_json_is_curators_to_the_byte),
        cmocka_unit_test(what_cannot_be_written_is_known_before),
        cmocka_unit_test(escapes_are_resolved),
        cmocka_unit_test(what_is_no_instance_is_refused),
        cmocka_unit_test(nesting_has_a_bound),
        cmocka_unit_test(of_a_member_that_comes_twice_the_last_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
