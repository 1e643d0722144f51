#include "cli/servers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/members.h"
#include "client/hosts.h"

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
    *s = (struct standing){.connections = -1,
                           .nodes = -1,
                           .outstanding = -1,
                           .received = -1,
                           .sent = -1,
                           .watches = -1,
                           .latency_count = -1,
                           .trouble = p->error};
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
    s->received = number_of(answer, "Received: ");
    s->sent = number_of(answer, "Sent: ");
    s->nodes = number_of(answer, "Node count: ");
}

static double decimal_of(const char *answer, const char *name)
{
    const char *text = line_of(answer, name);
    return text != NULL ? strtod(text, NULL) : 0;
}

/* False: there is no need to ask again, it is not in the white list. */
static bool read_details(struct probe *p, struct standing *s)
{
    buf_put_u8(&p->answer, 0);
    const char *answer = (const char *)p->answer.ptr;
    s->watches = number_of(answer, "zk_watch_count\t");
    int64_t reads = number_of(answer, "zk_cnt_readlatency\t");
    int64_t updates = number_of(answer, "zk_cnt_updatelatency\t");
    if (reads >= 0 && updates >= 0) {
        s->latency_count = reads + updates;
        s->latency_sum_ms = decimal_of(answer, "zk_sum_readlatency\t") +
                            decimal_of(answer, "zk_sum_updatelatency\t");
    }
    return strstr(answer, "not in the whitelist") == NULL;
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
    /* It would be one of the connections that are counted. */
    watching_close(&cli->watching);
    caucus_close(cli->handle);
    cli->handle = NULL;
}

static void ask(struct cli *cli, struct servers *s, size_t from)
{
    for (size_t i = from; i < s->count; i++)
        probe_want(&s->probes[i]);
    probes_run(s->probes + from, s->count - from, "srvr", s->tls, cli->timeout_ms);
    for (size_t i = from; i < s->count; i++)
        read_standing(&s->probes[i], &s->standings[i]);
}

static void ask_details(struct cli *cli, struct servers *s)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->standings[i].serves && !s->silent[i])
            probe_want(&s->probes[i]);
    probes_run(s->probes, s->count, "mntr", s->tls, cli->timeout_ms);
    for (size_t i = 0; i < s->count; i++)
        if (s->standings[i].serves && !s->silent[i])
            s->silent[i] = !read_details(&s->probes[i], &s->standings[i]);
}

void servers_ask(struct cli *cli, struct servers *s, bool with_details)
{
    ask(cli, s, 0);
    if (with_details)
        ask_details(cli, s);
}

static int begin_tls(struct cli *cli, struct tls_context **ret)
{
    struct tls_client_options o = secure_for_tls(&cli->secure);
    struct err err = {""};
    if (!cli->secure.tls || tls_client_context(&o, ret, &err) == 0)
        return CLI_OK;
    return cli_failed(cli, err.text, CAUCUS_BADTLS);
}

int servers_find(struct cli *cli, bool with_details, struct servers *ret)
{
    struct hosts hosts;
    *ret = (struct servers){0};
    int rc = hosts_parse(cli->hosts, &hosts);
    if (rc != 0)
        return cli_failed(cli, cli->hosts, rc);
    int code = begin_tls(cli, &ret->tls);
    if (code != CLI_OK) {
        hosts_deinit(&hosts);
        return code;
    }
    ret->probes = mem_calloc(SERVERS_MAX, sizeof *ret->probes);
    ret->standings = mem_calloc(SERVERS_MAX, sizeof *ret->standings);
    ret->silent = mem_calloc(SERVERS_MAX, sizeof *ret->silent);
    for (size_t i = 0; i < hosts.count; i++)
        add_server(ret, hosts.list[i].name, hosts.list[i].port);
    hosts_deinit(&hosts);

    ask(cli, ret, 0);
    bool some_serve = false;
    for (size_t i = 0; i < ret->count; i++)
        some_serve = some_serve || ret->standings[i].serves;
    size_t given = ret->count;
    if (some_serve && ret->tls == NULL) {
        add_members(cli, ret);
        ask(cli, ret, given);
    }
    if (with_details)
        ask_details(cli, ret);
    return CLI_OK;
}

void servers_deinit(struct servers *s)
{
    for (size_t i = 0; i < s->count; i++)
        probe_deinit(&s->probes[i]);
    free(s->probes);
    free(s->standings);
    free(s->silent);
    tls_context_free(s->tls);
}

uint64_t servers_newest(const struct servers *s)
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

int64_t standing_lag(const struct standing *s, uint64_t newest_zxid)
{
    if (s->zxid >> EPOCH_SHIFT != newest_zxid >> EPOCH_SHIFT)
        return -1;
    return s->zxid < newest_zxid ? (int64_t)(newest_zxid - s->zxid) : 0;
}

int servers_verdict(const struct servers *s)
{
    size_t reached = 0, serving = 0;
    for (size_t i = 0; i < s->count; i++) {
        reached += s->standings[i].reached;
        serving += s->standings[i].serves;
    }
    return reached == 0 ? CLI_CONNECTION : serving < s->count ? CLI_NO : CLI_OK;
}
