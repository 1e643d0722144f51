/* partitioner.c: a member, the group as it sees it, and a claim on each partition that is its part.
 *
 * A claim is a place in the partition's line (queue.h): what it holds is held under the guard. The
 * machine compares the members that it sees with those it divided for; that is all that makes it
 * move. */
#include "caucus/partitioner.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/badge.h"
#include "recipes/copy.h"
#include "recipes/queue.h"

#define MS_NS INT64_C(1000000)

enum {
    SETTLE_MS_DEFAULT = 1000
};

struct claim {
    struct queue queue; /* first */
    struct caucus_partitioner *p;
    const char *name; /* the partitioner's */
    bool is_given_up; /* what it says does not count any more */
    bool holds;
};

/* Names, sorted, in one array with their texts. */
struct names {
    char **list;
    size_t count;
};

struct caucus_partitioner {
    struct machine m; /* first */
    char *path, *members_path, *locks_path;
    struct names partitions;
    struct caucus_acl *acl;
    size_t acl_count;
    void *identity;
    enum caucus_policy policy;
    int64_t settle_ms;
    caucus_partitioner_fn *on_change;
    void *context;

    /* The event thread's. */
    struct badge place;
    struct names members;     /* as seen last */
    struct names divided_for; /* as they were when the claims were made */
    struct machine_watch *watch;
    struct machine_flight flight; /* its serial: of this session */
    bool list_is_stale;
    bool has_timer;
    int64_t settled_at_ns; /* if nothing changes until then */
    bool is_told;          /* the first ALLOCATING was */
    bool releases;         /* the user has */

    enum caucus_partition_state state; /* lock */
    struct claim **claims;             /* lock; written by the event thread. NULL: not divided */
    size_t claim_count;
};

static struct caucus_partitioner *partitioner_of(struct machine *m)
{
    return (struct caucus_partitioner *)(void *)m;
}

static struct claim *claim_of(struct queue *q)
{
    return (struct claim *)(void *)q;
}

/* ---- Names ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct names names_copy(const char *const *list, size_t count)
{
    struct names n = {.list = mem_calloc(count, sizeof(*n.list)), .count = count};
    for (size_t i = 0; i < count; i++)
        n.list[i] = copy_text(list[i]);
    if (count > 1)
        qsort(n.list, count, sizeof(*n.list), compare_names);
    return n;
}

static void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
    *n = (struct names){.count = 0};
}

static bool names_equal(const struct names *a, const struct names *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = strcmp(a->list[i], b->list[i]) == 0;
    return equal;
}

/* count: it is not there. */
static size_t names_find(const struct names *n, const char *name)
{
    size_t i = 0;
    while (i < n->count && strcmp(n->list[i], name) != 0)
        i++;
    return i;
}

/* ---- What is told ---- */

static void call_user(struct caucus_partitioner *p, const struct caucus_partition_change *change)
{
    if (p->m.is_closed)
        return;
    bool was_calling = p->m.is_calling;
    p->m.is_calling = true;
    p->on_change(p->context, p, change);
    p->m.is_calling = was_calling;
}

static void set_state(struct caucus_partitioner *p, enum caucus_partition_state state)
{
    pthread_mutex_lock(&p->m.lock);
    p->state = state;
    pthread_cond_broadcast(&p->m.changed);
    pthread_mutex_unlock(&p->m.lock);
}

/* With what is held. */
static void tell_held(struct caucus_partitioner *p, enum caucus_partition_state state)
{
    struct caucus_partition *held = mem_calloc(p->claim_count, sizeof(*held));
    size_t count = p->claims != NULL ? p->claim_count : 0;
    for (size_t i = 0; i < count; i++)
        held[i] = (struct caucus_partition){.name = p->claims[i]->name,
                                            .token = p->claims[i]->queue.token};
    set_state(p, state);
    call_user(
        p, &(struct caucus_partition_change){.state = state, .partitions = held, .count = count});
    free(held);
}

static void tell_allocating(struct caucus_partitioner *p)
{
    set_state(p, CAUCUS_PARTITION_ALLOCATING);
    call_user(p, &(struct caucus_partition_change){.state = CAUCUS_PARTITION_ALLOCATING});
}

static void tell_trouble(struct caucus_partitioner *p, int rc)
{
    call_user(p, &(struct caucus_partition_change){.state = CAUCUS_PARTITION_TROUBLE, .rc = rc});
}

static void fail_request(struct machine *m, int rc)
{
    if (!m->is_pausing)
        machine_pause(m);
    if (rc != CAUCUS_CLOSING)
        tell_trouble(partitioner_of(m), rc);
}

/* ---- Claims ---- */

