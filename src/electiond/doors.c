#include "electiond/doors.h"

#include <stdio.h>
#include <string.h>

#include "election_rest/election_rest.h"

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
    };
    int rc = election_rest_start(loop, service, &rest, &ret->rest, err);
    if (rc < 0)
        return err_wrap(err, rc, "the door for HTTP");
    put_address(o->rest.host, election_rest_port(ret->rest), ret->rest_address);
    return 0;
}

int doors_open(struct loop *loop, struct service *service, const struct options *o,
               struct doors *ret, struct err *err)
{
    return o->rest.host[0] != 0 ? open_rest(loop, service, o, ret, err) : 0;
}

void doors_close(struct doors *d)
{
    election_rest_stop(d->rest);
    d->rest = NULL;
}
