/* group.c: members. Membership and group are the library's (caucus/membership.h); a command that
 * runs as a member is kept as that of a leader is (holding.h), always with the patient policy. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "caucus/membership.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/terms.h"

/* ---- Who is in it ---- */

static void put_member(struct json *j, const struct caucus_member *m)
{
    char token[32];
    snprintf(token, sizeof token, "%" PRId64, m->token);
    cli_json_bytes(j, "id", m->id, strlen(m->id));
    cli_json_text(j, "token", token);
    cli_json_id(j, "session", m->session_id);
    cli_json_bytes(j, "data", m->data, m->data_bytes);
}

static void print_json(const char *path, const struct caucus_members *list)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_text(&j, "path", path);
    cli_json_list(&j, "members");
    for (size_t i = 0; i < list->count; i++) {
        cli_json_object(&j, NULL);
        put_member(&j, &list->members[i]);
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

static void print_table(const struct caucus_members *list)
{
    static const char *const titles[] = {"ID", "TOKEN", "SESSION", "DATA"};
    struct table t;
    cli_table_init(&t, 4, titles);
    for (size_t i = 0; i < list->count; i++) {
        const struct caucus_member *m = &list->members[i];
        cli_table_bytes(&t, m->id, strlen(m->id));
        cli_table_cell(&t, "%" PRId64, m->token);
        cli_table_cell(&t, "0x%" PRIx64, (uint64_t)m->session_id);
        cli_table_bytes(&t, m->data, m->data_bytes);
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static int list_members(struct cli *cli, const char *path)
{
    int code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_group *group;
    struct caucus_members *list;
    int rc = caucus_group_open(cli->handle, path, NULL, &group);
    if (rc != 0)
        return cli_failed(cli, path, rc);
    rc = caucus_group_await(group, cli->timeout_ms);
    caucus_group_list(group, &list);
    caucus_group_close(group);
    if (rc == 0 && cli->json)
        print_json(path, list);
    else if (rc == 0)
        print_table(list);
    caucus_members_free(list);
    return rc == 0 ? CLI_OK : cli_failed(cli, path, rc);
}

/* ---- What happens in it ---- */

static const char *word_of(enum caucus_group_news news)
{
    switch (news) {
    case CAUCUS_MEMBER_JOINED:
        return "joined";
    case CAUCUS_MEMBER_CHANGED:
        return "changed";
    case CAUCUS_MEMBER_LEFT:
        return "left";
    case CAUCUS_GROUP_CURRENT:
        return "current";
    case CAUCUS_GROUP_TROUBLE:
        break;
    }
    return "trouble";
}

/* On the event thread. */
static void on_group(void *context, struct caucus_group *g,
                     const struct caucus_group_change *change)
{
    (void)g;
    const struct holding *h = context;
    const char *word = word_of(change->news);
    if (change->news == CAUCUS_GROUP_TROUBLE) {
        fprintf(stderr, "caucus: %s: %s (%s), trying again\n", h->path,
                caucus_error_text(change->rc), caucus_error_name(change->rc));
        return;
    }
    if (h->cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", word);
        if (change->member != NULL)
            put_member(&j, change->member);
        cli_json_end(&j);
    } else if (change->member == NULL) {
        printf("%s\n", word);
    } else {
        printf("%-8s  ", word);
        print_line_text(change->member->id, strlen(change->member->id));
        printf("  ");
        print_line_text(change->member->data, change->member->data_bytes);
        printf("\n");
    }
    fflush(stdout); /* whoever reads it through a pipe wants it now */
}

static int follow_group(void *held)
{
    struct holding *h = held;
    struct caucus_group *group;
    struct caucus_group_options o = {.on_change = on_group, .context = h};
    int rc = caucus_group_open(h->cli->handle, h->path, &o, &group);
    if (rc != 0)
        return cli_failed(h->cli, h->path, rc);
    while (holding_wait(h, -1) == 0)
        continue;
    watching_close(&h->cli->watching);
    caucus_group_close(group);
    return CLI_OK;
}

/* ---- Being in it ---- */

struct joining {
    struct terms t; /* first */
    struct caucus_membership *membership;
    const char *data;
    bool take_over;
    bool prints; /* on stdout: there is no command */
};

static void print_change(const struct joining *a, const struct caucus_membership_change *change)
{
    bool is_in = change->news == CAUCUS_JOINED_GROUP;
    char token[32];
    snprintf(token, sizeof token, "%" PRId64, change->token);
    const char *what = is_in ? token : caucus_error_name(change->rc);
    if (a->t.h.cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", is_in ? "joined" : "left");
        cli_json_bytes(&j, "id", a->t.h.id, strlen(a->t.h.id));
        cli_json_text(&j, is_in ? "token" : "reason", what);
        cli_json_end(&j);
    } else {
        printf("%-6s  %s  %s\n", is_in ? "joined" : "left", a->t.h.id, what);
    }
    fflush(stdout);
}

/* On the event thread. */
static void on_change(void *context, struct caucus_membership *m,
                      const struct caucus_membership_change *change)
{
    (void)m;
    struct joining *a = context;
    if (change->news == CAUCUS_MEMBERSHIP_TROUBLE) {
        holding_trouble(&a->t.h, change->rc, false);
        return;
    }
    if (a->prints)
        print_change(a, change);
    if (change->news == CAUCUS_LEFT_GROUP)
        atomic_store(&a->t.has_ended, true);
    watching_wake(&a->t.h.cli->watching);
}

static int64_t token_of(void *held)
{
    struct joining *a = held;
    return caucus_membership_token(a->membership);
}

/* A presence in doubt is resumed with the same node, and token. */
static void wait_again(struct terms *t)
{
    t->h.last_token = 0;
}

static int join(void *held)
{
    struct joining *a = held;
    struct cli *cli = a->t.h.cli;
    struct caucus_membership_options o = {
        .id = a->t.h.id,
        .data = a->data,
        .data_bytes = a->data != NULL ? strlen(a->data) : 0,
        .policy = a->prints ? a->t.h.policy : CAUCUS_UNTIL_LOST,
        .take_over = a->take_over,
        .on_change = on_change,
        .context = a,
    };
    int rc = caucus_membership_open(cli->handle, a->t.h.path, &o, &a->membership);
    if (rc != 0)
        return cli_failed(cli, a->t.h.path, rc);
    int code = a->prints ? terms_watch(&a->t) : terms_run(&a->t);
    watching_close(&cli->watching);
    caucus_membership_close(a->membership);
    return code;
}

/* ---- The command ---- */

/* What may be the name of a node. */
static void name_self(char *ret, size_t bytes)
{
    char host[64] = "";
    gethostname(host, sizeof host - 1);
    snprintf(ret, bytes, "%s-%d", host, (int)getpid());
}

static int check_members(struct joining *a, bool joins, bool follows, int words)
{
    struct cli *cli = a->t.h.cli;
    if (strcmp(a->t.h.path, "/") == 0)
        return cli_usage(cli, "the root cannot be a group");
    if (joins && follows)
        return cli_usage(cli, "--join and --follow: one of the two");
    if (!joins && words > 1)
        return cli_usage(cli, "a command is run with --join only");
    if (!joins && (a->t.h.id != NULL || a->data != NULL || a->take_over || a->t.once))
        return cli_usage(cli, "--id, --data, --take-over and --once are for --join");
    if (a->t.h.id != NULL && !cli_is_name(a->t.h.id))
        return cli_usage(cli, "--id: '%s' cannot be the name of a node", a->t.h.id);
    return CLI_OK;
}

int run_members(struct cli *cli, int argc, char **argv)
{
    struct joining a = {
        .t = {.h = {.cli = cli, .token = token_of}, .begun = "joined", .again = wait_again}};
    bool joins = false, follows = false;
    const struct option options[] = {
        {'f', "follow", OPTION_FLAG, &follows},
        {0, "join", OPTION_FLAG, &joins},
        {'i', "id", OPTION_TEXT, &a.t.h.id},
        {'d', "data", OPTION_TEXT, &a.data},
        {0, "take-over", OPTION_FLAG, &a.take_over},
        {'p', "policy", OPTION_TEXT, &a.t.h.policy_name},
        {'g', "grace", OPTION_NUMBER, &a.t.h.grace_ms},
        {'1', "once", OPTION_FLAG, &a.t.once},
    };
    int words = 0;
    int code =
        cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 1, argc, &words);
    if (code != CLI_OK)
        return code;
    a.t.h.path = argv[1];
    code = cli_check_path(cli, a.t.h.path, false);
    if (code == CLI_OK)
        code = check_members(&a, joins, follows, words);
    if (code != CLI_OK)
        return code;
    if (!joins && !follows)
        return list_members(cli, a.t.h.path);

    char own_id[sizeof a.t.h.own_id];
    if (joins && a.t.h.id == NULL) {
        name_self(own_id, sizeof own_id);
        a.t.h.id = own_id;
    }
    argv[words + 1] = NULL; /* behind it stand words that were taken out */
    a.t.h.command = words > 1 ? argv + 2 : NULL;
    a.prints = words == 1;
    a.t.h.held = joins ? (void *)&a : (void *)&a.t.h;
    return holding_do(&a.t.h, joins ? join : follow_group);
}
