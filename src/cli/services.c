/* services.c: register, discover. */
#include <stdio.h>
#include <string.h>

#include "caucus/registry.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/print.h"
#include "cli/terms.h"

static int check_base(struct cli *cli, const char *base, const char *name)
{
    int code = cli_check_path(cli, base, false);
    if (code == CLI_OK && strcmp(base, "/") == 0)
        return cli_usage(cli, "services cannot stand below the root");
    if (code == CLI_OK && !cli_is_name(name))
        return cli_usage(cli, "'%s' cannot be the name of a service", name);
    return code;
}

/* ---- register ---- */

struct registering {
    struct terms t; /* first */
    struct caucus_instance instance;
    bool take_over;
};

/* On the event thread. */
static void on_registration(void *context, struct caucus_registration *r,
                            const struct caucus_registration_change *change)
{
    (void)r;
    struct registering *a = context;
    if (change->news == CAUCUS_REGISTRATION_TROUBLE) {
        holding_trouble(&a->t.h, change->rc, false);
        return;
    }
    bool is_there = change->news == CAUCUS_REGISTERED;
    const char *word = is_there ? "registered" : "unregistered";
    if (a->t.h.cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", word);
        cli_json_bytes(&j, "path", change->path, strlen(change->path));
        if (!is_there)
            cli_json_text(&j, "reason", caucus_error_name(change->rc));
        cli_json_end(&j);
    } else if (is_there) {
        printf("%-12s  %s\n", word, change->path);
    } else {
        printf("%-12s  %s  %s\n", word, change->path, caucus_error_name(change->rc));
    }
    fflush(stdout);
}

static int keep_registered(void *held)
{
    struct registering *a = held;
    struct cli *cli = a->t.h.cli;
    struct caucus_registration *r;
    struct caucus_registration_options o = {.policy = a->t.h.policy,
                                            .take_over = a->take_over,
                                            .on_change = on_registration,
                                            .context = a};
    int rc = caucus_registration_open(cli->handle, a->t.h.path, &a->instance, &o, &r);
    if (rc != 0)
        return cli_failed(cli, a->t.h.path, rc);
    int code = terms_watch(&a->t);
    watching_close(&cli->watching);
    caucus_registration_close(r);
    return code;
}

static int check_port(struct cli *cli, const char *option, int64_t port)
{
    if (port >= 0 && port <= 65535)
        return CLI_OK;
    return cli_usage(cli, "%s: %lld is not from 1 to 65535", option, (long long)port);
}

int run_register(struct cli *cli, int argc, char **argv)
{
    struct registering a = {.t = {.h = {.cli = cli}}};
    const char *json = NULL;
    int64_t port = 0, tls_port = 0;
    const struct option options[] = {
        {'i', "id", OPTION_TEXT, &a.instance.id},
        {'a', "address", OPTION_TEXT, &a.instance.address},
        {'p', "port", OPTION_NUMBER, &port},
        {0, "tls-port", OPTION_NUMBER, &tls_port},
        {0, "payload", OPTION_TEXT, &a.instance.payload},
        {0, "payload-json", OPTION_TEXT, &json},
        {0, "take-over", OPTION_FLAG, &a.take_over},
    };
    int code = cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 2, 2, NULL);
    if (code == CLI_OK)
        code = check_base(cli, argv[1], argv[2]);
    if (code == CLI_OK && a.instance.address == NULL)
        code = cli_usage(cli, "--address is missing: where the instance can be reached");
    if (code == CLI_OK)
        code = check_port(cli, "--port", port);
    if (code == CLI_OK)
        code = check_port(cli, "--tls-port", tls_port);
    if (code == CLI_OK && a.instance.id != NULL && !cli_is_name(a.instance.id))
        code = cli_usage(cli, "--id: '%s' cannot be the name of a node", a.instance.id);
    if (code == CLI_OK && json != NULL && a.instance.payload != NULL)
        code = cli_usage(cli, "--payload and --payload-json: one of the two");
    if (code != CLI_OK)
        return code;
    a.instance.name = argv[2];
    a.instance.port = (int32_t)port;
    a.instance.tls_port = (int32_t)tls_port;
    a.instance.payload_is_json = json != NULL;
    if (json != NULL)
        a.instance.payload = json;
    a.t.h.path = argv[1];
    a.t.h.id = a.instance.id != NULL ? a.instance.id : "";
    a.t.h.held = &a;
    return holding_do(&a.t.h, keep_registered);
}

