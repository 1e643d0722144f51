/* note.h: what a session has to tell its user: an answer, an event of a watch, a change of state.
 *
 * Notes are made by the session machine (session.h) in the order in which they have to be told, and
 * handed to the driver, which runs them where callbacks may run. A note owns what it shows; running
 * it frees it. */
#ifndef CAUCUS_CLIENT_NOTE_H
#define CAUCUS_CLIENT_NOTE_H

#include "base/list.h"
#include "base/slice.h"
#include "caucus/caucus.h"

enum note_kind {
    NOTE_ANSWER, /* a struct call (call.h) with its result */
    NOTE_WATCH,
    NOTE_STATE,
    NOTE_RUN, /* the driver's own: somebody wants to be called now */
};

struct note {
    struct list list;
    enum note_kind kind;
};

struct note_watch {
    struct note note;
    caucus_watch_fn *watch;
    void *context;
    struct caucus_event event; /* path: below */
    char path[];
};

struct note_state {
    struct note note;
    struct caucus_state_change change; /* reason: below */
    char reason[];
};

#define note_of(list_node) list_entry(list_node, struct note, list)

struct note_watch *note_watch_new(caucus_watch_fn *watch, void *context,
                                  enum caucus_event_type type, struct slice path, int64_t zxid,
                                  bool last);
struct note_state *note_state_new(const struct caucus_state_change *change);

/* Calls the watch and frees the note. */
void note_watch_run(struct note_watch *n);

#endif
