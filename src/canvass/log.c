#include "canvass/log.h"

#include <inttypes.h>

int canvass_log_open(const char *path, struct canvass_log *ret, struct err *err)
{
    *ret = (struct canvass_log){.at = 0};
    int rc = canvass_reader_open(path, &ret->reader, err);
    if (rc < 0)
        return rc;
    rc = canvass_reader_fill(&ret->reader, LOG_HEADING_BYTES, err);
    struct slice hand = canvass_reader_hand(&ret->reader);
    if (rc == 0 && (hand.len < LOG_HEADING_BYTES || !log_heading_decode(hand.ptr, &ret->heading)))
        rc = err_set(err, ERR_CORRUPT, "no log of votes");
    if (rc < 0) {
        canvass_reader_close(&ret->reader);
        return err_wrap(err, rc, "'%s'", path);
    }
    canvass_reader_take(&ret->reader, LOG_HEADING_BYTES);
    ret->at = LOG_HEADING_BYTES;
    return 0;
}

void canvass_log_close(struct canvass_log *l)
{
    canvass_reader_close(&l->reader);
}

int canvass_log_next(struct canvass_log *l, struct batch *ret, struct err *err)
{
    int rc = canvass_reader_fill(&l->reader, BATCH_HEADING_BYTES, err);
    enum batch_verdict verdict = BATCH_SHORT;
    if (rc == 0 && canvass_reader_hand(&l->reader).len == 0)
        return 0;
    if (rc == 0)
        verdict = batch_read(canvass_reader_hand(&l->reader), ret);
    if (rc == 0 && verdict == BATCH_SHORT) {
        rc = canvass_reader_fill(&l->reader, BATCH_BYTES_MAX, err);
        verdict = rc == 0 ? batch_read(canvass_reader_hand(&l->reader), ret) : verdict;
    }
    if (rc < 0)
        return rc;
    if (verdict != BATCH_VALID)
        return err_set(err, ERR_CORRUPT, "at byte %" PRIu64 ": no whole batch with a right hash",
                       l->at);
    canvass_reader_take(&l->reader, ret->bytes.len);
    l->at += ret->bytes.len;
    return 1;
}