/* Closed one after the other: each deletes its node in the background. */
static void give_up_claims(struct caucus_partitioner *p)
{
    struct claim **claims = p->claims;
    size_t count = p->claim_count;
    pthread_mutex_lock(&p->m.lock);
    p->claims = NULL;
    p->claim_count = 0;
    pthread_mutex_unlock(&p->m.lock);
    names_free(&p->divided_for);
    for (size_t i = 0; i < count; i++)
        claims[i]->is_given_up = true;
    for (size_t i = 0; i < count; i++)
        queue_close(&claims[i]->queue);
    free(claims);
}

static bool is_acquired(const struct caucus_partitioner *p)
{
    return p->state == CAUCUS_PARTITION_ACQUIRED || p->state == CAUCUS_PARTITION_RELEASE;
}

/* What is held is not held any more, or what is claimed not wanted. */
static void fail(struct caucus_partitioner *p, int rc)
{
    bool was_acquired = is_acquired(p);
    give_up_claims(p);
    if (!was_acquired)
        return;
    set_state(p, CAUCUS_PARTITION_FAILURE);
    call_user(p, &(struct caucus_partition_change){.state = CAUCUS_PARTITION_FAILURE, .rc = rc});
    if (!p->m.is_closed)
        tell_allocating(p);
}

static void tell_if_acquired(struct caucus_partitioner *p)
{
    if (p->claims == NULL || p->state != CAUCUS_PARTITION_ALLOCATING)
        return;
    for (size_t i = 0; i < p->claim_count; i++)
        if (!p->claims[i]->holds)
            return;
    tell_held(p, CAUCUS_PARTITION_ACQUIRED);
}

static void on_first(struct queue *q)
{
    struct claim *claim = claim_of(q);
    struct caucus_partitioner *p = claim->p;
    claim->holds = true;
    if (claim->is_given_up)
        return;
    tell_if_acquired(p);
    machine_advance(&p->m);
}

static void on_over(struct queue *q, int rc)
{
    struct claim *claim = claim_of(q);
    struct caucus_partitioner *p = claim->p;
    claim->holds = false;
    if (claim->is_given_up)
        return;
    if (is_acquired(p))
        fail(p, rc);
    machine_advance(&p->m);
}

static void on_claim_trouble(struct queue *q, int rc)
{
    if (!claim_of(q)->is_given_up)
        tell_trouble(claim_of(q)->p, rc);
}

static void on_claim_free(struct queue *q)
{
    struct claim *claim = claim_of(q);
    struct caucus_partitioner *p = claim->p;
    queue_deinit(q);
    free(claim);
    machine_drop(&p->m);
}

static const struct queue_calls claim_calls = {
    .first = on_first, .over = on_over, .trouble = on_claim_trouble, .free = on_claim_free};

static struct claim *claim_new(struct caucus_partitioner *p, const char *name)
{
    char *line = copy_joined(p->locks_path, name);
    struct claim *claim = mem_calloc(1, sizeof(*claim));
    struct queue_options o = {.parent = line,
                              .label = "lock-",
                              .data = p->identity,
                              .data_bytes = p->place.entry.data_bytes,
                              .acl = p->acl,
                              .acl_count = p->acl_count,
                              .policy = p->policy};
    queue_init(&claim->queue, &claim_calls, p->m.c, &o);
    free(line);
    claim->p = p;
    claim->name = name;
    machine_hold(&p->m);
    return claim;
}

/* Each n-th partition is ours, beginning with our own place among the n members. */
static void divide(struct caucus_partitioner *p)
{
    size_t own = names_find(&p->members, p->place.entry.prefix), n = p->members.count;
    struct claim **claims = mem_calloc(p->partitions.count / n + 1, sizeof(struct claim *));
    size_t count = 0;
    for (size_t i = own; i < p->partitions.count; i += n)
        claims[count++] = claim_new(p, p->partitions.list[i]);
    p->divided_for = names_copy((const char *const *)p->members.list, n);
    pthread_mutex_lock(&p->m.lock);
    p->claims = claims;
    p->claim_count = count;
    pthread_mutex_unlock(&p->m.lock);
    /* Refused only while the handle is being closed, which ends all of it. */
    for (size_t i = 0; i < count; i++)
        queue_start(&claims[i]->queue);
    tell_if_acquired(p);
}

/* ---- The group ---- */

static void on_group_fired(struct machine *m, struct machine_watch *w,
                           const struct caucus_event *event)
{
    (void)w;
    (void)event;
    struct caucus_partitioner *p = partitioner_of(m);
    p->watch = NULL;
    p->list_is_stale = true;
}

