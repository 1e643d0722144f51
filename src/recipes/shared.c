#include "recipes/shared.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "recipes/copy.h"
#include "recipes/protect.h"
#include "recipes/uuid.h"

static struct shared *shared_of(struct machine *m)
{
    return (struct shared *)(void *)m;
}

/* ---- What is known ---- */

static void forget_base(struct shared *s)
{
    free(s->base.data);
    s->base = (struct shared_base){0};
}

static void set_base(struct shared *s, const void *data, size_t bytes,
                     const struct caucus_stat *stat)
{
    free(s->base.data);
    s->base = (struct shared_base){.is_known = true,
                                   .data = mem_dup(data, bytes),
                                   .bytes = bytes,
                                   .version = stat->version,
                                   .czxid = stat->czxid,
                                   .mzxid = stat->mzxid};
}

/* In doubt the base is what the multi was made on. */
static bool may_learn(const struct shared *s)
{
    return !s->is_doubtful && !s->is_haunted && !s->in_flight;
}

static void on_cached(void *context, struct caucus_cache *cache,
                      const struct caucus_cache_change *change)
{
    (void)cache;
    struct shared *s = context;
    const struct caucus_cache_node *node = change->node;
    if (change->news != CAUCUS_CACHE_ADDED && change->news != CAUCUS_CACHE_CHANGED)
        return;
    if (may_learn(s) && node->stat.mzxid > s->base.mzxid)
        set_base(s, node->data, node->data_bytes, &node->stat);
    s->options.on_change(s, node);
}

/* ---- Changes ---- */

static void end_change(struct shared *s, struct shared_change *h, int rc, int32_t version)
{
    bool was_calling = s->m.is_calling;
    free(h->data);
    h->data = NULL;
    s->m.is_calling = true;
    h->over(h, rc, version);
    s->m.is_calling = was_calling;
}

static void forget_mark(struct shared *s)
{
    free(s->mark);
    s->mark = NULL;
    s->has_mark = false;
}

static void over(struct shared *s, int rc, int32_t version)
{
    struct shared_change *h = s->change;
    if (s->is_doubtful)
        forget_mark(s); /* its version is not known */
    if (rc != 0)
        forget_base(s);
    s->change = NULL;
    s->is_doubtful = s->is_haunted = false;
    s->needs_node = s->needs_parents = false;
    if (h != NULL)
        end_change(s, h, rc, version);
}

/* Whether what it wanted is so, nobody can tell. */
static void give_up(struct shared *s)
{
    over(s, CAUCUS_CONNECTIONLOSS, 0);
}

static void try_again(struct shared *s)
{
    if (s->change == NULL || ++s->change->tries <= s->options.tries_max)
        return;
    if (s->is_doubtful || s->is_haunted)
        give_up(s);
    else
        over(s, CAUCUS_BUSY, 0);
}

/* The connection is to blame, for a request that did no harm. */
static bool is_blameless(int rc)
{
    return protect_is_passing(rc) && rc != CAUCUS_OPERATIONTIMEOUT;
}

/* Ends the change, if this is a reason, or makes one more try. */
static void stumble(struct shared *s, int rc)
{
    s->is_synced = false;
    if (is_blameless(rc))
        try_again(s);
    else if (s->is_doubtful || s->is_haunted)
        give_up(s);
    else
        over(s, rc, 0);
}

static void take_change(struct shared *s)
{
    if (s->change != NULL)
        return;
    pthread_mutex_lock(&s->m.lock);
    struct list *node = list_take(&s->changes);
    s->change_count -= node != NULL;
    pthread_mutex_unlock(&s->m.lock);
    if (node != NULL)
        s->change = list_entry(node, struct shared_change, list);
    s->base.is_fresh = false;
}

/* ---- Requests, one at a time ---- */

static void take_off(struct shared *s)
{
    machine_hold(&s->m);
    s->in_flight = true;
}

static void land(struct shared *s)
{
    s->in_flight = false;
    machine_advance(&s->m);
    machine_drop(&s->m);
}

