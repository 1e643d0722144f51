/* recover_log.h: replays the log files and judges what is not whole; internal to io. */
#ifndef CAUCUS_IO_RECOVER_LOG_H
#define CAUCUS_IO_RECOVER_LOG_H

#include "io/recover.h"

/* Gives every transaction after result->last_zxid to the sink, in order, and fills in the rest of
 * the result. May cut or remove the last file. */
int recover_log(struct files *fs, const char *dir, const struct name_list *logs,
                size_t record_bytes_max, const struct recover_sink *sink,
                struct recover_result *result, struct err *err);

#endif
