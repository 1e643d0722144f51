/* route_nist.c: NIST SP 1500-100 version 2 (Election Results Reporting), as JSON. A contest for
 * each state, whose winner has its electors, and one for each district that has an elector of its
 * own. */
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

enum {
    NAME_BYTES_MAX = STATE_NAME_BYTES_MAX + 32,
};

#define CDF "ElectionResults."

/* "2024-11-05T06:00:00Z", or the day alone. */
static void put_time(struct json_out *j, const char *name, int64_t ms, bool day_alone)
{
    char text[32];
    struct tm utc;
    time_t s = (time_t)(ms / 1000);
    if (gmtime_r(&s, &utc) == NULL)
        memset(&utc, 0, sizeof utc);
    size_t len = strftime(text, sizeof text, day_alone ? "%Y-%m-%d" : "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_out_text(j, name, slice_of(text, len));
}

static void open_typed(struct json_out *j, const char *name, const char *type)
{
    json_out_object(j, name);
    json_out_string(j, "@type", type);
}

static void put_english(struct json_out *j, const char *name, const char *text)
{
    open_typed(j, name, CDF "InternationalizedText");
    json_out_list(j, "Text");
    open_typed(j, NULL, CDF "LanguageString");
    json_out_string(j, "Content", text);
    json_out_string(j, "Language", "en");
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_object_end(j);
}

/* "gp-ca", "gp-me-1"; district -1: of the state. */
static const char *unit_id(const struct state_info *s, int32_t district, char ret[NAME_BYTES_MAX])
{
    if (district < 0)
        snprintf(ret, NAME_BYTES_MAX, "gp-%s", s->names.key);
    else
        snprintf(ret, NAME_BYTES_MAX, "gp-%s-%" PRId32, s->names.key, district + 1);
    return ret;
}

static uint32_t districts_of(const struct state_info *s)
{
    return s->divided ? s->districts : 0;
}

/* ---- Units ---- */

static void put_unit(struct json_out *j, const struct state_info *s, int32_t district,
                     const struct state_result *result)
{
    char id[NAME_BYTES_MAX];
    open_typed(j, NULL, CDF "ReportingUnit");
    json_out_string(j, "@id", unit_id(s, district, id));
    json_out_string(j, "Type", district < 0 ? "state" : "congressional");
    put_english(j, "Name", s->names.name);
    if (district >= 0) {
        snprintf(id, sizeof id, "%" PRId32, district + 1);
        json_out_string(j, "Number", id);
    } else {
        if (s->roll > 0)
            json_out_unsigned(j, "VotersRegistered", s->roll);
        if (result->known)
            json_out_unsigned(j, "VotersParticipated", result->tally->voters);
    }
    json_out_object_end(j);
}

static void put_units(struct json_out *j, const struct election_info *e,
                      const struct national_result *n)
{
    char id[NAME_BYTES_MAX];
    json_out_list(j, "GpUnit");
    open_typed(j, NULL, CDF "ReportingUnit");
    json_out_string(j, "@id", "gp-nation");
    json_out_string(j, "Type", "country");
    json_out_list(j, "ComposingGpUnitIds");
    for (uint32_t i = 0; i < e->state_count; i++)
        json_out_string(j, NULL, unit_id(&e->states[i], -1, id));
    json_out_list_end(j);
    json_out_object_end(j);
    for (uint32_t i = 0; i < e->state_count; i++) {
        put_unit(j, &e->states[i], -1, &n->states[i]);
        for (uint32_t d = 0; d < districts_of(&e->states[i]); d++)
            put_unit(j, &e->states[i], (int32_t)d, &n->states[i]);
    }
    json_out_list_end(j);
}

/* ---- Contests ---- */

static void put_selection(struct json_out *j, const char *unit, uint32_t candidate, uint64_t votes)
{
    char id[NAME_BYTES_MAX + 32];
    open_typed(j, NULL, CDF "CandidateSelection");
    snprintf(id, sizeof id, "selection-%s-%" PRIu32, unit, candidate);
    json_out_string(j, "@id", id);
    json_out_list(j, "CandidateIds");
    snprintf(id, sizeof id, "candidate-%" PRIu32, candidate);
    json_out_string(j, NULL, id);
    json_out_list_end(j);
    json_out_list(j, "VoteCounts");
    open_typed(j, NULL, CDF "VoteCounts");
    json_out_string(j, "GpUnitId", unit);
    json_out_string(j, "Type", "total");
    json_out_unsigned(j, "Count", votes);
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_object_end(j);
}

static void put_contest(struct json_out *j, const struct election_info *e,
                        const struct state_info *s, int32_t district,
                        const struct state_result *result)
{
    char unit[NAME_BYTES_MAX], text[NAME_BYTES_MAX + 16];
    const struct tally *t = result->tally;
    unit_id(s, district, unit);
    open_typed(j, NULL, CDF "CandidateContest");
    snprintf(text, sizeof text, "contest-%s", unit);
    json_out_string(j, "@id", text);
    snprintf(text, sizeof text, "President, %s", unit + strlen("gp-"));
    json_out_string(j, "Name", text);
    json_out_string(j, "ElectionDistrictId", unit);
    json_out_unsigned(j, "VotesAllowed", 1);
    json_out_list(j, "CountStatus");
    open_typed(j, NULL, CDF "CountStatus");
    json_out_string(j, "Type", "total");
    json_out_string(j, "Status", result->final ? "completed" : "in-process");
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_list(j, "ContestSelection");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        if (s->on_ballot >> c & 1)
            put_selection(j, unit, c, results_votes(t, district, c));
    }
    json_out_list_end(j);
    json_out_object_end(j);
}

