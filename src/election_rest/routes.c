/* routes.c: what can be asked for. */
#include "election_rest/rest_internal.h"

static void route_not_offered(struct request *r)
{
    rest_answer_error(r, MHD_HTTP_NOT_IMPLEMENTED, "NOT_IMPLEMENTED",
                      "this server does not offer it");
}

static const struct route table[] = {
    {"vote", "/states/{}/voters/{}/vote", BODY_JSON, ACCESS_PUBLIC, route_vote, NULL},
    {"voter", "/v1/states/{}/voters/{}", BODY_NONE, ACCESS_PUBLIC, route_voter, NULL},
    {"ballot", "/v1/ballot", BODY_NONE, ACCESS_PUBLIC, route_ballot, NULL},
    {"status", "/v1/states/{}/status", BODY_NONE, ACCESS_COUNTS, route_status, NULL},
    {"results", "/v1/results", BODY_NONE, ACCESS_COUNTS, request_wait_for_nation, route_results},
    {"stream", "/v1/results/stream", BODY_NONE, ACCESS_PUBLIC, route_stream, NULL},
    {"election", "/v1/election", BODY_NONE, ACCESS_PUBLIC, route_election, NULL},
    {"start", "/v1/election/start", BODY_JSON, ACCESS_COMMITTEE, route_start, NULL},
    {"stop", "/v1/election/stop", BODY_JSON, ACCESS_COMMITTEE, route_stop, NULL},
    {"recount", "/v1/recount", BODY_JSON, ACCESS_COMMITTEE, route_recount, NULL},
    {"openelections", "/v1/export/openelections.csv", BODY_NONE, ACCESS_COUNTS,
     request_wait_for_nation, route_openelections},
    {"nist", "/v1/export/nist-1500-100.json", BODY_NONE, ACCESS_COUNTS, request_wait_for_nation,
     route_nist},
    {"manifest", "/v1/export/manifest.csv", BODY_NONE, ACCESS_COUNTS, request_wait_for_nation,
     route_manifest},
    {"cluster", "/v1/cluster", BODY_NONE, ACCESS_PUBLIC, route_cluster, NULL},
    {"metrics", "/metrics", BODY_NONE, ACCESS_PUBLIC, route_metrics, NULL},
    {"health", "/healthz", BODY_NONE, ACCESS_PUBLIC, route_health, NULL},
    {"ready", "/readyz", BODY_NONE, ACCESS_PUBLIC, route_ready, NULL},
    {"checkpoint", "/v1/log/{}/checkpoint", BODY_NONE, ACCESS_PUBLIC, route_checkpoint, NULL},
    {"inclusion", "/v1/log/{}/proof/inclusion", BODY_NONE, ACCESS_PUBLIC, route_inclusion, NULL},
    {"consistency", "/v1/log/{}/proof/consistency", BODY_NONE, ACCESS_PUBLIC, route_consistency,
     NULL},
    {"tile", "/v1/log/{}/tile/**", BODY_NONE, ACCESS_PUBLIC, route_tile, NULL},
    {"audit", "/v1/audit/{}", BODY_NONE, ACCESS_COMMITTEE, route_audit, NULL},
    {"loss", "/v1/loss/{}", BODY_NONE, ACCESS_COMMITTEE, route_loss, NULL},
    {"admit", "/v1/loss/{}/admit", BODY_DOCUMENT, ACCESS_COMMITTEE, route_admit_loss, NULL},
    {"roll", "/v1/roll/{}", BODY_ROLL, ACCESS_COMMITTEE, route_roll, NULL},
    {"cvr", "/v1/export/cvr-1500-103.json", BODY_ANYTHING, ACCESS_PUBLIC, route_not_offered, NULL},
    {"page", "/", BODY_NONE, ACCESS_PUBLIC, route_page, NULL},
    {"page", "/{}", BODY_NONE, ACCESS_PUBLIC, route_page, NULL},
};

const struct route *routes(size_t *ret_count)
{
    *ret_count = sizeof table / sizeof table[0];
    return table;
}
