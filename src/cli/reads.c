/* reads.c: ls, tree, get, stat, ephemerals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/walk.h"

/* Words, a path that can be one, and a connection: how all of these begin. */
static int begin(struct cli *cli, const struct option *options, size_t count, int argc, char **argv)
{
    int code = cli_words(cli, options, count, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    return code == CLI_OK ? cli_connect(cli) : code;
}

/* Of a read that sets a watch: outside the shell, the event is waited for. */
static int watch_set(struct cli *cli, bool wanted, bool is_set)
{
    if (wanted && !is_set)
        watching_expect(&cli->watching, -1);
    if (!wanted || !is_set || cli->in_shell)
        return CLI_OK;
    fflush(stdout);
    return watching_wait_events(&cli->watching) == WAITED_LOST ? CLI_CONNECTION : CLI_OK;
}

static caucus_watch_fn *watch_wanted(struct cli *cli, bool wanted)
{
    if (!wanted)
        return NULL;
    watching_expect(&cli->watching, 1);
    if (!cli->in_shell)
        watching_tell_states(&cli->watching);
    return watching_on_event;
}

static int print_path(void *context, const char *path, size_t depth)
{
    struct json *j = context;
    (void)depth;
    if (j != NULL)
        cli_json_text(j, NULL, path);
    else
        printf("%s\n", path);
    return 0;
}

static int list_recursively(struct cli *cli, const char *path)
{
    struct json j;
    if (cli->json) {
        cli_json_begin(&j);
        cli_json_text(&j, "path", path);
        cli_json_list(&j, "paths");
    }
    int rc = walk(cli->handle, path, WALK_PARENTS_FIRST, print_path, cli->json ? &j : NULL);
    if (cli->json) {
        cli_json_list_end(&j);
        cli_json_end(&j);
    }
    return rc == 0 ? CLI_OK : cli_failed(cli, path, rc);
}

static void print_names(const struct cli *cli, const char *path, struct caucus_result *r,
                        bool with_stat)
{
    const char **names = mem_alloc(r->name_count * sizeof *names);
    for (size_t i = 0; i < r->name_count; i++)
        names[i] = r->names[i];
    sort_names(names, r->name_count);
    struct json j;
    if (cli->json) {
        cli_json_begin(&j);
        cli_json_text(&j, "path", path);
        cli_json_list(&j, "children");
    }
    for (size_t i = 0; i < r->name_count; i++)
        if (cli->json)
            cli_json_text(&j, NULL, names[i]);
        else
            printf("%s\n", names[i]);
    if (cli->json) {
        cli_json_list_end(&j);
        if (r->stat != NULL)
            cli_json_stat(&j, "stat", r->stat);
        cli_json_end(&j);
    } else if (with_stat && r->stat != NULL) {
        print_stat(r->stat);
    }
    free(names);
}

int run_ls(struct cli *cli, int argc, char **argv)
{
    bool recursive = false, with_stat = false, watch = false;
    const struct option options[] = {{'R', "recursive", OPTION_FLAG, &recursive},
                                     {'s', "stat", OPTION_FLAG, &with_stat},
                                     {'w', "watch", OPTION_FLAG, &watch}};
    int code = begin(cli, options, 3, argc, argv);
    if (code != CLI_OK)
        return code;
    const char *path = argv[1];
    if (recursive)
        return list_recursively(cli, path);

    struct caucus_result *r;
    int rc =
        caucus_get_children2_wait(cli->handle, path, watch_wanted(cli, watch), &cli->watching, &r);
    if (rc == 0)
        print_names(cli, path, r, with_stat);
    else
        code = cli_failed(cli, path, rc);
    caucus_result_free(r);
    int watched = watch_set(cli, watch, rc == 0);
    return code != CLI_OK ? code : watched;
}

static int print_branch(void *context, const char *path, size_t depth)
{
    const char *name = strrchr(path, '/') + 1;
    (void)context;
    if (depth == 0)
        printf("%s\n", path);
    else
        printf("%*s%s\n", (int)depth * 2, "", name);
    return 0;
}

int run_tree(struct cli *cli, int argc, char **argv)
{
    int code = begin(cli, NULL, 0, argc, argv);
    if (code != CLI_OK)
        return code;
    if (cli->json)
        return list_recursively(cli, argv[1]);
    int rc = walk(cli->handle, argv[1], WALK_PARENTS_FIRST, print_branch, NULL);
    return rc == 0 ? CLI_OK : cli_failed(cli, argv[1], rc);
}

int run_get(struct cli *cli, int argc, char **argv)
{
    bool with_stat = false, watch = false;
    const struct option options[] = {{'s', "stat", OPTION_FLAG, &with_stat},
                                     {'w', "watch", OPTION_FLAG, &watch}};
    int code = begin(cli, options, 2, argc, argv);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_get_wait(cli->handle, argv[1], watch_wanted(cli, watch), &cli->watching, &r);
    if (rc != 0) {
        code = cli_failed(cli, argv[1], rc);
    } else if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", argv[1]);
        cli_json_data(&j, r->data, r->data_bytes);
        cli_json_stat(&j, "stat", r->stat);
        cli_json_end(&j);
    } else {
        print_data(r->data, r->data_bytes, cli->in_shell || with_stat || watch);
        if (with_stat)
            print_stat(r->stat);
    }
    caucus_result_free(r);
    int watched = watch_set(cli, watch, rc == 0);
    return code != CLI_OK ? code : watched;
}

int run_stat(struct cli *cli, int argc, char **argv)
{
    bool watch = false;
    const struct option options[] = {{'w', "watch", OPTION_FLAG, &watch}};
    int code = begin(cli, options, 1, argc, argv);
    if (code != CLI_OK)
        return code;
    struct caucus_result *r;
    int rc = caucus_exists_wait(cli->handle, argv[1], watch_wanted(cli, watch), &cli->watching, &r);
    if (rc != 0) {
        code = cli_failed(cli, argv[1], rc);
    } else if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", argv[1]);
        cli_json_stat(&j, "stat", r->stat);
        cli_json_end(&j);
    } else {
        print_stat(r->stat);
    }
    caucus_result_free(r);
    /* That it is not there can be watched, too; then its creation is the answer. */
    bool is_set = rc == 0 || rc == CAUCUS_NONODE;
    int watched = watch_set(cli, watch, is_set);
    return watch && is_set && !cli->in_shell ? watched : code;
}

int run_ephemerals(struct cli *cli, int argc, char **argv)
{
    int count;
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 1, &count);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    const char *path = count > 0 ? argv[1] : "/";
    struct caucus_result *r;
    int rc = caucus_get_ephemerals_wait(cli->handle, path, &r);
    if (rc == 0)
        print_names(cli, path, r, false);
    else
        code = cli_failed(cli, path, rc);
    caucus_result_free(r);
    return code;
}
