/* follow.c: watch. */
#include <stdio.h>

#include "cli/cli.h"

static int follow(struct cli *cli, int64_t count)
{
    switch (watching_wait_events(&cli->watching)) {
    case WAITED_DONE:
        if (count >= 0)
            return CLI_OK;
        cli_usage(cli, "the watch was removed");
        return CLI_NO;
    case WAITED_SIGNAL:
        return CLI_OK;
    case WAITED_TIMEOUT:
    case WAITED_LOST:
        break;
    }
    cli_usage(cli, "the session is over: nothing is watched any more");
    return CLI_CONNECTION;
}

int run_watch(struct cli *cli, int argc, char **argv)
{
    bool recursive = false;
    int64_t count = -1;
    const struct option options[] = {{'r', "recursive", OPTION_FLAG, &recursive},
                                     {'n', "count", OPTION_NUMBER, &count}};
    int code = cli_words(cli, options, 2, argc, argv, 1, 1, NULL);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && count != -1 && (count < 1 || cli->in_shell))
        code = cli_usage(cli, cli->in_shell ? "--count: not in the shell" : "--count: at least 1");
    if (code != CLI_OK)
        return code;
    if (!cli->in_shell && watching_take_signals(&cli->watching) < 0)
        return cli_usage(cli, "signals cannot be waited for");
    code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    if (!cli->in_shell) {
        watching_limit(&cli->watching, count);
        watching_tell_states(&cli->watching);
    }
    watching_expect(&cli->watching, 1);
    int rc = caucus_add_watch_wait(cli->handle, argv[1],
                                   recursive ? CAUCUS_WATCH_PERSISTENT_RECURSIVE
                                             : CAUCUS_WATCH_PERSISTENT,
                                   watching_on_event, &cli->watching);
    if (rc != 0) {
        watching_expect(&cli->watching, -1);
        return cli_failed(cli, argv[1], rc);
    }
    if (cli->in_shell)
        return CLI_OK;
    fprintf(stderr, "caucus: watching %s\n", argv[1]);
    return follow(cli, count);
}
