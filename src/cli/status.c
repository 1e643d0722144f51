/* status.c: every server of the ensemble, as a table. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/members.h"
#include "cli/print.h"
#include "cli/probe.h"
#include "client/hosts.h"

enum {
    SERVERS_MAX = 256,
    EPOCH_SHIFT = 32,
    LATENCY_DIGITS = 32,
};

/* What one server says of itself. */
struct standing {
    bool reached; /* it answered, whatever it said */
    bool serves;
    char mode[32]; /* "leader"; what else it is: "not serving", "unreachable" */
    char version[32];
    char latency[LATENCY_DIGITS]; /* min/avg/max ms */
    uint64_t zxid;
    int64_t connections, nodes, outstanding;
    const char *trouble; /* "": none */
};

struct servers {
    struct probe *probes;
    struct standing *standings;
    size_t count;
};

/* The rest of the line that begins with `name`; NULL: there is none. */
static const char *line_of(const char *answer, const char *name)
{
    size_t len = strlen(name);
    for (const char *line = answer; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0)
            return line + len;
    }
    return NULL;
}

static void copy_until(char *ret, size_t bytes, const char *text, const char *ends)
{
    size_t len = text != NULL ? strcspn(text, ends) : 0;
    snprintf(ret, bytes, "%.*s", (int)(len < bytes ? len : bytes - 1), text != NULL ? text : "");
}

static int64_t number_of(const char *answer, const char *name)
{
    const char *text = line_of(answer, name);
    return text != NULL ? strtoll(text, NULL, 10) : -1;
}

static void read_standing(struct probe *p, struct standing *s)
{
    *s = (struct standing){.connections = -1, .nodes = -1, .outstanding = -1, .trouble = p->error};
    if (p->answer.len == 0) {
        snprintf(s->mode, sizeof s->mode, "unreachable");
        if (p->error[0] == 0)
            s->trouble = "it closed the connection";
        return;
    }
    s->reached = true;
    buf_put_u8(&p->answer, 0);
    const char *answer = (const char *)p->answer.ptr;
    const char *mode = line_of(answer, "Mode: ");
    if (mode == NULL) {
        bool refused = strstr(answer, "not in the whitelist") != NULL;
        snprintf(s->mode, sizeof s->mode, refused ? "unknown" : "not serving");
        s->trouble = refused ? "srvr is not in its white list" : "";
        return;
    }
    const char *zxid = line_of(answer, "Zxid: ");
    s->serves = true;
    copy_until(s->mode, sizeof s->mode, mode, "\r\n");
    copy_until(s->version, sizeof s->version, line_of(answer, "Zookeeper version: "), "-, \r\n");
    copy_until(s->latency, sizeof s->latency, line_of(answer, "Latency min/avg/max: "), "\r\n");
    s->zxid = zxid != NULL ? strtoull(zxid, NULL, 16) : 0;
    s->connections = number_of(answer, "Connections: ");
    s->outstanding = number_of(answer, "Outstanding: ");
    s->nodes = number_of(answer, "Node count: ");
}

static bool add_server(struct servers *s, const char *host, int port)
{
    if (s->count == SERVERS_MAX)
        return false;
    struct probe *p = &s->probes[s->count];
    probe_init(p, host, port);
    for (size_t i = 0; i < s->count; i++)
        if (probe_same(&s->probes[i], p)) {
            probe_deinit(p);
            return false;
        }
    s->count++;
    return true;
}

static void add_place(struct servers *s, const char *place)
{
    struct hosts hosts;
    if (hosts_parse(place, &hosts) != 0)
        return;
    add_server(s, hosts.list[0].name, hosts.list[0].port);
    hosts_deinit(&hosts);
}

/* Those that nobody named. A session is opened only where a server said that it serves: there the
 * configuration can be had, or an explanation is given. */
static void add_members(struct cli *cli, struct servers *s)
{
    struct caucus_result *r = NULL;
    if (cli_connect(cli) == CLI_OK && caucus_get_config_wait(cli->handle, NULL, NULL, &r) == 0 &&
        r->data != NULL) {
        struct members m;
        members_read(r->data, &m);
        for (size_t i = 0; i < m.count; i++) {
            char *place = member_client_place(&m.list[i]);
            if (place != NULL)
                add_place(s, place);
            free(place);
        }
        members_deinit(&m);
    }
    caucus_result_free(r);
}

static void ask(struct cli *cli, struct servers *s, size_t from)
{
    probes_run(s->probes + from, s->count - from, cli->timeout_ms);
    for (size_t i = from; i < s->count; i++)
        read_standing(&s->probes[i], &s->standings[i]);
}

/* The newest transaction anybody has: the leader's, if it was reached. */
static uint64_t newest(const struct servers *s)
{
    uint64_t zxid = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->standings[i].mode, "leader") == 0)
            return s->standings[i].zxid;
        if (s->standings[i].zxid > zxid)
            zxid = s->standings[i].zxid;
    }
    return zxid;
}

