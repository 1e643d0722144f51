/* route_export.c: results in the formats of others.
 *
 * OpenElections' CSV has a file for each state; without ?state= all of them follow each other, with
 * a column more in front. The manifest is what risk-limiting audits start from: where the ballots
 * are, and how many. */
#include <inttypes.h>
#include <stdio.h>

#include "election_rest/rest_internal.h"
#include "election_rest/results.h"

/* A field; one that a spreadsheet would take for a formula gets an apostrophe in front. */
static void put_field(struct buf *b, const char *text)
{
    const char *lead = text[0] != '\0' && strchr("=+-@\t\r", text[0]) != NULL ? "'" : "";
    bool quoted = strpbrk(text, ",\"\r\n") != NULL;
    buf_printf(b, quoted ? "\"%s" : "%s", lead);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            buf_put_u8(b, '"');
        buf_put_u8(b, (uint8_t)*text);
    }
    if (quoted)
        buf_put_u8(b, '"');
}

static void attach(struct request *r, const char *part, const char *suffix)
{
    struct buf value = {0};
    buf_printf(&value, "attachment; filename=\"");
    for (const char *id = r->rest->info->id; *id != '\0'; id++) {
        bool plain = (*id >= '0' && *id <= '9') || ((*id | 0x20) >= 'a' && (*id | 0x20) <= 'z');
        buf_put_u8(&value, plain ? (uint8_t)*id : '_');
    }
    buf_printf(&value, "__%s%s\"", part, suffix);
    buf_put_u8(&value, 0);
    rest_answer_header(r, MHD_HTTP_HEADER_CONTENT_DISPOSITION, (const char *)value.ptr);
    buf_deinit(&value);
}

/* The states asked for: one, or all. False: there is no such state, and that is the answer. */
static bool read_range(struct request *r, uint32_t *ret_from, uint32_t *ret_to, bool *ret_one)
{
    struct slice name = url_argument(&r->url, "state");
    *ret_from = 0;
    *ret_to = r->rest->info->state_count;
    *ret_one = !slice_is_null(name);
    if (!*ret_one)
        return true;
    int state = service_find_state(r->rest->service, name);
    if (state < 0) {
        rest_answer_outcome(r, CAST_NO_STATE, NULL, 0);
        return false;
    }
    *ret_from = (uint32_t)state;
    *ret_to = *ret_from + 1;
    return true;
}

/* ---- OpenElections ---- */

/* county, precinct, office, district, party, candidate, votes: of a state as a whole most are
 * empty. */
static void put_row(struct buf *b, const struct state_info *s, bool one, const char *district,
                    const char *candidate, uint64_t votes)
{
    if (!one)
        buf_printf(b, "%s,", s->names.code);
    buf_printf(b, ",,President,%s,,", district);
    put_field(b, candidate);
    buf_printf(b, ",%" PRIu64 "\n", votes);
}

static void put_state_rows(struct buf *b, const struct election_info *e, const struct state_info *s,
                           const struct tally *t, bool one)
{
    char district[16] = "";
    if (s->roll > 0)
        put_row(b, s, one, "", "Registered Voters", s->roll);
    put_row(b, s, one, "", "Ballots Cast", t->voters);
    uint32_t districts = s->divided ? t->districts : 1;
    for (uint32_t d = 0; d < districts; d++) {
        if (s->divided)
            snprintf(district, sizeof district, "%" PRIu32, d + 1);
        for (uint32_t c = 0; c < e->candidate_count; c++) {
            if (!(s->on_ballot >> c & 1))
                continue;
            put_row(b, s, one, district, e->candidates[c].name,
                    results_votes(t, s->divided ? (int32_t)d : -1, c));
        }
    }
}

void route_openelections(struct request *r, const struct national_result *n)
{
    const struct election_info *e = r->rest->info;
    uint32_t from, to;
    bool one;
    struct buf body;
    if (!request_may_count(r, n->global.phase)) {
        rest_answer_not_shown(r);
        return;
    }
    if (!read_range(r, &from, &to, &one))
        return;
    buf_init(&body, ANSWER_BYTES_MAX);
    buf_printf(&body, "%scounty,precinct,office,district,party,candidate,votes\n",
               one ? "" : "state,");
    for (uint32_t i = from; i < to; i++) {
        if (n->states[i].known)
            put_state_rows(&body, e, &e->states[i], n->states[i].tally, one);
    }
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_CSV, &body);
    attach(r, one ? e->states[from].names.key : "us", "__general.csv");
}

/* ---- Manifest ---- */

void route_manifest(struct request *r, const struct national_result *n)
{
    const struct election_info *e = r->rest->info;
    struct buf body;
    if (!request_may_count(r, n->global.phase)) {
        rest_answer_not_shown(r);
        return;
    }
    buf_init(&body, ANSWER_BYTES_MAX);
    buf_printf(&body, "Container,Batch Name,Number of Ballots\n");
    for (uint32_t i = 0; i < e->state_count; i++) {
        if (!n->states[i].known)
            continue;
        put_field(&body, e->states[i].names.name);
        buf_printf(&body, ",%s-%" PRIu64 ",%" PRIu64 "\n", e->states[i].names.code,
                   n->states[i].round, n->states[i].tally->voters);
    }
    rest_answer_bytes(r, MHD_HTTP_OK, CONTENT_CSV, &body);
    attach(r, "manifest", ".csv");
}
