/* cvr.c: cast vote records of a state, as NIST SP 1500-103 version 1 has them in JSON, of an
 * exported election that was counted again.
 *
 * One for each voter who voted, with the choice that counts. They come by district and candidate
 * and are numbered in that order; they have no time, and nothing of the log's records is in them,
 * not even the order. So nothing can be told from them that the counts do not tell, whoever has
 * the export, a receipt, or a roll beside. What they are for: programs that take cast vote records
 * only. Who wants to count what voters can find their own records in takes the log. */
#include <inttypes.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

#include "canvass/verify.h"
#include "committee/show.h"

enum {
    PIECE_BYTES = 64 << 10,
    NAME_BYTES_MAX = CANVASS_NAME_BYTES_MAX + 32,
};

struct report {
    const struct canvass *canvass;
    const struct canvass_state *state;
    const struct canvass_count *count;
    struct buf text;
    struct json_out json;
};

/* ---- the frame ---- */

static void begin(struct json_out *j, const char *name, const char *type, const char *id)
{
    json_out_object(j, name);
    json_out_string(j, "@type", type);
    if (id != NULL)
        json_out_string(j, "@id", id);
}

static void put_only(struct json_out *j, const char *list, const char *text)
{
    json_out_list(j, list);
    json_out_string(j, NULL, text);
    json_out_list_end(j);
}

static void put_date(struct json_out *j, int64_t ms)
{
    char text[32] = "";
    time_t s = (time_t)(ms / 1000);
    struct tm utc;
    if (gmtime_r(&s, &utc) != NULL)
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_out_string(j, "GeneratedDate", text);
}

static void unit_id(const struct report *r, uint32_t district, char ret[NAME_BYTES_MAX])
{
    if (r->state->districts > 1)
        snprintf(ret, NAME_BYTES_MAX, "gp-%s-%" PRIu32, r->state->code, district + 1);
    else
        snprintf(ret, NAME_BYTES_MAX, "gp-%s", r->state->code);
}

static void put_unit(struct json_out *j, const char *id, const char *name, const char *what)
{
    begin(j, NULL, "CVR.GpUnit", id);
    json_out_string(j, "Name", name);
    json_out_string(j, "Type", "other");
    json_out_string(j, "OtherType", what);
    json_out_object_end(j);
}

static void put_units(struct report *r)
{
    char id[NAME_BYTES_MAX];
    snprintf(id, sizeof id, "gp-%s", r->state->code);
    json_out_list(&r->json, "GpUnit");
    put_unit(&r->json, id, r->state->name, "state");
    for (uint32_t d = 0; r->state->districts > 1 && d < r->state->districts; d++) {
        unit_id(r, d, id);
        put_unit(&r->json, id, id + sizeof "gp-" - 1, "congressional-district");
    }
    json_out_list_end(&r->json);
}

static bool is_choice(const struct report *r, uint32_t candidate)
{
    return (r->state->on_ballot >> candidate & 1) != 0;
}

static void put_candidates(struct report *r)
{
    char id[NAME_BYTES_MAX];
    json_out_list(&r->json, "Candidate");
    for (uint32_t c = 0; c < r->canvass->definition.candidate_count; c++) {
        if (!is_choice(r, c))
            continue;
        snprintf(id, sizeof id, "candidate-%" PRIu32, c);
        begin(&r->json, NULL, "CVR.Candidate", id);
        json_out_string(&r->json, "Name", r->canvass->definition.candidates[c].name);
        json_out_object_end(&r->json);
    }
    json_out_list_end(&r->json);
}

static void put_contest(struct report *r)
{
    char id[NAME_BYTES_MAX];
    json_out_list(&r->json, "Contest");
    begin(&r->json, NULL, "CVR.CandidateContest", "contest");
    json_out_string(&r->json, "Name", r->canvass->definition.title);
    json_out_unsigned(&r->json, "VotesAllowed", 1);
    json_out_list(&r->json, "ContestSelection");
    for (uint32_t c = 0; c < r->canvass->definition.candidate_count; c++) {
        if (!is_choice(r, c))
            continue;
        snprintf(id, sizeof id, "selection-%" PRIu32, c);
        begin(&r->json, NULL, "CVR.CandidateSelection", id);
        snprintf(id, sizeof id, "candidate-%" PRIu32, c);
        put_only(&r->json, "CandidateIds", id);
        json_out_object_end(&r->json);
    }
    json_out_list_end(&r->json);
    json_out_object_end(&r->json);
    json_out_list_end(&r->json);
}

static void put_election(struct report *r)
{
    char scope[NAME_BYTES_MAX];
    snprintf(scope, sizeof scope, "gp-%s", r->state->code);
    json_out_list(&r->json, "Election");
    begin(&r->json, NULL, "CVR.Election", "election");
    json_out_string(&r->json, "Name", r->canvass->definition.title);
    json_out_string(&r->json, "ElectionScopeId", scope);
    put_candidates(r);
    put_contest(r);
    json_out_object_end(&r->json);
    json_out_list_end(&r->json);
}

