/* elect.c: elect. The election is the library's (caucus/election.h), always with its patient
 * policy: what is strict here ends the command first and the leadership after it (holding.h). */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "caucus/election.h"
#include "cli/candidates.h"
#include "cli/cli.h"
#include "cli/holding.h"
#include "cli/json.h"

struct candidacy {
    struct holding h;
    struct caucus_election *election;
    bool once;
    bool prints;           /* terms, on stdout: there is no command */
    atomic_bool has_ended; /* a term */
};

/* ---- The event thread's ---- */

static void print_news(const struct candidacy *a, const struct caucus_election_change *change)
{
    bool begins = change->news == CAUCUS_ELECTED;
    const char *why = begins ? change->path : caucus_error_name(change->rc);
    char token[32];
    snprintf(token, sizeof token, "%" PRId64, change->token);
    if (a->h.cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", begins ? "elected" : "dismissed");
        cli_json_text(&j, "token", token);
        cli_json_text(&j, begins ? "node" : "reason", why);
        cli_json_end(&j);
    } else {
        printf("%-9s  %s  %s\n", begins ? "elected" : "dismissed", token, why);
    }
    fflush(stdout);
}

static void on_change(void *context, struct caucus_election *e,
                      const struct caucus_election_change *change)
{
    (void)e;
    struct candidacy *a = context;
    if (change->news == CAUCUS_ELECTION_TROUBLE) {
        holding_trouble(&a->h, change->rc, false);
        return;
    }
    if (a->prints)
        print_news(a, change);
    if (change->news == CAUCUS_DISMISSED)
        atomic_store(&a->has_ended, true);
    watching_wake(&a->h.cli->watching);
}

/* ---- Main's ---- */

static int64_t token_of(void *held)
{
    struct candidacy *a = held;
    return caucus_election_token(a->election);
}

static int run_terms(struct candidacy *a)
{
    for (;;) {
        int64_t token = 0;
        int code = holding_await(&a->h, INT64_MAX, &token);
        if (code != CLI_OK)
            return code;
        fprintf(stderr, "caucus: %s: elected, token %" PRId64 "\n", a->h.path, token);
        switch (holding_run(&a->h, token, &code)) {
        case HOLDING_ENDED:
            return code;
        case HOLDING_BROKEN:
            return CLI_CONNECTION;
        case HOLDING_STOPPED:
            break;
        }
        if (a->once || a->h.end_signal != 0)
            return CLI_CONNECTION;
        caucus_election_resign(a->election);
    }
}

static int print_terms(struct candidacy *a)
{
    for (;;) {
        int code = holding_hear_trouble(&a->h);
        if (code != CLI_OK)
            return code;
        if ((a->once && atomic_load(&a->has_ended)) || holding_wait(&a->h, -1) != 0)
            return CLI_OK;
    }
}

static int stand(void *held)
{
    struct candidacy *a = held;
    struct cli *cli = a->h.cli;
    struct caucus_election_options o = {
        .identity = a->h.id,
        .identity_bytes = strlen(a->h.id),
        .policy = a->prints ? a->h.policy : CAUCUS_UNTIL_LOST,
        .on_change = on_change,
        .context = a,
    };
    int rc = caucus_election_open(cli->handle, a->h.path, &o, &a->election);
    if (rc != 0)
        return cli_failed(cli, a->h.path, rc);
    int code = a->prints ? print_terms(a) : run_terms(a);
    watching_close(&cli->watching);
    caucus_election_close(a->election);
    return code;
}

int run_elect(struct cli *cli, int argc, char **argv)
{
    struct candidacy a = {.h = {.cli = cli, .token = token_of}};
    bool list = false;
    const struct option options[] = {
        {'i', "id", OPTION_TEXT, &a.h.id},
        {'p', "policy", OPTION_TEXT, &a.h.policy_name},
        {'g', "grace", OPTION_NUMBER, &a.h.grace_ms},
        {'1', "once", OPTION_FLAG, &a.once},
        {'l', "list", OPTION_FLAG, &list},
    };
    int words = 0;
    int code =
        cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 1, argc, &words);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && strcmp(argv[1], "/") == 0)
        code = cli_usage(cli, "the root cannot be an election");
    if (code == CLI_OK && list && words > 1)
        code = cli_usage(cli, "--list: no command is run");
    if (code != CLI_OK)
        return code;
    a.h.path = argv[1];
    if (list)
        return list_candidates(cli, a.h.path);

    argv[words + 1] = NULL; /* behind it stand words that were taken out */
    a.h.command = words > 1 ? argv + 2 : NULL;
    a.h.held = &a;
    a.prints = words == 1;
    return holding_do(&a.h, stand);
}
