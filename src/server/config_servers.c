/* config_servers.c: the servers of an ensemble: lines server.N, group.N, weight.N of zoo.cfg or of
 * its dynamic file, and what of them concerns this server (QuorumPeerConfig.parse,
 * parseDynamicConfig, setupClientPort, setupPeerType, checkValidity). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "io/resolve.h"
#include "server/config.h"

static bool begins(const char *key, const char *with)
{
    return strncmp(key, with, strlen(with)) == 0;
}

/* server.realm is a key of another kind. */
static bool is_server_line(const struct property *p)
{
    return begins(p->key, "server.") && config_find(p->key) < 0;
}

static bool is_group_line(const struct property *p)
{
    return begins(p->key, "group") || begins(p->key, "weight");
}

static const struct property *first_line(const struct properties *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        if (is_server_line(&lines->items[i]) || is_group_line(&lines->items[i]))
            return &lines->items[i];
    }
    return NULL;
}

/* ---- the dynamic file ---- */

/* "zoo.cfg.dynamic.1001" is of version 0x1001, "zoo.cfg.dynamic" of none. */
static int64_t version_of_name(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot == NULL || dot[1] == 0 ||
        strspn(dot + 1, "0123456789abcdefABCDEF") != strlen(dot + 1) || strlen(dot + 1) > 15)
        return 0;
    return strtoll(dot + 1, NULL, 16);
}

/* Lines of servers stand in one of the two files. */
static void refuse_static_lines(struct config *c)
{
    for (size_t i = 0; i < c->properties.count; i++) {
        const struct property *p = &c->properties.items[i];
        if (is_server_line(p) || is_group_line(p))
            config_tell(c, CONFIG_WRONG, p, "must stand in the dynamic file '%s'",
                        config_text(c, CONFIG_DYNAMIC_CONFIG_FILE));
    }
}

static void read_dynamic_file(struct config *c, const char *path)
{
    struct err err;
    struct buf text = {0};
    int rc = config_read_whole(path, &text, &err);
    if (rc == 0) {
        rc = properties_parse(buf_slice(&text), &c->dynamic, &err);
        buf_deinit(&text);
    }
    if (rc < 0) {
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_DYNAMIC_CONFIG_FILE), "%s",
                    err.text);
        return;
    }
    c->dynamic_file = mem_dup(path, strlen(path) + 1);
    for (size_t i = 0; i < c->dynamic.count; i++) {
        const struct property *p = &c->dynamic.items[i];
        if (strcmp(p->key, "version") == 0)
            config_tell(c, CONFIG_WRONG, p, "has no place there: the file's name says it");
        else if (!begins(p->key, "server.") && !is_group_line(p))
            config_tell(c, CONFIG_WRONG, p, "has no place there");
    }
}

/* A configuration that was proposed when this server stopped (zoo.cfg.dynamic.next). */
static void read_next_file(struct config *c)
{
    char path[4096];
    if (c->file == NULL || c->dynamic_file == NULL || !config_flag(c, CONFIG_RECONFIG_ENABLED) ||
        snprintf(path, sizeof path, "%s.dynamic.next", c->file) >= (int)sizeof path)
        return;
    struct err err;
    struct buf text = {0};
    int rc = config_read_whole(path, &text, &err);
    if (rc == ERR_NOTFOUND)
        return;
    if (rc == 0) {
        rc = quorum_parse(buf_slice(&text), &c->ensemble_seen, &err);
        buf_deinit(&text);
    }
    if (rc < 0)
        config_tell(c, CONFIG_WRONG, NULL, "'%s': %s", path, err.text);
}

/* ---- the lines ---- */

struct count {
    size_t voters, observers;
    bool wrong;
};

