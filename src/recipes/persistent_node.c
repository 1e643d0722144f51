/* persistent_node.c: a node that is made again.
 *
 *   LOOK --there, and ours--> (SET, if its data is another) --> wait for its watch --> LOOK
 *    | ^ \--there, another's--> wait for its watch
 *    | +-------------+
 *    +--gone--> CREATE --no parent--> PARENTS --> CREATE
 *
 * Whatever is answered in a doubtful way leads back to LOOK. At most one request is in flight. A
 * look at a server that is behind may miss a node of ours; the creation does not. */
#include "caucus/persistent_node.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/machine.h"
#include "recipes/parents.h"
#include "recipes/protect.h"

/* The data that is wanted; each has a number of its own. */
struct content {
    void *data;
    size_t bytes;
    uint64_t number;
};

struct caucus_persistent_node {
    struct machine m; /* first */
    char *path;
    char *above; /* the path of its parent; "" */
    enum caucus_create_mode mode;
    struct caucus_acl *acl;
    size_t acl_count;
    caucus_persistent_node_fn *on_change;
    void *context;

    /* The event thread's. */
    struct parents parents;
    struct content wanted;
    uint64_t sent;               /* the number of the content that is on its way */
    uint64_t written;            /* ... and of what the node has; 0: not known */
    int64_t czxid;               /* of our node; 0: it is not there */
    int64_t stranger;            /* czxid of a node in the way; 0: there is none */
    int64_t session;             /* the present one */
    int64_t past_session;        /* the one before */
    int32_t version;             /* as it was seen last */
    struct machine_watch *watch; /* set on the node; NULL: none */
    struct machine_watch *flight_watch;
    bool in_flight;
    bool is_seen;    /* nothing has happened since it was looked at */
    bool is_missing; /* ... and it was not there */
    bool may_exist;  /* a creation was sent, and its node not seen yet */
    bool needs_parents;
    bool has_parents; /* they were just made */

    struct content next;   /* m.lock: what the user wants from now on; number 0: nothing new */
    uint64_t asked;        /* m.lock: the number that was given last */
    uint64_t kept_content; /* m.lock: the number of what is kept; 0: nothing */
};

static struct caucus_persistent_node *node_of(struct machine *m)
{
    return (struct caucus_persistent_node *)(void *)m;
}

static bool is_ephemeral(const struct caucus_persistent_node *n)
{
    return n->mode == CAUCUS_EPHEMERAL;
}

/* ---- Telling ---- */

static void tell(struct caucus_persistent_node *n,
                 const struct caucus_persistent_node_change *change)
{
    if (n->on_change == NULL || n->m.is_closed)
        return;
    n->m.is_calling = true;
    n->on_change(n->context, n, change);
    n->m.is_calling = false;
}

static void set_kept(struct caucus_persistent_node *n, uint64_t content)
{
    pthread_mutex_lock(&n->m.lock);
    n->kept_content = content;
    pthread_cond_broadcast(&n->m.changed);
    pthread_mutex_unlock(&n->m.lock);
}

static void tell_kept(struct caucus_persistent_node *n)
{
    n->m.failures = 0;
    set_kept(n, n->written);
    tell(n, &(struct caucus_persistent_node_change){
                .news = CAUCUS_NODE_KEPT, .czxid = n->czxid, .version = n->version});
}

static void fail(struct caucus_persistent_node *n, int rc)
{
    if (rc == CAUCUS_CLOSING)
        return;
    machine_pause(&n->m);
    tell(n, &(struct caucus_persistent_node_change){.news = CAUCUS_NODE_TROUBLE, .rc = rc});
}

/* The node that was ours is not there any more. */
static void lose(struct caucus_persistent_node *n, int rc)
{
    int64_t czxid = n->czxid;
    n->czxid = 0;
    n->written = 0;
    if (n->kept_content == 0) /* written by this thread only */
        return;
    set_kept(n, 0);
    tell(n, &(struct caucus_persistent_node_change){
                .news = CAUCUS_NODE_GONE, .czxid = czxid, .rc = rc});
}

/* ---- Whose it is, at the end ---- */

static void forget(struct caucus_persistent_node *n)
{
    n->may_exist = false;
    n->czxid = 0;
}