/* ---- discover ---- */

static void put_instance(struct json *j, const struct caucus_instance *i)
{
    cli_json_bytes(j, "id", i->id, strlen(i->id));
    cli_json_bytes(j, "address", i->address, i->address != NULL ? strlen(i->address) : 0);
    cli_json_number(j, "port", i->port);
    cli_json_number(j, "tls_port", i->tls_port);
    cli_json_bytes(j, "payload", i->payload, i->payload != NULL ? strlen(i->payload) : 0);
    cli_json_flag(j, "payload_is_json", i->payload_is_json);
    cli_json_flag(j, "enabled", !i->is_disabled);
    cli_json_number(j, "registered_ms", i->registered_ms);
}

static void print_json(const struct caucus_instances *all)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_list(&j, "instances");
    for (size_t i = 0; i < all->count; i++) {
        cli_json_object(&j, NULL);
        put_instance(&j, all->instances[i]);
        cli_json_object_end(&j);
    }
    cli_json_list_end(&j);
    cli_json_end(&j);
}

static void put_text_cell(struct table *t, const char *text)
{
    cli_table_bytes(t, text, text != NULL ? strlen(text) : 0);
}

static void put_port_cell(struct table *t, int32_t port)
{
    if (port != 0)
        cli_table_cell(t, "%d", port);
    else
        cli_table_cell(t, "-");
}

static void print_table(const struct caucus_instances *all)
{
    static const char *const titles[] = {"ID", "ADDRESS", "PORT", "TLS", "PAYLOAD"};
    struct table t;
    cli_table_init(&t, 5, titles);
    for (size_t n = 0; n < all->count; n++) {
        const struct caucus_instance *i = all->instances[n];
        put_text_cell(&t, i->id);
        put_text_cell(&t, i->address);
        put_port_cell(&t, i->port);
        put_port_cell(&t, i->tls_port);
        put_text_cell(&t, i->payload);
    }
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static int list_instances(struct cli *cli, struct caucus_discovery *d, const char *name)
{
    struct caucus_instances *all;
    int rc = caucus_discovery_await(d, cli->timeout_ms);
    if (rc != 0)
        return cli_failed(cli, name, rc);
    caucus_discovery_list(d, &all);
    if (cli->json)
        print_json(all);
    else
        print_table(all);
    caucus_instances_free(all);
    return CLI_OK;
}

/* As others want it behind "http://": IPv6 addresses in brackets. */
static void print_address(const struct caucus_instance *i)
{
    const char *address = i->address != NULL ? i->address : "";
    bool is_ipv6 = strchr(address, ':') != NULL;
    printf(is_ipv6 ? "[" : "");
    print_line_text(address, strlen(address));
    printf(is_ipv6 ? "]" : "");
    int32_t port = i->port != 0 ? i->port : i->tls_port;
    if (port != 0)
        printf(":%d", port);
    printf("\n");
}

static int pick_instance(struct cli *cli, struct caucus_discovery *d, const char *name,
                         int64_t wait_ms)
{
    struct caucus_instance *instance;
    int rc = caucus_discovery_await(d, cli->timeout_ms);
    if (rc != 0)
        return cli_failed(cli, name, rc);
    rc = caucus_discovery_pick(d, wait_ms, &instance);
    if (rc == CAUCUS_OPERATIONTIMEOUT) {
        cli_usage(cli, "%s: there is no instance", name);
        return CLI_NO;
    }
    if (rc != 0)
        return cli_failed(cli, name, rc);
    if (cli->json) {
        struct json j;
        cli_json_begin(&j);
        put_instance(&j, instance);
        cli_json_end(&j);
    } else {
        print_address(instance);
    }
    caucus_instance_free(instance);
    return CLI_OK;
}

static const char *word_of(enum caucus_discovery_news news)
{
    switch (news) {
    case CAUCUS_INSTANCE_ADDED:
        return "added";
    case CAUCUS_INSTANCE_CHANGED:
        return "changed";
    case CAUCUS_INSTANCE_REMOVED:
        return "removed";
    case CAUCUS_DISCOVERY_CURRENT:
        return "current";
    case CAUCUS_DISCOVERY_TROUBLE:
        break;
    }
    return "trouble";
}

struct discovering {
    struct holding h;
    const char *name;
};

/* On the event thread. */
static void on_discovery(void *context, struct caucus_discovery *d,
                         const struct caucus_discovery_change *change)
{
    (void)d;
    const struct discovering *a = context;
    const char *word = word_of(change->news);
    if (change->news == CAUCUS_DISCOVERY_TROUBLE) {
        fprintf(stderr, "caucus: %s: %s (%s)\n", change->path, caucus_error_text(change->rc),
                caucus_error_name(change->rc));
        return;
    }
    if (a->h.cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "event", word);
        if (change->instance != NULL)
            put_instance(&j, change->instance);
        cli_json_end(&j);
    } else if (change->instance == NULL) {
        printf("%s\n", word);
    } else {
        printf("%-8s  ", word);
        print_line_text(change->instance->id, strlen(change->instance->id));
        printf("  ");
        print_address(change->instance);
    }
    fflush(stdout);
}

