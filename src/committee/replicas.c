/* replicas.c: leaders, recount. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/print.h"
#include "committee/show.h"

static void text_cell(struct table *t, const char *text)
{
    cli_table_bytes(t, text, strlen(text));
}

static const char *role(const struct model_replica *r)
{
    if (r->leading)
        return "leads";
    return r->live ? "follows" : "away";
}

static void json_replicas(const struct model_nation *n, bool recount)
{
    struct show_json s;
    show_json_begin(&s);
    json_out_list(&s.json, "states");
    for (size_t i = 0; i < n->state_count; i++) {
        const struct model_state *state = &n->states[i];
        json_out_object(&s.json, NULL);
        json_out_string(&s.json, "state", state->code);
        if (recount) {
            json_out_flag(&s.json, "agree", state->agree);
            json_out_string(&s.json, "verdict", state->verdict);
        } else {
            json_out_unsigned(&s.json, "epoch", state->epoch);
        }
        json_out_list(&s.json, "replicas");
        for (size_t k = 0; k < state->replica_count; k++) {
            const struct model_replica *r = &state->replicas[k];
            json_out_object(&s.json, NULL);
            json_out_string(&s.json, "server", r->server);
            json_out_unsigned(&s.json, "index", r->index);
            if (recount) {
                json_out_flag(&s.json, "known", r->known);
                json_out_flag(&s.json, "agrees", r->agrees);
                json_out_string(&s.json, "chain", r->chain);
                json_out_string(&s.json, "root", r->root);
                json_out_string(&s.json, "detail", r->detail);
            } else {
                json_out_flag(&s.json, "live", r->live);
                json_out_flag(&s.json, "leading", r->leading);
                json_out_string(&s.json, "rest", r->rest);
                json_out_string(&s.json, "grpc", r->grpc);
            }
            json_out_object_end(&s.json);
        }
        json_out_list_end(&s.json);
        json_out_object_end(&s.json);
    }
    json_out_list_end(&s.json);
    show_json_end(&s);
}

/* ---- leaders ---- */

static void print_leaders(const struct model_nation *n)
{
    static const char *const titles[] = {"state", "server", "", "rest", "grpc"};
    struct table t;
    cli_table_init(&t, 5, titles);
    for (size_t i = 0; i < n->state_count; i++)
        for (size_t k = 0; k < n->states[i].replica_count; k++) {
            const struct model_replica *r = &n->states[i].replicas[k];
            text_cell(&t, n->states[i].code);
            text_cell(&t, r->server);
            cli_table_cell(&t, "%s", role(r));
            text_cell(&t, r->rest);
            text_cell(&t, r->grpc);
        }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static size_t without_leader(const struct model_nation *n)
{
    size_t without = 0;
    for (size_t i = 0; i < n->state_count; i++) {
        bool led = false;
        for (size_t k = 0; k < n->states[i].replica_count; k++)
            led = led || n->states[i].replicas[k].leading;
        without += !led;
    }
    return without;
}

int run_leaders(struct committee *m, int argc, char **argv)
{
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 0, 0, &count);
    if (code != 0)
        return code;
    struct model_nation *n = mem_calloc(1, sizeof *n);
    code = committee_failed(m, client_cluster(&m->client, n, &err), &err);
    if (code == COMMITTEE_OK && m->json)
        json_replicas(n, false);
    else if (code == COMMITTEE_OK)
        print_leaders(n);
    if (code == COMMITTEE_OK && without_leader(n) > 0)
        code = committee_complain(m, COMMITTEE_NO, "%zu states have no leader", without_leader(n));
    free(n);
    return code;
}

/* ---- recount ---- */

static void print_recount(const struct model_nation *n)
{
    static const char *const titles[] = {"state", "server", "     records", "root", "", ""};
    struct table t;
    cli_table_init(&t, 6, titles);
    for (size_t i = 0; i < n->state_count; i++)
        for (size_t k = 0; k < n->states[i].replica_count; k++) {
            const struct model_replica *r = &n->states[i].replicas[k];
            text_cell(&t, n->states[i].code);
            text_cell(&t, r->server);
            cli_table_cell(&t, "%12s", r->known ? show_number(r->index) : "-");
            cli_table_cell(&t, "%.16s", r->known ? r->root : "-");
            cli_table_cell(&t, "%s", !r->known ? "no answer" : r->agrees ? "agrees" : "DISAGREES");
            text_cell(&t, r->detail);
        }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static size_t disagreeing(const struct model_nation *n)
{
    size_t count = 0;
    for (size_t i = 0; i < n->state_count; i++)
        count += !n->states[i].agree;
    return count;
}

int run_recount(struct committee *m, int argc, char **argv)
{
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, NULL, 0, argc, argv, 0, 1, &count);
    if (code == 0)
        code = show_need_server(m);
    if (code != 0)
        return code;
    struct model_nation *n = mem_calloc(1, sizeof *n);
    code =
        committee_failed(m, client_recount(&m->client, count == 1 ? argv[1] : NULL, n, &err), &err);
    if (code == COMMITTEE_OK && m->json)
        json_replicas(n, true);
    else if (code == COMMITTEE_OK)
        print_recount(n);
    if (code == COMMITTEE_OK && disagreeing(n) > 0)
        code = committee_complain(m, COMMITTEE_NO,
                                  "%zu of %zu states do not agree, or not all servers answered",
                                  disagreeing(n), n->state_count);
    free(n);
    return code;
}
