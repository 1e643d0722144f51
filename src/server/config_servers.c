/* config_servers.c: the lines server.N (QuorumPeer.QuorumServer), and what a server that stands
 * alone makes of them (QuorumPeerConfig.parseDynamicConfig, setupClientPort). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/mem.h"
#include "server/config.h"

enum {
    SERVER_PARTS_MAX = 5
};

/* Splits "host:port:port:role" at colons, but not inside of the brackets of an IPv6 address, which
 * are dropped. Destroys `text`. */
static size_t split_address(char *text, char *ret_parts[SERVER_PARTS_MAX])
{
    size_t count = 0;
    while (count < SERVER_PARTS_MAX) {
        char *begin = text, *end;
        if (*text == '[' && (end = strchr(text, ']')) != NULL) {
            begin++;
            *end = 0;
            text = end + 1;
        }
        ret_parts[count++] = begin;
        text = strchr(text, ':');
        if (text == NULL)
            break;
        *text++ = 0;
    }
    return count;
}

static bool parse_port(const char *text, int *ret)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || v > 65535)
        return false;
    *ret = (int)v;
    return true;
}

static int parse_role(const char *text, bool *ret_observer, struct err *err)
{
    if (strcasecmp(text, "observer") != 0 && strcasecmp(text, "participant") != 0)
        return err_set(err, ERR_INVALID, "role '%s' must be participant or observer", text);
    *ret_observer = strcasecmp(text, "observer") == 0;
    return 0;
}

/* host:port:port[:role] */
static int parse_peer(char *text, struct config_server *s, struct err *err)
{
    char *parts[SERVER_PARTS_MAX];
    size_t count = split_address(text, parts);
    int quorum_port, election_port;
    if (count < 3 || count > 4 || parts[0][0] == 0 || !parse_port(parts[1], &quorum_port) ||
        !parse_port(parts[2], &election_port))
        return err_set(err, ERR_INVALID,
                       "must be host:port:port[:participant|:observer][;[address:]clientPort]");
    if (quorum_port == election_port)
        return err_set(err, ERR_INVALID, "quorum port and election port must differ");
    return count == 4 ? parse_role(parts[3], &s->observer, err) : 0;
}

/* [address:]port */
static int parse_client(char *text, struct config_server *s, struct err *err)
{
    char *parts[SERVER_PARTS_MAX];
    size_t count = split_address(text, parts);
    if (count > 2 || !parse_port(parts[count - 1], &s->client_port))
        return err_set(err, ERR_INVALID, "behind the ';' must stand [address:]clientPort");
    if (count == 2)
        snprintf(s->client_address, sizeof s->client_address, "%s", parts[0]);
    return 0;
}

int config_parse_server(int64_t id, const char *value, struct config_server *ret, struct err *err)
{
    struct config_server s = {.id = id, .client_port = -1};
    char *copy = mem_dup(value, strlen(value) + 1);
    char *client = strchr(copy, ';');
    if (client != NULL)
        *client++ = 0;

    int rc = 0;
    for (char *peer = copy; rc == 0 && peer != NULL;) {
        char *next = strchr(peer, '|');
        if (next != NULL)
            *next++ = 0;
        rc = parse_peer(peer, &s, err);
        peer = next;
    }
    if (rc == 0 && client != NULL)
        rc = parse_client(client, &s, err);
    free(copy);
    if (rc == 0)
        *ret = s;
    return rc;
}

static void add_server(struct config *c, const struct property *p)
{
    char *end;
    long long id = strtoll(p->key + strlen("server."), &end, 10);
    if (p->key[strlen("server.")] == 0 || *end != 0 || id < 0 || id > 255) {
        config_tell(c, CONFIG_WRONG, p, "the number behind 'server.' must be from 0 to 255");
        return;
    }
    struct err err;
    struct config_server s;
    if (config_parse_server(id, p->value, &s, &err) < 0)
        config_tell(c, CONFIG_WRONG, p, "%s", err.text);
    else if (c->server_count < CONFIG_SERVERS_MAX)
        c->servers[c->server_count++] = s;
}

/* A server's own line may name the port of its clients. */
static void take_client_port(struct config *c, const struct config_server *s,
                             const struct property *p)
{
    struct config_value *port = &c->values[CONFIG_CLIENT_PORT];
    struct config_value *address = &c->values[CONFIG_CLIENT_PORT_ADDRESS];
    if (s->client_port < 0 || s->id != c->my_id)
        return;
    if (port->given && port->integer != s->client_port) {
        config_tell(c, CONFIG_WRONG, p, "names client port %d, but clientPort is %d",
                    s->client_port, (int)port->integer);
        return;
    }
    port->given = true;
    port->integer = s->client_port;
    if (!address->given && s->client_address[0] != 0) {
        address->given = true;
        free(address->text);
        address->text = mem_dup(s->client_address, strlen(s->client_address) + 1);
    }
}

void config_check_servers(struct config *c)
{
    const struct property *first = NULL;
    for (size_t i = 0; i < c->properties.count; i++) {
        const struct property *p = &c->properties.items[i];
        bool is_server = strncmp(p->key, "server.", strlen("server.")) == 0;
        if (!is_server || config_find(p->key) >= 0)
            continue; /* server.realm is a key */
        first = first != NULL ? first : p;
        add_server(c, p);
    }
    size_t voters = 0;
    for (size_t i = 0; i < c->server_count; i++)
        voters += !c->servers[i].observer;

    if (c->server_count == 1 && voters == 1 && config_flag(c, CONFIG_STANDALONE_ENABLED)) {
        config_tell(c, CONFIG_ADVICE, first, "only one server is specified: it stands alone");
        take_client_port(c, &c->servers[0], first);
    } else if (c->server_count > 0) {
        config_tell(c, CONFIG_WRONG, first,
                    "an ensemble of %zu is configured, and this release of caucusd serves alone "
                    "only: leave out the server lines%s",
                    c->server_count,
                    config_flag(c, CONFIG_STANDALONE_ENABLED) ? ""
                                                              : " and standaloneEnabled=false");
    }
}
