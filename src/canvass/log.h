/* log.h: a log of a round, read from its file batch by batch; what vote/votelog_open does for a
 * server, without a change to the file. */
#ifndef CAUCUS_CANVASS_LOG_H
#define CAUCUS_CANVASS_LOG_H

#include "canvass/files.h"
#include "vote/record.h"

struct canvass_log {
    struct canvass_reader reader;
    struct log_heading heading;
    uint64_t at; /* bytes of the file that were taken */
};

int canvass_log_open(const char *path, struct canvass_log *ret, struct err *err);
void canvass_log_close(struct canvass_log *l);

/* The next batch, valid until the next call. 1: there is one; 0: the file ends here. Otherwise it
 * does not go on with a whole and valid batch: ERR_CORRUPT. */
int canvass_log_next(struct canvass_log *l, struct batch *ret, struct err *err);

#endif
