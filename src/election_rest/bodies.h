/* bodies.h: the small JSON bodies that are sent here. Strict: an object with members that are
 * known, each once, and nothing behind it. Pure.
 *
 * NULL, or what is wrong, for people; it never repeats what was sent. */
#ifndef CAUCUS_ELECTION_REST_BODIES_H
#define CAUCUS_ELECTION_REST_BODIES_H

#include "base/buf.h"
#include "election/service.h"

/* {"candidate": TEXT}; appended to `ret`. */
const char *body_read_vote(struct slice body, struct buf *ret);

/* {"command_id": UUID, "round": NUMBER, "force": FLAG, "now": FLAG, "drain_ms": NUMBER}, all of
 * them optional, and so is the object. */
const char *body_read_command(struct slice body, struct command *ret);

/* {"document": TEXT}; appended to `ret`. */
const char *body_read_loss(struct slice body, struct buf *ret);

#endif