/* The request could not be made: `advance` goes on with the next change. */
static void refuse(struct shared *s, int rc)
{
    if (rc == 0)
        return;
    s->in_flight = false;
    stumble(s, rc);
    machine_drop(&s->m);
}

/* ---- Reading, and making what is missing ---- */

static void on_read(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    if (r->rc == 0) {
        set_base(s, r->data, r->data_bytes, r->stat);
        s->base.is_fresh = true;
    } else if (r->rc != CAUCUS_NONODE) {
        stumble(s, r->rc);
    } else if (s->change != NULL && s->change->is_conditional) {
        over(s, r->rc, 0);
    } else {
        s->needs_node = true;
    }
    land(s);
}

static void read_value(struct shared *s)
{
    take_off(s);
    refuse(s, caucus_get(s->m.c, s->path, NULL, NULL, on_read, s));
}

static void on_parents(void *context, int rc)
{
    struct shared *s = context;
    (void)rc; /* what was refused may well exist: the creation will tell */
    s->needs_parents = false;
    s->has_parents = true;
    land(s);
}

static void make_parents(struct shared *s)
{
    s->parents = (struct parents){.c = s->m.c,
                                  .path = s->above,
                                  .acl = s->options.acl,
                                  .acl_count = s->options.acl_count,
                                  .done = on_parents,
                                  .context = s};
    take_off(s);
    parents_start(&s->parents);
}

static void on_made(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    if (r->rc == 0 || r->rc == CAUCUS_NODEEXISTS)
        s->needs_node = false;
    else if (r->rc == CAUCUS_NONODE && !s->has_parents)
        s->needs_parents = true;
    else
        stumble(s, r->rc);
    s->has_parents = false;
    land(s);
}

static void make_node(struct shared *s)
{
    struct caucus_create_options options = {.acl = s->options.acl,
                                            .acl_count = s->options.acl_count};
    take_off(s);
    refuse(s, caucus_create(s->m.c, s->path, s->options.initial, s->options.initial_bytes, &options,
                            on_made, s));
}

/* ---- The mark ---- */

static void on_marked(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    /* It exists: the answer to an earlier creation was lost. */
    bool is_there = r->rc == 0 || r->rc == CAUCUS_NODEEXISTS;
    if (s->mark != NULL && is_there) {
        s->has_mark = true;
        s->mark_version = 0;
    } else if (r->rc == CAUCUS_NONODE && !s->is_haunted) {
        forget_base(s); /* the value's node is gone */
        try_again(s);
    } else if (!is_there) {
        stumble(s, r->rc);
    }
    land(s);
}

static void name_mark(struct shared *s)
{
    char uuid[UUID_BYTES], name[UUID_BYTES + sizeof("_c_-mark")];
    uuid_make(uuid);
    snprintf(name, sizeof(name), "_c_%s-mark", uuid);
    s->mark = copy_joined(s->path, name);
}

static void make_mark(struct shared *s)
{
    struct caucus_create_options options = {
        .mode = CAUCUS_EPHEMERAL, .acl = s->options.acl, .acl_count = s->options.acl_count};
    if (s->mark == NULL)
        name_mark(s);
    struct caucus_session session;
    caucus_get_session(s->m.c, &session);
    s->session = session.id; /* changes may be made before the first state is told */
    take_off(s);
    refuse(s, caucus_create(s->m.c, s->mark, "", 0, &options, on_marked, s));
}

/* ---- Writing ---- */

static int32_t version_of(const struct shared *s)
{
    return s->change->is_conditional ? s->change->version : s->base.version;
}

/* It was done, on this version. */
static void succeed(struct shared *s, int64_t mzxid)
{
    struct shared_change *h = s->change;
    int32_t version = (int32_t)((uint32_t)version_of(s) + 1);
    s->mark_version++;
    s->is_doubtful = false;
    free(s->base.data);
    s->base.data = h->data;
    s->base.bytes = h->bytes;
    s->base.version = version;
    s->base.mzxid = mzxid;
    h->data = NULL;
    over(s, 0, version);
}

