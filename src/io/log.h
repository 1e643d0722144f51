/* log.h: a server's log: logfmt on stderr, one line per change of state.
 *
 *   ts=2025-11-20T23:35:01.123Z level=info event=serving address=127.0.0.1 port=2181
 *
 *   struct log_line l;
 *   log_begin(&l, LOG_INFO, "serving");
 *   log_text(&l, "address", address);  log_int(&l, "port", port);
 *   log_end(&l);
 *
 * A line leaves in one write(2) and is cut at LOG_LINE_BYTES. Values with blanks, quotes or control
 * characters are quoted and escaped, so that nothing a client sends can forge a line. Any thread.
 */
#ifndef CAUCUS_IO_LOG_H
#define CAUCUS_IO_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum log_level {
    LOG_DEBUG,
    LOG_INFO,
    LOG_WARN,
    LOG_ERROR,
};

enum {
    LOG_LINE_BYTES = 2048
};

struct log_line {
    bool wanted;
    size_t len;
    char text[LOG_LINE_BYTES];
};

void log_set_level(enum log_level least); /* before other threads run */

void log_begin(struct log_line *l, enum log_level level, const char *event);
void log_text(struct log_line *l, const char *key, const char *value);
void log_slice(struct log_line *l, const char *key, struct slice value);
void log_int(struct log_line *l, const char *key, int64_t value);
void log_hex(struct log_line *l, const char *key, int64_t value); /* zxids, session ids */
void log_end(struct log_line *l);

/* A line of any length that is written whatever the least level is: `rest` behind a tab, as it is.
 * The caller has seen to it that it is one line. */
void log_whole(enum log_level level, const char *event, struct slice rest);

/* At most one line per second of something that a client can cause as often as it likes. */
struct log_gate {
    int64_t open_at_ns;
    uint64_t held_back;
};

/* True when a line may be written; *ret_held_back: how many were not since the last one. */
bool log_gate_pass(struct log_gate *g, int64_t now_ns, uint64_t *ret_held_back);

#endif
