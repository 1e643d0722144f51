/* counts.c: status, global_status, watch. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/print.h"
#include "committee/show.h"

static const char *standing(const struct model_state *s)
{
    if (!s->known)
        return "unknown";
    return s->final ? "final" : s->phase;
}

static void text_cell(struct table *t, const char *text)
{
    cli_table_bytes(t, text, strlen(text));
}

/* ---- a state ---- */

static void print_state(const struct model_state *s)
{
    printf("%s: %s, round %" PRIu64 ", %" PRIu32 " electors\n\n", s->code, standing(s), s->round,
           s->electors);
    static const char *const titles[] = {"candidate", "votes", "share", ""};
    struct table t;
    cli_table_init(&t, 4, titles);
    for (size_t i = 0; i < s->count_count; i++) {
        text_cell(&t, s->counts[i].candidate);
        cli_table_cell(&t, "%12s", show_number(s->counts[i].votes));
        cli_table_cell(&t, "%9s", show_share(s->counts[i].votes, s->voters));
        cli_table_cell(&t, "%s", strcmp(s->counts[i].candidate, s->leader) == 0 ? "leads" : "");
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
    printf("\n%s%s voters of %s (%s)\n", s->tie ? "a tie; " : "", show_number(s->voters),
           show_number(s->roll), show_share(s->voters, s->roll));
    printf("epoch %" PRIu64 ", %s records, root %.16s...\n", s->epoch, show_number(s->index),
           s->root);
    if (s->lost > 0)
        printf("%s records of this round were committed, were lost, and are given up\n",
               show_number(s->lost));
}

int run_state_status(struct committee *m, int argc, char **argv)
{
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 1, 1, &count);
    if (code == 0)
        code = show_need_server(m);
    if (code != 0)
        return code;
    struct model_state *s = mem_calloc(1, sizeof *s);
    code = committee_failed(m, client_state(&m->client, argv[1], s, &err), &err);
    if (code == COMMITTEE_OK && !s->known) {
        code = committee_complain(m, COMMITTEE_NO, "%s: %s", argv[1], s->why);
    } else if (code == COMMITTEE_OK && m->json) {
        struct show_json j;
        show_json_begin(&j);
        show_json_state(&j.json, s);
        show_json_end(&j);
    } else if (code == COMMITTEE_OK) {
        print_state(s);
    }
    free(s);
    return code;
}

/* ---- the nation ---- */

static const struct model_count *count_of(const struct model_state *s, const char *candidate)
{
    for (size_t i = 0; i < s->count_count; i++)
        if (strcmp(s->counts[i].candidate, candidate) == 0)
            return &s->counts[i];
    return NULL;
}

static void leader_cell(struct table *t, const struct model_state *s)
{
    const struct model_count *c = count_of(s, s->leader);
    char text[MODEL_NAME_BYTES_MAX + TIME_TEXT_BYTES];
    snprintf(text, sizeof text, "%s%s%s", c != NULL ? s->leader : (s->tie ? "a tie" : "-"),
             c != NULL ? "  " : "", c != NULL ? show_share(c->votes, s->voters) : "");
    text_cell(t, s->known ? text : s->why);
}

