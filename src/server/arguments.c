#include "server/arguments.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

const char arguments_help[] =
    "caucusd: a coordination server that speaks ZooKeeper's protocol\n"
    "\n"
    "  caucusd [options] zoo.cfg\n"
    "  caucusd [options] --data DIR --port N\n"
    "\n"
    "Without a file:\n"
    "  --data DIR         where snapshots and transaction logs live (dataDir)\n"
    "  --port N           port for clients; 0 takes a free one and says which (clientPort)\n"
    "  --address A        listen on this address only (clientPortAddress)\n"
    "  --admin-port N     HTTP commands and metrics on this port; without it there are none\n"
    "                     All four letter words are answered (4lw.commands.whitelist=*).\n"
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

void arguments_parse(int argc, char **argv, struct arguments *ret)
{
    struct arguments a = {.log_level = LOG_INFO};
    bool has_data = false, has_port = false;
    for (int at = 1; at < argc && a.action != ARGUMENTS_WRONG;) {
        struct option o = next_option(argc, argv, &at);
        if (!o.takes_value)
            parse_plain(&a, o.name);
        else if (o.value == NULL)
            wrong(&a, "%s needs a value", o.name);
        else if (strcmp(o.name, "-D") == 0 && (strchr(o.value, '=') == NULL || *o.value == '='))
            wrong(&a, "-D wants KEY=VALUE, not '%s'", o.value);
        else if (strcmp(o.name, "--log-level") == 0 && !parse_level(o.value, &a.log_level))
            wrong(&a, "--log-level must be debug, info, warn or error, not '%s'", o.value);
        has_data |= strcmp(o.name, "--data") == 0;
        has_port |= strcmp(o.name, "--port") == 0;
    }
    bool needs_config = a.action == ARGUMENTS_SERVE || a.action == ARGUMENTS_CHECK;
    if (needs_config && a.config_file == NULL && !(has_data && has_port))
        wrong(&a, "a configuration file is needed, or --data and --port");
    if (needs_config && a.config_file != NULL && has_data)
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

void arguments_apply(int argc, char **argv, struct config *config)
{
    if (config->file == NULL) {
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
