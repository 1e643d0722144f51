/* lock.c: the chain of queues, and the words of a lock. */
#include "caucus/lock.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/lock_internal.h"

static struct lock_link *link_of(struct queue *q)
{
    return (struct lock_link *)(void *)q;
}

/* ---- What the user is told ---- */

struct telling {
    struct caucus_lock *l;
    const struct caucus_lock_change *change;
};

static void run_telling(void *context)
{
    const struct telling *t = context;
    t->l->on_change(t->l->context, t->l, t->change);
}

/* Whichever queue it comes from: to the user it is one lock. */
void lock_tell(struct caucus_lock *l, const struct caucus_lock_change *change)
{
    if (l->on_change != NULL)
        queue_tell(&l->last.queue, run_telling, &(struct telling){l, change});
}

static void tell_asked(struct lock_link *link)
{
    link->is_asked = link->lock->phase != LOCK_HELD;
    if (!link->is_asked)
        lock_tell(link->lock,
                  &(struct caucus_lock_change){.news = CAUCUS_LOCK_ASKED, .index = link->index});
}

/* ---- Those before the last ---- */

static void close_before(struct caucus_lock *l)
{
    for (size_t i = 0; i < l->before_count; i++) {
        if (!l->before[i].is_open)
            continue;
        l->before[i].is_open = false;
        queue_close(&l->before[i].queue);
    }
}

static struct queue *behind(struct lock_link *link)
{
    struct caucus_lock *l = link->lock;
    size_t next = (size_t)(link - l->before) + 1;
    return next < l->before_count ? &l->before[next].queue : &l->last.queue;
}

static void on_before_first(struct queue *q)
{
    struct lock_link *link = link_of(q);
    struct caucus_lock *l = link->lock;
    l->tokens[link->index] = q->token;
    if (l->counted != NULL)
        semaphore_count(l);
    else
        queue_let_in(behind(link), 0);
}

static void on_before_over(struct queue *q, int rc)
{
    struct lock_link *link = link_of(q);
    struct caucus_lock *l = link->lock;
    link->is_asked = false;
    if (!link->is_open)
        return;
    if (l->phase == LOCK_HELD)
        queue_end(&l->last.queue, rc);
    else if (l->phase == LOCK_WAITS)
        queue_keep_out(behind(link)); /* which does the same to the next, if it was held */
}

static void on_trouble(struct queue *q, int rc)
{
    struct lock_link *link = link_of(q);
    lock_tell(link->lock, &(struct caucus_lock_change){
                              .news = CAUCUS_LOCK_TROUBLE, .index = link->index, .rc = rc});
}

static void on_before_free(struct queue *q)
{
    struct caucus_lock *l = link_of(q)->lock;
    queue_deinit(q);
    queue_drop(&l->last.queue);
}

/* ---- All of them ---- */

static void on_waits(struct queue *q)
{
    struct caucus_lock *l = link_of(q)->lock;
    if (l->only_if_free)
        queue_end(&l->last.queue, CAUCUS_OPERATIONTIMEOUT);
    else if (atomic_load(&l->asks))
        lock_ask_holders(link_of(q));
}

static void on_asked(struct queue *q)
{
    tell_asked(link_of(q));
}

/* ---- The last ---- */

static void on_last_first(struct queue *q)
{
    struct caucus_lock *l = link_of(q)->lock;
    l->tokens[l->last.index] = q->token;
    l->phase = LOCK_HELD;
    if (l->counted != NULL)
        close_before(l);
    lock_tell(l, &(struct caucus_lock_change){
                     .news = CAUCUS_LOCK_HELD, .token = l->tokens[0], .path = q->path});
    for (size_t i = 0; i < l->before_count && l->phase == LOCK_HELD; i++)
        if (l->before[i].is_asked)
            tell_asked(&l->before[i]);
}

static void on_last_over(struct queue *q, int rc)
{
    struct caucus_lock *l = link_of(q)->lock;
    bool was_held = l->phase == LOCK_HELD;
    l->phase = LOCK_ENDED;
    lock_tell(l,
              &(struct caucus_lock_change){.news = was_held ? CAUCUS_LOCK_LOST : CAUCUS_LOCK_FAILED,
                                           .token = was_held ? l->tokens[0] : 0,
                                           .rc = rc});
    close_before(l);
}

