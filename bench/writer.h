/* writer.h: a session that writes into one znode, again and again, on whichever server takes it.
 *
 * Unlike a conn (conn.h) it outlives its connection: when it is cut, it goes on as the same
 * session on the next server. One write is in flight at a time, and each carries a higher
 * number than the one before. A wrong answer ends the program. No allocation. */
#ifndef BENCH_WRITER_H
#define BENCH_WRITER_H

#include "conn.h"
#include "modes.h"

enum {
    WRITER_FRAME_BYTES_MAX = 1024,
    WRITER_NUMBER_DIGITS = 20, /* the data begins with its number */
};

enum writer_stage {
    WRITER_CUT, /* wants a server */
    WRITER_CONNECTING,
    WRITER_HANDSHAKE,
    WRITER_WRITING,
    WRITER_QUIET, /* has a server, and nothing in flight */
};

struct writer {
    enum writer_stage stage;
    int fd;
    int server; /* where it is, or knocks, or was last */
    uint64_t knocked_ns;

    struct session_ticket session;
    int32_t xid;
    char path[24];
    uint64_t sent; /* the number in the newest write */
    uint64_t acknowledged;
    bool served; /* had an acknowledgement on this connection */
    uint64_t cuts;
    uint64_t back_ns; /* for the owner: its first acknowledgement after the gap */

    uint32_t got;
    uint8_t in[WRITER_FRAME_BYTES_MAX];
};

enum writer_news {
    WRITER_NOTHING,
    WRITER_SESSION_LOST, /* the server says that the session is over; the next is a new one */
    WRITER_ACKNOWLEDGED,
};

/* Tries the next server. */
void writer_knock(struct writer *w, const struct options *opts, uint64_t now_ns);

/* Goes on when the socket is ready (to send while CONNECTING, else to receive). */
enum writer_news writer_advance(struct writer *w, const struct options *opts);

void writer_write(struct writer *w, const struct options *opts);

/* Leaves the server without a word. */
void writer_cut(struct writer *w);

/* Says goodbye if nothing is in flight, and leaves. */
void writer_end(struct writer *w);

#endif
