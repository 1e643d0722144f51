/* verify.c: an exported election, counted again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "canvass/files.h"
#include "canvass/verify.h"
#include "cli/options.h"
#include "cli/print.h"
#include "committee/show.h"

static void on_state(void *arg, const struct canvass *a, uint32_t i)
{
    const struct committee *m = arg;
    if (!m->json && isatty(STDERR_FILENO) == 1)
        fprintf(stderr, "\r\033[K%" PRIu32 " of %" PRIu32 " states\r", i + 1,
                a->definition.state_count);
}

/* ---- for people ---- */

/* "right", and what the servers say was lost; or what is wrong. */
static void verdict_cell(struct table *t, const struct canvass_count *c)
{
    if (c->right && c->seal.loss_count > 0)
        cli_table_cell(t, "right; %s records were lost and given up",
                       show_number(commit_lost(&c->seal)));
    else
        cli_table_bytes(t, c->right ? "right" : c->problem,
                        strlen(c->right ? "right" : c->problem));
}

static void print_states(const struct canvass *a)
{
    static const char *const titles[] = {"state", "   records", "       votes", "closing hash", ""};
    struct table t;
    cli_table_init(&t, 5, titles);
    for (uint32_t i = 0; i < a->definition.state_count; i++) {
        const struct canvass_count *c = &a->states[i];
        char closing[HASH_TEXT_BYTES];
        hash_text(&c->closing, closing);
        cli_table_cell(&t, "%s", a->definition.states[i].code);
        cli_table_cell(&t, "%10s", c->right ? show_number(c->seal.index) : "-");
        cli_table_cell(&t, "%12s", c->right ? show_number(c->tally.voters) : "-");
        cli_table_cell(&t, "%.16s", c->right ? closing : "-");
        verdict_cell(&t, c);
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_nation(const struct canvass *a)
{
    static const char *const titles[] = {"candidate", "electors", "       votes", ""};
    struct table t;
    cli_table_init(&t, 4, titles);
    for (uint32_t c = 0; c < a->definition.candidate_count; c++) {
        const char *id = a->definition.candidates[c].id;
        cli_table_bytes(&t, id, strlen(id));
        cli_table_cell(&t, "%8" PRIu32, a->nation.electors[c]);
        cli_table_cell(&t, "%12s", show_number(a->nation.votes[c]));
        cli_table_cell(&t, "%s", a->nation.winner == (int32_t)c ? "has won" : "");
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_canvass(const struct canvass *a)
{
    char sums[HASH_TEXT_BYTES];
    hash_text(&a->sums, sums);
    print_states(a);
    printf("\n");
    print_nation(a);
    printf("\nround %" PRIu64 ", %" PRIu32 " of %" PRIu32 " electors win, %" PRIu32
           " are open\nfingerprint %s\n",
           a->global.round, a->nation.majority, a->nation.electors_total, a->nation.electors_open,
           sums);
    if (a->wrong == 0)
        printf("verified: %" PRIu32 " states\n", a->definition.state_count);
    else
        printf("NOT VERIFIED: %" PRIu32 " of %" PRIu32 " states are not right\n", a->wrong,
               a->definition.state_count);
}

/* ---- for programs ---- */

static void json_state(struct json_out *j, const struct canvass *a, uint32_t i)
{
    const struct canvass_count *c = &a->states[i];
    json_out_object(j, NULL);
    json_out_string(j, "state", a->definition.states[i].code);
    json_out_flag(j, "right", c->right);
    json_out_string(j, "problem", c->problem);
    if (c->right) {
        json_out_unsigned(j, "roll", c->roll);
        json_out_unsigned(j, "records", c->seal.index);
        json_out_unsigned(j, "lost", commit_lost(&c->seal));
        json_out_unsigned(j, "voters", c->tally.voters);
        json_out_hex(j, "closing", c->closing.bytes, SHA256_BYTES);
        json_out_hex(j, "root", c->seal.root.bytes, SHA256_BYTES);
        json_out_list(j, "votes");
        for (uint32_t k = 0; k < a->definition.candidate_count; k++)
            json_out_unsigned(j, NULL, tally_votes(&c->tally, k));
        json_out_list_end(j);
    }
    json_out_object_end(j);
}

static void json_canvass(const struct canvass *a)
{
    struct show_json s;
    show_json_begin(&s);
    json_out_flag(&s.json, "verified", a->wrong == 0);
    json_out_unsigned(&s.json, "round", a->global.round);
    json_out_hex(&s.json, "fingerprint", a->sums.bytes, SHA256_BYTES);
    json_out_list(&s.json, "counts");
    for (uint32_t c = 0; c < a->definition.candidate_count; c++) {
        json_out_object(&s.json, NULL);
        json_out_string(&s.json, "candidate", a->definition.candidates[c].id);
        json_out_unsigned(&s.json, "votes", a->nation.votes[c]);
        json_out_unsigned(&s.json, "electors", a->nation.electors[c]);
        json_out_object_end(&s.json);
    }
    json_out_list_end(&s.json);
    json_out_list(&s.json, "states");
    for (uint32_t i = 0; i < a->definition.state_count; i++)
        json_state(&s.json, a, i);
    json_out_list_end(&s.json);
    show_json_end(&s);
}

int run_verify(struct committee *m, int argc, char **argv)
{
    const char *fingerprint = NULL;
    const struct option options[] = {{0, "fingerprint", OPTION_TEXT, &fingerprint}};
    struct canvass *a = NULL;
    struct err err = {""};
    char sums[HASH_TEXT_BYTES];
    int count = 0;
    int code = committee_words(m, options, 1, argc, argv, 1, 1, &count);
    if (code != 0)
        return code;
    if (canvass_verify(argv[1], on_state, m, &a, &err) < 0)
        return committee_complain(m, COMMITTEE_NO, "%s", err.text);
    hash_text(&a->sums, sums);
    if (fingerprint != NULL && strcasecmp(fingerprint, sums) != 0)
        code = committee_complain(m, COMMITTEE_NO, "it is another export: its fingerprint is %s",
                                  sums);
    else if (m->json)
        json_canvass(a);
    else
        print_canvass(a);
    if (a->wrong > 0)
        code = COMMITTEE_NO;
    canvass_free(a);
    return code;
}