static void check_line(struct config *c, const struct property *p, struct count *count)
{
    char *end;
    const char *number = p->key + strlen("server.");
    long long id = strtoll(number, &end, 10);
    struct err err;
    struct quorum_server s;
    if (*number < '0' || *number > '9' || *end != 0 || id > QUORUM_SID_MAX) {
        config_tell(c, CONFIG_WRONG, p, "the number behind 'server.' must be from 0 to %d",
                    QUORUM_SID_MAX);
        count->wrong = true;
        return;
    }
    if (quorum_parse_server(id, slice_str(p->value), &s, &err) < 0) {
        config_tell(c, CONFIG_WRONG, p, "%s", err.text);
        count->wrong = true;
        return;
    }
    if (s.address_count > 1 && !config_flag(c, CONFIG_MULTI_ADDRESS)) {
        config_tell(c, CONFIG_WRONG, p, "more than one address needs multiAddress.enabled=true");
        count->wrong = true;
    }
    count->voters += !s.observer;
    count->observers += s.observer;
    quorum_server_deinit(&s);
}

/* Each line by itself, so that what is wrong is told with its place. */
static struct count check_lines(struct config *c, const struct properties *lines)
{
    struct count count = {0};
    for (size_t i = 0; i < lines->count; i++) {
        if (is_server_line(&lines->items[i]))
            check_line(c, &lines->items[i], &count);
    }
    return count;
}

static struct quorum *parse_lines(struct config *c, const struct properties *lines)
{
    struct buf text = {0};
    for (size_t i = 0; i < lines->count; i++) {
        const struct property *p = &lines->items[i];
        if (is_server_line(p) || is_group_line(p))
            buf_printf(&text, "%s=%s\n", p->key, p->value);
    }
    if (c->dynamic_file != NULL)
        buf_printf(&text, "version=%" PRIx64, (uint64_t)version_of_name(c->dynamic_file));
    struct err err;
    struct quorum *q = NULL;
    if (quorum_parse(buf_slice(&text), &q, &err) < 0)
        config_tell(c, CONFIG_WRONG, first_line(lines), "%s", err.text);
    else
        q->oracle = config_text(c, CONFIG_ORACLE_PATH)[0] != 0;
    buf_deinit(&text);
    return q;
}

/* ---- this server ---- */

static bool is_any_address(const char *address)
{
    return address[0] == 0 || strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0 ||
           strcmp(address, "0:0:0:0:0:0:0:0") == 0;
}

/* IPv6 addresses have many spellings. */
static bool is_same_address(const char *a, const char *b)
{
    union resolve_address x, y;
    if (!resolve_literal(a, 0, &x) || !resolve_literal(b, 0, &y))
        return strcmp(a, b) == 0;
    return x.any.sa_family == y.any.sa_family && memcmp(&x, &y, resolve_address_bytes(&x)) == 0;
}

/* A server's own line may name the port of its clients. */
static void take_client_port(struct config *c, const struct quorum_server *s,
                             const struct property *p)
{
    struct config_value *port = &c->values[CONFIG_CLIENT_PORT];
    struct config_value *address = &c->values[CONFIG_CLIENT_PORT_ADDRESS];
    if (s->client_host == NULL)
        return;
    bool same_port = !port->given || port->integer == s->client_port;
    bool same_address = !port->given || is_any_address(address->text) ||
                        is_same_address(address->text, s->client_host);
    if (!same_port || !same_address) {
        config_tell(c, CONFIG_WRONG, p, "names clients' address %s:%d, but zoo.cfg says %s:%d",
                    s->client_host, s->client_port,
                    is_any_address(address->text) ? "*" : address->text, (int)port->integer);
        return;
    }
    c->client_port_from_line = true;
    port->given = true;
    port->integer = s->client_port;
    const char *host = is_any_address(s->client_host) ? "" : s->client_host;
    address->given = true;
    free(address->text);
    address->text = mem_dup(host, strlen(host) + 1);
}

static void check_role(struct config *c, const struct quorum_server *me)
{
    bool said = strcasecmp(config_text(c, CONFIG_PEER_TYPE), "observer") == 0;
    c->observer = me->observer;
    if (said != me->observer)
        config_tell(c, CONFIG_ADVICE, config_property_of(c, CONFIG_PEER_TYPE),
                    "is not what the server's line says: it is %s",
                    me->observer ? "an observer" : "a participant");
}