/* Transactions behind; -1: of another epoch. */
static int64_t lag_of(const struct standing *s, uint64_t newest_zxid)
{
    if (s->zxid >> EPOCH_SHIFT != newest_zxid >> EPOCH_SHIFT)
        return -1;
    return s->zxid < newest_zxid ? (int64_t)(newest_zxid - s->zxid) : 0;
}

static void print_table(const struct servers *s)
{
    static const char *const titles[] = {"SERVER",      "MODE",  "ZXID",       "EPOCH",   "LAG",
                                         "CONNECTIONS", "NODES", "LATENCY ms", "VERSION", ""};
    struct table t;
    uint64_t zxid = newest(s);
    cli_table_init(&t, 10, titles);
    for (size_t i = 0; i < s->count; i++) {
        const struct standing *one = &s->standings[i];
        cli_table_cell(&t, "%s", s->probes[i].place);
        cli_table_cell(&t, "%s", one->mode);
        if (!one->serves) {
            for (int column = 0; column < 7; column++)
                cli_table_cell(&t, "-");
            cli_table_cell(&t, "%s", one->trouble);
            continue;
        }
        int64_t lag = lag_of(one, zxid);
        cli_table_cell(&t, "0x%" PRIx64, one->zxid);
        cli_table_cell(&t, "%" PRIu64, one->zxid >> EPOCH_SHIFT);
        if (lag < 0)
            cli_table_cell(&t, "?");
        else
            cli_table_cell(&t, "%" PRId64, lag);
        cli_table_cell(&t, "%" PRId64, one->connections);
        cli_table_cell(&t, "%" PRId64, one->nodes);
        cli_table_cell(&t, "%s", one->latency);
        cli_table_cell(&t, "%s", one->version);
        cli_table_cell(&t, "%s", "");
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void print_json(const struct servers *s)
{
    struct json j;
    uint64_t zxid = newest(s);
    cli_json_begin(&j);
    cli_json_list(&j, "servers");
    for (size_t i = 0; i < s->count; i++) {
        const struct standing *one = &s->standings[i];
        cli_json_object(&j, NULL);
        cli_json_text(&j, "server", s->probes[i].place);
        cli_json_text(&j, "mode", one->mode);
        cli_json_flag(&j, "serves", one->serves);
        if (one->serves) {
            double latency[3] = {0};
            if (sscanf(one->latency, "%lf/%lf/%lf", &latency[0], &latency[1], &latency[2]) != 3)
                latency[1] = 0;
            int64_t lag = lag_of(one, zxid);
            cli_json_id(&j, "zxid", (int64_t)one->zxid);
            cli_json_number(&j, "epoch", (int64_t)(one->zxid >> EPOCH_SHIFT));
            if (lag < 0)
                cli_json_null(&j, "lag");
            else
                cli_json_number(&j, "lag", lag);
            cli_json_number(&j, "connections", one->connections);
            cli_json_number(&j, "outstanding", one->outstanding);
            cli_json_number(&j, "nodes", one->nodes);
            cli_json_number(&j, "latency_avg_us", (int64_t)(latency[1] * 1000));
            cli_json_number(&j, "latency_max_us", (int64_t)(latency[2] * 1000));
            cli_json_text(&j, "version", one->version);
        } else {
            cli_json_text(&j, "trouble", one->trouble);
        }
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

static int verdict(const struct servers *s)
{
    size_t reached = 0, serving = 0;
    for (size_t i = 0; i < s->count; i++) {
        reached += s->standings[i].reached;
        serving += s->standings[i].serves;
    }
    return reached == 0 ? CLI_CONNECTION : serving < s->count ? CLI_NO : CLI_OK;
}

int run_status(struct cli *cli, int argc, char **argv)
{
    int code = cli_words(cli, NULL, 0, argc, argv, 0, 0, NULL);
    if (code != CLI_OK)
        return code;
    struct hosts hosts;
    int rc = hosts_parse(cli->hosts, &hosts);
    if (rc != 0)
        return cli_failed(cli, cli->hosts, rc);

    struct servers s = {.probes = mem_calloc(SERVERS_MAX, sizeof *s.probes),
                        .standings = mem_calloc(SERVERS_MAX, sizeof *s.standings)};
    for (size_t i = 0; i < hosts.count; i++)
        add_server(&s, hosts.list[i].name, hosts.list[i].port);
    ask(cli, &s, 0);
    bool some_serve = false;
    for (size_t i = 0; i < s.count; i++)
        some_serve = some_serve || s.standings[i].serves;
    size_t given = s.count;
    if (some_serve) {
        add_members(cli, &s);
        ask(cli, &s, given);
    }
    if (cli->json)
        print_json(&s);
    else
        print_table(&s);
    code = verdict(&s);
    for (size_t i = 0; i < s.count; i++)
        probe_deinit(&s.probes[i]);
    free(s.probes);
    free(s.standings);
    hosts_deinit(&hosts);
    return code;
}
