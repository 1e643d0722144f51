#include "cli/members.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static void read_server(char *line, struct members *m)
{
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return;
    *equals = 0;
    struct member one = {.id = line, .address = equals + 1, .role = "participant", .client = ""};
    char *client = strchr(equals + 1, ';');
    if (client != NULL) {
        *client = 0;
        one.client = client + 1;
    }
    char *last = strrchr(equals + 1, ':');
    if (last != NULL &&
        (strcmp(last + 1, "participant") == 0 || strcmp(last + 1, "observer") == 0)) {
        *last = 0;
        one.role = last + 1;
    }
    m->list = mem_realloc(m->list, (m->count + 1) * sizeof *m->list);
    m->list[m->count++] = one;
}

void members_read(const char *text, struct members *ret)
{
    *ret = (struct members){.text = mem_dup(text, strlen(text) + 1), .version = ""};
    char *rest = NULL;
    for (char *line = strtok_r(ret->text, "\r\n", &rest); line != NULL;
         line = strtok_r(NULL, "\r\n", &rest)) {
        if (strncmp(line, "server.", strlen("server.")) == 0)
            read_server(line + strlen("server."), ret);
        else if (strncmp(line, "version=", strlen("version=")) == 0)
            ret->version = line + strlen("version=");
    }
}

void members_deinit(struct members *m)
{
    free(m->list);
    free(m->text);
}

/* "::" in brackets or not, as Java writes it out too. */
static bool is_any_address(const char *host, size_t len)
{
    static const char *const any[] = {"0.0.0.0", "[::]", "::", "[0:0:0:0:0:0:0:0]",
                                      "0:0:0:0:0:0:0:0"};
    for (size_t i = 0; i < sizeof any / sizeof *any; i++)
        if (strlen(any[i]) == len && memcmp(any[i], host, len) == 0)
            return true;
    return len == 0;
}

/* The host of "host:2888:3888|...": in brackets, or up to the first colon. */
static size_t host_length(const char *address)
{
    const char *bracket = address[0] == '[' ? strchr(address, ']') : NULL;
    return bracket != NULL ? (size_t)(bracket + 1 - address) : strcspn(address, ":|");
}

char *member_client_place(const struct member *m)
{
    if (m->client[0] == 0)
        return NULL;
    const char *colon = strrchr(m->client, ':');
    const char *port = colon != NULL ? colon + 1 : m->client;
    const char *host = m->client;
    size_t host_len = colon != NULL ? (size_t)(colon - m->client) : 0;
    if (is_any_address(host, host_len)) {
        host = m->address;
        host_len = host_length(host);
    }
    size_t bytes = host_len + strlen(port) + 2;
    char *place = mem_alloc(bytes);
    snprintf(place, bytes, "%.*s:%s", (int)host_len, host, port);
    return place;
}
