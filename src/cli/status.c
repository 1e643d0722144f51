/* status.c: every server of the ensemble, as a table. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/servers.h"

static void print_table(const struct servers *s)
{
    static const char *const titles[] = {"SERVER",      "MODE",  "ZXID",       "EPOCH",   "LAG",
                                         "CONNECTIONS", "NODES", "LATENCY ms", "VERSION", ""};
    struct table t;
    uint64_t zxid = servers_newest(s);
    cli_table_init(&t, 10, titles);
    for (size_t i = 0; i < s->count; i++) {
        const struct standing *one = &s->standings[i];
        cli_table_cell(&t, "%s", s->probes[i].place);
        cli_table_cell(&t, "%s", one->mode);
        if (!one->serves) {
            for (int column = 0; column < 7; column++)
                cli_table_cell(&t, "-");
            cli_table_cell(&t, "%s", one->trouble);
            continue;
        }
        int64_t lag = standing_lag(one, zxid);
        cli_table_cell(&t, "0x%" PRIx64, one->zxid);
        cli_table_cell(&t, "%" PRIu64, one->zxid >> EPOCH_SHIFT);
        if (lag < 0)
            cli_table_cell(&t, "?");
        else
            cli_table_cell(&t, "%" PRId64, lag);
        cli_table_cell(&t, "%" PRId64, one->connections);
        cli_table_cell(&t, "%" PRId64, one->nodes);
        cli_table_cell(&t, "%s", one->latency);
        cli_table_cell(&t, "%s", one->version);
        cli_table_cell(&t, "%s", "");
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_json(const struct servers *s)
{
    struct json j;
    uint64_t zxid = servers_newest(s);
    cli_json_begin(&j);
    cli_json_list(&j, "servers");
    for (size_t i = 0; i < s->count; i++) {
        const struct standing *one = &s->standings[i];
        cli_json_object(&j, NULL);
        cli_json_text(&j, "server", s->probes[i].place);
        cli_json_text(&j, "mode", one->mode);
        cli_json_flag(&j, "serves", one->serves);
        if (one->serves) {
            double latency[3] = {0};
            if (sscanf(one->latency, "%lf/%lf/%lf", &latency[0], &latency[1], &latency[2]) != 3)
                latency[1] = 0;
            int64_t lag = standing_lag(one, zxid);
            cli_json_id(&j, "zxid", (int64_t)one->zxid);
            cli_json_number(&j, "epoch", (int64_t)(one->zxid >> EPOCH_SHIFT));
            if (lag < 0)
                cli_json_null(&j, "lag");
            else
                cli_json_number(&j, "lag", lag);
            cli_json_number(&j, "connections", one->connections);
            cli_json_number(&j, "outstanding", one->outstanding);
            cli_json_number(&j, "nodes", one->nodes);
            cli_json_number(&j, "latency_avg_us", (int64_t)(latency[1] * 1000));
            cli_json_number(&j, "latency_max_us", (int64_t)(latency[2] * 1000));
            cli_json_text(&j, "version", one->version);
        } else {
            cli_json_text(&j, "trouble", one->trouble);
        }
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

int run_status(struct cli *cli, int argc, char **argv)
{
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 0, NULL);
    if (code != CLI_OK)
        return code;
    struct servers s;
    code = servers_find(cli, false, &s);
    if (code != CLI_OK)
        return code;
    if (cli->json)
        print_json(&s);
    else
        print_table(&s);
    code = servers_verdict(&s);
    servers_deinit(&s);
    return code;
}
