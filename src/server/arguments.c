#include "server/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "server/local_ensemble.h"

const char arguments_help[] =
    "caucusd: a coordination server that speaks ZooKeeper's protocol\n"
    "\n"
    "  caucusd [options] zoo.cfg\n"
    "  caucusd [options] --data DIR --port N\n"
    "  caucusd [options] --ensemble N [--data DIR] [--port N]\n"
    "\n"
    "Without a file:\n"
    "  --data DIR         where snapshots and transaction logs live (dataDir)\n"
    "  --port N           port for clients; 0 takes a free one and says which (clientPort)\n"
    "  --address A        listen on this address only (clientPortAddress, admin.serverAddress)\n"
    "  --admin-port N     HTTP commands and metrics on this port; without it there are none\n"
    "                     All four letter words are answered (4lw.commands.whitelist=*).\n"
    "\n"
    "Several servers on this machine, for trying things out:\n"
    "  --ensemble N       starts N servers with folders DIR/1 ... DIR/N (DIR: caucus-ensemble)\n"
    "                     and ports for clients from N on (2181), says on stdout where clients\n"
    "                     find them when all serve, and stops them all when it is stopped\n"
    "\n"
    "  -D KEY=VALUE       as the line KEY=VALUE of zoo.cfg; wins over the file\n"
    "  --check-config     say what is wrong with the configuration, and end\n"
    "  --log-level L      debug, info, warn or error; info if not given\n"
    "  --version          print the version, and end\n"
    "  --help             print this, and end\n"
    "\n"
    "Exit codes: 0 stopped as asked, 1 failed, 2 wrong command line or configuration.\n";

/* An option that takes a value, and the key it stands for (NULL: handled by itself). */
static const struct {
    const char *name, *key;
} valued[] = {
    {"--data", "dataDir"},
    {"--port", "clientPort"},
    {"--address", "clientPortAddress"},
    {"--admin-port", "admin.serverPort"},
    {"--ensemble", NULL},
    {"-D", NULL},
    {"--log-level", NULL},
};

struct option {
    const char *name; /* of the table, or the argument itself */
    const char *key;
    const char *value; /* NULL: takes none, or none was given */
    bool takes_value;
};

/* The option at argv[*at] with its value: "--port 1", "--port=1", "-Dk=v", "-D k=v". */
static struct option next_option(int argc, char **argv, int *at)
{
    const char *arg = argv[(*at)++];
    for (size_t i = 0; i < sizeof valued / sizeof *valued; i++) {
        const char *name = valued[i].name;
        size_t len = strlen(name);
        if (strncmp(arg, name, len) != 0)
            continue;
        struct option o = {.name = name, .key = valued[i].key, .takes_value = true};
        if (arg[len] == 0)
            o.value = *at < argc ? argv[(*at)++] : NULL;
        else if (arg[len] == '=' && arg[1] == '-')
            o.value = arg + len + 1;
        else if (arg[1] == 'D')
            o.value = arg + len;
        else
            continue;
        return o;
    }
    return (struct option){.name = arg};
}

static bool parse_level(const char *text, enum log_level *ret)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (int i = 0; i < 4; i++) {
        if (strcmp(text, names[i]) == 0) {
            *ret = (enum log_level)i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, int min, int max, int *ret)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || v < min || v > max)
        return false;
    *ret = (int)v;
    return true;
}

