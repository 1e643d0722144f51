/* links: watch */
/* Watches: what fires, in which order and for whom; what removal leaves; and a naive model that
 * must agree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "watch/watch.h"
#include "wire/zk.h"

/* Events as text: "<watcher><C|D|M|K><path>" for created, deleted, modified, children; ^ = judged
 * by the parent. */
struct story {
    char text[4096];
    size_t len;
};

static void tell(void *arg, const uint64_t *watchers, size_t count, int32_t event_type,
                 struct slice path, bool at_parent)
{
    struct story *s = arg;
    assert_true(count > 0);
    for (size_t i = 0; i < count; i++) {
        int len =
            snprintf(s->text + s->len, sizeof s->text - s->len, "%s%llu%c%s%.*s",
                     s->len > 0 ? " " : "", (unsigned long long)watchers[i], "?CDMK"[event_type],
                     at_parent ? "^" : "", (int)path.len, (const char *)path.ptr);
        s->len += (size_t)len;
    }
}

static const char *fire(struct watch_table *w, enum watch_trigger trigger, const char *path)
{
    static struct story story;
    story = (struct story){.len = 0};
    watch_fire(w, trigger, slice_str(path), tell, &story);
    return story.text;
}

#define CREATED(path) fire(w, WATCH_TRIGGER_CREATED, path)
#define DELETED(path) fire(w, WATCH_TRIGGER_DELETED, path)
#define CHANGED(path) fire(w, WATCH_TRIGGER_DATA_CHANGED, path)

static void add(struct watch_table *w, uint64_t watcher, const char *path, enum watch_mode mode)
{
    watch_add(w, watcher, slice_str(path), mode);
}

static int setup(void **state)
{
    *state = watch_create(4242);
    return 0;
}

static int teardown(void **state)
{
    watch_free(*state);
    return 0;
}

static void nobody_watching_is_nobody_told(void **state)
{
    struct watch_table *w = *state;
    assert_string_equal(CREATED("/a"), "");
    add(w, 1, "/b", WATCH_DATA);
    assert_string_equal(CREATED("/a"), "");
    assert_string_equal(DELETED("/a"), "");
    assert_string_equal(CHANGED("/a"), "");
}

static void a_one_shot_watch_fires_once(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_DATA);
    assert_string_equal(CHANGED("/a"), "1M/a");
    assert_string_equal(CHANGED("/a"), "");
    assert_int_equal(watch_count(w), 0);
}

static void a_child_watch_hears_creation_and_deletion_of_children(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_CHILD);
    assert_string_equal(CHANGED("/a"), "");
    assert_string_equal(CREATED("/a/b"), "1K^/a");
    add(w, 1, "/a", WATCH_CHILD);
    assert_string_equal(DELETED("/a/b"), "1K^/a");
    add(w, 1, "/", WATCH_CHILD);
    assert_string_equal(CREATED("/x"), "1K^/");
}

static void the_node_itself_is_told_before_its_parent(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_CHILD);
    add(w, 2, "/a/b", WATCH_DATA);
    add(w, 3, "/a/b", WATCH_CHILD);
    assert_string_equal(DELETED("/a/b"), "2D/a/b 3D/a/b 1K^/a");
}

static void both_kinds_of_watch_hear_one_deletion(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_CHILD);
    add(w, 1, "/a", WATCH_DATA);
    add(w, 2, "/a", WATCH_CHILD);
    assert_string_equal(DELETED("/a"), "1D/a 2D/a");
    assert_int_equal(watch_count(w), 0);
}

static void watchers_of_a_path_are_told_in_order_of_registration(void **state)
{
    struct watch_table *w = *state;
    for (uint64_t i = 9; i > 0; i--)
        add(w, i * 1000003, "/a", WATCH_DATA);
    add(w, 5 * 1000003, "/a", WATCH_DATA);
    assert_string_equal(CHANGED("/a"),
                        "9000027M/a 8000024M/a 7000021M/a 6000018M/a 5000015M/a 4000012M/a "
                        "3000009M/a 2000006M/a 1000003M/a");
}

