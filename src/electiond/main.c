/* main.c: electiond. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "electiond/doors.h"
#include "tls/context.h"

enum {
    EXIT_USAGE = 2,
    GOODBYE_MS = 100,
};

struct program {
    struct options options;
    struct definition *definition;
    struct loop loop;
    struct tls_context *accept_tls, *dial_tls; /* of links */
    struct service *service;
    uv_signal_t signals[2];
    struct doors doors;
    uv_timer_t goodbye;
    bool ending;
    int code;
};

static void say(enum log_level level, const char *event, const char *text)
{
    struct log_line l;
    log_begin(&l, level, event);
    log_text(&l, "text", text);
    log_end(&l);
}

/* ---- what the loop calls ---- */

static void on_turn_end(void *arg)
{
    struct program *p = arg;
    service_turn(p->service);
}

/* A turn ends after it, which is all that is wanted. */
static void on_nothing(void *arg)
{
    (void)arg;
}

/* ---- what the service calls ---- */

static void on_ready(void *arg)
{
    struct program *p = arg;
    struct log_line l;
    log_begin(&l, LOG_INFO, "ready");
    log_text(&l, "name", p->options.name);
    log_text(&l, "rest", p->doors.rest_address);
    log_text(&l, "grpc", p->doors.grpc_address);
    log_text(&l, "peer", service_peer_address(p->service));
    log_end(&l);
}

/* Nothing that is still to be written would help: what was acknowledged is on disk. */
static void on_failed(void *arg, const char *why)
{
    (void)arg;
    say(LOG_ERROR, "failed", why);
    _exit(EXIT_FAILURE);
}

static void on_goodbye(uv_timer_t *timer)
{
    struct program *p = timer->data;
    uv_close((uv_handle_t *)timer, NULL);
    for (size_t i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&p->signals[i], NULL);
    loop_stop(&p->loop);
}

/* Answers that were given leave before the doors' connections do. */
static void on_closed(void *arg)
{
    struct program *p = arg;
    doors_close(&p->doors);
    uv_timer_init(&p->loop.uv, &p->goodbye);
    p->goodbye.data = p;
    uv_timer_start(&p->goodbye, on_goodbye, GOODBYE_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct program *p = handle->data;
    if (p->ending) {
        say(LOG_WARN, "ended", "at once, as it was asked twice");
        _exit(EXIT_FAILURE);
    }
    p->ending = true;
    say(LOG_INFO, "ending", number == SIGTERM ? "SIGTERM" : "SIGINT");
    service_close(p->service, on_closed, p);
}

/* ---- beginning ---- */

static void warn(const struct program *p)
{
    if (p->definition->demonstration)
        say(LOG_WARN, "demonstration",
            "no --key: who voted for whom can be told from the logs by everybody");
    if (p->options.auth == SERVICE_AUTH_NONE)
        say(LOG_WARN, "demonstration", "--auth none: whoever says he is a voter is believed");
    if (p->options.committee_open)
        say(LOG_WARN, "demonstration", "--committee open: everybody may start and stop");
    if (p->options.peer_identity == NULL)
        say(LOG_WARN, "plain_links", "no --peer-identity: whoever reaches --peer can be a server");
}

static int read_states(struct program *p, uint64_t *ret, struct err *err)
{
    const char *at = p->options.states;
    *ret = 0;
    if (strcmp(at, "all") == 0) {
        *ret = UINT64_MAX;
        return 0;
    }
    while (*at != 0) {
        size_t len = strcspn(at, ",");
        int state = definition_find_state(p->definition, slice_of(at, len));
        if (state < 0)
            return err_set(err, ERR_INVALID, "--states: no state '%.*s'",
                           (int)(len < 64 ? len : 64), at);
        *ret |= UINT64_C(1) << state;
        at += len + (at[len] == ',');
    }
    return 0;
}

static int open_link_tls(struct program *p, struct err *err)
{
    const struct options *o = &p->options;
    if (o->peer_identity == NULL)
        return 0;
    struct tls_server_options accept = {
        .key = {o->peer_identity, TLS_STORE_PEM, ""},
        .trust = {o->peer_ca, TLS_STORE_PEM, ""},
        .client_auth = TLS_CLIENT_AUTH_NEED,
        .protocols = "TLSv1.3",
        .ciphers = "",
    };
    struct tls_client_options dial = {
        .ca_file = o->peer_ca,
        .certificate_file = o->peer_identity,
        .any_host = true, /* it has to name the server, wherever that is */
    };
    int rc = tls_server_context(&accept, &p->accept_tls, err);
    return rc < 0 ? rc : tls_client_context(&dial, &p->dial_tls, err);
}

static int open_service(struct program *p, struct err *err)
{
    const struct options *o = &p->options;
    struct service_options s = {
        .loop = &p->loop,
        .definition = p->definition,
        .zookeeper = o->zookeeper,
        .zookeeper_auth = o->zookeeper_auth,
        .zookeeper_ca = o->zookeeper_ca,
        .zookeeper_identity = o->zookeeper_identity,
        .root = o->root,
        .data = o->data,
        .name = o->name,
        .auth = o->auth,
        .peer_host = o->peer.host,
        .peer_port = o->peer.port,
        .accept_tls = p->accept_tls,
        .dial_tls = p->dial_tls,
        .session_timeout_ms = o->session_timeout_ms,
        .commit_gap_ms = o->commit_gap_ms,
        .hand_back_ms = o->hand_back_ms == 0 ? -1 : o->hand_back_ms,
        .replace = o->replace,
        .ready = on_ready,
        .failed = on_failed,
        .arg = p,
    };
    int rc = read_states(p, &s.states, err);
    return rc < 0 ? rc : service_open(&s, &p->service, err);
}

static void listen_to_signals(struct program *p)
{
    static const int numbers[2] = {SIGTERM, SIGINT};
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < 2; i++) {
        uv_signal_init(&p->loop.uv, &p->signals[i]);
        p->signals[i].data = p;
        uv_signal_start(&p->signals[i], on_signal, numbers[i]);
    }
}

