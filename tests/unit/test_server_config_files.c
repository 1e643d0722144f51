/* links: testlib server */
/* What a change of the ensemble leaves in the configuration files, also when the power fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "crash_disk.h"
#include "server/config_files.h"
#include "wire/quorum.h"

#define STATIC "/d/zoo.cfg"

static const char OLD[] = "# ours\n"
                          "tickTime=2000\n"
                          "server.1=a:1:2\n"
                          "  server.2 = b:1:\\\n"
                          "      2\n"
                          "group.1=1:2\n"
                          "weight.1=2\n"
                          "peerType=observer\n"
                          "dataDir=/with\\\n"
                          "        /blanks\n"
                          "clientPort=2181\n"
                          "clientPortListenBacklog=9";

static const char CONFIG[] = "server.2=b:1:2:participant;0.0.0.0:2181\n"
                             "server.10=c:1:2:participant\n"
                             "server.1=a:1:2:participant\n"
                             "version=10000000f";

struct disk {
    struct crash_disk *disk;
    struct files *fs;
    struct err err;
};

static struct disk make_disk(void)
{
    struct disk d = {.disk = crash_disk_create()};
    d.fs = crash_disk_files(d.disk);
    crash_disk_put(d.disk, STATIC, OLD, strlen(OLD));
    return d;
}

static bool holds(struct disk *d, const char *path, const char *text)
{
    size_t len;
    const uint8_t *bytes = crash_disk_bytes(d->disk, path, &len);
    return bytes != NULL && len == strlen(text) && memcmp(bytes, text, len) == 0;
}

static void assert_holds(struct disk *d, const char *path, const char *text)
{
    size_t len = 0;
    const uint8_t *bytes = crash_disk_bytes(d->disk, path, &len);
    if (!holds(d, path, text))
        fail_msg("%s: '%.*s'", path, (int)len, (const char *)bytes);
}

static const char KEPT[] = "# ours\n"
                           "tickTime=2000\n"
                           "dataDir=/with\\\n"
                           "        /blanks\n"
                           "clientPort=2181\n"
                           "clientPortListenBacklog=9\n"
                           "dynamicConfigFile=/d/zoo.cfg.dynamic.10000000f\n";

static int activate(struct disk *d, bool erase)
{
    return config_files_write_active(d->fs, STATIC, slice_str(CONFIG), 0x10000000f, erase, &d->err);
}

static void a_proposed_configuration_keeps_its_version_inside(void **state)
{
    (void)state;
    struct disk d = make_disk();
    assert_int_equal(config_files_write_next(d.fs, STATIC, slice_str(CONFIG), &d.err), 0);
    assert_holds(&d, STATIC ".dynamic.next",
                 "server.10=c:1:2:participant\n" /* as Java sorts lines */
                 "server.1=a:1:2:participant\n"
                 "server.2=b:1:2:participant;0.0.0.0:2181\n"
                 "version=10000000f");
    char ahead[256];
    snprintf(ahead, sizeof ahead, "%s\n" QUORUM_AHEAD, CONFIG);
    assert_int_equal(config_files_write_next(d.fs, STATIC, slice_str(ahead), &d.err), 0);
    assert_holds(&d, STATIC ".dynamic.next",
                 "server.10=c:1:2:participant\n"
                 "server.1=a:1:2:participant\n"
                 "server.2=b:1:2:participant;0.0.0.0:2181\n"
                 "version=10000000f\n" QUORUM_AHEAD);
    assert_int_equal(config_files_drop_next(d.fs, STATIC, &d.err), 0);
    assert_int_equal(config_files_drop_next(d.fs, STATIC, &d.err), 0);
    assert_null(crash_disk_bytes(d.disk, STATIC ".dynamic.next", &(size_t){0}));
    crash_disk_free(d.disk);
}

static void the_active_one_has_its_version_in_its_name_and_the_static_file_names_it(void **state)
{
    (void)state;
    struct disk d = make_disk();
    assert_int_equal(activate(&d, false), 0);
    assert_holds(&d, STATIC ".dynamic.10000000f",
                 "server.10=c:1:2:participant\n" /* as Java sorts lines */
                 "server.1=a:1:2:participant\n"
                 "server.2=b:1:2:participant;0.0.0.0:2181");
    assert_holds(&d, STATIC, KEPT);

    assert_int_equal(activate(&d, true), 0);
    size_t len;
    const char *text = (const char *)crash_disk_bytes(d.disk, STATIC, &len);
    assert_null(memmem(text, len, "clientPort=", 11));
    assert_non_null(memmem(text, len, "clientPortListenBacklog=9\n", 26));
    crash_disk_free(d.disk);
}

static void a_backup_is_the_file_as_it_was(void **state)
{
    (void)state;
    struct disk d = make_disk();
    assert_int_equal(config_files_back_up(d.fs, STATIC, &d.err), 0);
    assert_holds(&d, STATIC ".bak", OLD);
    crash_disk_free(d.disk);
}

static void
power_that_fails_leaves_the_old_static_file_or_the_new_one_with_what_it_names(void **state)
{
    (void)state;
    for (uint64_t call = 1, done = 0; !done; call++) {
        for (uint64_t seed = 0; seed < 20; seed++) {
            struct disk d = make_disk();
            crash_disk_fail_at(d.disk, crash_disk_calls(d.disk) + call);
            int rc = activate(&d, false);
            done = !crash_disk_failed(d.disk);
            crash_disk_power_cycle(d.disk, seed);
            bool is_new = holds(&d, STATIC, KEPT);
            assert_true(is_new || holds(&d, STATIC, OLD));
            assert_true(rc < 0 || is_new);
            if (is_new)
                assert_non_null(
                    crash_disk_bytes(d.disk, STATIC ".dynamic.10000000f", &(size_t){0}));
            crash_disk_free(d.disk);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_proposed_configuration_keeps_its_version_inside),
        cmocka_unit_test(the_active_one_has_its_version_in_its_name_and_the_static_file_names_it),
        cmocka_unit_test(a_backup_is_the_file_as_it_was),
        cmocka_unit_test(
            power_that_fails_leaves_the_old_static_file_or_the_new_one_with_what_it_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