static void print_states(const struct model_nation *n)
{
    static const char *const titles[] = {"state",    "electors", "       votes",
                                         " of roll", "",         "leads"};
    struct table t;
    cli_table_init(&t, 6, titles);
    for (size_t i = 0; i < n->state_count; i++) {
        const struct model_state *s = &n->states[i];
        text_cell(&t, s->code);
        cli_table_cell(&t, "%8" PRIu32, s->electors);
        cli_table_cell(&t, "%12s", s->known ? show_number(s->voters) : "-");
        cli_table_cell(&t, "%8s", s->known ? show_share(s->voters, s->roll) : "-");
        cli_table_cell(&t, "%s", standing(s));
        leader_cell(&t, s);
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_sums(const struct model_nation *n)
{
    static const char *const titles[] = {"candidate", "electors", "       votes", "    share", ""};
    struct table t;
    cli_table_init(&t, 5, titles);
    for (size_t i = 0; i < n->count_count; i++) {
        const struct model_count *c = &n->counts[i];
        text_cell(&t, c->candidate);
        cli_table_cell(&t, "%8" PRIu32, c->electors);
        cli_table_cell(&t, "%12s", show_number(c->votes));
        cli_table_cell(&t, "%9s", show_share(c->votes, n->voters));
        cli_table_cell(&t, "%s",
                       strcmp(c->candidate, n->winner) == 0   ? "has won"
                       : strcmp(c->candidate, n->leader) == 0 ? "leads"
                                                              : "");
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static size_t unknown_states(const struct model_nation *n)
{
    size_t unknown = 0;
    for (size_t i = 0; i < n->state_count; i++)
        unknown += !n->states[i].known;
    return unknown;
}

static void print_lost(const struct model_nation *n)
{
    for (size_t i = 0; i < n->state_count; i++) {
        const struct model_state *s = &n->states[i];
        if (s->lost == 0)
            continue;
        printf("given up: %s lost records of ", show_number(s->lost));
        print_line_text(s->code, strlen(s->code));
        printf("\n");
    }
}

static void print_nation(const struct model_nation *n)
{
    size_t unknown = unknown_states(n);
    print_states(n);
    printf("\n");
    print_sums(n);
    printf("\nround %" PRIu64 " is %s; %" PRIu32 " of %" PRIu32 " electors win, %" PRIu32
           " are open; %" PRIu32 " of %zu states are final\n",
           n->round, n->phase, n->majority, n->electors_total, n->electors_open, n->states_final,
           n->state_count);
    if (n->tie)
        printf("a tie: nobody leads\n");
    if (unknown > 0)
        printf("not known now: %zu states\n", unknown);
    print_lost(n);
}

static void json_nation(const struct model_nation *n)
{
    struct show_json s;
    show_json_begin(&s);
    json_out_string(&s.json, "phase", n->phase);
    json_out_unsigned(&s.json, "round", n->round);
    json_out_unsigned(&s.json, "voters", n->voters);
    show_json_counts(&s.json, "counts", n->counts, n->count_count, true);
    json_out_unsigned(&s.json, "electors_total", n->electors_total);
    json_out_unsigned(&s.json, "electors_open", n->electors_open);
    json_out_unsigned(&s.json, "majority", n->majority);
    json_out_string(&s.json, "leader", n->leader);
    json_out_flag(&s.json, "tie", n->tie);
    json_out_string(&s.json, "winner", n->winner);
    json_out_unsigned(&s.json, "states_final", n->states_final);
    json_out_list(&s.json, "states");
    for (size_t i = 0; i < n->state_count; i++) {
        json_out_object(&s.json, NULL);
        show_json_state(&s.json, &n->states[i]);
        json_out_object_end(&s.json);
    }
    json_out_list_end(&s.json);
    show_json_end(&s);
}

int run_global_status(struct committee *m, int argc, char **argv)
{
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 0, 0, &count);
    if (code == 0)
        code = show_need_server(m);
    if (code != 0)
        return code;
    struct model_nation *n = mem_calloc(1, sizeof *n);
    code = committee_failed(m, client_nation(&m->client, n, &err), &err);
    if (code == COMMITTEE_OK && m->json)
        json_nation(n);
    else if (code == COMMITTEE_OK)
        print_nation(n);
    if (code == COMMITTEE_OK && unknown_states(n) > 0)
        code = COMMITTEE_NO;
    free(n);
    return code;
}

/* ---- as they change ---- */

static bool on_change(void *arg, const struct model_state *s)
{
    const struct committee *m = arg;
    if (m->json) {
        struct show_json j;
        show_json_begin(&j);
        show_json_state(&j.json, s);
        show_json_end(&j);
    } else {
        printf("%-4s %-8s %12s", s->code, standing(s), show_number(s->voters));
        for (size_t i = 0; i < s->count_count; i++) {
            printf("  ");
            print_line_text(s->counts[i].candidate, strlen(s->counts[i].candidate));
            printf(" %s", show_number(s->counts[i].votes));
        }
        printf("\n");
    }
    return fflush(stdout) == 0;
}

int run_watch_results(struct committee *m, int argc, char **argv)
{
    struct err err = {""};
    struct buf states = {0};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 0, MODEL_STATES_MAX, &count);
    if (code != 0)
        return code;
    for (int i = 1; i <= count; i++)
        buf_printf(&states, "%s%s", i > 1 ? "," : "", argv[i]);
    buf_put_u8(&states, 0);
    code = committee_failed(
        m,
        client_watch(&m->client, count > 0 ? (const char *)states.ptr : NULL, on_change, m, &err),
        &err);
    buf_deinit(&states);
    return code;
}
