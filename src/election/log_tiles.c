#include "election/log_tiles.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "io/file.h"

enum {
    REMEMBERED_TILES = 2,
};

/* Where the batch begins that has the first record of a tile. */
struct place {
    uint64_t offset, first;
};

struct leaves {
    uint64_t tile;
    size_t count; /* 0: none */
    struct hash hashes[TILE_WIDTH];
};

struct log_tiles {
    char *path;
    uint64_t round;
    int fd; /* -1: not open */
    struct tiles tiles;
    struct hash chain;
    uint64_t offset; /* of the next batch */
    struct place *places;
    size_t place_cap;
    struct leaves remembered[REMEMBERED_TILES];
    unsigned next_remembered;
};

struct log_tiles *log_tiles_create(const char *path, uint64_t round)
{
    struct log_tiles *t = mem_calloc(1, sizeof *t);
    t->path = mem_dup(path, strlen(path) + 1);
    t->round = round;
    t->fd = -1;
    return t;
}

void log_tiles_free(struct log_tiles *t)
{
    if (t == NULL)
        return;
    if (t->fd >= 0)
        close(t->fd);
    tiles_deinit(&t->tiles);
    free(t->places);
    free(t->path);
    free(t);
}

uint64_t log_tiles_round(const struct log_tiles *t)
{
    return t->round;
}

/* ---- growing ---- */

/* As much as there is, up to len; negative: it failed. */
static int64_t read_at(const struct log_tiles *t, uint64_t offset, void *ret, size_t len)
{
    return file_read_full(files_posix(), t->fd, ret, len, (int64_t)offset);
}

static int open_log(struct log_tiles *t, struct err *err)
{
    uint8_t bytes[LOG_HEADING_BYTES];
    struct log_heading heading;
    t->fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (t->fd < 0)
        return err_set(err, ERR_IO, "open '%s': %s", t->path, strerror(errno));
    if (read_at(t, 0, bytes, sizeof bytes) != (int64_t)sizeof bytes ||
        !log_heading_decode(bytes, &heading) || heading.round != t->round) {
        close(t->fd);
        t->fd = -1;
        return err_set(err, ERR_CORRUPT, "'%s': not the heading of this round's log", t->path);
    }
    t->chain = log_genesis(&heading);
    t->offset = LOG_HEADING_BYTES;
    return 0;
}

static void note_place(struct log_tiles *t, uint64_t first)
{
    size_t tile = (size_t)(t->tiles.size / TILE_WIDTH);
    if (tile == t->place_cap) {
        t->place_cap = t->place_cap > 0 ? t->place_cap * 2 : 64;
        t->places = mem_realloc(t->places, t->place_cap * sizeof *t->places);
    }
    t->places[tile] = (struct place){t->offset, first};
}

static void take_batch(struct log_tiles *t, const struct batch *b)
{
    for (uint32_t i = 0; i < b->count; i++) {
        if (t->tiles.size % TILE_WIDTH == 0)
            note_place(t, b->first);
        struct hash leaf = merkle_leaf(batch_record(b, i));
        tiles_push(&t->tiles, &leaf);
    }
    t->chain = b->chain;
    t->offset += b->bytes.len;
}

static bool follows(const struct log_tiles *t, const struct batch *b)
{
    return b->round == t->round && b->first == t->tiles.size && b->count > 0 &&
           hash_eq(&b->before, &t->chain);
}

/* The window is as long as the longest batch. */
static int read_step(struct log_tiles *t, uint8_t *window, uint64_t until, struct err *err)
{
    while (t->tiles.size < until) {
        int64_t got = read_at(t, t->offset, window, BATCH_BYTES_MAX);
        if (got < 0)
            return err_set(err, ERR_IO, "read '%s': %s", t->path, strerror((int)-got));
        struct slice rest = slice_of(window, (size_t)got);
        uint64_t before = t->tiles.size;
        struct batch b;
        while (t->tiles.size < until && rest.len > 0 && batch_read(rest, &b) == BATCH_VALID &&
               follows(t, &b)) {
            take_batch(t, &b);
            rest = slice_from(rest, b.bytes.len);
        }
        if (t->tiles.size == before)
            return err_set(err, ERR_CORRUPT, "'%s': damaged behind record %" PRIu64, t->path,
                           before);
    }
    return 0;
}

int log_tiles_grow(struct log_tiles *t, uint64_t size, struct err *err)
{
    int rc = t->fd < 0 ? open_log(t, err) : 0;
    uint64_t until = t->tiles.size + LOG_TILES_STEP < size ? t->tiles.size + LOG_TILES_STEP : size;
    if (rc == 0 && t->tiles.size < until) {
        uint8_t *window = mem_alloc(BATCH_BYTES_MAX);
        rc = read_step(t, window, until, err);
        free(window);
    }
    return rc < 0 ? rc : t->tiles.size >= size;
}

