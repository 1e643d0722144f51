/* up.c: up, down: a cluster of our own (up/up.h). What is found beside this program is used. */
#include "up/up.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

#define DIR_DEFAULT "caucus-cluster"

enum {
    PORT_MAX = 65535,
};

/* The folder of this program, without the last slash. */
static bool find_programs(struct cli *cli, char ret[PATH_MAX])
{
    ssize_t len = readlink("/proc/self/exe", ret, PATH_MAX - 1);
    char *slash = len > 0 ? memrchr(ret, '/', (size_t)len) : NULL;
    if (slash == NULL) {
        cli_no(cli, "cannot find out where this program is");
        return false;
    }
    *slash = 0;
    return true;
}

/* What is installed, or else what stands in this folder. */
static void find_election(const char *programs, char ret[PATH_MAX])
{
    int len = snprintf(ret, PATH_MAX, "%s/../share/caucus/elections/us-2024", programs);
    if (len >= PATH_MAX || access(ret, R_OK) != 0)
        snprintf(ret, PATH_MAX, "elections/us-2024");
}

int run_up(struct cli *cli, int argc, char **argv)
{
    char programs[PATH_MAX], election[PATH_MAX];
    struct up_options up = {.dir = DIR_DEFAULT};
    int64_t port = 0;
    const struct option options[] = {
        {'d', "dir", OPTION_TEXT, &up.dir},
        {'e', "election", OPTION_TEXT, &up.election},
        {'z', "zookeeper", OPTION_TEXT, &up.zookeeper},
        {'p', "port", OPTION_NUMBER, &port},
        {'c', "clean", OPTION_FLAG, &up.clean},
        {0, "demo", OPTION_FLAG, &up.demo},
    };
    int count;
    int rc = cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 0, 0, &count);
    if (rc != 0)
        return rc < 0 ? CLI_OK : rc;
    if (port < 0 || port > PORT_MAX)
        return cli_usage(cli, "--port %lld: 0 to %d, please", (long long)port, PORT_MAX);
    if (!find_programs(cli, programs))
        return CLI_NO;
    find_election(programs, election);
    if (up.election == NULL)
        up.election = election;
    if (access(up.election, R_OK | X_OK) != 0)
        return cli_usage(cli, "--election '%s': there is no such folder", up.election);
    up.programs = programs;
    up.rest_port = (int)port;
    return up_run(&up);
}

int run_down(struct cli *cli, int argc, char **argv)
{
    const char *dir = DIR_DEFAULT;
    const struct option options[] = {{'d', "dir", OPTION_TEXT, &dir}};
    int count;
    int rc = cli_words(cli, options, 1, argc, argv, 0, 0, &count);
    if (rc != 0)
        return rc < 0 ? CLI_OK : rc;
    return up_down(dir) == 0 ? CLI_OK : CLI_NO;
}