/* The multi was refused as a whole. */
static void on_refused(struct shared *s, const struct caucus_result *r)
{
    int value_rc = r->result_count == 2 ? r->results[0].rc : r->rc;
    int mark_rc = r->result_count == 2 ? r->results[1].rc : 0;
    bool is_overtaken = value_rc == CAUCUS_BADVERSION || value_rc == CAUCUS_NONODE;
    if (is_overtaken && s->is_haunted) {
        give_up(s);
    } else if (is_overtaken && s->change->is_conditional) {
        over(s, value_rc, 0);
    } else if (is_overtaken) {
        forget_base(s);
        try_again(s);
    } else if (mark_rc == CAUCUS_BADVERSION || mark_rc == CAUCUS_NONODE) {
        forget_mark(s);
        try_again(s);
    } else {
        stumble(s, r->rc);
    }
}

static void on_written(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    if (s->change == NULL) {
        forget_mark(s); /* the user has closed meanwhile */
    } else if (r->rc == 0) {
        succeed(s, r->zxid);
    } else if (r->rc == CAUCUS_CONNECTIONLOSS || r->rc == CAUCUS_SESSIONEXPIRED) {
        s->is_doubtful = true;
        s->is_synced = false;
        try_again(s);
    } else {
        on_refused(s, r);
    }
    land(s);
}

static void write_value(struct shared *s)
{
    struct shared_change *h = s->change;
    if (h->make != NULL) {
        free(h->data);
        h->data = NULL;
        int rc = h->make(h, s->base.data, s->base.bytes);
        if (rc != 0 && !s->base.is_fresh && !s->is_haunted)
            forget_base(s); /* it is not refused for what may be past */
        else if (rc != 0)
            over(s, rc, 0);
        if (rc != 0)
            return;
    }
    struct caucus_op ops[2] = {
        {.type = CAUCUS_OP_SET,
         .path = s->path,
         .data = h->data,
         .data_bytes = h->bytes,
         .version = version_of(s)},
        {.type = CAUCUS_OP_SET, .path = s->mark, .data = "", .version = s->mark_version}};
    take_off(s);
    refuse(s, caucus_multi(s->m.c, ops, 2, on_written, s));
}

/* ---- In doubt ---- */

static void on_synced(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    s->is_synced = r->rc == 0;
    if (r->rc != 0)
        stumble(s, r->rc);
    land(s);
}

/* The mark of this session tells. */
static void on_mark_seen(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    if (s->change == NULL || r->rc == CAUCUS_NONODE) {
        forget_mark(s); /* then the value is looked at */
    } else if (r->rc != 0) {
        stumble(s, r->rc);
    } else if (r->stat->version == s->mark_version + 1) {
        succeed(s, 0);
        forget_base(s); /* others may have changed it since */
    } else if (r->stat->version == s->mark_version) {
        s->is_doubtful = false;
        if (!s->is_haunted)
            forget_base(s);
    } else {
        give_up(s);
    }
    land(s);
}

/* The mark is gone with its session. If the value is as it was, the multi was not done; but it may
 * still be on its way, if only our clock says that the session is over. */
static void on_value_seen(void *context, const struct caucus_result *r)
{
    struct shared *s = context;
    if (s->change == NULL) {
        land(s);
        return;
    }
    bool is_same =
        r->rc == 0 && r->stat->version == version_of(s) && r->stat->czxid == s->base.czxid;
    if (is_same) {
        s->is_doubtful = false;
        s->is_haunted = true;
    } else if (r->rc == 0 || r->rc == CAUCUS_NONODE) {
        give_up(s);
    } else {
        stumble(s, r->rc);
    }
    land(s);
}

static void resolve(struct shared *s)
{
    take_off(s);
    if (!s->is_synced)
        refuse(s, caucus_sync(s->m.c, s->path, on_synced, s));
    else if (s->has_mark)
        refuse(s, caucus_exists(s->m.c, s->mark, NULL, NULL, on_mark_seen, s));
    else
        refuse(s, caucus_exists(s->m.c, s->path, NULL, NULL, on_value_seen, s));
}

/* ---- The machine ---- */

static void leave(struct shared *s)
{
    if (s->mark != NULL)
        caucus_delete(s->m.c, s->mark, CAUCUS_ANY_VERSION, NULL, NULL);
    forget_mark(s);
    machine_retire(&s->m);
}