static void set_members(struct caucus_partitioner *p, const struct caucus_result *r)
{
    struct names members = names_copy(r->names, r->name_count);
    if (!names_equal(&members, &p->members))
        p->settled_at_ns = caucus_now_ns() + p->settle_ms * MS_NS;
    names_free(&p->members);
    p->members = members;
    p->list_is_stale = p->watch == NULL;
    p->m.failures = 0;
    if (names_find(&members, p->place.entry.prefix) == members.count) {
        badge_leave(&p->place); /* somebody deleted it: another one is made */
        p->list_is_stale = true;
    }
}

static void on_listed(void *context, const struct caucus_result *r)
{
    struct caucus_partitioner *p = context;
    struct machine_watch *w = machine_land_watch(&p->flight, r->rc == 0);
    bool is_ours = machine_land(&p->flight);
    p->watch = w != NULL ? w : p->watch;
    if (is_ours && r->rc == 0)
        set_members(p, r);
    else if (is_ours && r->rc == CAUCUS_NONODE)
        badge_leave(&p->place);
    else if (is_ours && !protect_is_passing(r->rc))
        fail_request(&p->m, r->rc);
    machine_settle(&p->m);
}

static void list(struct caucus_partitioner *p)
{
    machine_take_off(&p->m, &p->flight);
    if (p->watch == NULL)
        p->flight.watch =
            machine_watch_new(&p->m, CAUCUS_KIND_CHILDREN, p->members_path, on_group_fired);
    caucus_watch_fn *watch = p->flight.watch != NULL ? machine_on_event : NULL;
    int rc = caucus_get_children(p->m.c, p->members_path, watch, p->flight.watch, on_listed, p);
    if (rc == 0)
        return;
    if (!p->m.is_pausing)
        machine_pause(&p->m);
    on_listed(p, &(struct caucus_result){.rc = rc});
}

static void on_timer(void *context)
{
    struct caucus_partitioner *p = context;
    p->has_timer = false;
    machine_settle(&p->m);
}

static bool is_settled(struct caucus_partitioner *p)
{
    if (caucus_now_ns() >= p->settled_at_ns)
        return true;
    if (!p->has_timer)
        p->has_timer = machine_run(&p->m, p->settled_at_ns, on_timer, p);
    return false;
}

/* ---- The machine ---- */

/* What was divided for is not what there is. */
static void move_on(struct caucus_partitioner *p)
{
    bool is_right = p->claims != NULL && names_equal(&p->members, &p->divided_for);
    if (p->state == CAUCUS_PARTITION_ACQUIRED && !is_right)
        tell_held(p, CAUCUS_PARTITION_RELEASE);
    if (p->m.is_closed)
        return;
    if (p->state == CAUCUS_PARTITION_RELEASE && p->releases) {
        give_up_claims(p);
        tell_allocating(p);
    } else if (p->state == CAUCUS_PARTITION_ALLOCATING && p->claims != NULL && !is_right) {
        give_up_claims(p);
    }
    p->releases = false;
    if (p->m.is_closed)
        return;
    if (p->state == CAUCUS_PARTITION_ALLOCATING && p->claims == NULL && is_settled(p))
        divide(p);
}

static void advance(struct machine *m)
{
    struct caucus_partitioner *p = partitioner_of(m);
    if (!p->is_told && !m->is_closed) {
        p->is_told = true;
        tell_allocating(p);
    }
    if (p->flight.is_up || m->is_pausing || (!m->has_session && !m->is_closed))
        return;
    p->place.wanted = !m->is_closed;
    if (badge_step(&p->place))
        return;
    if (m->is_closed)
        machine_retire(m);
    else if (p->list_is_stale)
        list(p);
    else
        move_on(p);
}

static void leave(struct caucus_partitioner *p, int rc)
{
    p->flight.serial++;
    badge_leave(&p->place);
    machine_watch_forget(p->watch);
    p->watch = NULL;
    p->list_is_stale = true;
    fail(p, rc);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    if (change->state == CAUCUS_LOST)
        leave(partitioner_of(m), CAUCUS_SESSIONEXPIRED);
    if (change->state == CAUCUS_AUTH_FAILED)
        leave(partitioner_of(m), CAUCUS_AUTHFAILED);
}

static void on_end(struct machine *m)
{
    struct caucus_partitioner *p = partitioner_of(m);
    bool was_acquired = is_acquired(p);
    p->flight.serial++;
    badge_leave(&p->place);
    machine_watch_forget(p->watch);
    p->watch = NULL;
    give_up_claims(p);
    if (was_acquired) {
        set_state(p, CAUCUS_PARTITION_FAILURE);
        call_user(p, &(struct caucus_partition_change){.state = CAUCUS_PARTITION_FAILURE,
                                                       .rc = CAUCUS_CLOSING});
    }
}

