/* The door for HTTP with a service in memory, told what to do by lines on stdin
 * (scripted_service.h), each of which is answered by "ok" or "no" on stdout. Prints "port N" first,
 * with --grpc or --grpc-tls also "grpc N", the door for gRPC; ends with stdin. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "election_grpc/election_grpc.h"
#include "election_rest/election_rest.h"
#include "scripted_service.h"

struct program {
    struct loop loop;
    struct service *service;
    struct election_rest *rest;
    struct election_grpc *grpc;
    uv_poll_t input;
    uv_check_t turn; /* while a line waits for what it says */
    char line[256];
    size_t len;
};

static void obey_again(uv_check_t *turn);

/* The other end waits for the answer before it says more. */
static void obey(struct program *p)
{
    enum scripted_answer answer = scripted_obey(p->service, p->line);
    if (answer == SCRIPTED_NOT_YET) {
        uv_check_start(&p->turn, obey_again);
        return;
    }
    uv_check_stop(&p->turn);
    puts(answer == SCRIPTED_OK ? "ok" : "no");
    fflush(stdout);
}

static void obey_again(uv_check_t *turn)
{
    obey(turn->data);
}

static void on_input(uv_poll_t *poll, int status, int events)
{
    struct program *p = poll->data;
    char bytes[4096];
    (void)status, (void)events;
    ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n') {
            p->line[p->len] = '\0';
            p->len = 0;
            obey(p);
        } else if (p->len + 1 < sizeof p->line)
            p->line[p->len++] = bytes[i];
    }
    if (got > 0 || (got < 0 && errno == EAGAIN))
        return;
    uv_poll_stop(poll);
    loop_stop(&p->loop);
}

static void stop(void *arg)
{
    struct program *p = arg;
    loop_stop(&p->loop);
}

static void nothing(void *arg)
{
    (void)arg;
}

/* The folder has server.pem and ca.pem. */
static struct tls_context *grpc_tls(const char *folder)
{
    char server[300], ca[300];
    struct tls_context *tls = NULL;
    struct err err;
    snprintf(server, sizeof server, "%s/server.pem", folder);
    snprintf(ca, sizeof ca, "%s/ca.pem", folder);
    const struct tls_server_options o = {
        .key = {server, TLS_STORE_PEM, ""},
        .trust = {ca, TLS_STORE_PEM, ""},
        .client_auth = TLS_CLIENT_AUTH_WANT,
        .protocols = "TLSv1.2,TLSv1.3",
        .ciphers = "",
        .alpn = "h2",
    };
    if (tls_server_context(&o, &tls, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return tls;
}

static void usage(void)
{
    fprintf(stderr,
            "rest_scripted [--port N] [--states FILE] [--hidden] [--auth] [--strict] [--cert FILE "
            "--key FILE "
            "[--client-ca FILE]] [--grpc] [--grpc-tls FOLDER] [--connections N] [--streams N] "
            "[--idle-ms N] [--head-ms N] [--console URL]\n");
    exit(2);
}

int main(int argc, char **argv)
{
    static const struct option names[] = {
        {"port", required_argument, NULL, 'p'},
        {"states", required_argument, NULL, 's'},
        {"hidden", no_argument, NULL, 'h'},
        {"auth", no_argument, NULL, 'a'},
        {"strict", no_argument, NULL, 'x'},
        {"cert", required_argument, NULL, 'c'},
        {"key", required_argument, NULL, 'k'},
        {"client-ca", required_argument, NULL, 'r'},
        {"grpc", no_argument, NULL, 'g'},
        {"grpc-tls", required_argument, NULL, 't'},
        {"connections", required_argument, NULL, 'n'},
        {"streams", required_argument, NULL, 'm'},
        {"idle-ms", required_argument, NULL, 'i'},
        {"head-ms", required_argument, NULL, 'd'},
        {"console", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    struct scripted_options scripted = {.live = true};
    struct election_rest_options o = {.address = "127.0.0.1", .committee_open = true};
    struct election_grpc_options grpc = {.address = "127.0.0.1"};
    bool with_grpc = false;
    int option;
    while ((option = getopt_long(argc, argv, "", names, NULL)) >= 0) {
        switch (option) {
        case 'p':
            o.port = atoi(optarg);
            break;
        case 's':
            scripted.states_csv = optarg;
            break;
        case 'h':
            scripted.live = false;
            break;
        case 'a':
            scripted.auth = true;
            break;
        case 'x':
            o.committee_open = false;
            break;
        case 'c':
            o.certificate_file = optarg;
            break;
        case 'k':
            o.key_file = optarg;
            break;
        case 'r':
            o.client_ca_file = optarg;
            break;
        case 't':
            grpc.tls = grpc_tls(optarg);
            with_grpc = true;
            break;
        case 'g':
            with_grpc = true;
            break;
        case 'n':
            o.connections_max = (uint32_t)atoi(optarg);
            break;
        case 'm':
            o.streams_max = (uint32_t)atoi(optarg);
            break;
        case 'i':
            o.idle_timeout_ms = atoi(optarg);
            break;
        case 'o':
            o.console = optarg;
            break;
        case 'd':
            o.head_timeout_ms = atoi(optarg);
            break;
        default:
            usage();
        }
    }

    static struct program p;
    struct err err;
    loop_init(&p.loop);
    p.loop.on_turn_end = p.loop.on_wake = p.loop.on_deadline = nothing;
    p.service = scripted_create(&p.loop, &scripted);
    if (election_rest_start(&p.loop, p.service, &o, &p.rest, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    grpc.committee_open = o.committee_open;
    if (with_grpc && election_grpc_start(&p.loop, p.service, &grpc, &p.grpc, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    printf("port %d\n", election_rest_port(p.rest));
    if (with_grpc)
        printf("grpc %d\n", election_grpc_port(p.grpc));
    fflush(stdout);
    p.input.data = p.turn.data = &p;
    uv_check_init(&p.loop.uv, &p.turn);
    uv_poll_init(&p.loop.uv, &p.input, STDIN_FILENO);
    uv_poll_start(&p.input, UV_READABLE, on_input);
    loop_run(&p.loop);

    election_rest_stop(p.rest);
    if (with_grpc) {
        election_grpc_stop(p.grpc, 0, stop, &p);
        loop_run(&p.loop);
    }
    scripted_free(p.service); /* answers what is under way, and turns the loop */
    uv_close((uv_handle_t *)&p.input, NULL);
    uv_close((uv_handle_t *)&p.turn, NULL);
    loop_deinit(&p.loop);
    tls_context_free((struct tls_context *)grpc.tls);
    return 0;
}
