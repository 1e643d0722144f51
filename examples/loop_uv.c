/* loop_uv.c: the client in a libuv loop, without any thread of its own.
 *
 *   cc loop_uv.c $(pkg-config --cflags --libs caucus libuv) && ./a.out 127.0.0.1:2181
 *
 * One descriptor and one deadline: before each sleep of the loop the client says how long it may
 * be. */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include <caucus/caucus.h>

static struct caucus *client;
static uv_poll_t readable;
static uv_timer_t deadline;
static uv_prepare_t before_sleep;

static void stop(void)
{
    uv_close((uv_handle_t *)&readable, NULL);
    uv_close((uv_handle_t *)&deadline, NULL);
    uv_close((uv_handle_t *)&before_sleep, NULL);
}

static void run(void)
{
    if (!caucus_loop_run(client))
        stop(); /* it was closed in a callback */
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
    run();
}

static void on_deadline(uv_timer_t *timer)
{
    (void)timer;
    run();
}

static void on_before_sleep(uv_prepare_t *prepare)
{
    (void)prepare;
    struct caucus_wants wants;
    caucus_loop_wants(client, &wants);
    if (wants.timeout_ms >= 0)
        uv_timer_start(&deadline, on_deadline, (uint64_t)wants.timeout_ms, 0);
    else
        uv_timer_stop(&deadline);
}

static void on_children(void *context, const struct caucus_result *result)
{
    (void)context;
    if (result->rc != CAUCUS_OK)
        printf("%s\n", caucus_error_text(result->rc));
    for (size_t i = 0; i < result->name_count; i++)
        printf("/%s\n", result->names[i]);
    caucus_close(client);
}

int main(int argc, char **argv)
{
    const char *hosts = argc > 1 ? argv[1] : "127.0.0.1:2181";
    int rc = caucus_open_loop(hosts, NULL, &client);
    if (rc != CAUCUS_OK) {
        fprintf(stderr, "%s: %s\n", hosts, caucus_error_text(rc));
        return 1;
    }
    uv_loop_t *loop = uv_default_loop();
    struct caucus_wants wants;
    caucus_loop_wants(client, &wants);
    uv_poll_init(loop, &readable, wants.fd);
    uv_timer_init(loop, &deadline);
    uv_prepare_init(loop, &before_sleep);
    uv_poll_start(&readable, UV_READABLE, on_readable);
    uv_prepare_start(&before_sleep, on_before_sleep);

    caucus_get_children(client, "/", NULL, NULL, on_children, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    return uv_loop_close(loop);
}
