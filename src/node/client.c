/* client.c: connections, and the order of answers on each of them. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

enum {
    FIFO_COUNT_MAX = 16 * 1024,
    FIFO_BYTES_MAX = 16 * 1024 * 1024,
};

bool client_add_identity(struct client *c, struct slice scheme, struct slice id)
{
    for (uint32_t i = 0; i < c->identity_count; i++) {
        if (slice_eq(c->identities[i].scheme, scheme) && slice_eq(c->identities[i].id, id))
            return true;
    }
    size_t bytes = scheme.len + id.len;
    if (c->identity_count == IDENTITIES_MAX ||
        (c->identity_count > 0 && c->identity_bytes + bytes > IDENTITIES_BYTES_MAX))
        return false;
    c->identity_bytes += bytes;

    /* One block for both texts, found again through the scheme's pointer. */
    uint8_t *text = mem_alloc(scheme.len + id.len + 1);
    memcpy(text, scheme.ptr, scheme.len);
    if (id.len > 0)
        memcpy(text + scheme.len, id.ptr, id.len);
    c->identities = mem_realloc(c->identities, (c->identity_count + 1) * sizeof *c->identities);
    c->identities[c->identity_count++] = (struct identity){
        .scheme = slice_of(text, scheme.len),
        .id = slice_of(text + scheme.len, id.len),
    };
    return true;
}

static void client_add_certificate(struct node *n, struct client *c, struct slice subject)
{
    const char *super = n->options.x509_super;
    if (super[0] != 0 && slice_eq_str(subject, super))
        client_add_identity(c, slice_str("super"), subject);
    client_add_identity(c, slice_str("x509"), subject);
}

void on_client_open(struct node *n, const struct node_event *ev)
{
    struct client *c = slab_alloc(&n->client_slab, sizeof *c);
    *c = (struct client){
        .id = ev->client,
        .secure = ev->open.secure,
        .opened_wall_ms = n->wall_ms,
    };
    c->stats.last_op = "NA";
    list_init(&c->held);
    client_add_identity(c, slice_str("ip"), ev->open.address);
    if (!slice_is_null(ev->open.x509))
        client_add_certificate(n, c, ev->open.x509);
    void *same = map_put(&n->clients, c->id, c);
    invariant(same == NULL && c->id != 0);
    list_append(&n->clients_in_order, &c->order);
    n->client_count++;
}

static void client_free(struct node *n, struct client *c)
{
    throttler_discard(n, c);
    struct fifo_entry *e;
    while ((e = fifo_head(&c->fifo)) != NULL) {
        n->large_bytes -= e->large_bytes;
        n->inflight--;
        fifo_pop(&c->fifo);
    }
    fifo_deinit(&c->fifo);
    for (uint32_t i = 0; i < c->identity_count; i++)
        free((void *)(uintptr_t)c->identities[i].scheme.ptr);
    free(c->identities);
    slab_free(&n->client_slab, c, sizeof *c);
}

/* What it has sent before it went is carried out all the same, but for what the throttler holds;
 * only nobody waits for the answers. */
void on_client_closed(struct node *n, uint64_t id, struct effects *fx)
{
    struct client *c = client_find(n, id);
    if (c == NULL)
        return;
    if (c->held_count > 0)
        throttler_let_go(n, c, fx);
    client_forget(n, c);
}

void client_forget(struct node *n, struct client *c)
{
    map_remove(&n->clients, c->id);
    if (n->ensemble != NULL && map_get(&n->ensemble->revalidations, (uint64_t)c->session_id) == c)
        map_remove(&n->ensemble->revalidations, (uint64_t)c->session_id);
    if (c->session != NULL)
        c->session->owner = 0;
    watch_remove_watcher(n->watches, c->id);
    list_remove(&c->order);
    n->client_count--;
    client_free(n, c);
}

void client_close(struct client *c, const char *reason, struct effects *fx)
{
    if (c->state == CLIENT_CLOSING)
        return;
    c->state = CLIENT_CLOSING;
    fx_close(fx, c->id, reason);
}

/* ServerCnxn.incrOutstandingAndCheckThrottle: past the limit, whoever has requests on the way is
 * not read from until one of them is answered. That counts requests with a positive xid; a queue of
 * others, or of large ones, has a limit of its own. */
