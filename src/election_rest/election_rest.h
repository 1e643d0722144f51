/* election_rest.h: the door for HTTP: votes, results, the committee's commands, the page.
 *
 *   POST /states/{state}/voters/{voter}/vote   a vote: the original's path and body
 *   GET  /v1/states/{state}/voters/{voter}     one voter's own record
 *   GET  /v1/ballot?state=                     who can be chosen
 *   GET  /v1/states/{state}/status             counts of a state; ?linearizable=1
 *   GET  /v1/results                           counts of the nation, linearizable; ?since=TOKEN
 *   GET  /v1/results/stream                    counts as they change: server-sent events
 *   GET  /v1/election                          the definition, and the phase
 *   POST /v1/election/start, /stop             the committee
 *   POST /v1/recount[?state=], GET /v1/audit/{state}  the committee
 *   GET, PUT /v1/roll/{state}                 the committee: who may vote
 *   GET  /v1/log/{state}/checkpoint, /proof/inclusion, /proof/consistency, /tile/...
 *   GET  /v1/export/openelections.csv, /nist-1500-100.json, /manifest.csv
 *   GET  /v1/cluster, /metrics, /healthz, /readyz
 *   GET  /                                     the page, and its files
 *
 * docs/api/election.openapi.yaml is the contract to the last member. What is here translates and
 * decides nothing, with two exceptions, which are about who asks: results are shown to everybody
 * only if the election is live or over, and commands are taken only from the committee.
 *
 * Everything runs on the loop it was started with, in its thread, by libmicrohttpd without a thread
 * of its own. No line of a log is written here, so none can name a voter or a choice.
 *
 * Bounds: connections_max connections, 24 KiB for each; heads of 8 KiB (431); bodies of 4 KiB
 * (413); streams_max streams (503), each of which owes its client at most one burst: who reads
 * slowly misses states in between, not the last. A head or a body that takes longer than
 * head_timeout_ms, and a client that neither sends nor takes anything for idle_timeout_ms, is cut
 * off. */
#ifndef CAUCUS_ELECTION_REST_ELECTION_REST_H
#define CAUCUS_ELECTION_REST_ELECTION_REST_H

#include "base/err.h"
#include "election/service.h"
#include "io/loop.h"

enum {
    ELECTION_REST_BODY_BYTES_MAX = 4096,
    ELECTION_REST_DOCUMENT_BYTES_MAX = 20480, /* of a loss, which has 16 KiB, as JSON */
    ELECTION_REST_HEAD_BYTES_MAX = 8192,
};

struct election_rest_options {
    const char *address; /* NULL: all of this machine */
    int port;            /* 0: any free one, election_rest_port says which */

    /* PEM files; both NULL: plain text. */
    const char *certificate_file, *key_file;
    /* Who is trusted to sign clients' certificates; NULL: clients have none. One whose subject has
     * the organizational unit "committee" is the committee's. */
    const char *client_ca_file;
    /* Commands and hidden counts for everybody: demonstrations only. */
    bool committee_open;
    const char *console; /* the page links to it: the coordination service's console; NULL = none */

    uint32_t connections_max; /* 0 = 4,096 */
    uint32_t streams_max;     /* 0 = half of the connections */
    int64_t idle_timeout_ms;  /* 0 = 30,000 */
    int64_t head_timeout_ms;  /* 0 = 10,000 */
};

struct election_rest;

/* Listens and answers from now on. The options are used up before it returns. ERR_INVALID (an
 * address, a certificate), ERR_IO (a port that is taken). */
int election_rest_start(struct loop *loop, struct service *service,
                        const struct election_rest_options *options, struct election_rest **ret,
                        struct err *err);
int election_rest_port(const struct election_rest *r);

/* Stops listening and ends every connection; calls of the service that are under way are no
 * longer answered to anybody. Its memory goes when the loop has closed its handles and the service
 * has called back for all of these, so the loop has to run on until then, and the service has to
 * live. NULL is fine. */
void election_rest_stop(struct election_rest *r);

#endif
