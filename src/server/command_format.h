/* command_format.h: values written as Java writes them, since that is what readers of ZooKeeper's
 * text expect. Locale independent but for the name of the time zone. Any thread. */
#ifndef CAUCUS_SERVER_COMMAND_FORMAT_H
#define CAUCUS_SERVER_COMMAND_FORMAT_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/buf.h"

/* Double.toString: "0.0", "12.25", "1.0E-4", "1.5E10", "NaN". */
void format_double(struct buf *out, double value);

/* Date.toString: "Sat Nov 21 00:03:53 UTC 2026", in the local time zone. */
void format_date(struct buf *out, int64_t wall_ms);

/* "127.0.0.1:2181", "[0:0:0:0:0:0:0:1]:2181": an InetSocketAddress that was never resolved, without
 * its leading "/". */
void format_address(struct buf *out, const struct sockaddr_storage *address);

#endif