static void on_last_closed(struct queue *q)
{
    struct caucus_lock *l = link_of(q)->lock;
    l->phase = LOCK_ENDED;
    close_before(l);
}

static void on_last_free(struct queue *q)
{
    struct caucus_lock *l = link_of(q)->lock;
    queue_deinit(q);
    free(l->before);
    free(l->tokens);
    free(l->counted);
    free(l);
}

/* ---- Making ---- */

static const struct queue_calls before_calls = {.first = on_before_first,
                                                .over = on_before_over,
                                                .trouble = on_trouble,
                                                .free = on_before_free,
                                                .waits = on_waits,
                                                .asked = on_asked};
static const struct queue_calls last_calls = {.first = on_last_first,
                                              .over = on_last_over,
                                              .trouble = on_trouble,
                                              .free = on_last_free,
                                              .waits = on_waits,
                                              .asked = on_asked,
                                              .closed = on_last_closed};

static int init_link(struct lock_link *link, struct caucus_lock *l, struct caucus *c,
                     const struct lock_part *part, const struct caucus_lock_options *o)
{
    bool is_last = link == &l->last;
    struct queue_options options = part->queue;
    options.data = o->identity;
    options.data_bytes = o->identity_bytes;
    options.acl = o->acl;
    options.acl_count = o->acl_count;
    options.policy = o->policy;
    options.is_once = is_last;
    options.is_kept_out = is_last ? l->before_count > 0 : link > l->before;
    int rc = queue_init(&link->queue, is_last ? &last_calls : &before_calls, c, &options);
    link->lock = l;
    link->index = part->index;
    link->is_open = true;
    if (rc == 0 && !is_last)
        queue_hold(&l->last.queue);
    return rc;
}

/* Nothing has begun. */
static void undo(struct caucus_lock *l, size_t before_count)
{
    for (size_t i = 0; i < before_count; i++)
        queue_drop(&l->before[i].queue);
    queue_drop(&l->last.queue);
}

static int init_links(struct caucus_lock *l, struct caucus *c, const struct lock_part *parts,
                      const struct caucus_lock_options *o)
{
    int rc = init_link(&l->last, l, c, &parts[l->before_count], o);
    if (rc != 0) {
        free(l->before);
        free(l->tokens);
        free(l->counted);
        free(l);
        return rc;
    }
    for (size_t i = 0; i < l->before_count; i++) {
        rc = init_link(&l->before[i], l, c, &parts[i], o);
        if (rc != 0) {
            undo(l, i);
            return rc;
        }
    }
    return 0;
}

/* On the event thread, with a reference. */
static void run_start(void *queue)
{
    struct caucus_lock *l = link_of(queue)->lock;
    queue_start_here(&l->last.queue);
    for (size_t i = 0; i < l->before_count; i++)
        queue_start_here(&l->before[i].queue);
    queue_drop(queue);
}

int lock_open(struct caucus *c, const struct lock_part *parts, size_t part_count,
              const struct caucus_lock_options *o, const char *counted, int32_t leases,
              struct caucus_lock **ret)
{
    struct caucus_lock *l = mem_calloc(1, sizeof(*l));
    l->before_count = part_count - 1;
    l->before = mem_calloc(l->before_count, sizeof(*l->before));
    l->count = counted != NULL ? 1 : part_count;
    l->tokens = mem_calloc(l->count, sizeof(*l->tokens));
    l->on_change = o->on_change;
    l->context = o->context;
    l->only_if_free = o->only_if_free;
    atomic_init(&l->asks, false);
    l->counted = counted != NULL ? copy_text(counted) : NULL;
    l->leases = leases;
    int rc = init_links(l, c, parts, o);
    if (rc != 0)
        return rc;
    *ret = l;
    queue_hold(&l->last.queue);
    rc = caucus_run_at(c, 0, run_start, &l->last.queue);
    if (rc != 0) {
        *ret = NULL;
        queue_drop(&l->last.queue);
        undo(l, l->before_count);
    }
    return rc;
}