static int begin(struct program *p, struct err *err)
{
    int rc = open_link_tls(p, err);
    rc = rc < 0 ? rc : open_service(p, err);
    rc = rc < 0 ? rc : doors_open(&p->loop, p->service, &p->options, &p->doors, err);
    if (rc < 0)
        return rc;
    listen_to_signals(p);
    return service_begin(p->service, p->doors.rest_address, p->doors.grpc_address, err);
}

static int serve(struct program *p)
{
    struct err err = {""};
    loop_init(&p->loop);
    p->loop.on_turn_end = on_turn_end;
    p->loop.on_wake = p->loop.on_deadline = on_nothing;
    p->loop.arg = p;
    int rc = begin(p, &err);
    if (rc < 0) {
        say(LOG_ERROR, "failed", err.text);
        _exit(rc == ERR_INVALID || rc == ERR_NOTFOUND ? EXIT_USAGE : EXIT_FAILURE);
    }
    loop_run(&p->loop);
    service_free(p->service);
    loop_deinit(&p->loop);
    doors_free(&p->doors);
    tls_context_free(p->accept_tls);
    tls_context_free(p->dial_tls);
    say(LOG_INFO, "ended", "as asked");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct program p;
    struct err err;
    options_read(argc, argv, &p.options);
    log_set_level(p.options.log_level);
    switch (p.options.action) {
    case OPTIONS_HELP:
        fputs(options_help, stdout);
        return EXIT_SUCCESS;
    case OPTIONS_VERSION:
        printf("electiond %s\n", CAUCUS_VERSION);
        return EXIT_SUCCESS;
    case OPTIONS_WRONG:
        fprintf(stderr, "electiond: %s\nTry 'electiond --help'.\n", p.options.problem);
        return EXIT_USAGE;
    case OPTIONS_SERVE:
    case OPTIONS_CHECK:
        break;
    }
    if (definition_read(p.options.election, p.options.key, &p.definition, &err) < 0) {
        fprintf(stderr, "electiond: %s\n", err.text);
        return EXIT_USAGE;
    }
    int code = EXIT_SUCCESS;
    if (p.options.action == OPTIONS_CHECK) {
        printf("the definition is right: config=");
        for (size_t i = 0; i < SHA256_BYTES; i++)
            printf("%02x", p.definition->info.config.bytes[i]);
        printf("\n");
    } else {
        warn(&p);
        code = serve(&p);
    }
    definition_free(p.definition);
    return code;
}
