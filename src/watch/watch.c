/* watch.c: setting, removing and firing. */
#include "watch/watch.h"

#include "base/mem.h"
#include "watch/watch_internal.h"
#include "wire/zk.h"

static uint32_t bits_of_mode(enum watch_mode mode)
{
    switch (mode) {
    case WATCH_DATA:
        return DATA_STANDARD;
    case WATCH_CHILD:
        return CHILD_STANDARD;
    case WATCH_PERSISTENT:
        return DATA_PERSISTENT | CHILD_PERSISTENT;
    case WATCH_PERSISTENT_RECURSIVE:
        return DATA_RECURSIVE;
    }
    return 0;
}

void watch_add(struct watch_table *w, uint64_t watcher, struct slice path, enum watch_mode mode)
{
    uint32_t p = store_path_intern(w, path);
    uint32_t who = store_watcher_intern(w, watcher);
    uint32_t e = store_entry_find(w, p, who);
    if (e == NONE)
        e = store_entry_add(w, p, who);
    store_entry_set(w, e, w->entries[e].how | bits_of_mode(mode));
}

/* What removeWatches of a type takes away (DataTree.removeWatch). */
static uint32_t bits_of_type(int32_t watcher_type)
{
    switch (watcher_type) {
    case ZK_WATCHER_CHILDREN:
        return CHILD_STANDARD;
    case ZK_WATCHER_DATA:
        return DATA_STANDARD;
    case ZK_WATCHER_ANY:
        return DATA_TABLE | CHILD_TABLE;
    case ZK_WATCHER_PERSISTENT:
        return DATA_PERSISTENT | CHILD_PERSISTENT;
    case ZK_WATCHER_PERSISTENT_RECURSIVE:
        return DATA_RECURSIVE;
    default:
        return 0;
    }
}

static uint32_t find(const struct watch_table *w, uint64_t watcher, struct slice path)
{
    uint32_t p = store_path_find(w, path);
    uint32_t who = p == NONE ? NONE : store_watcher_find(w, watcher);
    return who == NONE ? NONE : store_entry_find(w, p, who);
}

bool watch_remove(struct watch_table *w, uint64_t watcher, struct slice path, int32_t watcher_type)
{
    uint32_t e = find(w, watcher, path);
    uint32_t bits = bits_of_type(watcher_type);
    if (e == NONE || !(w->entries[e].how & bits))
        return false;
    store_entry_set(w, e, w->entries[e].how & ~bits);
    return true;
}

bool watch_contains(const struct watch_table *w, uint64_t watcher, struct slice path,
                    int32_t watcher_type)
{
    uint32_t e = find(w, watcher, path);
    return e != NONE && (w->entries[e].how & bits_of_type(watcher_type)) != 0;
}

void watch_remove_watcher(struct watch_table *w, uint64_t watcher)
{
    uint32_t who = store_watcher_find(w, watcher);
    if (who == NONE)
        return;
    /* With its last entry the watcher itself goes: no looking at it after that. */
    for (uint32_t left = w->watchers[who].entry_count; left > 0; left--)
        store_entry_set(w, w->watchers[who].first, 0);
}

/* Remembers a watcher to tell, unless this firing told it already. */
static void tell(struct watch_table *w, uint32_t watcher)
{
    struct watcher *who = &w->watchers[watcher];
    if (who->told_at == w->firing)
        return;
    who->told_at = w->firing;
    if (w->told_count == w->told_cap) {
        w->told_cap = w->told_cap ? w->told_cap * 2 : 64;
        w->told = mem_realloc(w->told, w->told_cap * sizeof *w->told);
    }
    w->told[w->told_count++] = who->id;
}

/* Tells everyone who watches this path in one table; the one-shot watches are used up. How many
 * there were. */
static size_t trigger_at(struct watch_table *w, uint32_t path, uint32_t table, uint32_t standard)
{
    size_t found = 0;
    uint32_t next;
    for (uint32_t i = w->paths[path].first; i != NONE; i = next) {
        next = w->entries[i].path_next;
        uint32_t how = w->entries[i].how;
        if (!(how & table))
            continue;
        found++;
        tell(w, w->entries[i].watcher);
        if (how & standard)
            store_entry_set(w, i, how & ~standard);
    }
    return found;
}

static struct slice parent_of(struct slice path)
{
    size_t len = path.len;
    while (len > 0 && path.ptr[len - 1] != '/')
        len--;
    return slice_of(path.ptr, len > 1 ? len - 1 : len);
}

static void tell_recursive_above(struct watch_table *w, struct slice path)
{
    while (path.len > 1) {
        path = parent_of(path);
        uint32_t above = store_path_find(w, path);
        for (uint32_t i = above == NONE ? NONE : w->paths[above].first; i != NONE;
             i = w->entries[i].path_next) {
            if (w->entries[i].how & DATA_RECURSIVE)
                tell(w, w->entries[i].watcher);
        }
    }
}

static void notify_told(struct watch_table *w, int32_t event_type, struct slice path,
                        bool at_parent, watch_notify *notify, void *arg)
{
    if (w->told_count > 0)
        notify(arg, w->told, w->told_count, event_type, path, at_parent);
    w->told_count = 0;
}

static int32_t event_of(enum watch_trigger trigger)
{
    switch (trigger) {
    case WATCH_TRIGGER_CREATED:
        return ZK_EVENT_NODE_CREATED;
    case WATCH_TRIGGER_DELETED:
        return ZK_EVENT_NODE_DELETED;
    case WATCH_TRIGGER_DATA_CHANGED:
        return ZK_EVENT_NODE_DATA_CHANGED;
    }
    return 0;
}

struct watch_told watch_fire(struct watch_table *w, enum watch_trigger trigger, struct slice path,
                             watch_notify *notify, void *arg)
{
    struct watch_told told = {0};
    if (w->paths_by_name.count == 0)
        return told;

    int32_t event = event_of(trigger);
    w->firing++;
    uint32_t at = store_path_find(w, path);
    if (at != NONE)
        trigger_at(w, at, DATA_TABLE, DATA_STANDARD);
    if (w->recursive_count > 0)
        tell_recursive_above(w, path);
    told.node = w->told_count;
    notify_told(w, event, path, false, notify, arg);
    if (trigger == WATCH_TRIGGER_DATA_CHANGED)
        return told;

    /* Whoever the data table told is not told again: it is the same firing. Its entry may have been
     * the path's last, so the path is looked up anew. */
    at = at != NONE && trigger == WATCH_TRIGGER_DELETED ? store_path_find(w, path) : NONE;
    if (at != NONE) {
        told.node_child = trigger_at(w, at, CHILD_TABLE, CHILD_STANDARD);
        notify_told(w, event, path, false, notify, arg);
    }

    w->firing++;
    struct slice parent = parent_of(path);
    at = store_path_find(w, parent);
    if (at != NONE) {
        told.parent = trigger_at(w, at, CHILD_TABLE, CHILD_STANDARD);
        notify_told(w, ZK_EVENT_NODE_CHILDREN_CHANGED, parent, true, notify, arg);
    }
    return told;
}