static void a_persistent_watch_hears_all_four_and_stays(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_PERSISTENT);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(CREATED("/a"), "1C/a");
        assert_string_equal(CHANGED("/a"), "1M/a");
        assert_string_equal(CREATED("/a/b"), "1K^/a");
        assert_string_equal(DELETED("/a/b"), "1K^/a");
        assert_string_equal(DELETED("/a"), "1D/a");
    }
    assert_int_equal(watch_count(w), 2);
}

static void a_recursive_watch_hears_its_subtree_but_never_children_changed(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    for (int i = 0; i < 2; i++) {
        assert_string_equal(CREATED("/a"), "1C/a");
        assert_string_equal(CREATED("/a/b"), "1C/a/b");
        assert_string_equal(CREATED("/a/b/c"), "1C/a/b/c");
        assert_string_equal(CHANGED("/a/b/c"), "1M/a/b/c");
        assert_string_equal(DELETED("/a/b/c"), "1D/a/b/c");
        assert_string_equal(CREATED("/ab"), "");
        assert_string_equal(CREATED("/"), "");
    }
    assert_int_equal(watch_count(w), 1);
}

static void a_recursive_watch_of_the_root_hears_everything(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/", WATCH_PERSISTENT_RECURSIVE);
    assert_string_equal(CREATED("/a/b/c/d"), "1C/a/b/c/d");
    assert_string_equal(CHANGED("/"), "1M/");
}

static void one_event_reaches_a_watcher_once_however_many_of_its_watches_match(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/", WATCH_PERSISTENT_RECURSIVE);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    add(w, 1, "/a/b", WATCH_PERSISTENT_RECURSIVE);
    add(w, 1, "/a/b", WATCH_PERSISTENT);
    add(w, 1, "/a/b", WATCH_DATA);
    add(w, 1, "/a/b", WATCH_CHILD);
    add(w, 2, "/a", WATCH_PERSISTENT_RECURSIVE);
    assert_string_equal(DELETED("/a/b"), "1D/a/b 2D/a/b");
}

static void only_the_one_shot_part_of_a_watch_is_used_up(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_DATA);
    add(w, 1, "/a", WATCH_PERSISTENT);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    assert_string_equal(CHANGED("/a"), "1M/a");
    assert_false(watch_contains(w, 1, slice_str("/a"), ZK_WATCHER_DATA));
    assert_true(watch_contains(w, 1, slice_str("/a"), ZK_WATCHER_PERSISTENT));
    assert_true(watch_contains(w, 1, slice_str("/a"), ZK_WATCHER_PERSISTENT_RECURSIVE));
}

/* An event below uses up nothing: only the watched path itself spends one-shot watches. */
static void an_event_in_the_subtree_leaves_the_one_shot_watch(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_DATA);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    assert_string_equal(CHANGED("/a/b"), "1M/a/b");
    assert_true(watch_contains(w, 1, slice_str("/a"), ZK_WATCHER_DATA));
}

static void removal_takes_the_named_kind_and_leaves_the_others(void **state)
{
    struct watch_table *w = *state;
    struct slice a = slice_str("/a");
    add(w, 1, "/a", WATCH_DATA);
    add(w, 1, "/a", WATCH_CHILD);
    add(w, 1, "/a", WATCH_PERSISTENT);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    for (int32_t type = ZK_WATCHER_CHILDREN; type <= ZK_WATCHER_PERSISTENT_RECURSIVE; type++)
        assert_true(watch_contains(w, 1, a, type));

    assert_true(watch_remove(w, 1, a, ZK_WATCHER_CHILDREN));
    assert_false(watch_remove(w, 1, a, ZK_WATCHER_CHILDREN));
    assert_true(watch_remove(w, 1, a, ZK_WATCHER_DATA));
    assert_true(watch_remove(w, 1, a, ZK_WATCHER_PERSISTENT));
    assert_false(watch_contains(w, 1, a, ZK_WATCHER_PERSISTENT));
    assert_string_equal(CREATED("/a/b"), "1C/a/b");
    assert_true(watch_remove(w, 1, a, ZK_WATCHER_PERSISTENT_RECURSIVE));
    assert_false(watch_remove(w, 1, a, ZK_WATCHER_ANY));
    assert_int_equal(watch_count(w), 0);
}

