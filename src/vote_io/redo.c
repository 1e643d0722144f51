#include "vote_io/redo.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"

bool redo_folder_is_valid(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_')
            return false;
    }
    return name.len > 0 && name.len <= REDO_FOLDER_BYTES_MAX;
}

void redo_put(struct buf *b, const struct redo *r)
{
    uint8_t heading[REDO_HEADING_BYTES] = {(uint8_t)r->kind, (uint8_t)r->folder.len};
    invariant(redo_folder_is_valid(r->folder));
    store_be32(heading + 4, (uint32_t)r->bytes.len);
    store_be64(heading + 8, r->round);
    store_be64(heading + 16, r->at);
    buf_put(b, heading, sizeof heading);
    buf_put_slice(b, r->folder);
    buf_put_slice(b, r->bytes);
}

static bool makes_sense(const struct redo *r)
{
    switch (r->kind) {
    case REDO_BEGIN:
        return r->round > 0 && r->at == 0;
    case REDO_WRITE:
    case REDO_CUT:
        return r->round > 0 && r->at <= (uint64_t)INT64_MAX - r->bytes.len;
    case REDO_NOTES:
        return r->at < 2 && r->bytes.len <= NOTES_SLOT_BYTES;
    }
    return false;
}

bool redo_take(struct slice *rest, struct redo *ret)
{
    if (rest->len < REDO_HEADING_BYTES)
        return false;
    const uint8_t *p = rest->ptr;
    size_t name_len = p[1], len = load_be32(p + 4);
    if (p[2] != 0 || p[3] != 0 || rest->len - REDO_HEADING_BYTES < name_len + len)
        return false;
    *ret = (struct redo){
        .kind = (enum redo_kind)p[0],
        .folder = slice_of(p + REDO_HEADING_BYTES, name_len),
        .round = load_be64(p + 8),
        .at = load_be64(p + 16),
        .bytes = slice_of(p + REDO_HEADING_BYTES + name_len, len),
    };
    *rest = slice_from(*rest, REDO_HEADING_BYTES + name_len + len);
    return redo_folder_is_valid(ret->folder) && makes_sense(ret);
}

void redo_log_name(uint64_t round, char ret[32])
{
    snprintf(ret, 32, "log-%016" PRIx64, round);
}
