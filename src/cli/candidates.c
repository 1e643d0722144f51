#include "cli/candidates.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>

#include "caucus/election.h"
#include "cli/json.h"
#include "cli/print.h"

struct listing {
    const struct cli *cli;
    const char *path;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* lock */
    int rc;       /* lock */
};

static void print_table(const struct caucus_candidate *candidates, size_t count)
{
    static const char *const titles[] = {"TOKEN", "SESSION", "ID"};
    struct table t;
    cli_table_init(&t, 3, titles);
    for (size_t i = 0; i < count; i++) {
        cli_table_cell(&t, "%" PRId64, candidates[i].token);
        cli_table_cell(&t, "0x%" PRIx64, (uint64_t)candidates[i].session_id);
        cli_table_bytes(&t, candidates[i].identity, candidates[i].identity_bytes);
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_json(const char *path, const struct caucus_candidate *candidates, size_t count)
{
    struct json j;
    char token[32];
    cli_json_begin(&j);
    cli_json_text(&j, "path", path);
    cli_json_list(&j, "candidates");
    for (size_t i = 0; i < count; i++) {
        snprintf(token, sizeof token, "%" PRId64, candidates[i].token);
        cli_json_object(&j, NULL);
        cli_json_text(&j, "token", token);
        cli_json_id(&j, "session", candidates[i].session_id);
        cli_json_bytes(&j, "id", candidates[i].identity, candidates[i].identity_bytes);
        cli_json_text(&j, "node", candidates[i].path);
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

static void on_listed(void *context, int rc, const struct caucus_candidate *candidates,
                      size_t count)
{
    struct listing *l = context;
    pthread_mutex_lock(&l->lock);
    if (rc == 0 && l->cli->json)
        print_json(l->path, candidates, count);
    else if (rc == 0)
        print_table(candidates, count);
    l->rc = rc;
    l->is_done = true;
    pthread_cond_signal(&l->changed);
    pthread_mutex_unlock(&l->lock);
}

int list_candidates(struct cli *cli, const char *path)
{
    int code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct listing l = {.cli = cli, .path = path};
    pthread_mutex_init(&l.lock, NULL);
    pthread_cond_init(&l.changed, NULL);
    int rc = caucus_election_list(cli->handle, path, on_listed, &l);
    pthread_mutex_lock(&l.lock);
    while (rc == 0 && !l.is_done)
        pthread_cond_wait(&l.changed, &l.lock);
    pthread_mutex_unlock(&l.lock);
    rc = rc != 0 ? rc : l.rc;
    pthread_cond_destroy(&l.changed);
    pthread_mutex_destroy(&l.lock);
    return rc == 0 ? CLI_OK : cli_failed(cli, path, rc);
}
