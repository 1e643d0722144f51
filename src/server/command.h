/* command.h: the four letter words (server/command of ZooKeeper).
 *
 * A connection whose first four bytes are a word is answered with text and closed; bytes behind the
 * word are dropped. Formats are those of ZooKeeper 3.9.5, letter by letter: scripts and dashboards
 * read them.
 *
 *   if (command_recognise(first_four))
 *       wait for command_argument_bytes(first_four) more bytes (or the end, or a moment);
 *       command_run(info, first_four, argument, client, &reply);  send reply; close
 *
 * Core thread. No I/O but looking at sizes of files (conf, dirs) and at /proc (mntr, envi). `reply`
 * is the caller's, with its maximum: a dump that does not fit is cut there (buf_ok is false), which
 * is no error. */
#ifndef CAUCUS_SERVER_COMMAND_H
#define CAUCUS_SERVER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/server_info.h"

/* Known words, in the white list or not, and the bytes by which telnet says good-bye (an empty
 * answer). */
bool command_recognise(const uint8_t four[4]);

/* Bytes that follow the word and belong to it: 8 for stmk, else 0. */
size_t command_argument_bytes(const uint8_t four[4]);

/* Appends the answer. An argument that is too short is answered with nothing. `client` is the
 * connection that asks: it lists itself, as in ZooKeeper, if the driver knows its address. */
void command_run(struct server_info *info, const uint8_t four[4], struct slice argument,
                 uint64_t client, struct buf *reply);

/* Whether the configured white list lets the word be executed. */
bool command_enabled(const struct server_conf *conf, const char *word);

#endif
