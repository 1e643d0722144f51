/* console_writer.h: one write asked for in the console, on the way that clients' writes take.
 *
 * A pair of sockets: one end is handed to clients.c as an accepted connection with the browser's
 * address, at the other this speaks the protocol: a session, its credentials (digest), one request,
 * the end of the session. So ACLs, quotas, limits, the audit log and a leader elsewhere are what
 * they are for any client, and nothing here knows of them. T0, the loop's. */
#ifndef CAUCUS_SERVER_CONSOLE_WRITER_H
#define CAUCUS_SERVER_CONSOLE_WRITER_H

#include "server/server_info.h"

struct server;
struct console_writer;

/* Slices are copied. The outcome is told once, from the loop, never from inside. */
struct console_writer *console_writer_start(struct server *s, const struct console_write *write,
                                            console_written *done, void *arg);
/* `done` is not called; what becomes of the write is not known. NULL is fine; not after done. */
void console_writer_cancel(struct console_writer *w);

#endif
