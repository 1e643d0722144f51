/* elect.c: elect. The election is the library's (caucus/election.h), always with its patient
 * policy: what is strict here ends the command first and the leadership after it (holding.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "caucus/election.h"
#include "cli/candidates.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/terms.h"

struct candidacy {
    struct terms t; /* first */
    struct caucus_election *election;
    bool prints; /* terms, on stdout: there is no command */
};

/* ---- The event thread's ---- */

static void print_news(const struct candidacy *a, const struct caucus_election_change *change)
{
    bool begins = change->news == CAUCUS_ELECTED;
    const char *why = begins ? change->path : caucus_error_name(change->rc);
    char token[32];
    snprintf(token, sizeof token, "%" PRId64, change->token);
    if (a->t.h.cli->json) {
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
        holding_trouble(&a->t.h, change->rc, false);
        return;
    }
    if (a->prints)
        print_news(a, change);
    if (change->news == CAUCUS_DISMISSED)
        atomic_store(&a->t.has_ended, true);
    watching_wake(&a->t.h.cli->watching);
}

/* ---- Main's ---- */

static int64_t token_of(void *held)
{
    struct candidacy *a = held;
    return caucus_election_token(a->election);
}

/* Behind all others. */
static void queue_again(struct terms *t)
{
    struct candidacy *a = (struct candidacy *)t;
    caucus_election_resign(a->election);
}

static int stand(void *held)
{
    struct candidacy *a = held;
    struct cli *cli = a->t.h.cli;
    struct caucus_election_options o = {
        .identity = a->t.h.id,
        .identity_bytes = strlen(a->t.h.id),
        .policy = a->prints ? a->t.h.policy : CAUCUS_UNTIL_LOST,
        .on_change = on_change,
        .context = a,
    };
    int rc = caucus_election_open(cli->handle, a->t.h.path, &o, &a->election);
    if (rc != 0)
        return cli_failed(cli, a->t.h.path, rc);
    int code = a->prints ? terms_watch(&a->t) : terms_run(&a->t);
    watching_close(&cli->watching);
    caucus_election_close(a->election);
    return code;
}

int run_elect(struct cli *cli, int argc, char **argv)
{
    struct candidacy a = {
        .t = {.h = {.cli = cli, .token = token_of}, .begun = "elected", .again = queue_again}};
    bool list = false;
    const struct option options[] = {
        {'i', "id", OPTION_TEXT, &a.t.h.id},
        {'p', "policy", OPTION_TEXT, &a.t.h.policy_name},
        {'g', "grace", OPTION_NUMBER, &a.t.h.grace_ms},
        {'1', "once", OPTION_FLAG, &a.t.once},
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
    a.t.h.path = argv[1];
    if (list)
        return list_candidates(cli, a.t.h.path);

    argv[words + 1] = NULL; /* behind it stand words that were taken out */
    a.t.h.command = words > 1 ? argv + 2 : NULL;
    a.t.h.held = &a;
    a.prints = words == 1;
    return holding_do(&a.t.h, stand);
}