static void removal_of_any_takes_both_tables(void **state)
{
    struct watch_table *w = *state;
    struct slice a = slice_str("/a");
    add(w, 1, "/a", WATCH_CHILD);
    assert_true(watch_contains(w, 1, a, ZK_WATCHER_ANY));
    add(w, 1, "/a", WATCH_PERSISTENT);
    add(w, 2, "/a", WATCH_DATA);
    assert_true(watch_remove(w, 1, a, ZK_WATCHER_ANY));
    assert_false(watch_contains(w, 1, a, ZK_WATCHER_ANY));
    assert_true(watch_contains(w, 2, a, ZK_WATCHER_ANY));
}

static void unknown_types_paths_and_watchers_find_nothing(void **state)
{
    struct watch_table *w = *state;
    struct slice a = slice_str("/a");
    assert_false(watch_remove(w, 1, a, ZK_WATCHER_ANY));
    add(w, 1, "/a", WATCH_DATA);
    assert_false(watch_remove(w, 2, a, ZK_WATCHER_ANY));
    assert_false(watch_remove(w, 1, slice_str("/b"), ZK_WATCHER_ANY));
    assert_false(watch_remove(w, 1, a, 0));
    assert_false(watch_remove(w, 1, a, 6));
    assert_false(watch_contains(w, 1, a, -1));
    watch_remove_watcher(w, 77);
    assert_int_equal(watch_count(w), 1);
}

static void a_watcher_that_goes_takes_its_watches_along(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_DATA);
    add(w, 2, "/a", WATCH_DATA);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    add(w, 1, "/b", WATCH_PERSISTENT);
    watch_remove_watcher(w, 1);
    assert_string_equal(CHANGED("/a"), "2M/a");
    assert_string_equal(CHANGED("/b"), "");
    assert_int_equal(watch_count(w), 0);
}

static void strange_paths_do_no_harm(void **state)
{
    struct watch_table *w = *state;
    const char *paths[] = {"", "a", "//", "/a/", "a/b", "/"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        add(w, 1, paths[i], WATCH_PERSISTENT_RECURSIVE);
        add(w, 1, paths[i], WATCH_PERSISTENT);
    }
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        assert_string_not_equal(DELETED(paths[i]), "");
    assert_true(watch_remove(w, 1, slice_str(""), ZK_WATCHER_ANY));
}

static void counts_are_those_of_watch_manager(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a", WATCH_DATA);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    add(w, 1, "/b", WATCH_PERSISTENT);
    add(w, 2, "/b", WATCH_CHILD);
    add(w, 3, "/c", WATCH_CHILD);
    assert_int_equal(watch_count(w), 5);
    assert_int_equal(watch_data_count(w), 2);
    assert_int_equal(watch_path_count(w), 2);
    assert_int_equal(watch_watcher_count(w), 1);
}

static void what_was_found_is_counted_for_each_event(void **state)
{
    struct watch_table *w = *state;
    add(w, 1, "/a/b", WATCH_DATA);
    add(w, 1, "/a/b", WATCH_CHILD);
    add(w, 2, "/a/b", WATCH_CHILD);
    add(w, 3, "/", WATCH_PERSISTENT_RECURSIVE);
    add(w, 4, "/a", WATCH_CHILD);
    struct story s = {.len = 0};
    struct watch_told told = watch_fire(w, WATCH_TRIGGER_DELETED, slice_str("/a/b"), tell, &s);
    assert_string_equal(s.text, "1D/a/b 3D/a/b 2D/a/b 4K^/a");
    assert_int_equal(told.node, 2);
    assert_int_equal(told.node_child, 2);
    assert_int_equal(told.parent, 1);
}

static void note(void *arg, uint64_t watcher, struct slice path)
{
    tell(arg, &watcher, 1, ZK_EVENT_NODE_DATA_CHANGED, path, false);
}

