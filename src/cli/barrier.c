/* barrier.c: barrier. The barriers are the library's (caucus/barrier.h); a command between entering
 * and leaving runs as others do that need a session (holding.h), with the patient policy: it is
 * stopped only when its place in the barrier can be gone. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "caucus/barrier.h"
#include "cli/cli.h"
#include "cli/holding.h"
#include "cli/json.h"

struct meeting {
    struct holding h;
    const struct deed *deed;
    int64_t members;
    int64_t wait_ms; /* -1: for ever */
    struct caucus_double_barrier *barrier;
    int64_t session_id; /* that is inside */
    atomic_int rc;      /* of what was begun, once is_done */
    atomic_bool is_done;
};

struct deed {
    const char *name;
    const char *done; /* in JSON */
    int (*run)(struct meeting *m);
};

/* ---- What is begun, and waited for ---- */

static void on_done(void *context, int rc)
{
    struct meeting *m = context;
    atomic_store(&m->rc, rc);
    atomic_store(&m->is_done, true);
    watching_wake(&m->h.cli->watching);
}

/* With the rc of what was begun. CLI_OK: it is so. */
static int await(struct meeting *m, int rc)
{
    struct cli *cli = m->h.cli;
    while (rc == 0 && !atomic_load(&m->is_done)) {
        int number = holding_wait(&m->h, -1);
        if (number != 0)
            return HOLDING_SIGNAL + number;
    }
    rc = rc == 0 ? atomic_load(&m->rc) : rc;
    atomic_store(&m->is_done, false);
    if (rc == CAUCUS_OPERATIONTIMEOUT) {
        cli_usage(cli, "%s: not within %lld ms", m->h.path, (long long)m->wait_ms);
        return CLI_NO;
    }
    return rc == 0 ? CLI_OK : cli_failed(cli, m->h.path, rc);
}

static int pass(struct meeting *m)
{
    return await(m, caucus_barrier_pass(m->h.cli->handle, m->h.path, m->wait_ms, on_done, m));
}

static int set(struct meeting *m)
{
    return await(m, caucus_barrier_set(m->h.cli->handle, m->h.path, m->wait_ms, on_done, m));
}

static int lift(struct meeting *m)
{
    return await(m, caucus_barrier_lift(m->h.cli->handle, m->h.path, m->wait_ms, on_done, m));
}

/* ---- Enter, a command, leave ---- */

/* A place is no lock: its token says only that it is still there. */
static int64_t token_of(void *held)
{
    struct meeting *m = held;
    struct caucus_session session;
    caucus_get_session(m->h.cli->handle, &session);
    bool is_in = session.id == m->session_id && caucus_now_ns() < session.safe_until_ns;
    return is_in ? 1 : 0;
}

static int run_inside(struct meeting *m)
{
    struct caucus_session session;
    caucus_get_session(m->h.cli->handle, &session);
    m->session_id = session.id;
    fprintf(stderr, "caucus: %s: entered\n", m->h.path);
    int code = CLI_CONNECTION;
    if (holding_run(&m->h, token_of(m), &code) != HOLDING_ENDED)
        return CLI_CONNECTION;
    if (m->h.end_signal != 0)
        return code;
    int left = await(m, caucus_double_barrier_leave(m->barrier, m->wait_ms, on_done, m));
    if (left == CLI_OK)
        fprintf(stderr, "caucus: %s: left\n", m->h.path);
    return code == 0 ? left : code;
}

static int enter(struct meeting *m)
{
    struct cli *cli = m->h.cli;
    struct caucus_double_barrier_options o = {.identity = m->h.id,
                                              .identity_bytes = strlen(m->h.id)};
    int rc = caucus_double_barrier_open(cli->handle, m->h.path, (int)m->members, &o, &m->barrier);
    if (rc != 0)
        return cli_failed(cli, m->h.path, rc);
    int code = await(m, caucus_double_barrier_enter(m->barrier, m->wait_ms, on_done, m));
    if (code == CLI_OK)
        code = run_inside(m);
    watching_close(&cli->watching);
    caucus_double_barrier_close(m->barrier);
    return code;
}

/* ---- Words ---- */

static const struct deed deeds[] = {
    {"wait", "passed", pass},
    {"set", "set", set},
    {"lift", "lifted", lift},
    {"enter", NULL, enter},
};

static const struct deed *deed_named(const char *name)
{
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++)
        if (strcmp(deeds[i].name, name) == 0)
            return &deeds[i];
    return NULL;
}

static int do_deed(void *held)
{
    struct meeting *m = held;
    struct cli *cli = m->h.cli;
    int code = m->deed->run(m);
    if (code == CLI_OK && m->deed->done != NULL && cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "path", m->h.path);
        cli_json_text(&j, "barrier", m->deed->done);
        cli_json_end(&j);
    }
    watching_close(&cli->watching);
    return code;
}

static int check(struct meeting *m, int words)
{
    enum {
        MEMBERS_MAX = 100000
    };
    struct cli *cli = m->h.cli;
    bool enters = m->deed->run == enter;
    if (strcmp(m->h.path, "/") == 0)
        return cli_usage(cli, "the root cannot be a barrier");
    if (enters && (m->members < 1 || m->members > MEMBERS_MAX))
        return cli_usage(cli, "enter: --members is to be from 1 to %d", MEMBERS_MAX);
    if (enters && words < 3)
        return cli_usage(cli, "enter: a command is missing");
    if (enters && cli->json)
        return cli_usage(cli, "enter: --json: the output is the command's");
    if (!enters && (m->members != 0 || words > 2))
        return cli_usage(cli, "%s: no members, and no command is run", m->deed->name);
    if (m->wait_ms < -1)
        return cli_usage(cli, "--wait: %lld is no time", (long long)m->wait_ms);
    return CLI_OK;
}

int run_barrier(struct cli *cli, int argc, char **argv)
{
    /* Until the process ends: what a signal interrupted is answered when the handle is closed. */
    static struct meeting m;
    m = (struct meeting){.h = {.cli = cli, .token = token_of, .policy_name = "until-lost"},
                         .wait_ms = -1};
    const struct option options[] = {
        {'n', "members", OPTION_NUMBER, &m.members},
        {'w', "wait", OPTION_NUMBER, &m.wait_ms},
        {'i', "id", OPTION_TEXT, &m.h.id},
    };
    int words = 0;
    int code =
        cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 2, argc, &words);
    if (code != CLI_OK)
        return code;
    m.deed = deed_named(argv[1]);
    if (m.deed == NULL)
        return cli_usage(cli, "'%s' is neither wait, set, lift nor enter", argv[1]);
    m.h.path = argv[2];
    code = cli_check_path(cli, m.h.path, false);
    if (code == CLI_OK)
        code = check(&m, words);
    if (code != CLI_OK)
        return code;
    argv[words + 1] = NULL; /* behind it stand words that were taken out */
    m.h.command = words > 2 ? argv + 3 : NULL;
    m.h.held = &m;
    return holding_do(&m.h, do_deed);
}
