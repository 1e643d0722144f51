/* What a message and a call of src/grpc cost: a server that echoes, in a process of its own, and a
 * client with so many in flight.
 *
 *   bench_grpc [COUNT [IN_FLIGHT]]     1,000,000 messages of 100 bytes in one stream, a tenth as
 * many unary calls; 1,000 in flight
 *
 * Sketch: a message is a copy into a DATA frame, a copy out, and next to nothing for the
 * frame of 16 KiB it shares: less than 1 us at either end. A unary call is four frames and two
 * header blocks: some 5 us. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "grpc/grpc.h"

enum {
    MESSAGE_BYTES = 100
};

static const uint8_t message[MESSAGE_BYTES];
static struct loop loop;

static void nothing(void *arg)
{
    (void)arg;
}

static void loop_begin(void)
{
    loop_init(&loop);
    loop.on_turn_end = loop.on_wake = loop.on_deadline = nothing;
}

static double cpu_seconds(int who)
{
    struct rusage u;
    getrusage(who, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- The server ---- */

static void echo(void *arg, struct grpc_call *c, struct slice request)
{
    (void)arg;
    grpc_call_reply(c, request);
}

static void on_call(void *arg, struct grpc_call *c)
{
    (void)arg;
    (void)c;
}

static void on_message(struct grpc_call *c, struct slice bytes)
{
    grpc_call_send(c, bytes);
}

static void on_half_close(struct grpc_call *c)
{
    grpc_call_finish(c, GRPC_OK, NULL);
}

static void stop(void *arg)
{
    (void)arg;
    loop_stop(&loop);
}

static struct grpc_server *server;

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_close((uv_handle_t *)handle, NULL);
    grpc_server_close(server, 0, stop, NULL);
}

static void serve(int port_pipe)
{
    static const struct grpc_handlers handlers = {
        .on_message = on_message,
        .on_half_close = on_half_close,
    };
    const struct grpc_server_options o = {.address = "127.0.0.1", .streams_max = 100000};
    struct err err;
    uv_signal_t signal;
    loop_begin();
    if (grpc_server_open(&loop, &o, &server, &err) < 0)
        abort();
    grpc_server_add(server, &(struct grpc_method){.path = "/b.B/Unary", .unary = echo});
    grpc_server_add(server, &(struct grpc_method){
                                .path = "/b.B/Stream", .call = on_call, .handlers = &handlers});
    uv_signal_init(&loop.uv, &signal);
    uv_signal_start(&signal, on_signal, SIGTERM);
    int port = grpc_server_port(server);
    if (write(port_pipe, &port, sizeof port) != sizeof port)
        abort();
    loop_run(&loop);
    loop_deinit(&loop);
    exit(0);
}

/* ---- The client ---- */

static struct grpc_channel *channel;
static long wanted, sent, received;

static void on_channel_end(void *arg, struct grpc_channel *ch, const char *reason)
{
    (void)arg;
    (void)ch;
    fprintf(stderr, "bench_grpc: %s\n", reason);
    exit(1);
}

static void send_one(struct grpc_call *c)
{
    if (sent++ < wanted)
        grpc_call_send(c, slice_of(message, sizeof message));
    else
        grpc_call_half_close(c);
}

static void on_reply(struct grpc_call *c, struct slice bytes)
{
    (void)bytes;
    received++;
    send_one(c);
}

static void on_end(struct grpc_call *c, const struct grpc_status *status)
{
    (void)c;
    if (status->code != GRPC_OK)
        exit(1);
    loop_stop(&loop);
}

static void run_stream(long in_flight)
{
    static const struct grpc_handlers handlers = {.on_message = on_reply, .on_end = on_end};
    struct grpc_call *c = grpc_call_start(
        channel, &(struct grpc_request){.path = "/b.B/Stream", .handlers = &handlers});
    for (long i = 0; i < in_flight; i++)
        send_one(c);
    loop_run(&loop);
}

static void call_one(void);

static void on_unary(void *arg, const struct grpc_status *status, struct slice reply)
{
    (void)arg;
    (void)reply;
    if (status->code != GRPC_OK)
        exit(1);
    if (++received == wanted)
        loop_stop(&loop);
    else
        call_one();
}

static void call_one(void)
{
    if (sent++ < wanted)
        grpc_unary(channel, "/b.B/Unary", slice_of(message, sizeof message), 10000, on_unary, NULL);
}

static void run_unary(long in_flight)
{
    for (long i = 0; i < in_flight; i++)
        call_one();
    loop_run(&loop);
}

static double server_cpu(pid_t pid)
{
    char path[64], line[1024];
    unsigned long user = 0, system = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (f == NULL || fgets(line, sizeof line, f) == NULL)
        abort();
    fclose(f);
    if (sscanf(strrchr(line, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
               &system) != 2)
        abort();
    return (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
}

static void measure(const char *name, void (*run)(long), long count, long in_flight, pid_t pid)
{
    wanted = count;
    sent = received = 0;
    double ours = cpu_seconds(RUSAGE_SELF), theirs = server_cpu(pid);
    int64_t began = loop_clock_ns();
    run(in_flight);
    double seconds = (double)(loop_clock_ns() - began) / 1e9;
    ours = cpu_seconds(RUSAGE_SELF) - ours;
    theirs = server_cpu(pid) - theirs;
    printf("%-8s %9.0f/s   server %5.2f us   client %5.2f us\n", name, (double)count / seconds,
           theirs * 1e6 / (double)count, ours * 1e6 / (double)count);
}

int main(int argc, char **argv)
{
    long count = argc > 1 ? atol(argv[1]) : 1000000;
    long in_flight = argc > 2 ? atol(argv[2]) : 1000;
    int port, ends[2];
    if (pipe(ends) != 0)
        abort();
    pid_t pid = fork();
    if (pid == 0)
        serve(ends[1]);
    if (read(ends[0], &port, sizeof port) != sizeof port)
        abort();
    loop_begin();
    const struct connect_target target = {"127.0.0.1", port};
    channel = grpc_channel_open(&loop, &(struct grpc_channel_options){
                                           .targets = &target,
                                           .target_count = 1,
                                           .on_end = on_channel_end,
                                       });
    measure("stream", run_stream, count, in_flight, pid);
    measure("unary", run_unary, count / 10, in_flight, pid);
    grpc_channel_close(channel);
    uv_run(&loop.uv, UV_RUN_NOWAIT);
    loop_deinit(&loop);
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
    return 0;
}
