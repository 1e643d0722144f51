#include "canvass/roll.h"

#include <inttypes.h>

#include "canvass/files.h"
#include "vote/record.h"

enum {
    VOTERS_MAX = 1 << 28, /* far more than any state has, and no overflow */
};

static const uint8_t magic[8] = {'C', 'V', 'R', 'L', 0, 0, 0, 1};

void canvass_roll_heading(const char *code, uint64_t voters,
                          uint8_t ret[CANVASS_ROLL_HEADING_BYTES])
{
    memset(ret, 0, CANVASS_ROLL_HEADING_BYTES);
    memcpy(ret, magic, sizeof magic);
    memcpy(ret + 8, code, strnlen(code, STATE_CODE_BYTES));
    store_be64(ret + 16, voters);
}

static int read_entries(struct canvass_reader *r, uint64_t count, uint32_t districts,
                        struct voters *ret, struct err *err)
{
    struct pseudonym before = {{0}};
    for (uint64_t i = 0; i < count; i++) {
        int rc = canvass_reader_fill(r, CANVASS_ROLL_ENTRY_BYTES, err);
        struct slice hand = canvass_reader_hand(r);
        if (rc < 0)
            return rc;
        if (hand.len < CANVASS_ROLL_ENTRY_BYTES)
            return err_set(err, ERR_CORRUPT, "ends after %" PRIu64 " of %" PRIu64 " voters", i,
                           count);
        struct pseudonym p;
        memcpy(p.bytes, hand.ptr, PSEUDONYM_BYTES);
        if (i > 0 && memcmp(p.bytes, before.bytes, PSEUDONYM_BYTES) <= 0)
            return err_set(err, ERR_CORRUPT, "voter %" PRIu64 " is not in order, or twice", i);
        if (hand.ptr[PSEUDONYM_BYTES] >= districts)
            return err_set(err, ERR_CORRUPT, "voter %" PRIu64 " is of no district", i);
        voters_add(ret, &p, hand.ptr[PSEUDONYM_BYTES], 0);
        canvass_reader_take(r, CANVASS_ROLL_ENTRY_BYTES);
        before = p;
    }
    return 0;
}

int canvass_roll_read(const char *path, const char *code, uint32_t districts, struct voters *ret,
                      struct err *err)
{
    struct canvass_reader r;
    uint8_t heading[CANVASS_ROLL_HEADING_BYTES];
    *ret = (struct voters){0};
    int rc = canvass_reader_open(path, &r, err);
    if (rc < 0)
        return rc;
    rc = canvass_reader_fill(&r, sizeof heading, err);
    struct slice hand = canvass_reader_hand(&r);
    uint64_t count = hand.len >= sizeof heading ? load_be64(hand.ptr + 16) : 0;
    canvass_roll_heading(code, count, heading);
    if (rc == 0 && (hand.len < sizeof heading || count > VOTERS_MAX ||
                    memcmp(hand.ptr, heading, sizeof heading) != 0))
        rc = err_set(err, ERR_CORRUPT, "no roll of %s", code);
    if (rc == 0) {
        canvass_reader_take(&r, sizeof heading);
        rc = read_entries(&r, count, districts, ret, err);
    }
    if (rc == 0)
        rc = canvass_reader_fill(&r, 1, err);
    if (rc == 0 && canvass_reader_hand(&r).len > 0)
        rc = err_set(err, ERR_CORRUPT, "more than the voters it says it has");
    canvass_reader_close(&r);
    if (rc < 0) {
        voters_deinit(ret);
        return err_wrap(err, rc, "'%s'", path);
    }
    voters_sort(ret);
    voters_reset(ret);
    return 0;
}
