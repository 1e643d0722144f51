/* quota_list.c: quota list, zkCli's listquota. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/print.h"
#include "cli/quota.h"
#include "cli/walk.h"

struct list {
    struct cli *cli;
    struct json json;
    struct table table;
    const char *failed; /* the path at which it ended */
};

static void json_limit(struct json *j, const char *name, int64_t value)
{
    if (value < 0)
        cli_json_null(j, name);
    else
        cli_json_number(j, name, value);
}

static void cell_limit(struct table *t, int64_t value)
{
    if (value < 0)
        cli_table_cell(t, "-");
    else
        cli_table_cell(t, "%" PRId64, value);
}

static void show(struct list *l, const char *path, const struct quota_limits *limits,
                 const struct quota_limits *usage)
{
    if (!l->cli->json) {
        cli_table_cell(&l->table, "%s", path);
        cell_limit(&l->table, usage->count);
        cell_limit(&l->table, limits->count);
        cell_limit(&l->table, limits->count_hard);
        cell_limit(&l->table, usage->bytes);
        cell_limit(&l->table, limits->bytes);
        cell_limit(&l->table, limits->bytes_hard);
        return;
    }
    cli_json_object(&l->json, NULL);
    cli_json_text(&l->json, "path", path);
    json_limit(&l->json, "count", usage->count);
    json_limit(&l->json, "count_soft", limits->count);
    json_limit(&l->json, "count_hard", limits->count_hard);
    json_limit(&l->json, "bytes", usage->bytes);
    json_limit(&l->json, "bytes_soft", limits->bytes);
    json_limit(&l->json, "bytes_hard", limits->bytes_hard);
    cli_json_object_end(&l->json);
}

static int show_path(struct list *l, const char *path)
{
    struct quota_limits limits, usage = QUOTA_NO_LIMITS;
    int rc = quota_read(l->cli, path, LIMITS_NAME, &limits);
    if (rc != 0)
        return rc;
    rc = quota_read(l->cli, path, STATS_NAME, &usage);
    if (rc == 0 || rc == CAUCUS_NONODE)
        show(l, path, &limits, &usage);
    return rc == CAUCUS_NONODE ? 0 : rc;
}

static int on_quota_node(void *context, const char *node, size_t depth)
{
    (void)depth;
    size_t root = strlen(QUOTA_ROOT), end = strlen(LIMITS_NAME);
    if (!quota_is_limits(node) || strlen(node) <= root + end)
        return 0;
    char *path = quota_join(node + root, "", "");
    path[strlen(path) - end] = 0;
    int rc = show_path(context, path);
    free(path);
    return rc == CAUCUS_NONODE ? 0 : rc; /* deleted meanwhile */
}

static int show_quotas(struct list *l, const char *path)
{
    static const char *const titles[] = {"PATH", "COUNT", "SOFT", "HARD", "BYTES", "SOFT", "HARD"};
    cli_table_init(&l->table, 7, titles);
    if (l->cli->json) {
        cli_json_begin(&l->json);
        cli_json_list(&l->json, "quotas");
    }
    int rc = path != NULL ? show_path(l, path)
                          : walk(l->cli->handle, QUOTA_ROOT, WALK_PARENTS_FIRST, on_quota_node, l);
    if (l->cli->json) {
        cli_json_list_end(&l->json);
        cli_json_end(&l->json);
    } else if (rc == 0) {
        cli_table_print(&l->table);
    }
    cli_table_deinit(&l->table);
    return rc;
}

int run_list_quota(struct cli *cli, int argc, char **argv)
{
    int count = 0;
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 1, &count);
    const char *path = count > 0 ? argv[1] : NULL;
    if (code == CLI_OK)
        code = quota_check_words(cli, path);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct list l = {.cli = cli};
    int rc = show_quotas(&l, path);
    if (rc == CAUCUS_NONODE && path != NULL)
        return cli_no(cli, "'%s' has no quota", path);
    return rc == 0 ? CLI_OK : cli_failed(cli, path != NULL ? path : QUOTA_ROOT, rc);
}
