#include "cli/backup_info.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/crc32.h"
#include "cli/print.h"

enum {
    FORMAT = 1,
    INFO_BYTES_MAX = 4096,
};

bool backup_sum(const char *path, int64_t *ret_bytes, uint32_t *ret_crc32)
{
    static uint8_t chunk[64 << 10];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    int64_t bytes = 0;
    uint32_t crc = 0;
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        crc = crc32_update(crc, chunk, (size_t)n);
        bytes += n;
    }
    int error = errno;
    close(fd);
    errno = error;
    *ret_bytes = bytes;
    *ret_crc32 = crc;
    return n == 0;
}

static bool write_durably(int fd, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = write(fd, text, len);
        if (n < 0 && errno != EINTR)
            return false;
        text += n > 0 ? n : 0;
        len -= n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0;
}

bool folder_sync(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = fsync(fd) == 0;
    int error = errno;
    close(fd);
    errno = error;
    return done;
}

bool folder_sync_above(const char *dir)
{
    char above[BACKUP_PATH_BYTES];
    snprintf(above, sizeof above, "%s/..", dir);
    return folder_sync(above);
}

bool backup_info_write(const char *dir, const struct backup_info *i)
{
    char path[BACKUP_PATH_BYTES], text[INFO_BYTES_MAX], when[TIME_TEXT_BYTES];
    time_text(i->taken_ms, when);
    int len =
        snprintf(text, sizeof text,
                 "backup %d\nsnapshot %s\nbytes %" PRId64 "\ncrc32 0x%08" PRIx32 "\nzxid 0x%" PRIx64
                 "\ndigest 0x%" PRIx64 "\nverified %s\nnodes %" PRIu64 "\nsessions %" PRIu64
                 "\ntaken_ms %" PRId64 "\ntaken %s\nsource %s\nprogram caucus %s\n",
                 FORMAT, i->snapshot, i->bytes, i->crc32, (uint64_t)i->zxid, i->digest,
                 i->verified ? "yes" : "no", i->nodes, i->sessions, i->taken_ms, when, i->source,
                 caucus_version());
    snprintf(path, sizeof path, "%s/" BACKUP_INFO_NAME, dir);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return false;
    bool written = write_durably(fd, text, (size_t)len);
    int error = errno;
    close(fd);
    if (written) {
        written = folder_sync(dir) && folder_sync_above(dir);
        error = errno;
    }
    if (!written)
        unlink(path);
    errno = error;
    return written;
}

/* The rest of the line that begins with the name, or NULL. The text ends each line with a zero. */
static const char *value_of(const char *text, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    for (const char *line = text; line < text + len; line += strlen(line) + 1)
        if (strncmp(line, name, name_len) == 0 && line[name_len] == ' ')
            return line + name_len + 1;
    return NULL;
}

static bool number_of(const char *text, size_t len, const char *name, uint64_t *ret)
{
    const char *value = value_of(text, len, name);
    if (value == NULL || value[0] < '0' || value[0] > '9')
        return false;
    char *end;
    errno = 0;
    *ret = strtoull(value, &end, 0);
    return *end == 0 && errno == 0;
}

static bool take(const char *text, size_t len, struct backup_info *ret)
{
    uint64_t format, bytes, crc, zxid, taken;
    const char *snapshot = value_of(text, len, "snapshot");
    const char *source = value_of(text, len, "source");
    const char *verified = value_of(text, len, "verified");
    if (!number_of(text, len, "backup", &format) || format != FORMAT || snapshot == NULL ||
        source == NULL || verified == NULL || !number_of(text, len, "bytes", &bytes) ||
        !number_of(text, len, "crc32", &crc) || !number_of(text, len, "zxid", &zxid) ||
        !number_of(text, len, "digest", &ret->digest) ||
        !number_of(text, len, "nodes", &ret->nodes) ||
        !number_of(text, len, "sessions", &ret->sessions) ||
        !number_of(text, len, "taken_ms", &taken) || bytes > INT64_MAX || crc > UINT32_MAX)
        return false;
    /* It is opened by this name: nothing outside of the backup. */
    if (strncmp(snapshot, "snapshot.", 9) != 0 || strchr(snapshot, '/') != NULL ||
        strlen(snapshot) >= sizeof ret->snapshot)
        return false;
    snprintf(ret->snapshot, sizeof ret->snapshot, "%s", snapshot);
    snprintf(ret->source, sizeof ret->source, "%s", source);
    ret->verified = strcmp(verified, "yes") == 0;
    ret->bytes = (int64_t)bytes;
    ret->crc32 = (uint32_t)crc;
    ret->zxid = (int64_t)zxid;
    ret->taken_ms = (int64_t)taken;
    return true;
}

int backup_info_read(struct cli *cli, const char *dir, struct backup_info *ret)
{
    char path[BACKUP_PATH_BYTES], text[INFO_BYTES_MAX + 1];
    *ret = (struct backup_info){0};
    snprintf(path, sizeof path, "%s/" BACKUP_INFO_NAME, dir);
    FILE *f = fopen(path, "re");
    if (f == NULL && errno == ENOENT)
        return cli_no(cli,
                      "'%s' is no backup, or one that was not finished: it has no "
                      "" BACKUP_INFO_NAME,
                      dir);
    if (f == NULL)
        return cli_usage(cli, "%s: %s", path, strerror(errno));
    size_t len = fread(text, 1, INFO_BYTES_MAX, f);
    fclose(f);
    text[len] = 0;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n')
            text[i] = 0;
    return take(text, len, ret) ? CLI_OK : cli_no(cli, "'%s' cannot be understood", path);
}

void backup_info_json(struct json *j, const struct backup_info *i)
{
    cli_json_text(j, "snapshot", i->snapshot);
    cli_json_id(j, "zxid", i->zxid);
    cli_json_number(j, "bytes", i->bytes);
    cli_json_id(j, "crc32", i->crc32);
    cli_json_id(j, "digest", (int64_t)i->digest);
    cli_json_flag(j, "verified", i->verified);
    cli_json_number(j, "nodes", (int64_t)i->nodes);
    cli_json_number(j, "sessions", (int64_t)i->sessions);
    cli_json_number(j, "taken_ms", i->taken_ms);
    cli_json_text(j, "source", i->source);
}
