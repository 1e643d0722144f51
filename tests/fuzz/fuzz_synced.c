/* The side file: any bytes are believed or not; what was written is read back; nothing else passes.
 */
#include "crash_disk.h"
#include "fuzz.h"
#include "io/metafile.h"
#include "io/names.h"
#include "io/synced.h"

static void check_number(struct crash_disk *disk, struct slice raw)
{
    struct files *fs = crash_disk_files(disk);
    crash_disk_put(disk, "/d/number", raw.ptr, raw.len);
    int64_t value, back;
    struct err err = {""};
    int rc = metafile_read(fs, "/d", "number", &value, &err);
    FUZZ_CHECK(rc == 0 || (rc == ERR_CORRUPT && err.text[0] != 0), "a number, or a reason");
    if (rc < 0)
        return;
    char text[32];
    int len = snprintf(text, sizeof text, "%lld", (long long)value);
    crash_disk_put(disk, "/d/number", text, (size_t)len);
    FUZZ_CHECK(metafile_read(fs, "/d", "number", &back, &err) == 0 && back == value,
               "the same number, plainly written");
}

static void check_name(struct slice raw)
{
    char name[NAME_BYTES_MAX * 2] = {0}, canonical[NAME_BYTES_MAX];
    if (raw.len > 0)
        memcpy(name, raw.ptr, raw.len < sizeof name ? raw.len : sizeof name - 1);
    int64_t zxid;
    enum snap_method method;
    if (name_is_log(name, &zxid)) {
        name_log(canonical, zxid);
        FUZZ_CHECK(strcmp(name, canonical) == 0 && zxid >= 0, "one name for a log");
    }
    if (name_is_snapshot(name, &zxid, &method)) {
        name_snapshot(canonical, zxid, method);
        FUZZ_CHECK(strcmp(name, canonical) == 0 && zxid >= 0, "one name for a snapshot");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct crash_disk *disk;
    if (disk == NULL)
        disk = crash_disk_create();
    struct files *fs = crash_disk_files(disk);
    struct fz f = fz_of(data, size);
    struct synced s = {fz_i64(&f), fz_i64(&f), (uint64_t)fz_i64(&f), (uint64_t)fz_i64(&f)}, back;

    struct slice raw = fz_rest(&f);
    check_number(disk, raw);
    check_name(raw);
    crash_disk_put(disk, "/d/caucus.synced", raw.ptr, raw.len);
    synced_read(fs, "/d", &back);

    crash_disk_put(disk, "/d/caucus.synced", "", 0);
    int fd = synced_open(fs, "/d");
    FUZZ_CHECK(fd >= 0 && synced_write(fs, fd, &s) == 0, "it can be written");
    fs->close(fs, fd);
    FUZZ_CHECK(synced_read(fs, "/d", &back), "and read");
    FUZZ_CHECK(back.file_zxid == s.file_zxid && back.offset == s.offset && back.inode == s.inode &&
                   back.first_checksum == s.first_checksum,
               "with what it said");

    /* One byte changed, or cut: not believed. */
    size_t len;
    uint8_t *bytes = crash_disk_bytes(disk, "/d/caucus.synced", &len);
    uint8_t flip = raw.len > 1 ? raw.ptr[1] : 1;
    bytes[(raw.len > 0 ? raw.ptr[0] : 0) % len] ^= flip != 0 ? flip : 1;
    FUZZ_CHECK(!synced_read(fs, "/d", &back), "damage is seen");
    return 0;
}
