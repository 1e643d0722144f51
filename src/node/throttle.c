/* throttle.c: how many requests are in process at a time (RequestThrottler, Request.isStale): what
 * comes beyond that waits in one queue for all, in the order in which it came.
 *
 * A request is let out of the queue when there is room, looked at again at the end of every step,
 * so that whatever ends a request makes way for the next one. Room always comes: what is in process
 * waits for the disk or for its connection to be closed, never for a request in this queue. While
 * anything waits, everything new of established sessions goes behind it. Not so auth packets, which
 * in ZooKeeper do not pass the throttler either, and not the making of sessions, which there does:
 * a ConnectRequest is answered ahead of the queue, takes room as any other request, and is counted
 * by the limits on connections.
 *
 * Memory: each waiting request is one block, freed with its connection at the latest. Connections
 * that have much waiting are not read from (client_throttle). */
#include <stdlib.h>

#include "base/mem.h"
#include "node/effects_internal.h"
#include "node/node_internal.h"

static const int64_t NS_PER_MS = 1000000;

enum {
    /* Taken in one step; a queue of large reads is answered in many. */
    EFFECTS_BYTES_MAX = 256 * 1024
};

struct held_request {
    struct list order;     /* node.held */
    struct list of_client; /* client.held */
    struct client *client;
    struct request request; /* its record is `bytes` */
    uint8_t bytes[];
};

/* The analyzer does not see that what was freed left its lists before.
 * NOLINTBEGIN(clang-analyzer-unix.Malloc) */
static int64_t waited_ms(const struct node *n, const struct held_request *h)
{
    return (n->now_ns - h->request.received_ns) / NS_PER_MS;
}

/* A session may always be closed, whoever waits for the answer. */
static bool is_stale(const struct node *n, const struct held_request *h)
{
    if (h->request.op == ZK_OP_CLOSE_SESSION)
        return false;
    if (n->options.stale_connection_check && h->client->state == CLIENT_CLOSING)
        return true;
    return n->options.stale_latency_check && waited_ms(n, h) > h->client->timeout_ms;
}

static bool waited_too_long(const struct node *n, const struct held_request *h)
{
    int32_t op = h->request.op;
    return n->options.throttled_op_wait_ms > 0 && op != ZK_OP_PING && op != ZK_OP_CLOSE_SESSION &&
           waited_ms(n, h) > n->options.throttled_op_wait_ms;
}

static void hold(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    struct held_request *h = mem_alloc(sizeof *h + r->record.len);
    h->client = c;
    h->request = *r;
    if (r->record.len > 0)
        memcpy(h->bytes, r->record.ptr, r->record.len);
    h->request.record = slice_of(h->bytes, r->record.len);

    list_append(&n->held, &h->order);
    list_append(&c->held, &h->of_client);
    n->held_count++;
    n->large_bytes += r->large_bytes;
    c->held_count++;
    c->held_bytes += r->record.len;
    if (r->xid > 0)
        c->outstanding++;
    client_throttle(n, c, fx);
}

static void unlink_held(struct node *n, struct held_request *h)
{
    struct client *c = h->client;
    if (n->held.next == &h->order)
        n->held_head_waits = false;
    list_remove(&h->order);
    list_remove(&h->of_client);
    n->held_count--;
    n->large_bytes -= h->request.large_bytes;
    c->held_count--;
    c->held_bytes -= h->request.record.len;
    if (h->request.xid > 0)
        c->outstanding--;
}

void throttler_discard(struct node *n, struct client *c)
{
    while (!list_is_empty(&c->held)) {
        struct held_request *h = list_entry(c->held.next, struct held_request, of_client);
        unlink_held(n, h);
        free(h);
    }
}

/* What comes behind a request that was not done may not be done either: the connection is over, and
 * only the first request counts as dropped. */
static void drop(struct node *n, struct client *c, struct effects *fx)
{
    metric_inc(&n->metrics, METRIC_STALE_REQUESTS_DROPPED);
    client_close(c, "a request waited longer than the session's timeout", fx);
    throttler_discard(n, c);
}

static void take(struct node *n, struct held_request *h, struct effects *fx)
{
    struct client *c = h->client;
    unlink_held(n, h);
    if (is_stale(n, h))
        metric_inc(&n->metrics, METRIC_STALE_REQUESTS);
    metric_add_sample(&n->metrics, METRIC_REQUEST_THROTTLE_QUEUE_TIME_MS,
                      (uint64_t)waited_ms(n, h));

    bool heard = c->state == CLIENT_READY;
    if (waited_too_long(n, h)) {
        metric_inc(&n->metrics, METRIC_THROTTLED_OPS);
        if (heard)
            request_throttled(n, c, &h->request, fx);
    } else if (heard || op_is_write(h->request.op)) {
        request_process(n, c, &h->request, fx);
    }
    free(h);
    client_throttle(n, c, fx);
}

/* ZooKeeper's throttler sleeps for stallTime, or until an answer wakes it, and looks again: at
 * whether the request has become stale, that is. */
static void wait_for_room(struct node *n)
{
    if (n->held_head_waits && n->now_ns < n->held_check_ns)
        return;
    int64_t stall_ms = n->options.throttle_stall_ms;
    n->held_head_waits = true;
    n->held_check_ns = stall_ms > 0 ? n->now_ns + stall_ms * NS_PER_MS : INT64_MAX;
    metric_inc(&n->metrics, METRIC_REQUEST_THROTTLE_WAIT_COUNT);
}

bool throttler_holds(struct node *n, struct client *c, const struct request *r, struct effects *fx)
{
    if (list_is_empty(&n->held) && n->inflight < n->options.throttle_requests_max) {
        metric_add_sample(&n->metrics, METRIC_REQUEST_THROTTLE_QUEUE_TIME_MS, 0);
        return false;
    }
    hold(n, c, r, fx);
    return true;
}

void throttler_run(struct node *n, struct effects *fx)
{
    while (!list_is_empty(&n->held) && !n->stopping) {
        struct held_request *h = list_entry(n->held.next, struct held_request, order);
        if (n->options.throttle_drop_stale && is_stale(n, h)) {
            drop(n, h->client, fx);
            continue;
        }
        if (n->inflight >= n->options.throttle_requests_max) {
            wait_for_room(n);
            return;
        }
        take(n, h, fx);
        if (effects_send_size(fx) >= EFFECTS_BYTES_MAX ||
            fx->persist_bytes.len >= EFFECTS_BYTES_MAX)
            return;
    }
}

/* Without dropping, what it wrote is carried out, at once and beyond the limit: ZooKeeper would
 * keep it in the queue, and the session's next connection could see the state without it. */
void throttler_let_go(struct node *n, struct client *c, struct effects *fx)
{
    c->state = CLIENT_CLOSING;
    while (!list_is_empty(&c->held) && !n->stopping) {
        struct held_request *h = list_entry(c->held.next, struct held_request, of_client);
        if (n->options.throttle_drop_stale && is_stale(n, h))
            drop(n, c, fx);
        else
            take(n, h, fx);
    }
}

int64_t throttler_deadline_ns(const struct node *n)
{
    if (list_is_empty(&n->held) || n->stopping)
        return INT64_MAX;
    return n->held_head_waits ? n->held_check_ns : n->now_ns;
}
/* NOLINTEND(clang-analyzer-unix.Malloc) */