static void on_free(struct machine *m)
{
    struct caucus_partitioner *p = partitioner_of(m);
    machine_deinit(m);
    badge_deinit(&p->place);
    names_free(&p->partitions);
    names_free(&p->members);
    names_free(&p->divided_for);
    free(p->path);
    free(p->members_path);
    free(p->locks_path);
    free(p->acl);
    free(p->identity);
    free(p);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

/* ---- From any thread ---- */

static void run_release(void *context)
{
    struct caucus_partitioner *p = context;
    p->releases = p->state == CAUCUS_PARTITION_RELEASE;
    machine_settle(&p->m);
}

void caucus_partitioner_release(struct caucus_partitioner *p)
{
    machine_post(&p->m, run_release);
}

/* A state that is not acquired holds nothing that may be worked on. */
int64_t caucus_partitioner_token(struct caucus_partitioner *p, const char *name)
{
    int64_t token = 0;
    pthread_mutex_lock(&p->m.lock);
    for (size_t i = 0; i < p->claim_count && is_acquired(p); i++)
        if (strcmp(p->claims[i]->name, name) == 0)
            token = queue_held(&p->claims[i]->queue);
    pthread_mutex_unlock(&p->m.lock);
    return token;
}

enum caucus_partition_state caucus_partitioner_state(struct caucus_partitioner *p)
{
    pthread_mutex_lock(&p->m.lock);
    enum caucus_partition_state state = p->state;
    pthread_mutex_unlock(&p->m.lock);
    return state;
}

static bool is_acquired_now(const struct machine *m)
{
    return ((const struct caucus_partitioner *)(const void *)m)->state == CAUCUS_PARTITION_ACQUIRED;
}

int caucus_partitioner_await(struct caucus_partitioner *p, int64_t timeout_ms)
{
    machine_hold(&p->m);
    pthread_mutex_lock(&p->m.lock);
    int rc = machine_await(&p->m, timeout_ms, is_acquired_now);
    pthread_mutex_unlock(&p->m.lock);
    machine_drop(&p->m);
    return rc;
}

static bool is_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

static bool are_right(const char *path, const char *const *names, size_t count,
                      const struct caucus_partitioner_options *o)
{
    if (!copy_is_parent(path) || count < 1 || count > CAUCUS_PARTITIONS_MAX || names == NULL ||
        o == NULL || o->on_change == NULL || o->settle_ms < -1 ||
        (o->policy != CAUCUS_STRICT && o->policy != CAUCUS_UNTIL_LOST))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_name(names[i]))
            return false;
    return true;
}

static bool has_doubles(const struct names *n)
{
    for (size_t i = 1; i < n->count; i++)
        if (strcmp(n->list[i - 1], n->list[i]) == 0)
            return true;
    return false;
}

int caucus_partitioner_open(struct caucus *c, const char *path, const char *const *names,
                            size_t count, const struct caucus_partitioner_options *o,
                            struct caucus_partitioner **ret)
{
    if (!are_right(path, names, count, o))
        return CAUCUS_BADARGUMENTS;
    struct caucus_partitioner *p = mem_calloc(1, sizeof(*p));
    machine_init(&p->m, &calls, c);
    p->path = copy_text(path);
    p->members_path = copy_joined(path, "members");
    p->locks_path = copy_joined(path, "locks");
    p->partitions = names_copy(names, count);
    p->acl = copy_acl(o->acl, o->acl_count);
    p->acl_count = o->acl_count;
    p->identity = o->identity != NULL ? mem_dup(o->identity, o->identity_bytes) : NULL;
    p->policy = o->policy;
    p->settle_ms = o->settle_ms == 0 ? SETTLE_MS_DEFAULT : o->settle_ms < 0 ? 0 : o->settle_ms;
    p->on_change = o->on_change;
    p->context = o->context;
    p->state = CAUCUS_PARTITION_ALLOCATING;
    p->list_is_stale = true;
    p->place.entry = (struct protect){.parent = p->members_path,
                                      .data = p->identity,
                                      .data_bytes = o->identity_bytes,
                                      .acl = p->acl,
                                      .acl_count = p->acl_count};
    badge_init(&p->place, &p->m, fail_request);
    *ret = p;
    int rc = has_doubles(&p->partitions) ? CAUCUS_BADARGUMENTS : machine_start(&p->m);
    if (rc != 0) {
        *ret = NULL;
        machine_drop(&p->m);
    }
    return rc;
}

void caucus_partitioner_close(struct caucus_partitioner *p)
{
    if (p != NULL)
        machine_close(&p->m);
}