/* Of a node that is there while its keeper is gone. */
static bool is_ours(const struct caucus_persistent_node *n, const struct caucus_stat *stat)
{
    if (is_ephemeral(n))
        return stat->ephemeral_owner == n->session;
    return n->czxid == 0 ? n->may_exist : n->czxid == stat->czxid;
}

/* ---- Requests, one at a time ---- */

static void take_off(struct caucus_persistent_node *n)
{
    machine_hold(&n->m);
    n->in_flight = true;
}

static void land(struct caucus_persistent_node *n)
{
    n->in_flight = false;
    machine_advance(&n->m);
    machine_drop(&n->m);
}

/* The request could not be made. */
static void refuse(struct caucus_persistent_node *n, int rc)
{
    if (rc == 0)
        return;
    n->in_flight = false;
    fail(n, rc);
    machine_drop(&n->m);
}

/* ---- Looking ---- */

static void on_fired(struct machine *m, struct machine_watch *w, const struct caucus_event *event)
{
    struct caucus_persistent_node *n = node_of(m);
    if (w == n->watch)
        n->watch = NULL;
    n->is_seen = false;
    if (event->type == CAUCUS_NODE_DELETED)
        lose(n, CAUCUS_NONODE);
}

/* Not ours: whose it is will go away, or give it up. Told once of each. */
static void see_stranger(struct caucus_persistent_node *n, const struct caucus_stat *stat)
{
    bool is_told = n->stranger == stat->czxid;
    n->stranger = stat->czxid;
    lose(n, CAUCUS_NONODE);
    if (stat->ephemeral_owner != n->past_session && !is_told)
        tell(n, &(struct caucus_persistent_node_change){.news = CAUCUS_NODE_TROUBLE,
                                                        .rc = CAUCUS_NODEEXISTS});
}

static bool has_wanted(const struct caucus_persistent_node *n, const struct caucus_result *r)
{
    const struct content *w = &n->wanted;
    if (r->data == NULL || w->data == NULL)
        return r->data == NULL && w->data == NULL;
    return r->data_bytes == w->bytes && memcmp(r->data, w->data, w->bytes) == 0;
}

static void see(struct caucus_persistent_node *n, const struct caucus_result *r)
{
    n->version = r->stat->version;
    if (n->m.is_closed) {
        if (!is_ours(n, r->stat))
            forget(n);
        return;
    }
    if (is_ephemeral(n) && r->stat->ephemeral_owner != n->session) {
        see_stranger(n, r->stat);
        return;
    }
    if (n->czxid != r->stat->czxid)
        lose(n, CAUCUS_NONODE);
    n->czxid = r->stat->czxid;
    n->may_exist = false; /* it is known which it is */
    n->stranger = 0;
    if (n->written == 0 && has_wanted(n, r))
        n->written = n->wanted.number;
    if (n->written == n->wanted.number && n->kept_content != n->written)
        tell_kept(n);
}

static void on_seen(void *context, const struct caucus_result *r)
{
    struct caucus_persistent_node *n = context;
    struct machine_watch *w = n->flight_watch;
    n->flight_watch = NULL;
    if (w != NULL && r->rc == 0)
        n->watch = w;
    else if (w != NULL)
        machine_watch_free(w);
    /* The watch that there was may have fired meanwhile. */
    bool is_watched = n->watch != NULL || n->m.is_closed;
    n->is_seen = (r->rc == 0 && is_watched) || r->rc == CAUCUS_NONODE;
    n->is_missing = r->rc == CAUCUS_NONODE;
    if (r->rc == 0) {
        see(n, r);
    } else if (r->rc == CAUCUS_NONODE) {
        n->may_exist = false;
        n->stranger = 0;
        lose(n, r->rc);
    } else if (!protect_is_passing(r->rc)) {
        fail(n, r->rc);
    }
    land(n);
}

static void look(struct caucus_persistent_node *n)
{
    bool needs_watch = n->watch == NULL && !n->m.is_closed;
    if (needs_watch)
        n->flight_watch = machine_watch_new(&n->m, CAUCUS_KIND_DATA, n->path, on_fired);
    take_off(n);
    int rc = caucus_get(n->m.c, n->path, needs_watch ? machine_on_event : NULL, n->flight_watch,
                        on_seen, n);
    if (rc != 0 && needs_watch) {
        machine_watch_free(n->flight_watch);
        n->flight_watch = NULL;
    }
    refuse(n, rc);
}

