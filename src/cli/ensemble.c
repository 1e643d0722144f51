/* ensemble.c: config, reconfig. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/members.h"
#include "cli/print.h"

static void print_members(const struct cli *cli, const struct members *m)
{
    struct json j;
    struct table t;
    static const char *const titles[] = {"ID", "ROLE", "SERVERS", "CLIENTS"};
    if (cli->json) {
        cli_json_begin(&j);
        cli_json_text(&j, "version", m->version);
        cli_json_list(&j, "servers");
    } else {
        cli_table_init(&t, 4, titles);
    }
    for (size_t i = 0; i < m->count; i++) {
        const struct member *one = &m->list[i];
        if (cli->json) {
            cli_json_object(&j, NULL);
            cli_json_text(&j, "id", one->id);
            cli_json_text(&j, "role", one->role);
            cli_json_text(&j, "servers", one->address);
            if (one->client[0] != 0)
                cli_json_text(&j, "clients", one->client);
            else
                cli_json_null(&j, "clients");
            cli_json_object_end(&j);
        } else {
            cli_table_cell(&t, "%s", one->id);
            cli_table_cell(&t, "%s", one->role);
            cli_table_cell(&t, "%s", one->address);
            cli_table_cell(&t, "%s", one->client[0] != 0 ? one->client : "-");
        }
    }
    if (cli->json) {
        cli_json_list_end(&j);
        cli_json_end(&j);
    } else {
        cli_table_print(&t);
        cli_table_deinit(&t);
        printf("version %s\n", m->version[0] != 0 ? m->version : "-");
    }
}

static int print_config(struct cli *cli, const struct caucus_result *r)
{
    struct members m;
    members_read(r->data != NULL ? r->data : "", &m);
    print_members(cli, &m);
    members_deinit(&m);
    return CLI_OK;
}

static void print_clients(const struct caucus_result *r)
{
    struct members m;
    members_read(r->data != NULL ? r->data : "", &m);
    const char *comma = "";
    for (size_t i = 0; i < m.count; i++) {
        char *place = member_client_place(&m.list[i]);
        if (place != NULL) {
            printf("%s%s", comma, place);
            comma = ",";
        }
        free(place);
    }
    printf("\n");
    members_deinit(&m);
}

int run_config(struct cli *cli, int argc, char **argv)
{
    bool clients = false;
    const struct option options[] = {{'c', "clients", OPTION_FLAG, &clients}};
    int code = cli_words(cli, options, 1, argc, argv, 0, 0, NULL);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_get_config_wait(cli->handle, NULL, NULL, &r);
    if (rc != 0)
        code = cli_failed(cli, "the configuration", rc);
    else if (clients && !cli->json)
        print_clients(r);
    else
        print_config(cli, r);
    caucus_result_free(r);
    return code;
}

static void join(struct buf *b, const struct option_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        buf_printf(b, "%s%s", i > 0 ? "," : "", list->items[i]);
    buf_put_u8(b, 0);
}

int run_reconfig(struct cli *cli, int argc, char **argv)
{
    enum {
        HEXADECIMAL = 16
    };
    struct option_list add = {.count = 0}, leave = {.count = 0};
    const char *members = NULL, *version_text = NULL;
    const struct option options[] = {{'a', "add", OPTION_LIST, &add},
                                     {'r', "remove", OPTION_LIST, &leave},
                                     {'m', "members", OPTION_TEXT, &members},
                                     {'v', "version", OPTION_TEXT, &version_text}};
    int code = cli_words(cli, options, 4, argc, argv, 0, 0, NULL);
    if (code != CLI_OK)
        return code;
    bool some = add.count > 0 || leave.count > 0;
    if (some == (members != NULL))
        return cli_usage(cli, members != NULL ? "--members stands alone"
                                              : "nothing to do: --add, --remove or --members");
    int64_t version = -1;
    if (version_text != NULL) {
        char *end;
        version = strtoll(version_text, &end, HEXADECIMAL);
        if (end == version_text || *end != 0)
            return cli_usage(cli, "--version: '%s' is not a hexadecimal number", version_text);
    }
    code = cli_connect(cli);
    if (code != CLI_OK)
        return code;

    struct buf joining = {0}, leaving = {0};
    join(&joining, &add);
    join(&leaving, &leave);
    struct caucus_result *r;
    int rc =
        caucus_reconfig_wait(cli->handle, add.count > 0 ? (char *)joining.ptr : NULL,
                             leave.count > 0 ? (char *)leaving.ptr : NULL, members, version, &r);
    code = rc == 0 ? print_config(cli, r) : cli_failed(cli, "the configuration", rc);
    caucus_result_free(r);
    buf_deinit(&joining);
    buf_deinit(&leaving);
    return code;
}