static void wrong(struct arguments *a, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void wrong(struct arguments *a, const char *format, ...)
{
    if (a->action == ARGUMENTS_WRONG)
        return;
    a->action = ARGUMENTS_WRONG;
    va_list args;
    va_start(args, format);
    vsnprintf(a->problem, sizeof a->problem, format, args);
    va_end(args);
}

static void parse_plain(struct arguments *a, const char *arg)
{
    if (strcmp(arg, "--check-config") == 0)
        a->action = ARGUMENTS_CHECK;
    else if (strcmp(arg, "--version") == 0)
        a->action = ARGUMENTS_VERSION;
    else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
        a->action = ARGUMENTS_HELP;
    else if (arg[0] == '-')
        wrong(a, "unknown option '%s'", arg);
    else if (a->config_file != NULL)
        wrong(a, "more than one configuration file: '%s'", arg);
    else
        a->config_file = arg;
}

static void check_valued(struct arguments *a, const struct option *o)
{
    if (strcmp(o->name, "-D") == 0 && (strchr(o->value, '=') == NULL || *o->value == '='))
        wrong(a, "-D wants KEY=VALUE, not '%s'", o->value);
    else if (strcmp(o->name, "--log-level") == 0 && !parse_level(o->value, &a->log_level))
        wrong(a, "--log-level must be debug, info, warn or error, not '%s'", o->value);
    else if (strcmp(o->name, "--ensemble") == 0 &&
             !parse_number(o->value, 1, LOCAL_ENSEMBLE_MAX, &a->ensemble))
        wrong(a, "--ensemble wants a number from 1 to %d, not '%s'", LOCAL_ENSEMBLE_MAX, o->value);
    else if (strcmp(o->name, "--data") == 0)
        a->data = o->value;
    else if (strcmp(o->name, "--port") == 0)
        a->port = o->value;
    else if (strcmp(o->name, "--address") == 0)
        a->address = o->value;
    else if (strcmp(o->name, "--admin-port") == 0)
        a->admin_port = o->value;
}

/* With --ensemble the options are ours, not lines of a configuration. */
static void check_ensemble(struct arguments *a)
{
    int port;
    if (a->action == ARGUMENTS_CHECK || a->config_file != NULL)
        wrong(a, "--ensemble writes its configuration itself");
    if ((a->port != NULL && !parse_number(a->port, 1, 65535, &port)) ||
        (a->admin_port != NULL && !parse_number(a->admin_port, 1, 65535, &port)))
        wrong(a, "a port must be a number from 1 to 65535");
    if (a->data == NULL)
        a->data = "caucus-ensemble";
    if (a->action == ARGUMENTS_SERVE)
        a->action = ARGUMENTS_ENSEMBLE;
}

void arguments_parse(int argc, char **argv, struct arguments *ret)
{
    struct arguments a = {.log_level = LOG_INFO};
    for (int at = 1; at < argc && a.action != ARGUMENTS_WRONG;) {
        struct option o = next_option(argc, argv, &at);
        if (!o.takes_value)
            parse_plain(&a, o.name);
        else if (o.value == NULL)
            wrong(&a, "%s needs a value", o.name);
        else
            check_valued(&a, &o);
    }
    bool needs_config = a.action == ARGUMENTS_SERVE || a.action == ARGUMENTS_CHECK;
    if (needs_config && a.ensemble > 0)
        check_ensemble(&a);
    else if (needs_config && a.config_file == NULL && (a.data == NULL || a.port == NULL))
        wrong(&a, "a configuration file is needed, or --data and --port");
    else if (needs_config && a.config_file != NULL && a.data != NULL)
        wrong(&a, "either a configuration file or --data, not both");
    *ret = a;
}

static void override_pair(struct config *config, const char *pair)
{
    size_t key_bytes = strcspn(pair, "=");
    char *key = mem_dup(pair, key_bytes + 1);
    key[key_bytes] = 0;
    config_override(config, key, pair + key_bytes + 1);
    free(key);
}

/* Where clients are to connect, so are those who ask by HTTP; -D admin.serverAddress says
 * otherwise. A file says it itself: there it is 0.0.0.0 as with ZooKeeper, whatever
 * clientPortAddress is. */
static void apply_admin_address(int argc, char **argv, struct config *config)
{
    for (int at = 1; at < argc;) {
        struct option o = next_option(argc, argv, &at);
        if (strcmp(o.name, "--address") == 0 && o.value != NULL && o.value[0] != 0)
            config_override(config, "admin.serverAddress", o.value);
    }
}

void arguments_apply(int argc, char **argv, struct config *config)
{
    if (config->file == NULL) {
        apply_admin_address(argc, argv, config);
        config_override(config, "admin.enableServer", "false");
        config_override(config, "4lw.commands.whitelist", "*");
    }
    for (int at = 1; at < argc;) {
        struct option o = next_option(argc, argv, &at);
        if (o.value == NULL)
            continue;
        if (strcmp(o.name, "--admin-port") == 0)
            config_override(config, "admin.enableServer", "true");
        if (o.key != NULL)
            config_override(config, o.key, o.value);
        else if (strcmp(o.name, "-D") == 0)
            override_pair(config, o.value);
    }
}

void arguments_passed_on(int argc, char **argv, char *ret[ARGUMENTS_PASSED_MAX + 1])
{
    size_t count = 0;
    for (int at = 1; at < argc;) {
        int begun = at;
        struct option o = next_option(argc, argv, &at);
        bool passed = strcmp(o.name, "-D") == 0 || strcmp(o.name, "--log-level") == 0;
        for (int i = begun; passed && i < at && count < ARGUMENTS_PASSED_MAX; i++)
            ret[count++] = argv[i];
    }
    ret[count] = NULL;
}
