/* election.c: the queue with the words of an election. */
#include "caucus/election.h"

#include <stdlib.h>

#include "base/mem.h"
#include "recipes/queue.h"

struct caucus_election {
    struct queue queue; /* first */
    caucus_election_fn *on_change;
    void *context;
    int64_t token; /* of the term that was told last */
};

static struct caucus_election *election_of(struct queue *q)
{
    return (struct caucus_election *)(void *)q;
}

static void tell(struct caucus_election *e, const struct caucus_election_change *change)
{
    if (e->on_change != NULL)
        e->on_change(e->context, e, change);
}

static void on_first(struct queue *q)
{
    struct caucus_election *e = election_of(q);
    e->token = q->token;
    tell(e, &(struct caucus_election_change){
                .news = CAUCUS_ELECTED, .token = e->token, .path = q->path});
}

static void on_over(struct queue *q, int rc)
{
    struct caucus_election *e = election_of(q);
    tell(e,
         &(struct caucus_election_change){.news = CAUCUS_DISMISSED, .token = e->token, .rc = rc});
}

static void on_trouble(struct queue *q, int rc)
{
    tell(election_of(q),
         &(struct caucus_election_change){.news = CAUCUS_ELECTION_TROUBLE, .rc = rc});
}

static void on_free(struct queue *q)
{
    queue_deinit(q);
    free(election_of(q));
}

static const struct queue_calls calls = {
    .first = on_first, .over = on_over, .trouble = on_trouble, .free = on_free};

int caucus_election_open(struct caucus *c, const char *path,
                         const struct caucus_election_options *options,
                         struct caucus_election **ret)
{
    static const struct caucus_election_options none;
    const struct caucus_election_options *o = options != NULL ? options : &none;
    struct caucus_election *e = mem_calloc(1, sizeof(*e));
    int rc = queue_init(&e->queue, &calls, c,
                        &(struct queue_options){.parent = path,
                                                .label = "latch-",
                                                .data = o->identity,
                                                .data_bytes = o->identity_bytes,
                                                .acl = o->acl,
                                                .acl_count = o->acl_count,
                                                .policy = o->policy});
    if (rc != 0) {
        free(e);
        return rc;
    }
    e->on_change = o->on_change;
    e->context = o->context;
    *ret = e;
    rc = queue_start(&e->queue);
    if (rc != 0) {
        *ret = NULL;
        on_free(&e->queue);
    }
    return rc;
}

void caucus_election_close(struct caucus_election *e)
{
    if (e != NULL)
        queue_close(&e->queue);
}

void caucus_election_resign(struct caucus_election *e)
{
    queue_yield(&e->queue);
}

int64_t caucus_election_token(struct caucus_election *e)
{
    return queue_held(&e->queue);
}

bool caucus_election_is_leader(struct caucus_election *e)
{
    return queue_held(&e->queue) != 0;
}

int caucus_election_await(struct caucus_election *e, int64_t timeout_ms, int64_t *ret_token)
{
    return queue_await(&e->queue, timeout_ms, ret_token);
}
