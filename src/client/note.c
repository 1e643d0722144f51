#include "client/note.h"

#include <stdlib.h>

#include "base/mem.h"

struct note_watch *note_watch_new(caucus_watch_fn *watch, void *context,
                                  enum caucus_event_type type, struct slice path, int64_t zxid,
                                  bool last)
{
    struct note_watch *n = mem_alloc(sizeof(*n) + path.len + 1);
    n->note.kind = NOTE_WATCH;
    list_init(&n->note.list);
    n->watch = watch;
    n->context = context;
    n->event = (struct caucus_event){.type = type, .path = n->path, .zxid = zxid, .last = last};
    if (path.len > 0)
        memcpy(n->path, path.ptr, path.len);
    n->path[path.len] = '\0';
    return n;
}

struct note_state *note_state_new(const struct caucus_state_change *change)
{
    size_t len = strlen(change->reason);
    struct note_state *n = mem_alloc(sizeof(*n) + len + 1);
    n->note.kind = NOTE_STATE;
    list_init(&n->note.list);
    n->change = *change;
    n->change.reason = n->reason;
    memcpy(n->reason, change->reason, len + 1);
    return n;
}

void note_watch_run(struct note_watch *n)
{
    n->watch(n->context, &n->event);
    free(n);
}