static void dumps_show_the_data_table_sorted(void **state)
{
    struct watch_table *w = *state;
    add(w, 2, "/b", WATCH_DATA);
    add(w, 1, "/b", WATCH_DATA);
    add(w, 1, "/a/x", WATCH_PERSISTENT);
    add(w, 1, "/a", WATCH_PERSISTENT_RECURSIVE);
    add(w, 3, "/a", WATCH_CHILD);
    struct story s = {.len = 0};
    watch_each_by_path(w, note, &s);
    assert_string_equal(s.text, "1M/a 1M/a/x 2M/b 1M/b");
    s = (struct story){.len = 0};
    watch_each_by_watcher(w, note, &s);
    assert_string_equal(s.text, "1M/a 1M/a/x 1M/b 2M/b");
}

static void a_null_path_is_not_the_empty_one(void **state)
{
    struct watch_table *w = *state;
    struct slice null = {0};
    watch_add(w, 1, null, WATCH_PERSISTENT);
    assert_false(watch_contains(w, 1, slice_str(""), ZK_WATCHER_ANY));
    struct story s = {.len = 0};
    watch_each_by_path(w, note, &s);
    assert_string_equal(s.text, "1Mnull");
    add(w, 1, "", WATCH_PERSISTENT);
    assert_true(watch_remove(w, 1, null, ZK_WATCHER_ANY));
    assert_false(watch_contains(w, 1, null, ZK_WATCHER_ANY));
    assert_true(watch_remove(w, 1, slice_str(""), ZK_WATCHER_ANY));
}

static void count_call(void *arg, const uint64_t *watchers, size_t count, int32_t type,
                       struct slice path, bool at_parent)
{
    (void)watchers;
    (void)type;
    (void)path;
    (void)at_parent;
    *(size_t *)arg += count;
}

/* More than one hash table's growth, the crowd border both ways, and every one told exactly once.
 */
static void ten_thousand_watchers_of_one_path_come_fire_and_go(void **state)
{
    struct watch_table *w = *state;
    for (uint64_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 10000; i++) {
            add(w, i, "/election/leader", WATCH_DATA);
            add(w, i, "/election/leader", WATCH_DATA);
        }
        assert_int_equal(watch_count(w), 10000);
        for (uint64_t i = 0; i < 10000; i += 2)
            watch_remove_watcher(w, i);
        size_t calls = 0;
        watch_fire(w, WATCH_TRIGGER_DELETED, slice_str("/election/leader"), count_call, &calls);
        assert_int_equal(calls, 5000);
        assert_int_equal(watch_count(w), 0);
    }
}

static void a_watcher_of_a_hundred_thousand_paths_goes_alone(void **state)
{
    struct watch_table *w = *state;
    char path[64];
    for (int i = 0; i < 100000; i++) {
        snprintf(path, sizeof path, "/services/%d/instances/%d", i % 97, i);
        add(w, 1, path, WATCH_DATA);
        if (i % 1000 == 0)
            add(w, 2, path, WATCH_CHILD);
    }
    assert_int_equal(watch_count(w), 100100);
    watch_remove_watcher(w, 1);
    assert_int_equal(watch_count(w), 100);
    assert_int_equal(watch_path_count(w), 0);
}

/* --- the model: a list of all watches in order of registration, searched from its beginning --- */

enum {
    MODEL_MAX = 4096,
    MODEL_STEPS = 60000,
    MODEL_PATHS = 12,
    MODEL_WATCHERS = 40
};

static const char *const model_paths[MODEL_PATHS] = {
    "/",      "/a",  "/b",       "/a/b",     "/a/c", "/a/b/c",
    "/a/b/d", "/ab", "/a/b/c/d", "/a/b/c/e", "/b/a", "/z",
};

struct model_watch {
    uint64_t watcher;
    const char *path;
    bool data, data_persistent, data_recursive, child, child_persistent;
};

struct model {
    struct model_watch watches[MODEL_MAX];
    size_t count;
};

static bool model_in_data(const struct model_watch *m)
{
    return m->data || m->data_persistent || m->data_recursive;
}

static bool model_in_child(const struct model_watch *m)
{
    return m->child || m->child_persistent;
}

static struct model_watch *model_find(struct model *m, uint64_t watcher, const char *path)
{
    for (size_t i = 0; i < m->count; i++) {
        if (m->watches[i].watcher == watcher && strcmp(m->watches[i].path, path) == 0)
            return &m->watches[i];
    }
    return NULL;
}