static int follow_service(void *held)
{
    struct discovering *a = held;
    struct caucus_discovery *d;
    struct caucus_discovery_options o = {.on_change = on_discovery, .context = a};
    int rc = caucus_discovery_open(a->h.cli->handle, a->h.path, a->name, &o, &d);
    if (rc != 0)
        return cli_failed(a->h.cli, a->h.path, rc);
    while (holding_wait(&a->h, -1) == 0)
        continue;
    watching_close(&a->h.cli->watching);
    caucus_discovery_close(d);
    return CLI_OK;
}

static int look_once(struct discovering *a, bool pick, int64_t wait_ms)
{
    struct cli *cli = a->h.cli;
    int code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    struct caucus_discovery *d;
    struct caucus_discovery_options o = {.strategy = CAUCUS_RANDOM};
    int rc = caucus_discovery_open(cli->handle, a->h.path, a->name, &o, &d);
    if (rc != 0)
        return cli_failed(cli, a->h.path, rc);
    code = pick ? pick_instance(cli, d, a->name, wait_ms) : list_instances(cli, d, a->name);
    caucus_discovery_close(d);
    return code;
}

int run_discover(struct cli *cli, int argc, char **argv)
{
    struct discovering a = {.h = {.cli = cli, .id = ""}};
    bool follows = false, picks = false;
    int64_t wait_ms = 0;
    const struct option options[] = {
        {'f', "follow", OPTION_FLAG, &follows},
        {'1', "pick", OPTION_FLAG, &picks},
        {'w', "wait", OPTION_NUMBER, &wait_ms},
    };
    int code = cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 2, 2, NULL);
    if (code == CLI_OK)
        code = check_base(cli, argv[1], argv[2]);
    if (code == CLI_OK && follows && picks)
        code = cli_usage(cli, "--follow and --pick: one of the two");
    if (code == CLI_OK && (wait_ms < 0 || (wait_ms > 0 && !picks)))
        code = cli_usage(cli, "--wait: milliseconds, with --pick");
    if (code != CLI_OK)
        return code;
    a.h.path = argv[1];
    a.name = argv[2];
    a.h.held = &a;
    return follows ? holding_do(&a.h, follow_service) : look_once(&a, picks, wait_ms);
}