static void need(struct config *c, enum config_id id)
{
    if (config_int(c, id) == 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, id), "%s is not set",
                    config_key(id)->name);
}

/* What would leave the servers' connections open to everybody is refused, not passed over. */
static void refuse_protection(struct config *c)
{
    static const enum config_id sasl[] = {CONFIG_QUORUM_SASL, CONFIG_QUORUM_SASL_SERVER,
                                          CONFIG_QUORUM_SASL_LEARNER};
    for (size_t i = 0; i < sizeof sasl / sizeof *sasl; i++) {
        if (config_flag(c, sasl[i]))
            config_tell(c, CONFIG_WRONG, config_property_of(c, sasl[i]),
                        "cannot be had between servers: there is no SASL");
    }
    if (config_flag(c, CONFIG_SSL_QUORUM))
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_SSL_QUORUM),
                    "cannot be had between servers: there is no TLS");
}

static void take_ensemble(struct config *c, const struct properties *lines, struct quorum *q)
{
    c->ensemble = q;
    if (q->voter_count <= 2)
        config_tell(c, CONFIG_ADVICE, first_line(lines),
                    "no server may fail: that needs at least 3 participants");
    else if (q->voter_count % 2 == 0)
        config_tell(c, CONFIG_ADVICE, first_line(lines),
                    "an odd number of participants does as much as the next even one");
    need(c, CONFIG_INIT_LIMIT);
    need(c, CONFIG_SYNC_LIMIT);
    refuse_protection(c);
    if (c->my_id < 0) {
        config_tell(c, CONFIG_WRONG, NULL, "'%s/myid' is missing: it holds this server's number",
                    config_text(c, CONFIG_DATA_DIR));
        return;
    }
    const struct quorum_server *me = quorum_find(q, c->my_id);
    if (me == NULL)
        config_tell(c, CONFIG_WRONG, first_line(lines),
                    "server %" PRId64 ", which is this one (myid), is not among the servers",
                    c->my_id);
    else
        check_role(c, me);
}

static void check_count(struct config *c, const struct properties *lines, const struct count *count)
{
    const struct property *first = first_line(lines);
    bool may_stand_alone = config_flag(c, CONFIG_STANDALONE_ENABLED);
    if (count->voters == 0 && !may_stand_alone)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_STANDALONE_ENABLED),
                    "needs at least one participant among the servers");
    else if (count->voters == 0 && count->observers > 0)
        config_tell(c, CONFIG_WRONG, first, "observers need participants to observe");
    else if (count->voters == 1 && may_stand_alone && count->observers > 0)
        config_tell(c, CONFIG_WRONG, first,
                    "observers need a quorum: more participants, or standaloneEnabled=false");
}

void config_check_servers(struct config *c)
{
    const char *dynamic = config_text(c, CONFIG_DYNAMIC_CONFIG_FILE);
    const struct properties *lines = &c->properties;
    if (dynamic[0] != 0) {
        refuse_static_lines(c);
        read_dynamic_file(c, dynamic);
        lines = &c->dynamic;
    }
    int wrong_before = c->wrong_count;
    struct count count = check_lines(c, lines);
    check_count(c, lines, &count);
    if (c->wrong_count > wrong_before || first_line(lines) == NULL)
        return;
    struct quorum *q = parse_lines(c, lines);
    if (q == NULL)
        return;
    const struct quorum_server *me = quorum_find(q, c->my_id);
    if (me != NULL)
        take_client_port(c, me, first_line(lines));
    if (count.voters == 1 && config_flag(c, CONFIG_STANDALONE_ENABLED)) {
        config_tell(c, CONFIG_ADVICE, first_line(lines),
                    "only one server is specified: it stands alone");
        quorum_free(q);
        return;
    }
    take_ensemble(c, lines, q);
    read_next_file(c);
}
