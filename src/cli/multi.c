/* multi.c: several changes, all or none. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json.h"

enum {
    MULTI_OPS_MAX = 1000
};

static int read_version(struct cli *cli, const char *text, int32_t *ret)
{
    int64_t version;
    if (!option_number(text, -1, INT32_MAX, &version))
        return cli_usage(cli, "'%s' cannot be a version", text);
    *ret = (int32_t)version;
    return CLI_OK;
}

/* argv[0] to argv[argc - 1] are one operation. */
static int read_op(struct cli *cli, int argc, char **argv, struct caucus_op *ret)
{
    static const struct {
        const char *name, *arguments;
        enum caucus_op_type type;
        int min, max, version_at;
    } kinds[] = {{"create", "PATH [DATA]", CAUCUS_OP_CREATE, 2, 3, 0},
                 {"set", "PATH DATA [VERSION]", CAUCUS_OP_SET, 3, 4, 3},
                 {"delete", "PATH [VERSION]", CAUCUS_OP_DELETE, 2, 3, 2},
                 {"check", "PATH VERSION", CAUCUS_OP_CHECK, 3, 3, 2}};
    size_t i = 0, count = sizeof kinds / sizeof *kinds;
    if (argc == 0)
        return cli_usage(cli, "there is no operation beside a comma");
    while (i < count && strcmp(kinds[i].name, argv[0]) != 0)
        i++;
    if (i == count)
        return cli_usage(cli, "'%s' is not create, set, delete or check", argv[0]);
    if (argc < kinds[i].min || argc > kinds[i].max)
        return cli_usage(cli, "too %s words: %s %s", argc < kinds[i].min ? "few" : "many", argv[0],
                         kinds[i].arguments);
    *ret =
        (struct caucus_op){.type = kinds[i].type, .path = argv[1], .version = CAUCUS_ANY_VERSION};
    if (ret->type == CAUCUS_OP_CREATE || ret->type == CAUCUS_OP_SET) {
        ret->data = argc > 2 ? argv[2] : "";
        ret->data_bytes = strlen(ret->data);
    }
    int code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && kinds[i].version_at > 0 && argc > kinds[i].version_at)
        code = read_version(cli, argv[kinds[i].version_at], &ret->version);
    return code;
}

static int read_ops(struct cli *cli, int count, char **words, struct caucus_op *ops,
                    size_t *ret_count)
{
    size_t op_count = 0;
    int begin = 0;
    for (int i = 0; i <= count; i++) {
        if (i < count && strcmp(words[i], ",") != 0)
            continue;
        if (op_count == MULTI_OPS_MAX)
            return cli_usage(cli, "more than %d operations", MULTI_OPS_MAX);
        int code = read_op(cli, i - begin, words + begin, &ops[op_count]);
        if (code != CLI_OK)
            return code;
        op_count++;
        begin = i + 1;
    }
    *ret_count = op_count;
    return CLI_OK;
}

static const char *op_name(enum caucus_op_type type)
{
    return type == CAUCUS_OP_CREATE   ? "create"
           : type == CAUCUS_OP_SET    ? "set"
           : type == CAUCUS_OP_DELETE ? "delete"
                                      : "check";
}

static void print_json(const struct caucus_op *ops, size_t count, const struct caucus_result *r)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_flag(&j, "done", r->rc == 0);
    cli_json_list(&j, "results");
    for (size_t i = 0; i < count && i < r->result_count; i++) {
        cli_json_object(&j, NULL);
        cli_json_text(&j, "op", op_name(ops[i].type));
        cli_json_text(&j, "path", ops[i].path);
        cli_json_text(&j, "rc", caucus_error_name(r->results[i].rc));
        if (r->results[i].stat != NULL)
            cli_json_stat(&j, "stat", r->results[i].stat);
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

/* What made it fail is the one that neither succeeded nor was left out because of another. */
static int tell_failure(struct cli *cli, const struct caucus_op *ops, size_t count, int rc,
                        const struct caucus_result *r)
{
    for (size_t i = 0; r != NULL && i < count && i < r->result_count; i++) {
        int one = r->results[i].rc;
        if (one == 0 || one == CAUCUS_RUNTIMEINCONSISTENCY)
            continue;
        char what[1200];
        snprintf(what, sizeof what, "nothing was done: operation %zu (%s %s)", i + 1,
                 op_name(ops[i].type), ops[i].path);
        return cli_failed(cli, what, one);
    }
    return cli_failed(cli, "nothing is known to be done", rc);
}

int run_multi(struct cli *cli, int argc, char **argv)
{
    static struct caucus_op ops[MULTI_OPS_MAX]; /* of the one thread that runs commands */
    size_t op_count = 0;
    int count;
    int code = cli_words(cli, NULL, 0, argc, argv, 1, argc, &count);
    if (code == CLI_OK)
        code = read_ops(cli, count, argv + 1, ops, &op_count);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_multi_wait(cli->handle, ops, op_count, &r);
    if (r != NULL && cli->json)
        print_json(ops, op_count, r);
    if (rc != 0)
        code = tell_failure(cli, ops, op_count, rc, r);
    else if (!cli->json)
        for (size_t i = 0; i < op_count; i++)
            printf("%-7s %s\n", op_name(ops[i].type), ops[i].path);
    caucus_result_free(r);
    return code;
}
