/* process.h: whether this is still the process in which something was made. What the library has
 * in hand (a connection, threads, locks) stays the parent's when a program forks. */
#ifndef CAUCUS_CLIENT_IO_PROCESS_H
#define CAUCUS_CLIENT_IO_PROCESS_H

/* From now on forks are noticed. 0, or an error number. */
int process_begin(void);

/* How often this process and those that it was forked from have forked: another number in a child
 * than in its parent. Not counted: vfork, posix_spawn, and clone by hand. */
unsigned process_number(void);

#endif
