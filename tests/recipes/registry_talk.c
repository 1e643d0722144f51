/* registry_talk.c: instances of services that are registered and discovered as it reads, with what
 * it hears, a line each, with a number that is always 0.
 *
 *   registry_talk HOSTS TIMEOUT_MS BASE round-robin|random|sticky DOWN_MS
 *
 *   0 state NAME
 *   0 registered PATH      0 unregistered ERROR      0 trouble ERROR
 *   0 added ID ADDRESS PORT TLS_PORT PAYLOAD    0 changed ...    0 removed ID
 *   0 current              0 unreadable PATH ERROR
 *
 *   register NAME ID ADDRESS PORT PAYLOAD | ... take    -> 0 registers ERROR
 *       ("?": no id; PAYLOAD "json:..." is JSON)
 *   update ADDRESS PORT PAYLOAD -> 0 updates ERROR      unregister -> 0 is out
 *   discover NAME -> 0 discovers ERROR                  undiscover -> 0 undiscovered
 *   list -> 0 list ID ID ...      pick MS -> 0 picked ERROR ID      fail ID -> 0 noted
 *   there -> 0 there 0|1          quit */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/registry.h"

static struct caucus *c;
static struct caucus_registration *registration;
static struct caucus_discovery *discovery;
static const char *base;
static struct caucus_discovery_options discovery_options;

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)context;
    (void)handle;
    printf("0 state %s\n", caucus_state_name(s->state));
}

/* ---- Registering ---- */

static void on_registration(void *context, struct caucus_registration *r,
                            const struct caucus_registration_change *change)
{
    (void)context;
    (void)r;
    switch (change->news) {
    case CAUCUS_REGISTERED:
        printf("0 registered %s\n", change->path);
        break;
    case CAUCUS_UNREGISTERED:
        printf("0 unregistered %s\n", caucus_error_name(change->rc));
        break;
    case CAUCUS_REGISTRATION_TROUBLE:
        printf("0 trouble %s\n", caucus_error_name(change->rc));
        break;
    }
}

static void set_payload(struct caucus_instance *instance, const char *text)
{
    instance->payload_is_json = strncmp(text, "json:", 5) == 0;
    instance->payload = instance->payload_is_json ? text + 5 : text;
}

static void enlist(const char *line)
{
    char name[256] = "", id[256] = "", address[256] = "", payload[1024] = "", how[16] = "";
    int port = 0;
    sscanf(line, "%*s %255s %255s %255s %d %1023s %15s", name, id, address, &port, payload, how);
    struct caucus_instance instance = {
        .name = name, .id = strcmp(id, "?") != 0 ? id : NULL, .address = address, .port = port};
    set_payload(&instance, payload);
    struct caucus_registration_options o = {.take_over = strcmp(how, "take") == 0,
                                            .on_change = on_registration};
    int rc = caucus_registration_open(c, base, &instance, &o, &registration);
    printf("0 registers %s\n", caucus_error_name(rc));
}

static void update(const char *line)
{
    char address[256] = "", payload[1024] = "";
    int port = 0;
    sscanf(line, "%*s %255s %d %1023s", address, &port, payload);
    struct caucus_instance instance = {.address = address, .port = port};
    set_payload(&instance, payload);
    int rc = caucus_registration_update(registration, &instance);
    printf("0 updates %s\n", caucus_error_name(rc));
}

static void delist(void)
{
    caucus_registration_close(registration);
    registration = NULL;
}

/* ---- Discovering ---- */

static void on_discovery(void *context, struct caucus_discovery *d,
                         const struct caucus_discovery_change *change)
{
    (void)context;
    (void)d;
    const struct caucus_instance *i = change->instance;
    switch (change->news) {
    case CAUCUS_INSTANCE_ADDED:
    case CAUCUS_INSTANCE_CHANGED:
        printf("0 %s %s %s %d %d %s%s%s\n",
               change->news == CAUCUS_INSTANCE_ADDED ? "added" : "changed", i->id,
               i->address != NULL ? i->address : "null", i->port, i->tls_port,
               i->payload_is_json ? "json:" : "", i->payload != NULL ? i->payload : "null",
               i->is_disabled ? " disabled" : "");
        break;
    case CAUCUS_INSTANCE_REMOVED:
        printf("0 removed %s\n", i->id);
        break;
    case CAUCUS_DISCOVERY_CURRENT:
        printf("0 current\n");
        break;
    case CAUCUS_DISCOVERY_TROUBLE:
        printf("0 unreadable %s %s\n", change->path, caucus_error_name(change->rc));
        break;
    }
}

static void discover(const char *name)
{
    discovery_options.on_change = on_discovery;
    int rc = caucus_discovery_open(c, base, name, &discovery_options, &discovery);
    printf("0 discovers %s\n", caucus_error_name(rc));
}

static void undiscover(void)
{
    caucus_discovery_close(discovery);
    discovery = NULL;
}

static void pick(int64_t ms)
{
    struct caucus_instance *instance = NULL;
    int rc = caucus_discovery_pick(discovery, ms, &instance);
    printf("0 picked %s %s\n", caucus_error_name(rc), instance != NULL ? instance->id : "none");
    caucus_instance_free(instance);
}

static void list(void)
{
    struct caucus_instances *all;
    caucus_discovery_await(discovery, -1);
    caucus_discovery_list(discovery, &all);
    flockfile(stdout);
    printf("0 list");
    for (size_t i = 0; i < all->count; i++)
        printf(" %s", all->instances[i]->id);
    printf("\n");
    funlockfile(stdout);
    caucus_instances_free(all);
}

/* False: quit. */
static bool obey(const char *line)
{
    char op[16] = "", a[256] = "";
    sscanf(line, "%15s %255s", op, a);
    if (strcmp(op, "register") == 0) {
        enlist(line);
    } else if (strcmp(op, "update") == 0) {
        update(line);
    } else if (strcmp(op, "unregister") == 0) {
        delist();
        printf("0 is out\n");
    } else if (strcmp(op, "there") == 0) {
        printf("0 there %d\n", caucus_registration_is_there(registration));
    } else if (strcmp(op, "discover") == 0) {
        discover(a);
    } else if (strcmp(op, "undiscover") == 0) {
        undiscover();
        printf("0 undiscovered\n");
    } else if (strcmp(op, "list") == 0) {
        list();
    } else if (strcmp(op, "pick") == 0) {
        pick(atoi(a));
    } else if (strcmp(op, "fail") == 0) {
        caucus_discovery_fail(discovery, a);
        printf("0 noted\n");
    } else {
        return false;
    }
    return true;
}

static enum caucus_strategy strategy_of(const char *word)
{
    if (strcmp(word, "random") == 0)
        return CAUCUS_RANDOM;
    return strcmp(word, "sticky") == 0 ? CAUCUS_STICKY : CAUCUS_ROUND_ROBIN;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    base = argv[3];
    discovery_options.strategy = strategy_of(argv[4]);
    discovery_options.down_ms = atoi(argv[5]);
    struct caucus_options o = {.session_timeout_ms = atoi(argv[2]), .on_state = on_state};
    int rc = caucus_open(argv[1], &o, &c);
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", argv[1], caucus_error_text(rc));
        return 1;
    }
    char line[4096];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line))
        ;
    undiscover();
    caucus_close(c);
    delist();
    printf("quit\n");
    return 0;
}
