/* votelog_notes.c: the notes beside the logs: two slots, of which one is always on disk. */
#include <errno.h>

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

void notes_change(struct votelog *l, struct buf *redo)
{
    encode_notes(l, l->notes_now);
    l->notes_later = true;
    struct redo r = {
        .kind = REDO_NOTES,
        .folder = l->folder,
        .at = (uint64_t)(1 - l->hard),
        .bytes = slice_of(l->notes_now, NOTES_BYTES),
    };
    redo_put(redo, &r);
}

int notes_sync(struct votelog *l, const uint8_t p[NOTES_BYTES], struct err *err)
{
    int slot = 1 - l->hard, fd = l->notes_fd;
    pthread_mutex_unlock(&l->lock);
    int rc = votelog_write_at(l, fd, p, NOTES_BYTES, (uint64_t)slot * NOTES_SLOT_BYTES);
    if (rc == 0)
        rc = l->fs->sync(l->fs, fd);
    pthread_mutex_lock(&l->lock);
    if (rc < 0)
        return votelog_fail(l, err, rc, "write the notes in");
    l->hard = slot;
    return 0;
}

/* Under another name until both slots are on disk: notes that are there are whole. */
static int write_new_notes(struct votelog *l, const char *path)
{
    uint8_t p[NOTES_BYTES];
    l->notes_fd =
        l->fs->open(l->fs, path, FILE_READ | FILE_WRITE | FILE_CREATE | FILE_EMPTY | FILE_PRIVATE);
    if (l->notes_fd < 0)
        return l->notes_fd;
    int rc = 0;
    for (uint64_t slot = 0; rc == 0 && slot < 2; slot++) {
        encode_notes(l, p);
        rc = votelog_write_at(l, l->notes_fd, p, sizeof p, slot * NOTES_SLOT_BYTES);
    }
    l->hard = 1;
    return rc < 0 ? rc : l->fs->sync(l->fs, l->notes_fd);
}

static int make_notes(struct votelog *l, const char *path, struct err *err)
{
    char new_path[FILE_PATH_BYTES];
    votelog_path(l, "notes.new", new_path);
    int rc = write_new_notes(l, new_path);
    if (rc == 0)
        rc = l->fs->rename(l->fs, new_path, path);
    if (rc == 0)
        rc = l->fs->sync_dir(l->fs, l->dir);
    return rc < 0 ? votelog_fail(l, err, rc, "make the notes in") : 0;
}

static int read_slot(const struct votelog *l, int64_t slot, uint8_t p[NOTES_BYTES], bool *ret_valid)
{
    uint8_t hash[SHA256_BYTES];
    int64_t got = file_read_full(l->fs, l->notes_fd, p, NOTES_BYTES, slot * NOTES_SLOT_BYTES);
    if (got < 0)
        return (int)got;
    *ret_valid = false;
    if (got != NOTES_BYTES)
        return 0;
    sha256_of(p, NOTES_BYTES - SHA256_BYTES, hash);
    *ret_valid = memcmp(p, notes_magic, sizeof notes_magic) == 0 &&
                 memcmp(hash, p + NOTES_BYTES - SHA256_BYTES, sizeof hash) == 0;
    return 0;
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
    bool valid[2];
    for (int slot = 0; slot < 2; slot++) {
        int rc = read_slot(l, slot, slots[slot], &valid[slot]);
        if (rc < 0)
            return votelog_fail(l, err, rc, "read the notes in");
    }
    if (!valid[0] && !valid[1])
        return err_set(err, ERR_CORRUPT, "'%s/notes': neither slot is valid", l->dir);
    int rc = l->fs->sync(l->fs, l->notes_fd);
    if (rc < 0)
        return votelog_fail(l, err, rc, "sync the notes in");
    int newest =
        !valid[1] || (valid[0] && load_be64(slots[0] + 8) > load_be64(slots[1] + 8)) ? 0 : 1;
    take_notes(l, slots[newest], newest);
    return 0;
}

static bool is_no_log(void *arg, const char *name)
{
    bool *found = arg;
    *found = *found || strncmp(name, "log-", 4) == 0;
    return !*found;
}

/* Logs are begun in a folder that has its notes. Without those they would be taken for none, and
 * written over when the round is read of. */
static int refuse_logs_without_notes(struct votelog *l, struct err *err)
{
    bool found = false;
    int rc = l->fs->list(l->fs, l->dir, is_no_log, &found);
    if (rc < 0)
        return votelog_fail(l, err, rc, "list");
    return found ? err_set(err, ERR_CORRUPT, "'%s/notes' is not there, but logs are", l->dir) : 0;
}

int notes_open(struct votelog *l, struct err *err)
{
    char path[FILE_PATH_BYTES];
    votelog_path(l, "notes", path);
    l->notes_fd = l->fs->open(l->fs, path, FILE_READ | FILE_WRITE);
    if (l->notes_fd == -ENOENT) {
        int rc = refuse_logs_without_notes(l, err);
        return rc < 0 ? rc : make_notes(l, path, err);
    }
    if (l->notes_fd < 0)
        return votelog_fail(l, err, l->notes_fd, "open the notes in");
    return read_notes(l, err);
}