void client_throttle(struct node *n, struct client *c, struct effects *fx)
{
    bool too_many =
        n->inflight > n->options.outstanding_max || n->held_count > n->options.outstanding_max;
    bool pause = (too_many && c->outstanding > 0) ||
                 c->fifo.count + c->held_count > FIFO_COUNT_MAX ||
                 c->fifo.bytes.len + c->held_bytes > FIFO_BYTES_MAX;
    if (pause != c->paused && c->state == CLIENT_READY) {
        c->paused = pause;
        fx_read(fx, c->id, pause);
    }
}

void client_popped(struct node *n, struct client *c, const struct fifo_entry *e, struct effects *fx)
{
    n->large_bytes -= e->large_bytes;
    n->inflight--;
    if (e->xid > 0)
        c->outstanding--;
    fifo_pop(&c->fifo);
    client_throttle(n, c, fx);
}

static void answer_ready(struct node *n, struct client *c, const struct fifo_entry *e,
                         struct effects *fx)
{
    if (e->kind == FIFO_ERROR && e->err == ZK_SESSIONMOVED) {
        client_close(c, "session moved to another server", fx);
        return;
    }
    if (e->kind == FIFO_ERROR) {
        reply_header(n, c, e->xid, tree_last_zxid(n->tree), e->err, fx);
        /* A throttled write never got as far as a header of a txn: it counts among the reads. */
        bool write = !op_is_read(e->op) && e->err != ZK_THROTTLEDOP;
        reply_stats(n, c, "NA", e->xid, e->received_ns, write);
        return;
    }
    invariant(e->kind == FIFO_READ);
    if (e->op == ZK_OP_CLOSE_SESSION) {
        local_session_close(n, c, e->xid, fx);
        return;
    }
    struct identities who = {c->identities, e->identity_count};
    answer_read(n, c, e->op, e->xid, fifo_bytes(&c->fifo, e), who, fx);
    reply_stats(n, c, op_short_name(e->op), e->xid, e->received_ns, false);
}

void client_waited(struct node *n, struct client *c, struct effects *fx)
{
    if (--c->waiting > 0)
        return;
    struct fifo_entry *head = fifo_head(&c->fifo);
    invariant(head != NULL && head->kind == FIFO_WAIT);
    struct fifo_entry entry = *head;
    client_popped(n, c, &entry, fx);
    client_drain(n, c, fx);
}

/* Whether a connection without requests on the way could be kept is decided here alone; ZooKeeper
 * closes all of them, and so do we. */
void clients_let_go(struct node *n, const char *reason, struct effects *fx)
{
    for (struct list *at = n->clients_in_order.next; at != &n->clients_in_order; at = at->next) {
        struct client *c = list_entry(at, struct client, order);
        if (c->session != NULL)
            c->session->owner = 0;
        c->session = NULL;
        throttler_discard(n, c);
        client_close(c, reason, fx);
    }
}

void client_drain(struct node *n, struct client *c, struct effects *fx)
{
    size_t begun = fx->send_bytes.len, hinted = 0;
    struct fifo_entry *e;
    while (c->state == CLIENT_READY && (e = fifo_head(&c->fifo)) != NULL &&
           (e->kind == FIFO_READ || e->kind == FIFO_ERROR)) {
        struct fifo_entry entry = *e;
        if (hinted == 0)
            hinted = drain_look_ahead(n, &c->fifo);
        if (hinted > 0)
            hinted--;
        answer_ready(n, c, &entry, fx);
        client_popped(n, c, &entry, fx);
        if (fx->send_bytes.len - begun > DRAIN_BYTES_MAX)
            client_close(c, "answers to queued requests exceed 64 MiB", fx);
    }
}

void on_client_frame(struct node *n, const struct node_event *ev, struct effects *fx)
{
    struct client *c = client_find(n, ev->client);
    if (c == NULL || c->state == CLIENT_CLOSING || n->stopping)
        return;

    c->stats.received++;
    metric_inc(&n->metrics, METRIC_PACKETS_RECEIVED);
    metric_add(&n->metrics, METRIC_BYTES_RECEIVED_COUNT, ev->frame.len + 4);

    switch (c->state) {
    case CLIENT_NEW:
        on_connect(n, c, ev->frame, fx);
        break;
    case CLIENT_CONNECTING: {
        /* Reading was paused with the ConnectRequest; these were already in the driver's hands. */
        struct fifo_entry held = {.kind = FIFO_HELD, .received_ns = n->now_ns};
        fifo_push(&c->fifo, held, ev->frame);
        n->inflight++;
        break;
    }
    case CLIENT_READY:
        on_request(n, c, ev->frame, fx);
        break;
    case CLIENT_CLOSING:
        break;
    }
}
