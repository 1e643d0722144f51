/* acls.c: acl, getacl, setacl, addauth, whoami. */
#include <stdio.h>
#include <string.h>

#include "cli/acl_text.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/print.h"

static void print_acl(const struct cli *cli, const char *path, const struct caucus_result *r,
                      bool with_stat)
{
    char perms[6];
    struct json j;
    if (cli->json) {
        cli_json_begin(&j);
        cli_json_text(&j, "path", path);
        cli_json_list(&j, "acl");
    }
    for (size_t i = 0; i < r->acl_count; i++) {
        acl_text_perms(r->acl[i].perms, perms);
        if (!cli->json) {
            printf("%s:%s:%s\n", r->acl[i].scheme, r->acl[i].id, perms);
            continue;
        }
        cli_json_object(&j, NULL);
        cli_json_text(&j, "scheme", r->acl[i].scheme);
        cli_json_text(&j, "id", r->acl[i].id);
        cli_json_text(&j, "perms", perms);
        cli_json_object_end(&j);
    }
    if (cli->json) {
        cli_json_list_end(&j);
        cli_json_stat(&j, "stat", r->stat);
        cli_json_end(&j);
    } else if (with_stat) {
        print_stat(r->stat);
    }
}

int run_get_acl(struct cli *cli, int argc, char **argv)
{
    bool with_stat = false;
    const struct option options[] = {{'s', "stat", OPTION_FLAG, &with_stat}};
    int code = cli_words(cli, options, 1, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_get_acl_wait(cli->handle, argv[1], &r);
    if (rc == 0)
        print_acl(cli, argv[1], r, with_stat);
    else
        code = cli_failed(cli, argv[1], rc);
    caucus_result_free(r);
    return code;
}

int run_set_acl(struct cli *cli, int argc, char **argv)
{
    int64_t version = CAUCUS_ANY_VERSION;
    const struct option options[] = {{'v', "version", OPTION_NUMBER, &version}};
    int code = cli_words(cli, options, 1, argc, argv, 2, 2, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && (version < -1 || version > INT32_MAX))
        code = cli_usage(cli, "--version: %lld cannot be a version", (long long)version);
    if (code != CLI_OK)
        return code;
    struct acl_text acl;
    code = acl_text_read(cli, argv[2], &acl);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code == CLI_OK) {
        int rc =
            caucus_set_acl_wait(cli->handle, argv[1], acl.list, acl.count, (int32_t)version, NULL);
        if (rc != 0)
            code = cli_failed(cli, argv[1], rc);
    }
    if (code == CLI_OK && cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", argv[1]);
        cli_json_end(&j);
    }
    acl_text_deinit(&acl);
    return code;
}

int run_acl(struct cli *cli, int argc, char **argv)
{
    static const struct command_part parts[] = {{"get", "getacl"}, {"set", "setacl"}, {NULL, NULL}};
    bool is_get = argc > 1 && (argv[1][0] == '/' || argv[1][0] == '-');
    return is_get ? run_get_acl(cli, argc, argv) : command_run_part(cli, parts, argc, argv);
}

int run_add_auth(struct cli *cli, int argc, char **argv)
{
    int code = cli_words(cli, NULL, 0, argc, argv, 2, 2, NULL);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    int rc = caucus_add_auth_wait(cli->handle, argv[1], argv[2], strlen(argv[2]));
    return rc == 0 ? CLI_OK : cli_failed(cli, argv[1], rc);
}

int run_whoami(struct cli *cli, int argc, char **argv)
{
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 0, NULL);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_who_am_i_wait(cli->handle, &r);
    if (rc != 0) {
        code = cli_failed(cli, "the server", rc);
    } else if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_list(&j, "identities");
        for (size_t i = 0; i < r->identity_count; i++) {
            cli_json_object(&j, NULL);
            cli_json_text(&j, "scheme", r->identities[i].scheme);
            cli_json_text(&j, "user", r->identities[i].user);
            cli_json_object_end(&j);
        }
        cli_json_list_end(&j);
        cli_json_end(&j);
    } else {
        static const char *const titles[] = {"SCHEME", "USER"};
        struct table t;
        cli_table_init(&t, 2, titles);
        for (size_t i = 0; i < r->identity_count; i++) {
            cli_table_cell(&t, "%s", r->identities[i].scheme);
            cli_table_cell(&t, "%s", r->identities[i].user);
        }
        cli_table_print(&t);
        cli_table_deinit(&t);
    }
    caucus_result_free(r);
    return code;
}
