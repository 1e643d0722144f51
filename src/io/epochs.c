#include "io/epochs.h"

#include <inttypes.h>

#include "io/metafile.h"

#define NAME_ACCEPTED    "acceptedEpoch"
#define NAME_CURRENT     "currentEpoch"
#define NAME_CURRENT_TMP "currentEpoch.tmp"

int epochs_write_accepted(struct files *fs, const char *dir, int64_t epoch, struct err *err)
{
    return metafile_write(fs, dir, NAME_ACCEPTED, epoch, err);
}

int epochs_write_current(struct files *fs, const char *dir, int64_t epoch, struct err *err)
{
    return metafile_write(fs, dir, NAME_CURRENT, epoch, err);
}

static int read_or_make(struct files *fs, const char *dir, const char *name, int64_t epoch,
                        int64_t *ret, struct err *err)
{
    int rc = metafile_read(fs, dir, name, ret, err);
    if (rc != ERR_NOTFOUND)
        return rc;
    *ret = epoch;
    return metafile_write(fs, dir, name, epoch, err);
}

/* The renaming did not happen, or was lost with the power. */
static bool finish_renaming(struct files *fs, const char *dir, int64_t epoch, struct epochs *e)
{
    int64_t unfinished;
    if (metafile_read(fs, dir, NAME_CURRENT_TMP, &unfinished, NULL) < 0 || unfinished < epoch ||
        unfinished > e->accepted)
        return false;
    e->current = unfinished;
    return true;
}

int epochs_load(struct files *fs, const char *dir, int64_t last_zxid, struct epochs *ret,
                struct err *err)
{
    struct epochs e;
    int64_t epoch = last_zxid >> 32;
    int rc = read_or_make(fs, dir, NAME_CURRENT, epoch, &e.current, err);
    if (rc == 0)
        rc = read_or_make(fs, dir, NAME_ACCEPTED, epoch, &e.accepted, err);
    if (rc < 0)
        return rc;
    if (epoch > e.current && finish_renaming(fs, dir, epoch, &e)) {
        rc = epochs_write_current(fs, dir, e.current, err);
        if (rc < 0)
            return rc;
    }
    if (epoch > e.current && epoch > e.accepted)
        return err_set(err, ERR_CORRUPT,
                       "the current epoch in '%s', %" PRIx64
                       ", is older than the last transaction, %" PRIx64,
                       dir, (uint64_t)e.current, (uint64_t)last_zxid);
    if (e.accepted < e.current)
        return err_set(err, ERR_CORRUPT,
                       "the accepted epoch in '%s', %" PRIx64
                       ", is older than the current one, %" PRIx64,
                       dir, (uint64_t)e.accepted, (uint64_t)e.current);
    *ret = e;
    return 0;
}