/* ---- reading again ---- */

/* Told of records in order; each call has some that stand together. */
typedef void records_fn(void *arg, const uint8_t *records, size_t count);

static bool read_records(const struct log_tiles *t, uint64_t first, size_t count,
                         records_fn *records, void *arg)
{
    uint8_t heading[BATCH_HEADING_BYTES];
    struct place at = t->places[first / TILE_WIDTH];
    uint8_t bytes[TILE_WIDTH * RECORD_BYTES];
    while (count > 0) {
        if (read_at(t, at.offset, heading, sizeof heading) != (int64_t)sizeof heading)
            return false;
        uint32_t len = load_be32(heading + 4), in_batch = load_be32(heading + 32);
        uint64_t end = at.first + in_batch;
        if (load_be64(heading + 24) != at.first || end <= first)
            return false; /* somebody has changed the file */
        size_t n = end - first < count ? (size_t)(end - first) : count;
        uint64_t offset = at.offset + BATCH_HEADING_BYTES + (first - at.first) * RECORD_BYTES;
        if (read_at(t, offset, bytes, n * RECORD_BYTES) != (int64_t)(n * RECORD_BYTES))
            return false;
        records(arg, bytes, n);
        first += n;
        count -= n;
        at = (struct place){at.offset + len, end};
    }
    return true;
}

static void hash_records(void *arg, const uint8_t *records, size_t count)
{
    struct leaves *l = arg;
    for (size_t i = 0; i < count; i++)
        l->hashes[l->count++] = merkle_leaf(slice_of(records + i * RECORD_BYTES, RECORD_BYTES));
}

static bool read_leaves(void *arg, uint64_t tile, size_t count, struct hash *ret)
{
    struct log_tiles *t = arg;
    struct leaves *l = NULL;
    for (int i = 0; i < REMEMBERED_TILES; i++) {
        if (t->remembered[i].count >= count && t->remembered[i].tile == tile)
            l = &t->remembered[i];
    }
    if (l == NULL) {
        uint64_t first = tile * TILE_WIDTH, there = t->tiles.size - first;
        l = &t->remembered[t->next_remembered++ % REMEMBERED_TILES];
        l->tile = tile;
        l->count = 0;
        if (!read_records(t, first, there < TILE_WIDTH ? (size_t)there : TILE_WIDTH, hash_records,
                          l)) {
            l->count = 0;
            return false;
        }
    }
    memcpy(ret, l->hashes, count * sizeof *ret);
    return true;
}

static struct tiles_source source_of(struct log_tiles *t)
{
    return (struct tiles_source){.tiles = &t->tiles, .leaves = read_leaves, .arg = t};
}

bool log_tiles_root(struct log_tiles *t, uint64_t size, struct hash *ret)
{
    struct tiles_source s = source_of(t);
    *ret = merkle_root_at(size, tiles_hash, &s);
    return !s.failed;
}

bool log_tiles_inclusion(struct log_tiles *t, uint64_t index, uint64_t size,
                         struct hash ret[MERKLE_PROOF_MAX], size_t *ret_count)
{
    struct tiles_source s = source_of(t);
    *ret_count = merkle_inclusion(index, size, tiles_hash, &s, ret);
    return !s.failed;
}

bool log_tiles_consistency(struct log_tiles *t, uint64_t from, uint64_t size,
                           struct hash ret[MERKLE_PROOF_MAX], size_t *ret_count)
{
    struct tiles_source s = source_of(t);
    *ret_count = merkle_consistency(from, size, tiles_hash, &s, ret);
    return !s.failed;
}

bool log_tiles_hashes(struct log_tiles *t, int level, uint64_t place, size_t count,
                      struct hash ret[TILE_WIDTH])
{
    struct tiles_source s = source_of(t);
    return tiles_tile(&s, level, place, count, ret);
}

static void put_records(void *arg, const uint8_t *records, size_t count)
{
    struct buf *out = arg;
    for (size_t i = 0; i < count; i++) {
        buf_put_u8(out, RECORD_BYTES >> 8);
        buf_put_u8(out, RECORD_BYTES & 0xff);
        buf_put(out, records + i * RECORD_BYTES, RECORD_BYTES);
    }
}

bool log_tiles_entries(struct log_tiles *t, uint64_t first, size_t count, struct buf *ret)
{
    return read_records(t, first, count, put_records, ret);
}
