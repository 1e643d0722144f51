#include "electiond/doors.h"

#include <stdio.h>
#include <string.h>

#include "election_grpc/election_grpc.h"
#include "election_rest/election_rest.h"
#include "io/log.h"
#include "io/open_files.h"
#include "tls/context.h"

enum {
    GRPC_DRAIN_MS = 50, /* the service has answered all votes that it took */
    REST_CONNECTIONS_MAX = 4096,
    GRPC_CONNECTIONS_MAX = 10000,
    /* Logs and notes of 51 states, links, the coordination service: they must not be lost to
     * clients. */
    OWN_FILES = 512,
};

/* ---- Descriptors ---- */

struct shares {
    uint32_t rest, grpc;
};

static void tell_few(uint64_t files, struct shares s)
{
    struct log_line l;
    log_begin(&l, LOG_WARN, "few_descriptors");
    log_int(&l, "limit", (int64_t)files);
    log_int(&l, "rest_connections", s.rest);
    log_int(&l, "grpc_connections", s.grpc);
    log_end(&l);
}

/* If there are too few for as many connections as the doors would take, both take fewer: a server
 * that can open no file and reach nobody any more is no server. */
static struct shares share_descriptors(const struct options *o)
{
    struct shares s = {
        o->rest.host[0] != 0 ? REST_CONNECTIONS_MAX : 0,
        o->grpc.host[0] != 0 ? GRPC_CONNECTIONS_MAX : 0,
    };
    uint64_t wanted = s.rest + s.grpc, files = open_files_raise_max();
    if (wanted == 0 || files >= wanted + OWN_FILES)
        return s;
    uint64_t left = files > 2 * OWN_FILES ? files - OWN_FILES : files / 2;
    s.rest = (uint32_t)(s.rest * left / wanted);
    s.grpc = (uint32_t)(s.grpc * left / wanted);
    tell_few(files, s);
    return s;
}

/* ---- Opening ---- */

static void put_address(const char *host, int port, char ret[ADDRESS_BYTES_MAX + 8])
{
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(ret, ADDRESS_BYTES_MAX + 8, is_v6 ? "[%s]:%d" : "%s:%d", host, port);
}

static int open_rest(struct loop *loop, struct service *service, const struct options *o,
                     uint32_t connections_max, struct doors *ret, struct err *err)
{
    struct election_rest_options rest = {
        .address = o->rest.host,
        .port = o->rest.port,
        .certificate_file = o->certificate,
        .key_file = o->certificate_key,
        .client_ca_file = o->client_ca,
        .committee_open = o->committee_open,
        .console = o->console,
        .connections_max = connections_max,
    };
    int rc = election_rest_start(loop, service, &rest, &ret->rest, err);
    if (rc < 0)
        return err_wrap(err, rc, "the door for HTTP");
    put_address(o->rest.host, election_rest_port(ret->rest), ret->rest_address);
    return 0;
}

static int open_grpc_tls(const struct options *o, struct doors *ret, struct err *err)
{
    struct tls_server_options tls = {
        .key = {o->certificate, TLS_STORE_PEM, ""},
        .key_file = o->certificate_key,
        .trust = {o->client_ca, TLS_STORE_PEM, ""},
        .client_auth = o->client_ca != NULL ? TLS_CLIENT_AUTH_WANT : TLS_CLIENT_AUTH_NONE,
        .protocols = "TLSv1.2,TLSv1.3",
        .ciphers = "",
        .alpn = "h2",
    };
    return o->certificate != NULL ? tls_server_context(&tls, &ret->grpc_tls, err) : 0;
}

static int open_grpc(struct loop *loop, struct service *service, const struct options *o,
                     uint32_t connections_max, struct doors *ret, struct err *err)
{
    int rc = open_grpc_tls(o, ret, err);
    struct election_grpc_options grpc = {
        .address = o->grpc.host,
        .port = o->grpc.port,
        .tls = ret->grpc_tls,
        .committee_open = o->committee_open,
        .connections_max = connections_max,
    };
    if (rc == 0)
        rc = election_grpc_start(loop, service, &grpc, &ret->grpc, err);
    if (rc < 0)
        return err_wrap(err, rc, "the door for gRPC");
    put_address(o->grpc.host, election_grpc_port(ret->grpc), ret->grpc_address);
    return 0;
}

int doors_open(struct loop *loop, struct service *service, const struct options *o,
               struct doors *ret, struct err *err)
{
    struct shares s = share_descriptors(o);
    int rc = s.rest > 0 ? open_rest(loop, service, o, s.rest, ret, err) : 0;
    if (rc == 0 && s.grpc > 0)
        rc = open_grpc(loop, service, o, s.grpc, ret, err);
    return rc;
}

void doors_close(struct doors *d)
{
    election_rest_stop(d->rest);
    if (d->grpc != NULL)
        election_grpc_stop(d->grpc, GRPC_DRAIN_MS, NULL, NULL);
    d->rest = NULL;
    d->grpc = NULL;
}

void doors_free(struct doors *d)
{
    tls_context_free(d->grpc_tls);
    d->grpc_tls = NULL;
}