/* ---- Making and writing ---- */

static void on_parents(void *context, int rc)
{
    struct caucus_persistent_node *n = context;
    (void)rc; /* what was refused may well exist: the creation will tell */
    n->needs_parents = false;
    n->has_parents = true;
    land(n);
}

static void make_parents(struct caucus_persistent_node *n)
{
    n->parents = (struct parents){.c = n->m.c,
                                  .path = n->above,
                                  .acl = n->acl,
                                  .acl_count = n->acl_count,
                                  .done = on_parents,
                                  .context = n};
    take_off(n);
    parents_start(&n->parents);
}

static void on_created(void *context, const struct caucus_result *r)
{
    struct caucus_persistent_node *n = context;
    n->needs_parents = r->rc == CAUCUS_NONODE && !n->has_parents;
    n->has_parents = false;
    n->is_seen = n->needs_parents;
    if (r->rc == 0)
        n->written = n->sent;
    else if (r->rc != CAUCUS_CONNECTIONLOSS && r->rc != CAUCUS_SESSIONEXPIRED)
        n->may_exist = false;
    bool goes_on = r->rc == 0 || r->rc == CAUCUS_NODEEXISTS || protect_is_passing(r->rc);
    if (!goes_on && !n->needs_parents)
        fail(n, r->rc);
    land(n);
}

static void create(struct caucus_persistent_node *n)
{
    struct caucus_create_options options = {
        .mode = n->mode, .acl = n->acl, .acl_count = n->acl_count};
    n->may_exist = true;
    n->sent = n->wanted.number;
    take_off(n);
    refuse(n, caucus_create(n->m.c, n->path, n->wanted.data, n->wanted.bytes, &options, on_created,
                            n));
}

static void on_written(void *context, const struct caucus_result *r)
{
    struct caucus_persistent_node *n = context;
    bool is_done = r->rc == 0 && r->stat->czxid == n->czxid;
    n->is_seen &= is_done;
    n->written = is_done ? n->sent : 0;
    if (is_done) {
        n->version = r->stat->version;
        if (n->written == n->wanted.number)
            tell_kept(n);
    } else if (r->rc != 0 && r->rc != CAUCUS_BADVERSION && r->rc != CAUCUS_NONODE &&
               !protect_is_passing(r->rc)) {
        fail(n, r->rc);
    }
    land(n);
}

static void write_data(struct caucus_persistent_node *n)
{
    n->sent = n->wanted.number;
    take_off(n);
    refuse(n,
           caucus_set(n->m.c, n->path, n->wanted.data, n->wanted.bytes, n->version, on_written, n));
}

/* ---- The end ---- */

static void on_deleted(void *context, const struct caucus_result *r)
{
    struct caucus_persistent_node *n = context;
    n->is_seen = false;
    /* What is refused (it has children, say) stays. */
    if (r->rc != CAUCUS_BADVERSION && !protect_is_passing(r->rc))
        forget(n);
    land(n);
}

static void leave(struct caucus_persistent_node *n)
{
    if (!n->may_exist && n->czxid == 0) {
        machine_watch_forget(n->watch);
        n->watch = NULL;
        machine_retire(&n->m);
    } else if (!n->m.has_session) {
        return;
    } else if (!n->is_seen) {
        look(n);
    } else {
        take_off(n);
        refuse(n, caucus_delete(n->m.c, n->path, n->version, on_deleted, n));
    }
}

/* ---- The machine ---- */

static void take_wanted(struct caucus_persistent_node *n)
{
    pthread_mutex_lock(&n->m.lock);
    struct content next = n->next;
    n->next = (struct content){0};
    pthread_mutex_unlock(&n->m.lock);
    if (next.number == 0)
        return;
    free(n->wanted.data);
    n->wanted = next;
}

