/* quota_change.c: quota set and delete, zkCli's setquota and delquota. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/quota.h"
#include "cli/walk.h"

/* ---- set ---- */

/* Servers look for one quota on the way from a node to the root: a second one would be void. */
static int refuse_quota_above(struct cli *cli, const char *path)
{
    char *above = quota_join(path, "", "");
    int code = CLI_OK;
    for (char *slash = strrchr(above, '/'); slash != above && code == CLI_OK;
         slash = strrchr(above, '/')) {
        *slash = 0;
        struct quota_limits ignored;
        int rc = quota_read(cli, above, LIMITS_NAME, &ignored);
        if (rc == 0)
            code = cli_no(cli, "'%s' is below '%s', which has a quota", path, above);
        else if (rc != CAUCUS_NONODE)
            code = cli_failed(cli, above, rc);
    }
    free(above);
    return code;
}

struct search {
    const char *own; /* the limits of the path itself */
    char *found;
};

static int on_node_below(void *context, const char *node, size_t depth)
{
    struct search *s = context;
    (void)depth;
    if (!quota_is_limits(node) || strcmp(node, s->own) == 0)
        return 0;
    s->found = quota_join(node, "", "");
    return 1;
}

static int refuse_quota_below(struct cli *cli, const char *path)
{
    char *root = quota_join(QUOTA_ROOT, path, "");
    char *own = quota_join(root, LIMITS_NAME, "");
    struct search s = {.own = own};
    int rc = walk(cli->handle, root, WALK_PARENTS_FIRST, on_node_below, &s);
    int code = CLI_OK;
    if (s.found != NULL) {
        s.found[strlen(s.found) - strlen(LIMITS_NAME)] = 0;
        code = cli_no(cli, "'%s' is above '%s', which has a quota", path,
                      s.found + strlen(QUOTA_ROOT));
    } else if (rc != 0 && rc != CAUCUS_NONODE) {
        code = cli_failed(cli, root, rc);
    }
    free(s.found);
    free(own);
    free(root);
    return code;
}

static void take_over(struct quota_limits *to, const struct quota_limits *from)
{
    to->count = from->count >= 0 ? from->count : to->count;
    to->bytes = from->bytes >= 0 ? from->bytes : to->bytes;
    to->count_hard = from->count_hard >= 0 ? from->count_hard : to->count_hard;
    to->bytes_hard = from->bytes_hard >= 0 ? from->bytes_hard : to->bytes_hard;
}

/* Limits before the usage: with the second the servers begin to count. */
static int make_nodes(struct cli *cli, const char *path, const struct quota_limits *limits)
{
    static const char unused[] = "count=0,bytes=0";
    char text[QUOTA_TEXT_BYTES];
    quota_write_text(limits, text);
    char *limits_node = quota_join(QUOTA_ROOT, path, LIMITS_NAME);
    char *stats_node = quota_join(QUOTA_ROOT, path, STATS_NAME);
    const struct caucus_op ops[] = {
        {.type = CAUCUS_OP_CREATE, .path = limits_node, .data = text, .data_bytes = strlen(text)},
        {.type = CAUCUS_OP_CREATE,
         .path = stats_node,
         .data = unused,
         .data_bytes = sizeof unused - 1},
    };
    int code = cli_create_parents(cli, limits_node);
    int rc = code == CLI_OK ? caucus_multi_wait(cli->handle, ops, 2, NULL) : 0;
    if (rc != 0)
        code = cli_failed(cli, limits_node, rc);
    free(stats_node);
    free(limits_node);
    return code;
}

static int write_node(struct cli *cli, const char *path, const struct quota_limits *limits)
{
    char text[QUOTA_TEXT_BYTES];
    quota_write_text(limits, text);
    char *node = quota_join(QUOTA_ROOT, path, LIMITS_NAME);
    int rc = caucus_set_wait(cli->handle, node, text, strlen(text), CAUCUS_ANY_VERSION, NULL);
    int code = rc == 0 ? CLI_OK : cli_failed(cli, node, rc);
    free(node);
    return code;
}

static bool is_beyond(int64_t used, int64_t limit)
{
    return limit >= 0 && used > limit;
}

/* It stands all the same, as zkCli has it. */
static void warn_if_beyond(const char *path, const struct quota_limits *l,
                           const struct quota_limits *used)
{
    if (is_beyond(used->count, l->count) || is_beyond(used->count, l->count_hard))
        fprintf(stderr, "caucus: '%s' has %" PRId64 " nodes already\n", path, used->count);
    if (is_beyond(used->bytes, l->bytes) || is_beyond(used->bytes, l->bytes_hard))
        fprintf(stderr, "caucus: '%s' has %" PRId64 " bytes already\n", path, used->bytes);
}

static int set_quota(struct cli *cli, const char *path, const struct quota_limits *wanted)
{
    int rc = caucus_exists_wait(cli->handle, path, NULL, NULL, NULL);
    if (rc != 0)
        return cli_failed(cli, path, rc);
    int code = refuse_quota_above(cli, path);
    if (code == CLI_OK)
        code = refuse_quota_below(cli, path);
    if (code != CLI_OK)
        return code;

    struct quota_limits limits = QUOTA_NO_LIMITS, used = QUOTA_NO_LIMITS;
    rc = quota_read(cli, path, LIMITS_NAME, &limits);
    if (rc != 0 && rc != CAUCUS_NONODE)
        return cli_failed(cli, path, rc);
    take_over(&limits, wanted);
    code = rc == 0 ? write_node(cli, path, &limits) : make_nodes(cli, path, &limits);
    if (code == CLI_OK && quota_read(cli, path, STATS_NAME, &used) == 0)
        warn_if_beyond(path, &limits, &used);
    return code;
}

