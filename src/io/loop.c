#include "io/loop.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/conn.h"

int64_t loop_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void read_clocks(struct loop *l)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    l->wall_ms = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
    l->now_ns = loop_clock_ns();
    l->now_valid = true;
}

int64_t loop_now_ns(struct loop *l)
{
    if (!l->now_valid)
        read_clocks(l);
    return l->now_ns;
}

int64_t loop_wall_ms(struct loop *l)
{
    if (!l->now_valid)
        read_clocks(l);
    return l->wall_ms;
}

static void on_spin(uv_idle_t *handle)
{
    (void)handle; /* its being active is what keeps the loop from sleeping */
}

static void on_prepare(uv_prepare_t *handle)
{
    struct loop *l = handle->data;
    bool spin = l->again || !list_is_empty(&l->ready);
    l->again = false;
    if (spin != l->spinning) {
        l->spinning = spin;
        if (spin)
            uv_idle_start(&l->spin, on_spin);
        else
            uv_idle_stop(&l->spin);
    }
    l->now_valid = false;
}

/* Those that are ready now; whoever becomes ready meanwhile has its turn in the next one. */
static void serve_ready(struct loop *l)
{
    struct list now;
    list_init(&now);
    while (!list_is_empty(&l->ready)) {
        struct list *first = l->ready.next;
        list_remove(first);
        list_append(&now, first);
    }
    while (!list_is_empty(&now)) {
        struct list *first = now.next;
        list_remove(first);
        conn_serve_input(list_entry(first, struct conn, ready));
    }
}

static void on_check(uv_check_t *handle)
{
    struct loop *l = handle->data;
    serve_ready(l);
    l->on_turn_end(l->arg);
    l->now_valid = false;
}

static void on_async(uv_async_t *handle)
{
    struct loop *l = handle->data;
    l->on_wake(l->arg);
}

static void on_timer(uv_timer_t *handle)
{
    struct loop *l = handle->data;
    l->deadline_ns = INT64_MAX;
    l->on_deadline(l->arg);
    /* Timers come before the poll, which may sleep: their work is a turn of its own. */
    l->on_turn_end(l->arg);
}

void loop_init(struct loop *l)
{
    *l = (struct loop){.deadline_ns = INT64_MAX};
    list_init(&l->ready);
    list_init(&l->conns);
    slab_init(&l->conn_slab);
    l->read_buffer = mem_alloc(LOOP_LINK_READ_BYTES);
    int rc = uv_loop_init(&l->uv);
    invariant(rc == 0);
    uv_prepare_init(&l->uv, &l->prepare);
    uv_check_init(&l->uv, &l->check);
    uv_idle_init(&l->uv, &l->spin);
    uv_timer_init(&l->uv, &l->deadline);
    rc = uv_async_init(&l->uv, &l->wake, on_async);
    invariant(rc == 0);
    l->prepare.data = l->check.data = l->spin.data = l->wake.data = l->deadline.data = l;
}

void loop_run(struct loop *l)
{
    uv_prepare_start(&l->prepare, on_prepare);
    uv_check_start(&l->check, on_check);
    uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
    uv_stop(&l->uv);
}

void loop_deinit(struct loop *l)
{
    while (!list_is_empty(&l->conns))
        conn_destroy(list_entry(l->conns.next, struct conn, all));
    uv_prepare_stop(&l->prepare);
    uv_check_stop(&l->check);
    uv_idle_stop(&l->spin);
    uv_timer_stop(&l->deadline);
    uv_close((uv_handle_t *)&l->prepare, NULL);
    uv_close((uv_handle_t *)&l->check, NULL);
    uv_close((uv_handle_t *)&l->spin, NULL);
    uv_close((uv_handle_t *)&l->wake, NULL);
    uv_close((uv_handle_t *)&l->deadline, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);
    int rc = uv_loop_close(&l->uv);
    invariant(rc == 0);
    slab_deinit(&l->conn_slab);
    free(l->read_buffer);
}

void loop_again(struct loop *l)
{
    l->again = true;
}

void loop_wake(struct loop *l)
{
    uv_async_send(&l->wake);
}

void loop_set_deadline(struct loop *l, int64_t deadline_ns)
{
    if (deadline_ns >= l->deadline_ns)
        return; /* the armed timer comes early, and whoever it wakes asks again */
    int64_t left_ns = deadline_ns - loop_now_ns(l);
    uint64_t left_ms = left_ns > 0 ? (uint64_t)(left_ns + 999999) / 1000000 : 0;
    l->deadline_ns = deadline_ns;
    uv_update_time(&l->uv);
    uv_timer_start(&l->deadline, on_timer, left_ms, 0);
}