/* ---- What kinds and names are ---- */

static const struct {
    const char *label[2]; /* by caucus_lock_names */
    enum queue_rule rule;
} kinds[] = {
    [CAUCUS_LOCK_MUTEX] = {{"lock-", "__lock__"}, QUEUE_FIRST},
    [CAUCUS_LOCK_READ] = {{"__READ__", "__rlock__"}, QUEUE_UNSHARED},
    [CAUCUS_LOCK_WRITE] = {{"__WRIT__", "__lock__"}, QUEUE_FIRST},
};

static bool is_kind(enum caucus_lock_kind kind)
{
    return kind == CAUCUS_LOCK_MUTEX || kind == CAUCUS_LOCK_READ || kind == CAUCUS_LOCK_WRITE;
}

static bool are_names(enum caucus_lock_names names)
{
    return names == CAUCUS_NAMES_CURATOR || names == CAUCUS_NAMES_KAZOO;
}

static int compare_paths(const void *a, const void *b)
{
    const struct lock_part *x = a, *y = b;
    return strcmp(x->queue.parent, y->queue.parent);
}

/* In order; CAUCUS_BADARGUMENTS. */
static int plan(const struct caucus_lock_member *members, size_t count,
                enum caucus_lock_names names, struct lock_part *parts)
{
    for (size_t i = 0; i < count; i++) {
        if (!copy_is_parent(members[i].path) || !is_kind(members[i].kind))
            return CAUCUS_BADARGUMENTS;
        parts[i] = (struct lock_part){.queue = {.parent = members[i].path,
                                                .label = kinds[members[i].kind].label[names],
                                                .rule = kinds[members[i].kind].rule},
                                      .index = i};
    }
    qsort(parts, count, sizeof(*parts), compare_paths);
    for (size_t i = 1; i < count; i++)
        if (compare_paths(&parts[i - 1], &parts[i]) == 0)
            return CAUCUS_BADARGUMENTS;
    return 0;
}

int caucus_lock_acquire_all(struct caucus *c, const struct caucus_lock_member *members,
                            size_t count, const struct caucus_lock_options *options,
                            struct caucus_lock **ret)
{
    static const struct caucus_lock_options none;
    const struct caucus_lock_options *o = options != NULL ? options : &none;
    if (count == 0 || count > CAUCUS_LOCK_MEMBERS_MAX || !are_names(o->names))
        return CAUCUS_BADARGUMENTS;
    struct lock_part *parts = mem_calloc(count, sizeof(*parts));
    int rc = plan(members, count, o->names, parts);
    if (rc == 0)
        rc = lock_open(c, parts, count, o, NULL, 0, ret);
    free(parts);
    return rc;
}

int caucus_lock_acquire(struct caucus *c, const char *path,
                        const struct caucus_lock_options *options, struct caucus_lock **ret)
{
    struct caucus_lock_member member = {path, options != NULL ? options->kind : CAUCUS_LOCK_MUTEX};
    return caucus_lock_acquire_all(c, &member, 1, options, ret);
}

/* ---- What the user asks ---- */

/* `last`: the last one's token, as another thread may see it. */
static int64_t token_of(struct caucus_lock *l, size_t index, int64_t last)
{
    if (index >= l->count || last == 0)
        return 0;
    return index == l->last.index ? last : l->tokens[index];
}

int caucus_lock_await(struct caucus_lock *l, int64_t timeout_ms, int64_t *ret_token)
{
    int64_t last = 0;
    int rc = queue_await(&l->last.queue, timeout_ms, &last);
    if (rc == 0 && ret_token != NULL)
        *ret_token = token_of(l, 0, last);
    return rc;
}

int64_t caucus_lock_token_of(struct caucus_lock *l, size_t index)
{
    return token_of(l, index, queue_held(&l->last.queue));
}

int64_t caucus_lock_token(struct caucus_lock *l)
{
    return caucus_lock_token_of(l, 0);
}

void caucus_lock_release(struct caucus_lock *l)
{
    if (l != NULL)
        queue_close(&l->last.queue);
}