static void model_sweep(struct model *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->count; i++) {
        if (model_in_data(&m->watches[i]) || model_in_child(&m->watches[i]))
            m->watches[kept++] = m->watches[i];
    }
    m->count = kept;
}

static void model_add(struct model *m, uint64_t watcher, const char *path, enum watch_mode mode)
{
    struct model_watch *at = model_find(m, watcher, path);
    if (at == NULL) {
        assert_true(m->count < MODEL_MAX);
        at = &m->watches[m->count++];
        *at = (struct model_watch){.watcher = watcher, .path = path};
    }
    at->data |= mode == WATCH_DATA;
    at->child |= mode == WATCH_CHILD;
    at->data_persistent |= mode == WATCH_PERSISTENT;
    at->child_persistent |= mode == WATCH_PERSISTENT;
    at->data_recursive |= mode == WATCH_PERSISTENT_RECURSIVE;
}

static bool model_has(const struct model_watch *at, int32_t type)
{
    switch (type) {
    case ZK_WATCHER_CHILDREN:
        return at->child;
    case ZK_WATCHER_DATA:
        return at->data;
    case ZK_WATCHER_ANY:
        return true;
    case ZK_WATCHER_PERSISTENT:
        return at->data_persistent;
    case ZK_WATCHER_PERSISTENT_RECURSIVE:
        return at->data_recursive;
    default:
        return false;
    }
}

static bool model_remove(struct model *m, uint64_t watcher, const char *path, int32_t type)
{
    struct model_watch *at = model_find(m, watcher, path);
    if (at == NULL || !model_has(at, type))
        return false;
    bool any = type == ZK_WATCHER_ANY;
    at->child &= !(any || type == ZK_WATCHER_CHILDREN);
    at->data &= !(any || type == ZK_WATCHER_DATA);
    at->data_persistent &= !(any || type == ZK_WATCHER_PERSISTENT);
    at->child_persistent &= !(any || type == ZK_WATCHER_PERSISTENT);
    at->data_recursive &= !(any || type == ZK_WATCHER_PERSISTENT_RECURSIVE);
    model_sweep(m);
    return true;
}

struct model_told {
    bool who[MODEL_WATCHERS];
    struct story story;
};

static void model_tell(struct model_told *told, uint64_t watcher, int32_t type, const char *path,
                       bool at_parent)
{
    if (told->who[watcher])
        return;
    told->who[watcher] = true;
    tell(&told->story, &watcher, 1, type, slice_str(path), at_parent);
}

static void model_parent(const char *path, char *ret_parent)
{
    size_t len = (size_t)(strrchr(path, '/') - path);
    memcpy(ret_parent, path, len);
    ret_parent[len] = '\0';
    if (len == 0)
        memcpy(ret_parent, "/", 2);
}

static void model_fire_child(struct model *m, struct model_told *told, int32_t type,
                             const char *path, bool at_parent)
{
    for (size_t i = 0; i < m->count; i++) {
        struct model_watch *at = &m->watches[i];
        if (strcmp(at->path, path) != 0 || !model_in_child(at))
            continue;
        model_tell(told, at->watcher, type, path, at_parent);
        at->child = false;
    }
}

static void model_fire(struct model *m, enum watch_trigger trigger, const char *path,
                       struct model_told *told)
{
    int32_t type = (int32_t[]){1, 2, 3}[trigger];
    for (size_t i = 0; i < m->count; i++) {
        struct model_watch *at = &m->watches[i];
        if (strcmp(at->path, path) != 0 || !model_in_data(at))
            continue;
        model_tell(told, at->watcher, type, path, false);
        at->data = false;
    }
    char above[64];
    for (snprintf(above, sizeof above, "%s", path); strcmp(above, "/") != 0;) {
        model_parent(above, above);
        for (size_t i = 0; i < m->count; i++) {
            if (strcmp(m->watches[i].path, above) == 0 && m->watches[i].data_recursive)
                model_tell(told, m->watches[i].watcher, type, path, false);
        }
    }
    if (trigger == WATCH_TRIGGER_DELETED)
        model_fire_child(m, told, type, path, false);
    if (trigger != WATCH_TRIGGER_DATA_CHANGED) {
        memset(told->who, 0, sizeof told->who);
        model_parent(path, above);
        model_fire_child(m, told, ZK_EVENT_NODE_CHILDREN_CHANGED, above, true);
    }
    model_sweep(m);
}

