/* votelog_notes.c: the notes beside the logs: two slots, of which one is always on disk. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "vote_io/votelog_internal.h"

static const uint8_t notes_magic[4] = {'C', 'V', 'N', '1'};

static void encode_notes(struct votelog *l, uint8_t p[NOTES_BYTES])
{
    memset(p, 0, NOTES_BYTES);
    memcpy(p, notes_magic, sizeof notes_magic);
    store_be64(p + 8, ++l->number);
    store_be64(p + 16, l->round);
    store_be64(p + 24, l->promised);
    store_be64(p + 32, l->seen_round);
    store_be64(p + 40, l->seen_epoch);
    store_be64(p + 48, l->seen_index);
    sha256_of(p, NOTES_BYTES - SHA256_BYTES, p + NOTES_BYTES - SHA256_BYTES);
}

int notes_write(struct votelog *l, bool sync, struct err *err)
{
    uint8_t p[NOTES_BYTES];
    int slot = 1 - l->hard;
    encode_notes(l, p);
    if (!votelog_write_all(l->notes_fd, p, sizeof p, (uint64_t)slot * SLOT_BYTES))
        return votelog_fail(l, err, "write the notes");
    if (!sync)
        return 0;
    if (votelog_sync_file(l, l->notes_fd) < 0)
        return votelog_fail(l, err, "sync the notes");
    l->hard = slot;
    return 0;
}

/* Under another name until both slots are on disk: notes that are there are whole. */
static int make_notes(struct votelog *l, struct err *err)
{
    uint8_t p[NOTES_BYTES];
    l->notes_fd = openat(l->dir_fd, "notes.new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (l->notes_fd < 0)
        return votelog_fail(l, err, "make the notes");
    for (int slot = 0; slot < 2; slot++) {
        encode_notes(l, p);
        if (!votelog_write_all(l->notes_fd, p, sizeof p, (uint64_t)slot * SLOT_BYTES))
            return votelog_fail(l, err, "make the notes");
    }
    l->hard = 1;
    if (fsync(l->notes_fd) < 0 || renameat(l->dir_fd, "notes.new", l->dir_fd, "notes") < 0 ||
        fsync(l->dir_fd) < 0)
        return votelog_fail(l, err, "make the notes");
    return 0;
}

static bool read_slot(const struct votelog *l, int slot, uint8_t p[NOTES_BYTES])
{
    uint8_t hash[SHA256_BYTES];
    if (votelog_read_up_to(l->notes_fd, p, NOTES_BYTES, (uint64_t)slot * SLOT_BYTES) != NOTES_BYTES)
        return false;
    sha256_of(p, NOTES_BYTES - SHA256_BYTES, hash);
    return memcmp(p, notes_magic, sizeof notes_magic) == 0 &&
           memcmp(hash, p + NOTES_BYTES - SHA256_BYTES, sizeof hash) == 0;
}

static void take_notes(struct votelog *l, const uint8_t p[NOTES_BYTES], int slot)
{
    l->number = load_be64(p + 8);
    l->round = load_be64(p + 16);
    l->promised = load_be64(p + 24);
    l->seen_round = load_be64(p + 32);
    l->seen_epoch = load_be64(p + 40);
    l->seen_index = load_be64(p + 48);
    l->hard = slot;
}

/* A slot that is found is on disk from now on: read back from the cache of a killed process it
 * might not be, hence the sync. */
static int read_notes(struct votelog *l, struct err *err)
{
    uint8_t slots[2][NOTES_BYTES];
    bool valid[2] = {read_slot(l, 0, slots[0]), read_slot(l, 1, slots[1])};
    if (!valid[0] && !valid[1])
        return err_set(err, ERR_CORRUPT, "'%s/notes': neither slot is valid", l->dir);
    if (fdatasync(l->notes_fd) < 0)
        return votelog_fail(l, err, "sync the notes");
    int newest =
        !valid[1] || (valid[0] && load_be64(slots[0] + 8) > load_be64(slots[1] + 8)) ? 0 : 1;
    take_notes(l, slots[newest], newest);
    return 0;
}

int notes_open(struct votelog *l, struct err *err)
{
    l->notes_fd = openat(l->dir_fd, "notes", O_RDWR | O_CLOEXEC);
    if (l->notes_fd < 0 && errno == ENOENT)
        return make_notes(l, err);
    if (l->notes_fd < 0)
        return votelog_fail(l, err, "open the notes");
    return read_notes(l, err);
}