static void advance(struct machine *m)
{
    struct caucus_persistent_node *n = node_of(m);
    if (n->in_flight || m->is_pausing)
        return;
    if (m->is_closed) {
        leave(n);
        return;
    }
    take_wanted(n);
    if (!m->has_session)
        return;
    if (!n->is_seen)
        look(n);
    else if (n->needs_parents)
        make_parents(n);
    else if (n->is_missing)
        create(n);
    else if (n->stranger == 0 && n->written != n->wanted.number)
        write_data(n);
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct caucus_persistent_node *n = node_of(m);
    switch (change->state) {
    case CAUCUS_CONNECTED:
    case CAUCUS_RECONNECTED:
        if (change->session_id != n->session) {
            n->past_session = n->session;
            n->session = change->session_id;
            n->is_seen = false;
        }
        break;
    case CAUCUS_LOST:
        n->is_seen = false;
        if (is_ephemeral(n)) {
            lose(n, CAUCUS_SESSIONEXPIRED);
            n->may_exist = false;
        }
        break;
    case CAUCUS_AUTH_FAILED:
        fail(n, CAUCUS_AUTHFAILED);
        break;
    case CAUCUS_CONNECTING:
    case CAUCUS_SUSPENDED:
    case CAUCUS_READ_ONLY:
    case CAUCUS_CLOSED:
        break;
    }
}

/* The user knows. */
static void on_end(struct machine *m)
{
    node_of(m)->is_seen = false;
}

/* ---- Making ---- */

static void on_free(struct machine *m)
{
    struct caucus_persistent_node *n = node_of(m);
    free(n->path);
    free(n->above);
    free(n->acl);
    free(n->wanted.data);
    free(n->next.data);
    machine_deinit(m);
    free(n);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

static bool is_mode(enum caucus_create_mode mode)
{
    return mode == CAUCUS_EPHEMERAL || mode == CAUCUS_PERSISTENT || mode == CAUCUS_CONTAINER;
}

/* m.lock is held, or nobody else knows of it. */
static void want(struct caucus_persistent_node *n, const void *data, size_t bytes)
{
    free(n->next.data);
    n->next = (struct content){mem_dup(data, bytes), data != NULL ? bytes : 0, ++n->asked};
}

int caucus_persistent_node_open(struct caucus *c, const char *path,
                                const struct caucus_persistent_node_options *options,
                                struct caucus_persistent_node **ret)
{
    if (!copy_is_parent(path) || options == NULL || !is_mode(options->mode))
        return CAUCUS_BADARGUMENTS;
    struct caucus_persistent_node *n = mem_calloc(1, sizeof(*n));
    machine_init(&n->m, &calls, c);
    n->path = copy_text(path);
    n->above = copy_text(path);
    *strrchr(n->above, '/') = '\0';
    n->mode = options->mode;
    n->acl = copy_acl(options->acl, options->acl_count);
    n->acl_count = options->acl_count;
    n->on_change = options->on_change;
    n->context = options->context;
    want(n, options->data, options->data_bytes);
    *ret = n;
    int rc = machine_start(&n->m);
    if (rc != 0) {
        *ret = NULL;
        on_free(&n->m);
    }
    return rc;
}

void caucus_persistent_node_close(struct caucus_persistent_node *n)
{
    if (n != NULL)
        machine_close(&n->m);
}

/* ---- On any thread ---- */

static void run_advance(void *context)
{
    struct machine *m = context;
    machine_advance(m);
    machine_drop(m);
}

void caucus_persistent_node_set(struct caucus_persistent_node *n, const void *data,
                                size_t data_bytes)
{
    pthread_mutex_lock(&n->m.lock);
    want(n, data, data_bytes);
    pthread_mutex_unlock(&n->m.lock);
    machine_post(&n->m, run_advance);
}

static bool is_kept(const struct machine *m)
{
    const struct caucus_persistent_node *n = (const void *)m;
    return n->kept_content == n->asked;
}

int caucus_persistent_node_await(struct caucus_persistent_node *n, int64_t timeout_ms)
{
    struct machine *m = &n->m;
    machine_hold(m);
    pthread_mutex_lock(&m->lock);
    int rc = machine_await(m, timeout_ms, is_kept);
    pthread_mutex_unlock(&m->lock);
    machine_drop(m);
    return rc;
}