static void assert_counts_agree(const struct watch_table *w, const struct model *m)
{
    uint64_t data = 0, child = 0;
    for (size_t i = 0; i < m->count; i++) {
        data += model_in_data(&m->watches[i]);
        child += model_in_child(&m->watches[i]);
    }
    assert_int_equal(watch_count(w), data + child);
    assert_int_equal(watch_data_count(w), data);
}

static void random_watches_agree_with_a_naive_model(void **state)
{
    struct watch_table *w = *state;
    struct model *m = calloc(1, sizeof *m);
    assert_non_null(m);
    for (uint64_t step = 0; step < MODEL_STEPS; step++) {
        uint64_t r = hash_u64(step, 31337);
        const char *path = model_paths[(r >> 8) % MODEL_PATHS];
        uint64_t watcher = (r >> 16) % MODEL_WATCHERS;
        int32_t type = (int32_t)((r >> 24) % 7);
        switch (r % 16) {
        case 0: {
            watch_remove_watcher(w, watcher);
            for (size_t i = 0; i < MODEL_PATHS; i++)
                model_remove(m, watcher, model_paths[i], ZK_WATCHER_ANY);
            break;
        }
        case 1:
        case 2:
            assert_int_equal(watch_remove(w, watcher, slice_str(path), type),
                             model_remove(m, watcher, path, type));
            break;
        case 3: {
            struct model_told told = {0};
            enum watch_trigger trigger = (enum watch_trigger)((r >> 24) % 3);
            model_fire(m, trigger, path, &told);
            assert_string_equal(fire(w, trigger, path), told.story.text);
            break;
        }
        case 4: {
            const struct model_watch *at = model_find(m, watcher, path);
            assert_int_equal(watch_contains(w, watcher, slice_str(path), type),
                             at != NULL && model_has(at, type));
            break;
        }
        default: {
            enum watch_mode mode = (enum watch_mode)((r >> 24) % 4);
            add(w, watcher, path, mode);
            model_add(m, watcher, path, mode);
            break;
        }
        }
        assert_counts_agree(w, m);
    }
    free(m);
}

#define CLAIM(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLAIM(nobody_watching_is_nobody_told),
        CLAIM(a_one_shot_watch_fires_once),
        CLAIM(a_child_watch_hears_creation_and_deletion_of_children),
        CLAIM(the_node_itself_is_told_before_its_parent),
        CLAIM(both_kinds_of_watch_hear_one_deletion),
        CLAIM(watchers_of_a_path_are_told_in_order_of_registration),
        CLAIM(a_persistent_watch_hears_all_four_and_stays),
        CLAIM(a_recursive_watch_hears_its_subtree_but_never_children_changed),
        CLAIM(a_recursive_watch_of_the_root_hears_everything),
        CLAIM(one_event_reaches_a_watcher_once_however_many_of_its_watches_match),
        CLAIM(only_the_one_shot_part_of_a_watch_is_used_up),
        CLAIM(an_event_in_the_subtree_leaves_the_one_shot_watch),
        CLAIM(removal_takes_the_named_kind_and_leaves_the_others),
        CLAIM(removal_of_any_takes_both_tables),
        CLAIM(unknown_types_paths_and_watchers_find_nothing),
        CLAIM(a_watcher_that_goes_takes_its_watches_along),
        CLAIM(strange_paths_do_no_harm),
        CLAIM(counts_are_those_of_watch_manager),
        CLAIM(what_was_found_is_counted_for_each_event),
        CLAIM(dumps_show_the_data_table_sorted),
        CLAIM(a_null_path_is_not_the_empty_one),
        CLAIM(ten_thousand_watchers_of_one_path_come_fire_and_go),
        CLAIM(a_watcher_of_a_hundred_thousand_paths_goes_alone),
        CLAIM(random_watches_agree_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