static void put_devices(struct json_out *j)
{
    json_out_list(j, "ReportingDevice");
    begin(j, NULL, "CVR.ReportingDevice", "device");
    json_out_string(j, "Application", "caucus committee");
    json_out_object_end(j);
    json_out_list_end(j);
    put_only(j, "ReportGeneratingDeviceIds", "device");
}

/* ---- the records ---- */

static void put_selection(struct json_out *j, uint32_t candidate)
{
    char id[NAME_BYTES_MAX];
    snprintf(id, sizeof id, "selection-%" PRIu32, candidate);
    json_out_list(j, "CVRContestSelection");
    begin(j, NULL, "CVR.CVRContestSelection", NULL);
    json_out_string(j, "ContestSelectionId", id);
    json_out_list(j, "SelectionPosition");
    begin(j, NULL, "CVR.SelectionPosition", NULL);
    json_out_string(j, "HasIndication", "yes");
    json_out_unsigned(j, "NumberVotes", 1);
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_object_end(j);
    json_out_list_end(j);
}

static void put_record(struct report *r, uint64_t number, const char *unit, uint32_t candidate)
{
    struct json_out *j = &r->json;
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, number);
    begin(j, NULL, "CVR.CVR", NULL);
    json_out_string(j, "UniqueId", text);
    json_out_string(j, "ElectionId", "election");
    json_out_string(j, "BallotStyleUnitId", unit);
    snprintf(text, sizeof text, "s-%" PRIu64, number);
    json_out_string(j, "CurrentSnapshotId", text);
    json_out_list(j, "CVRSnapshot");
    begin(j, NULL, "CVR.CVRSnapshot", text);
    json_out_string(j, "Type", "original");
    json_out_list(j, "CVRContest");
    begin(j, NULL, "CVR.CVRContest", NULL);
    json_out_string(j, "ContestId", "contest");
    put_selection(j, candidate);
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_object_end(j);
    json_out_list_end(j);
    json_out_object_end(j);
}

static bool write_out(struct report *r, size_t least)
{
    bool fine = true;
    if (r->text.len < least || r->text.len == 0)
        return true;
    fine = fwrite(r->text.ptr, 1, r->text.len, stdout) == r->text.len;
    buf_clear(&r->text);
    return fine;
}

static bool put_records(struct report *r)
{
    const struct tally *t = &r->count->tally;
    char unit[NAME_BYTES_MAX];
    uint64_t number = 0;
    bool fine = true;
    json_out_list(&r->json, "CVR");
    for (uint32_t cell = 0; cell < t->districts * t->candidates; cell++) {
        unit_id(r, cell / t->candidates, unit);
        for (uint64_t i = 0; i < t->votes[cell] && fine; i++) {
            put_record(r, ++number, unit, cell % t->candidates);
            fine = write_out(r, PIECE_BYTES);
        }
    }
    json_out_list_end(&r->json);
    return fine;
}

static bool put_report(struct report *r)
{
    struct json_out *j = &r->json;
    json_out_begin(j, &r->text);
    json_out_string(j, "@type", "CVR.CastVoteRecordReport");
    json_out_string(j, "Version", "1.0.0");
    put_date(j, r->canvass->global.closed_ms);
    put_only(j, "ReportType", "aggregated");
    json_out_string(j, "Notes",
                    "one record for each voter, by district and choice: their order says nothing");
    put_devices(j);
    put_units(r);
    put_election(r);
    bool fine = put_records(r);
    json_out_end(j);
    buf_put_u8(&r->text, '\n');
    fine = fine && write_out(r, 0) && fflush(stdout) == 0;
    buf_deinit(&r->text);
    return fine;
}

/* ---- the command ---- */

static int find(const struct canvass *a, const char *code)
{
    for (uint32_t i = 0; i < a->definition.state_count; i++)
        if (strcasecmp(a->definition.states[i].code, code) == 0)
            return (int)i;
    return -1;
}

static int report(const struct committee *m, const struct canvass *a, const char *code)
{
    int state = find(a, code);
    if (state < 0)
        return committee_complain(m, COMMITTEE_NO, "the export has no state '%s'", code);
    if (!a->states[state].right)
        return committee_complain(m, COMMITTEE_NO, "%s: %s", a->definition.states[state].code,
                                  a->states[state].problem);
    struct report r = {
        .canvass = a, .state = &a->definition.states[state], .count = &a->states[state]};
    return put_report(&r) ? COMMITTEE_OK
                          : committee_complain(m, COMMITTEE_NO, "standard output takes no more");
}

int run_cvr(struct committee *m, int argc, char **argv)
{
    struct canvass *a = NULL;
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 2, 2, &count);
    if (code != 0)
        return code;
    if (canvass_verify(argv[1], NULL, NULL, &a, &err) < 0)
        return committee_complain(m, COMMITTEE_NO, "%s", err.text);
    code = report(m, a, argv[2]);
    canvass_free(a);
    return code;
}
