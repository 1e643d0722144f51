/* lock.c: lock. As elect.c: the lock is held by the library's patient policy,
 * and the command is ended before it (holding.h). */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "caucus/lock.h"
#include "cli/cli.h"
#include "cli/holding.h"

struct locking {
    struct holding h;
    struct caucus_lock *lock;
    bool is_shared;
    bool only_if_free;
    int64_t patience_ms; /* -1: for ever */
    int64_t code_if_taken;
};

static void on_change(void *context, struct caucus_lock *l, const struct caucus_lock_change *change)
{
    (void)l;
    struct locking *k = context;
    switch (change->news) {
    case CAUCUS_LOCK_FAILED:
        holding_trouble(&k->h, change->rc == CAUCUS_OPERATIONTIMEOUT ? 0 : change->rc, true);
        break;
    case CAUCUS_LOCK_LOST:
        holding_trouble(&k->h, change->rc, true);
        break;
    case CAUCUS_LOCK_TROUBLE:
        holding_trouble(&k->h, change->rc, false);
        break;
    case CAUCUS_LOCK_HELD:
    case CAUCUS_LOCK_ASKED:
        watching_wake(&k->h.cli->watching);
        break;
    }
}

static int64_t token_of(void *held)
{
    struct locking *k = held;
    return caucus_lock_token(k->lock);
}

static int tell_taken(struct locking *k)
{
    cli_usage(k->h.cli, k->only_if_free ? "%s: is not free" : "%s: did not become free in time",
              k->h.path);
    return (int)k->code_if_taken;
}

static int run_locked(struct locking *k)
{
    int64_t token = 0;
    int64_t until_ns = k->patience_ms < 0 || k->patience_ms > INT32_MAX
                           ? INT64_MAX
                           : caucus_now_ns() + k->patience_ms * 1000000;
    int code = holding_await(&k->h, until_ns, &token);
    if (code != CLI_OK)
        return code;
    if (token == 0)
        return tell_taken(k);
    return holding_run(&k->h, token, &code) == HOLDING_ENDED ? code : CLI_CONNECTION;
}

static int acquire(void *held)
{
    struct locking *k = held;
    struct cli *cli = k->h.cli;
    struct caucus_lock_options o = {
        .kind = k->is_shared ? CAUCUS_LOCK_READ : CAUCUS_LOCK_WRITE,
        .identity = k->h.id,
        .identity_bytes = strlen(k->h.id),
        .policy = CAUCUS_UNTIL_LOST,
        .only_if_free = k->only_if_free,
        .on_change = on_change,
        .context = k,
    };
    int rc = caucus_lock_acquire(cli->handle, k->h.path, &o, &k->lock);
    if (rc != 0)
        return cli_failed(cli, k->h.path, rc);
    int code = run_locked(k);
    watching_close(&cli->watching);
    caucus_lock_release(k->lock);
    return code;
}

int run_lock(struct cli *cli, int argc, char **argv)
{
    struct locking k = {
        .h = {.cli = cli, .token = token_of}, .patience_ms = -1, .code_if_taken = CLI_NO};
    const struct option options[] = {
        {'s', "shared", OPTION_FLAG, &k.is_shared},
        {'n', "nonblock", OPTION_FLAG, &k.only_if_free},
        {'w', "wait", OPTION_NUMBER, &k.patience_ms},
        {'E', "conflict-exit-code", OPTION_NUMBER, &k.code_if_taken},
        {'i', "id", OPTION_TEXT, &k.h.id},
        {'p', "policy", OPTION_TEXT, &k.h.policy_name},
        {'g', "grace", OPTION_NUMBER, &k.h.grace_ms},
    };
    int words = 0;
    int code =
        cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 2, argc, &words);
    if (code == CLI_OK)
        code = cli_check_path(cli, argv[1], false);
    if (code == CLI_OK && strcmp(argv[1], "/") == 0)
        code = cli_usage(cli, "the root cannot be a lock");
    if (code == CLI_OK && k.patience_ms < -1)
        code = cli_usage(cli, "--wait: %lld is no time", (long long)k.patience_ms);
    if (code == CLI_OK && (k.code_if_taken < 0 || k.code_if_taken > 255))
        code = cli_usage(cli, "--conflict-exit-code: %lld is not from 0 to 255",
                         (long long)k.code_if_taken);
    if (code != CLI_OK)
        return code;
    if (k.patience_ms == 0) {
        k.only_if_free = true;
        k.patience_ms = -1; /* to be told takes a moment */
    }
    k.h.path = argv[1];
    argv[words + 1] = NULL;
    k.h.command = argv + 2;
    k.h.held = &k;
    return holding_do(&k.h, acquire);
}