static int tell_done(struct cli *cli, const char *path)
{
    if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", path);
        cli_json_end(&j);
    }
    return CLI_OK;
}

int run_set_quota(struct cli *cli, int argc, char **argv)
{
    enum {
        NOT_GIVEN = INT32_MIN
    };
    struct quota_limits l = {NOT_GIVEN, NOT_GIVEN, NOT_GIVEN, NOT_GIVEN};
    const struct option options[] = {
        {'n', "count", OPTION_NUMBER, &l.count},
        {'b', "bytes", OPTION_NUMBER, &l.bytes},
        {'N', "count-hard", OPTION_NUMBER, &l.count_hard},
        {'B', "bytes-hard", OPTION_NUMBER, &l.bytes_hard},
    };
    int code = cli_words(cli, options, 4, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = quota_check_words(cli, argv[1]);
    if (code != CLI_OK)
        return code;
    if (l.count == NOT_GIVEN && l.bytes == NOT_GIVEN && l.count_hard == NOT_GIVEN &&
        l.bytes_hard == NOT_GIVEN)
        return cli_usage(cli, "a limit is missing: -n, -b, -N, -B");
    if ((l.count != NOT_GIVEN && (l.count < 1 || l.count > INT32_MAX)) ||
        (l.count_hard != NOT_GIVEN && (l.count_hard < 1 || l.count_hard > INT32_MAX)))
        return cli_usage(cli, "a number of nodes is from 1 to %d", INT32_MAX);
    if ((l.bytes != NOT_GIVEN && l.bytes < 0) || (l.bytes_hard != NOT_GIVEN && l.bytes_hard < 0))
        return cli_usage(cli, "a number of bytes is not negative");
    code = cli_connect(cli);
    if (code == CLI_OK)
        code = set_quota(cli, argv[1], &l);
    return code == CLI_OK ? tell_done(cli, argv[1]) : code;
}

/* ---- delete ---- */

/* Upwards, as long as nothing else is kept there. */
static int trim(struct cli *cli, char *node)
{
    while (strcmp(node, QUOTA_ROOT) != 0) {
        int rc = caucus_delete_wait(cli->handle, node, CAUCUS_ANY_VERSION);
        if (rc == CAUCUS_NOTEMPTY)
            return 0;
        if (rc != 0 && rc != CAUCUS_NONODE)
            return rc;
        *strrchr(node, '/') = 0;
    }
    return 0;
}

static int delete_all(struct cli *cli, const char *path)
{
    char *limits_node = quota_join(QUOTA_ROOT, path, LIMITS_NAME);
    char *stats_node = quota_join(QUOTA_ROOT, path, STATS_NAME);
    char *node = quota_join(QUOTA_ROOT, path, "");
    int rc = caucus_delete_wait(cli->handle, limits_node, CAUCUS_ANY_VERSION);
    int code = CLI_OK;
    if (rc == 0) {
        rc = caucus_delete_wait(cli->handle, stats_node, CAUCUS_ANY_VERSION);
        if (rc == 0 || rc == CAUCUS_NONODE)
            rc = trim(cli, node);
    } else if (rc == CAUCUS_NONODE) {
        code = cli_no(cli, "'%s' has no quota", path);
        rc = 0;
    }
    if (rc != 0)
        code = cli_failed(cli, node, rc);
    free(node);
    free(stats_node);
    free(limits_node);
    return code;
}

static int delete_some(struct cli *cli, const char *path, const bool gone[4])
{
    struct quota_limits l;
    int rc = quota_read(cli, path, LIMITS_NAME, &l);
    if (rc == CAUCUS_NONODE)
        return cli_no(cli, "'%s' has no quota", path);
    if (rc != 0)
        return cli_failed(cli, path, rc);
    l.count = gone[0] ? -1 : l.count;
    l.bytes = gone[1] ? -1 : l.bytes;
    l.count_hard = gone[2] ? -1 : l.count_hard;
    l.bytes_hard = gone[3] ? -1 : l.bytes_hard;
    return write_node(cli, path, &l);
}

int run_delete_quota(struct cli *cli, int argc, char **argv)
{
    bool gone[4] = {false};
    const struct option options[] = {
        {'n', "count", OPTION_FLAG, &gone[0]},
        {'b', "bytes", OPTION_FLAG, &gone[1]},
        {'N', "count-hard", OPTION_FLAG, &gone[2]},
        {'B', "bytes-hard", OPTION_FLAG, &gone[3]},
    };
    int code = cli_words(cli, options, 4, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = quota_check_words(cli, argv[1]);
    if (code == CLI_OK)
        code = cli_connect(cli);
    if (code == CLI_OK)
        code = gone[0] || gone[1] || gone[2] || gone[3] ? delete_some(cli, argv[1], gone)
                                                        : delete_all(cli, argv[1]);
    return code == CLI_OK ? tell_done(cli, argv[1]) : code;
}

/* ---- all three, by one name ---- */

int run_quota(struct cli *cli, int argc, char **argv)
{
    static const struct command_part parts[] = {
        {"list", "listquota"}, {"set", "setquota"}, {"delete", "delquota"}, {NULL, NULL}};
    return command_run_part(cli, parts, argc, argv);
}
