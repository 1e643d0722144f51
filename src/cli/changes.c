/* changes.c: create, set, delete, deleteall, sync. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/acl_text.h"
#include "cli/cli.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/walk.h"

static int check_version(struct cli *cli, int64_t version)
{
    if (version < -1 || version > INT32_MAX)
        return cli_usage(cli, "--version: %lld cannot be a version", (long long)version);
    return CLI_OK;
}

static void print_changed(const struct cli *cli, const char *path, const struct caucus_stat *stat,
                          bool with_stat)
{
    if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", path);
        if (stat != NULL)
            cli_json_stat(&j, "stat", stat);
        cli_json_end(&j);
    } else if (with_stat && stat != NULL) {
        print_stat(stat);
    }
}

int run_set(struct cli *cli, int argc, char **argv)
{
    int64_t version = CAUCUS_ANY_VERSION;
    const char *file = NULL;
    bool with_stat = false;
    const struct option options[] = {{'v', "version", OPTION_NUMBER, &version},
                                     {'f', "file", OPTION_TEXT, &file},
                                     {'s', "stat", OPTION_FLAG, &with_stat}};
    int count;
    int code = cli_words(cli, options, 3, argc, argv, 1, 2, &count);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK)
        code = check_version(cli, version);
    if (code == CLI_OK && count == 2 && file != NULL)
        code = cli_usage(cli, "both data and --file are given");
    if (code != CLI_OK)
        return code;

    struct buf data = {0};
    if (count == 1)
        code = input_read(cli, file != NULL ? file : "-", &data);
    else
        buf_put(&data, argv[2], strlen(argv[2]));
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code == CLI_OK) {
        struct caucus_result *r;
        int rc = caucus_set_wait(cli->handle, argv[1], data.len > 0 ? (char *)data.ptr : "",
                                 data.len, (int32_t)version, &r);
        if (rc == 0)
            print_changed(cli, argv[1], r->stat, with_stat);
        else
            code = cli_failed(cli, argv[1], rc);
        caucus_result_free(r);
    }
    buf_deinit(&data);
    return code;
}

struct create_words {
    bool ephemeral, sequential, container, parents;
    int64_t ttl_ms;
    const char *file;
};

static int create_mode(struct cli *cli, const struct create_words *w, enum caucus_create_mode *ret)
{
    if ((int)w->ephemeral + (int)w->container + (int)(w->ttl_ms >= 0) > 1)
        return cli_usage(cli, "of --ephemeral, --container and --ttl only one can be");
    if (w->container && w->sequential)
        return cli_usage(cli, "a container cannot be --sequential");
    if (w->container)
        *ret = CAUCUS_CONTAINER;
    else if (w->ttl_ms >= 0)
        *ret = w->sequential ? CAUCUS_PERSISTENT_SEQUENTIAL_TTL : CAUCUS_PERSISTENT_TTL;
    else if (w->ephemeral)
        *ret = w->sequential ? CAUCUS_EPHEMERAL_SEQUENTIAL : CAUCUS_EPHEMERAL;
    else
        *ret = w->sequential ? CAUCUS_PERSISTENT_SEQUENTIAL : CAUCUS_PERSISTENT;
    return CLI_OK;
}

/* From the top: each that is there already is right, whoever made it. */
int cli_create_parents(struct cli *cli, const char *path)
{
    char *above = mem_dup(path, strlen(path) + 1);
    int code = CLI_OK;
    for (char *slash = strchr(above + 1, '/'); slash != NULL && code == CLI_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = 0;
        int rc = caucus_create_wait(cli->handle, above, NULL, 0, NULL, NULL);
        /* Somebody who may not create it may be one for whom it is there. */
        if (rc != 0 && rc != CAUCUS_NODEEXISTS && rc != CAUCUS_NOAUTH)
            code = cli_failed(cli, above, rc);
        *slash = '/';
    }
    free(above);
    return code;
}

/* Its node lives as long as this command. */
static int keep_ephemeral(struct cli *cli)
{
    fflush(stdout);
    if (watching_wait_end(&cli->watching) != WAITED_LOST)
        return CLI_OK;
    cli_usage(cli, "the session is over, and the node with it");
    return CLI_CONNECTION;
}

