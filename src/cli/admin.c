#include "cli/admin.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/hosts.h"

int admin_check(struct cli *cli, const char *place)
{
    struct hosts hosts;
    const char *colon = strrchr(place, ':');
    bool has_port = colon != NULL && strchr(colon, ']') == NULL;
    if (!has_port || hosts_parse(place, &hosts) != 0)
        return cli_usage(cli, "--admin: '%s' is not HOST:PORT", place);
    bool one = hosts.count == 1 && hosts.chroot[0] == 0;
    hosts_deinit(&hosts);
    if (!one)
        return cli_usage(cli, "--admin: '%s' is not HOST:PORT", place);
    if (cli->auth_count == 0)
        return cli_usage(cli, "the admin port wants to know who asks: caucus --auth "
                              "digest:USER:PASSWORD ..., of somebody who may do everything with "
                              "the root node");
    for (size_t i = 0; i < cli->auth_count; i++)
        if (strchr(cli->auth[i], ':') == NULL || strpbrk(cli->auth[i], " \r\n") != NULL)
            return cli_usage(cli, "--auth: not SCHEME:AUTH without blanks");
    return CLI_OK;
}

/* What an admin port says in numbers. Its own words are shown too, where it has any. */
static const char *refusal(int status)
{
    switch (status) {
    case 401:
        return "it does not know who asks (--auth)";
    case 403:
        return "who asks (--auth) may not do everything with the root node";
    case 404:
        return "it has no such command (Apache ZooKeeper has it since 3.9)";
    case 405:
        return "it does not take this command in this way (Apache ZooKeeper since 3.9)";
    case 429:
        return "too soon after the last one (admin.rateLimiterIntervalInMS, 5 minutes)";
    case 503:
        return "the command is turned off there";
    default:
        return "it failed; the server's log says why";
    }
}

static int call(struct cli *cli, struct http_call c, const char *command, struct http_answer *ret)
{
    char problem[HTTP_PROBLEM_BYTES], path[128], said[HTTP_PROBLEM_BYTES] = "null";
    struct buf who = {0};
    snprintf(path, sizeof path, "/commands/%s", command);
    if (cli->auth_count > 0) {
        size_t scheme = strcspn(cli->auth[0], ":");
        buf_printf(&who, "%.*s %s", (int)scheme, cli->auth[0], cli->auth[0] + scheme + 1);
        buf_put_u8(&who, 0);
        c.authorization = (char *)who.ptr;
    }
    c.path = path;
    c.timeout_ms = cli->timeout_ms;
    int rc = http_talk(&c, ret, problem);
    buf_deinit(&who);
    if (rc < 0) {
        cli_no(cli, "%s", problem);
        return CLI_CONNECTION;
    }
    if (ret->text.len > 0)
        http_member((char *)ret->text.ptr, "error", said, sizeof said);
    bool has_words = strcmp(said, "null") != 0;
    if (ret->status == 200 && !has_words)
        return CLI_OK;
    return cli_no(cli, "%s: %s%s%s (%d)", c.place, refusal(ret->status), has_words ? ": " : "",
                  has_words ? said : "", ret->status);
}

int admin_get(struct cli *cli, const char *place, const char *command, int to,
              struct http_answer *ret)
{
    struct http_call c = {.place = place, .method = "GET", .body = -1, .to = to};
    return call(cli, c, command, ret);
}

int admin_post(struct cli *cli, const char *place, const char *command, int body,
               int64_t body_bytes, struct http_answer *ret)
{
    struct http_call c = {
        .place = place, .method = "POST", .body = body, .body_bytes = body_bytes, .to = -1};
    return call(cli, c, command, ret);
}