static void put_contests(struct json_out *j, const struct election_info *e,
                         const struct national_result *n)
{
    json_out_list(j, "Contest");
    for (uint32_t i = 0; i < e->state_count; i++) {
        if (!n->states[i].known)
            continue;
        put_contest(j, e, &e->states[i], -1, &n->states[i]);
        for (uint32_t d = 0; d < districts_of(&e->states[i]); d++)
            put_contest(j, e, &e->states[i], (int32_t)d, &n->states[i]);
    }
    json_out_list_end(j);
}

/* ---- The report ---- */

static void put_candidates(struct json_out *j, const struct election_info *e)
{
    char id[NAME_BYTES_MAX];
    json_out_list(j, "Candidate");
    for (uint32_t c = 0; c < e->candidate_count; c++) {
        open_typed(j, NULL, CDF "Candidate");
        snprintf(id, sizeof id, "candidate-%" PRIu32, c);
        json_out_string(j, "@id", id);
        put_english(j, "BallotName", e->candidates[c].name);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

static const char *status(const struct election_info *e, const struct national_result *n)
{
    if (n->global.phase == PHASE_IDLE)
        return "pre-election";
    return n->nation.states_final == e->state_count ? "unofficial-complete" : "unofficial-partial";
}

static void put_election(struct json_out *j, const struct election_info *e,
                         const struct national_result *n)
{
    int64_t opened = n->global.opened_ms, closed = n->global.closed_ms;
    open_typed(j, NULL, CDF "Election");
    put_english(j, "Name", e->title);
    json_out_string(j, "Type", "general");
    json_out_string(j, "ElectionScopeId", "gp-nation");
    put_time(j, "StartDate", opened, true);
    put_time(j, "EndDate", closed > opened ? closed : opened, true);
    put_candidates(j, e);
    put_contests(j, e, n);
    json_out_object_end(j);
}

void route_nist(struct request *r, const struct national_result *n)
{
    const struct election_info *e = r->rest->info;
    struct buf body;
    struct json_out j;
    if (!request_may_count(r, n->global.phase)) {
        rest_answer_not_shown(r);
        return;
    }
    buf_init(&body, ANSWER_BYTES_MAX);
    json_out_begin(&j, &body);
    json_out_string(&j, "@type", CDF "ElectionReport");
    json_out_string(&j, "Format", "summary-contest");
    put_time(&j, "GeneratedDate", loop_wall_ms(r->rest->loop), false);
    json_out_string(&j, "Issuer", service_server_name(r->rest->service));
    json_out_string(&j, "IssuerAbbreviation", service_server_name(r->rest->service));
    json_out_unsigned(&j, "SequenceStart", 1);
    json_out_unsigned(&j, "SequenceEnd", 1);
    json_out_string(&j, "Status", status(e, n));
    json_out_string(&j, "VendorApplicationId", "caucus " CAUCUS_VERSION);
    put_units(&j, e, n);
    json_out_list(&j, "Election");
    put_election(&j, e, n);
    json_out_list_end(&j);
    json_out_end(&j);
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_JSON, &body);
}
