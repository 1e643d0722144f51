/* sessions.h: sessions, connections and watches for people to look at, as JSON, a page at a time.
 *
 * Lists are sorted, and sorting is work: they are given up to CONSOLE_LISTED_MAX; beyond that only
 * their length is, and the commands `dump` and `wchc` have them all. Pure. */
#ifndef CAUCUS_CONSOLE_SESSIONS_H
#define CAUCUS_CONSOLE_SESSIONS_H

#include "console/znodes.h"

enum {
    CONSOLE_LISTED_MAX = 20 * 1000,
    CONSOLE_WATCHERS_MAX = 20, /* named at one path */
};

/* {"count","local","listed","sessions":[{"session","timeout_ms","here",...}],"next"}: those behind
 * the session `after`, 0 = from the first. `now_ms`: the clock of node events. */
void console_sessions(const struct node *n, int64_t after, int64_t now_ms, struct buf *out);

/* {"count","data_count","paths","watchers","listed","watches":[{"path","count","sessions"}],"next"}:
 * those of the data table, as `wchp`, from the path of number `from` on. A path that the eye may
 * not read is not told. */
void console_watches(const struct console_eye *e, uint64_t from, struct buf *out);

#endif
