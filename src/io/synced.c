#include "io/synced.h"

#include <string.h>
#include <zlib.h>

#include "base/buf.h"
#include "io/names.h"

/* offset  bytes
 *      0      4  "CSYN"
 *      4      4  version, 1
 *      8      8  zxid that names the log file
 *     16      8  durable bytes
 *     24      8  inode
 *     32      8  checksum field of the first record
 *     40      4  CRC-32 of the bytes before                  (integers big-endian) */
enum {
    SYNCED_BYTES = 44,
    SYNCED_VERSION = 1
};
static const uint8_t SYNCED_MAGIC[4] = "CSYN";

static void synced_encode(uint8_t ret[SYNCED_BYTES], const struct synced *s)
{
    memcpy(ret, SYNCED_MAGIC, sizeof SYNCED_MAGIC);
    store_be32(ret + 4, SYNCED_VERSION);
    store_be64(ret + 8, (uint64_t)s->file_zxid);
    store_be64(ret + 16, (uint64_t)s->offset);
    store_be64(ret + 24, s->inode);
    store_be64(ret + 32, s->first_checksum);
    store_be32(ret + 40, (uint32_t)crc32(0, ret, 40));
}

static bool synced_decode(const uint8_t bytes[SYNCED_BYTES], struct synced *ret)
{
    if (memcmp(bytes, SYNCED_MAGIC, sizeof SYNCED_MAGIC) != 0 ||
        load_be32(bytes + 4) != SYNCED_VERSION ||
        load_be32(bytes + 40) != (uint32_t)crc32(0, bytes, 40))
        return false;
    *ret = (struct synced){
        .file_zxid = (int64_t)load_be64(bytes + 8),
        .offset = (int64_t)load_be64(bytes + 16),
        .inode = load_be64(bytes + 24),
        .first_checksum = load_be64(bytes + 32),
    };
    return true;
}

bool synced_read(struct files *fs, const char *dir, struct synced *ret)
{
    char path[FILE_PATH_MAX];
    if (file_path(path, dir, NAME_SYNCED, NULL) < 0)
        return false;
    int fd = fs->open(fs, path, FILE_READ);
    if (fd < 0)
        return false;

    uint8_t bytes[SYNCED_BYTES];
    int64_t n = file_read_full(fs, fd, bytes, sizeof bytes, 0);
    fs->close(fs, fd);
    return n == SYNCED_BYTES && synced_decode(bytes, ret);
}

int synced_open(struct files *fs, const char *dir)
{
    char path[FILE_PATH_MAX];
    int rc = file_path(path, dir, NAME_SYNCED, NULL);
    if (rc < 0)
        return rc;
    return fs->open(fs, path, FILE_WRITE | FILE_CREATE);
}

int synced_write(struct files *fs, int fd, const struct synced *s)
{
    uint8_t bytes[SYNCED_BYTES];
    synced_encode(bytes, s);
    struct iovec part = {bytes, sizeof bytes};
    return file_write_full(fs, fd, &part, 1, 0);
}