static void advance(struct machine *m)
{
    struct shared *s = shared_of(m);
    while (!s->in_flight && !m->is_retired) {
        if (m->is_closed) {
            leave(s);
            return;
        }
        take_change(s);
        if (s->change == NULL)
            return;
        if (s->is_doubtful)
            resolve(s);
        else if (s->needs_parents)
            make_parents(s);
        else if (s->needs_node)
            make_node(s);
        else if (!s->base.is_known)
            read_value(s);
        else if (!s->has_mark)
            make_mark(s);
        else
            write_value(s);
    }
}

static void on_state(struct machine *m, const struct caucus_state_change *change)
{
    struct shared *s = shared_of(m);
    bool is_connected = change->state == CAUCUS_CONNECTED || change->state == CAUCUS_RECONNECTED;
    bool is_another = is_connected && change->session_id != s->session;
    if (is_connected)
        s->session = change->session_id;
    if (is_another || change->state == CAUCUS_LOST)
        forget_mark(s); /* it goes with its session */
}

/* Nothing is taken any more, and what waits is told. */
static void on_end(struct machine *m)
{
    struct shared *s = shared_of(m);
    struct list left;
    list_init(&left);
    pthread_mutex_lock(&m->lock);
    m->ends = true;
    struct list *node;
    while ((node = list_take(&s->changes)) != NULL)
        list_append(&left, node);
    s->change_count = 0;
    pthread_mutex_unlock(&m->lock);
    over(s, CAUCUS_CLOSING, 0);
    while ((node = list_take(&left)) != NULL)
        end_change(s, list_entry(node, struct shared_change, list), CAUCUS_CLOSING, 0);
}

static void on_free(struct machine *m)
{
    struct shared *s = shared_of(m);
    forget_base(s);
    forget_mark(s);
    free(s->path);
    free(s->above);
    free((void *)(uintptr_t)s->options.initial);
    free((void *)(uintptr_t)s->options.acl);
    machine_deinit(m);
    free(s);
}

static const struct machine_calls calls = {on_state, advance, on_end, on_free};

/* ---- On any thread ---- */

static void run_advance(void *context)
{
    struct machine *m = context;
    machine_advance(m);
    machine_drop(m);
}

int shared_submit(struct shared *s, struct shared_change *h)
{
    int rc = 0;
    pthread_mutex_lock(&s->m.lock);
    if (s->m.ends)
        rc = CAUCUS_CLOSING;
    else if (s->change_count == SHARED_CHANGES_MAX)
        rc = CAUCUS_BUSY;
    if (rc == 0) {
        list_append(&s->changes, &h->list);
        s->change_count++;
    }
    pthread_mutex_unlock(&s->m.lock);
    if (rc == 0)
        machine_post(&s->m, run_advance);
    return rc;
}

static void init(struct shared *s, struct caucus *c, const char *path,
                 const struct shared_options *options)
{
    machine_init(&s->m, &calls, c);
    list_init(&s->changes);
    s->path = copy_text(path);
    s->above = copy_text(path);
    *strrchr(s->above, '/') = '\0';
    s->options = *options;
    s->options.initial = mem_dup(options->initial, options->initial_bytes);
    s->options.acl = copy_acl(options->acl, options->acl_count);
    if (s->options.tries_max == 0)
        s->options.tries_max = SHARED_TRIES_MAX_DEFAULT;
}

int shared_open(struct shared *s, struct caucus *c, const char *path,
                const struct shared_options *options)
{
    if (!copy_is_parent(path)) {
        free(s);
        return CAUCUS_BADARGUMENTS;
    }
    init(s, c, path, options);
    struct caucus_cache_options o = {.on_change = on_cached, .context = s};
    int rc = caucus_cache_open(c, path, CAUCUS_CACHE_NODE, &o, &s->cache);
    if (rc == 0 && (rc = machine_start(&s->m)) != 0)
        caucus_cache_close(s->cache);
    if (rc != 0)
        on_free(&s->m);
    return rc;
}

void shared_close(struct shared *s)
{
    caucus_cache_close(s->cache);
    machine_close(&s->m);
}
