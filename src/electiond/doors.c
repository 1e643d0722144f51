#include "electiond/doors.h"

#include <stdio.h>
#include <string.h>

#include "election_grpc/election_grpc.h"
#include "election_rest/election_rest.h"
#include "tls/context.h"

enum {
    GRPC_DRAIN_MS = 50, /* the service has answered all votes that it took */
};

static void put_address(const char *host, int port, char ret[ADDRESS_BYTES_MAX + 8])
{
    bool is_v6 = strchr(host, ':') != NULL;
    snprintf(ret, ADDRESS_BYTES_MAX + 8, is_v6 ? "[%s]:%d" : "%s:%d", host, port);
}

static int open_rest(struct loop *loop, struct service *service, const struct options *o,
                     struct doors *ret, struct err *err)
{
    struct election_rest_options rest = {
        .address = o->rest.host,
        .port = o->rest.port,
        .certificate_file = o->certificate,
        .key_file = o->certificate_key,
        .client_ca_file = o->client_ca,
        .committee_open = o->committee_open,
        .console = o->console,
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
                     struct doors *ret, struct err *err)
{
    int rc = open_grpc_tls(o, ret, err);
    struct election_grpc_options grpc = {
        .address = o->grpc.host,
        .port = o->grpc.port,
        .tls = ret->grpc_tls,
        .committee_open = o->committee_open,
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
    int rc = o->rest.host[0] != 0 ? open_rest(loop, service, o, ret, err) : 0;
    if (rc == 0 && o->grpc.host[0] != 0)
        rc = open_grpc(loop, service, o, ret, err);
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