static int create_node(struct cli *cli, const char *path, const struct buf *data,
                       const struct caucus_create_options *options, bool parents)
{
    bool keep = options->mode == CAUCUS_EPHEMERAL || options->mode == CAUCUS_EPHEMERAL_SEQUENTIAL;
    keep = keep && !cli->in_shell;
    if (keep && watching_take_signals(&cli->watching) < 0)
        return cli_usage(cli, "signals cannot be waited for");
    int code = cli_connect(cli);
    if (keep)
        watching_tell_states(&cli->watching);
    if (code == CLI_OK && parents)
        code = cli_create_parents(cli, path);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_create_wait(cli->handle, path, data->len > 0 ? (char *)data->ptr : "",
                                data->len, options, &r);
    if (rc == CAUCUS_NONODE)
        code = cli_no(cli, "%s: there is no node above it; --parents makes what is missing (%s)",
                      path, caucus_error_name(rc));
    else if (rc != 0)
        code = cli_failed(cli, path, rc);
    else if (cli->json)
        print_changed(cli, r->path, r->stat, false);
    else
        printf("%s\n", r->path);
    caucus_result_free(r);
    return code == CLI_OK && keep ? keep_ephemeral(cli) : code;
}

int run_create(struct cli *cli, int argc, char **argv)
{
    enum {
        TTL_MS_MAX_BITS = 40
    };
    struct create_words w = {.ttl_ms = -1};
    const struct option options[] = {
        {'e', "ephemeral", OPTION_FLAG, &w.ephemeral},
        {'s', "sequential", OPTION_FLAG, &w.sequential},
        {'c', "container", OPTION_FLAG, &w.container},
        {'p', "parents", OPTION_FLAG, &w.parents},
        {'t', "ttl", OPTION_NUMBER, &w.ttl_ms},
        {'f', "file", OPTION_TEXT, &w.file},
    };
    struct caucus_create_options o = {0};
    int count;
    int code = cli_words(cli, options, 6, argc, argv, 1, 3, &count);
    if (code == CLI_OK)
        code = create_mode(cli, &w, &o.mode);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], w.sequential);
    if (code == CLI_OK && w.ttl_ms >= 0 &&
        (w.ttl_ms < 1 || w.ttl_ms >= (int64_t)1 << TTL_MS_MAX_BITS))
        code = cli_usage(cli, "--ttl: %lld is not from 1 to 2^40-1 ms", (long long)w.ttl_ms);
    if (code == CLI_OK && count > 1 && w.file != NULL)
        code = cli_usage(cli, "both data and --file are given");
    if (code != CLI_OK)
        return code;

    struct buf data = {0};
    struct acl_text acl = {0};
    o.ttl_ms = w.ttl_ms > 0 ? w.ttl_ms : 0;
    if (w.file != NULL)
        code = input_read(cli, w.file, &data);
    else if (count > 1)
        buf_put(&data, argv[2], strlen(argv[2]));
    if (code == CLI_OK && count > 2)
        code = acl_text_read(cli, argv[3], &acl);
    o.acl = acl.list;
    o.acl_count = acl.count;
    if (code == CLI_OK)
        code = create_node(cli, argv[1], &data, &o, w.parents);
    acl_text_deinit(&acl);
    buf_deinit(&data);
    return code;
}

int run_delete(struct cli *cli, int argc, char **argv)
{
    int64_t version = CAUCUS_ANY_VERSION;
    const struct option options[] = {{'v', "version", OPTION_NUMBER, &version}};
    int code = cli_words(cli, options, 1, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK)
        code = check_version(cli, version);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    int rc = caucus_delete_wait(cli->handle, argv[1], (int32_t)version);
    if (rc != 0)
        return cli_failed(cli, argv[1], rc);
    print_changed(cli, argv[1], NULL, false);
    return CLI_OK;
}

static int delete_one(void *context, const char *path, size_t depth)
{
    (void)depth;
    int rc = caucus_delete_wait(context, path, CAUCUS_ANY_VERSION);
    return rc == CAUCUS_NONODE ? 0 : rc; /* gone already is what was wanted */
}

int run_delete_all(struct cli *cli, int argc, char **argv)
{
    int code = cli_words(cli, NULL, 0, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && strcmp(argv[1], "/") == 0)
        code = cli_usage(cli, "the root cannot be deleted");
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    int rc = walk(cli->handle, argv[1], WALK_CHILDREN_FIRST, delete_one, cli->handle);
    if (rc != 0)
        return cli_failed(cli, argv[1], rc);
    print_changed(cli, argv[1], NULL, false);
    return CLI_OK;
}

int run_sync(struct cli *cli, int argc, char **argv)
{
    int count;
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 1, &count);
    const char *path = code == CLI_OK && count > 0 ? argv[1] : "/";
    if (code == CLI_OK)
        code = cli_check_path(cli, path, false);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    int rc = caucus_sync_wait(cli->handle, path);
    if (rc != 0)
        return cli_failed(cli, path, rc);
    print_changed(cli, path, NULL, false);
    return CLI_OK;
}
