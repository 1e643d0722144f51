#include "electiond/options.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_help[] =
    "electiond: a server of an election\n"
    "\n"
    "  electiond --zookeeper HOSTS --election DIR --data DIR --name NAME --peer HOST:PORT\n"
    "            [--rest HOST:PORT] [--grpc HOST:PORT] [options]\n"
    "\n"
    "  --zookeeper HOSTS    the coordination service, caucusd or Apache ZooKeeper 3.5 and later:\n"
    "                       host:port,host:port[/chroot]\n"
    "  --zookeeper-auth-file FILE\n"
    "                       present the credentials in its first line, USER:PASSWORD (digest), "
    "and\n"
    "                       let nobody else write\n"
    "  --zookeeper-auth USER:PASSWORD\n"
    "                       the same, for everybody on this machine to see: for tests\n"
    "  --zookeeper-ca FILE, --zookeeper-identity FILE\n"
    "                       PEM files: TLS to it; whom to trust, and this server's certificate\n"
    "                       and key\n"
    "  --root PATH          below which everything is there (/Election)\n"
    "  --election DIR       what defines the election: election.conf, candidates.csv, states.csv\n"
    "  --key FILE           the election's master key, the same for all its servers; without it\n"
    "                       everybody can tell who voted from the logs: demonstrations only\n"
    "  --data DIR           where the votes are kept\n"
    "  --name NAME          of this server, no other has it: letters, digits, . _ -\n"
    "  --states LIST        of which this server keeps votes: ca,ny or all (all)\n"
    "  --peer HOST:PORT     for the other servers, who are told this address\n"
    "  --rest HOST:PORT     for voters and the committee, by HTTP\n"
    "  --grpc HOST:PORT     for voters and the committee, by gRPC\n"
    "                       Port 0 takes a free one, and the line event=ready says which.\n"
    "  --auth none|hmac     none: whoever says he is a voter is believed (demonstrations only);\n"
    "                       hmac: voters show credentials (hmac)\n"
    "  --committee open|certificate\n"
    "                       who may start, stop, recount: everybody (demonstrations only), or\n"
    "                       who shows a certificate of the unit \"committee\" (certificate)\n"
    "  --certificate FILE, --certificate-key FILE, --client-ca FILE\n"
    "                       PEM files for both doors; without a client CA nobody is the\n"
    "                       committee\n"
    "  --peer-identity FILE, --peer-ca FILE\n"
    "                       PEM files for the links between servers: certificate and key of this\n"
    "                       one, CN its name, and who signs all of them; without them links are\n"
    "                       plain TCP, for networks that are trusted\n"
    "  --console URL        where the page links to: the console of the coordination service\n"
    "  --replace            the disk that this server's name stands for is lost, and this is a "
    "new\n"
    "                       one\n"
    "  --session-timeout MS of the session with the coordination service (6000)\n"
    "  --commit-gap MS      a state's votes are collected for so long and committed\n"
    "                       together; for half of it while no more than 25 states take any "
    "(20)\n"
    "  --hand-back MS       states are dealt to their servers in turn; one that was away leads "
    "its\n"
    "                       states again when it has been back so long; 0: only after the next\n"
    "                       failure of who leads them (10000)\n"
    "  --check              read the definition, say what is wrong with it, and end\n"
    "  --log-level L        debug, info, warn or error; info if not given\n"
    "  --version            print the version, and end\n"
    "  --help               print this, and end\n"
    "\n"
    "Exit codes: 0 ended as asked, 1 failed, 2 wrong command line or definition.\n";

static void wrong(struct options *o, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void wrong(struct options *o, const char *format, ...)
{
    if (o->action == OPTIONS_WRONG)
        return;
    o->action = OPTIONS_WRONG;
    va_list args;
    va_start(args, format);
    vsnprintf(o->problem, sizeof o->problem, format, args);
    va_end(args);
}

/* ---- values ---- */

static void set_place(struct options *o, const char *name, const char *value, struct place *ret)
{
    const char *colon = strrchr(value, ':');
    size_t len = colon != NULL ? (size_t)(colon - value) : 0;
    if (len >= 2 && value[0] == '[' && value[len - 1] == ']') {
        value++;
        len -= 2;
    }
    char *end = NULL;
    long port = colon != NULL ? strtol(colon + 1, &end, 10) : -1;
    if (len == 0 || len >= ADDRESS_BYTES_MAX || port < 0 || port > 65535 || end == colon + 1 ||
        *end != 0) {
        wrong(o, "%s wants HOST:PORT, not '%.80s'", name, value);
        return;
    }
    memcpy(ret->host, value, len);
    ret->host[len] = 0;
    ret->port = (int)port;
}

static void set_number(struct options *o, const char *name, const char *value, int min, int max,
                       int *ret)
{
    char *end;
    long v = strtol(value, &end, 10);
    if (*value < '0' || *value > '9' || *end != 0 || v < min || v > max)
        wrong(o, "%s wants a number from %d to %d, not '%.40s'", name, min, max, value);
    else
        *ret = (int)v;
}

/* -1: none of them. */
static int one_of(struct options *o, const char *name, const char *value, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], value) == 0)
            return i;
    }
    wrong(o, "%s: '%.40s' is not what it may be", name, value);
    return -1;
}

static void set_level(struct options *o, const char *value)
{
    static const char *const words[] = {"debug", "info", "warn", "error", NULL};
    int at = one_of(o, "--log-level", value, words);
    if (at >= 0)
        o->log_level = (enum log_level)at;
}

static bool is_name(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len < SERVER_NAME_BYTES_MAX &&
           strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") == len;
}

/* A page links to it: nothing but an address. */
static void set_url(struct options *o, const char *name, const char *value, const char **ret)
{
    bool web = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;
    bool plain = strlen(value) < 512;
    for (const char *at = value; *at != '\0'; at++)
        plain = plain && *at > ' ' && *at < 0x7f && strchr("\"'<>\\", *at) == NULL;
    if (web && plain)
        *ret = value;
    else
        wrong(o, "%s: '%.80s' is no address that begins with http:// or https://", name, value);
}

/* ---- options ---- */

/* Options that take a text as it is. */
static const char **text_option(struct options *o, const char *name)
{
    const struct {
        const char *name;
        const char **value;
    } texts[] = {
        {"--zookeeper", &o->zookeeper},
        {"--zookeeper-auth", &o->zookeeper_auth},
        {"--zookeeper-auth-file", &o->zookeeper_auth_file},
        {"--zookeeper-ca", &o->zookeeper_ca},
        {"--zookeeper-identity", &o->zookeeper_identity},
        {"--root", &o->root},
        {"--states", &o->states},
        {"--data", &o->data},
        {"--election", &o->election},
        {"--key", &o->key},
        {"--name", &o->name},
        {"--certificate", &o->certificate},
        {"--certificate-key", &o->certificate_key},
        {"--client-ca", &o->client_ca},
        {"--peer-identity", &o->peer_identity},
        {"--peer-ca", &o->peer_ca},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (strcmp(texts[i].name, name) == 0)
            return texts[i].value;
    }
    return NULL;
}

static void set_option(struct options *o, const char *name, const char *value)
{
    static const char *const auths[] = {"none", "hmac", NULL};
    static const char *const committees[] = {"certificate", "open", NULL};
    const char **text = text_option(o, name);
    if (text != NULL)
        *text = value;
    else if (strcmp(name, "--peer") == 0)
        set_place(o, name, value, &o->peer);
    else if (strcmp(name, "--rest") == 0)
        set_place(o, name, value, &o->rest);
    else if (strcmp(name, "--grpc") == 0)
        set_place(o, name, value, &o->grpc);
    else if (strcmp(name, "--console") == 0)
        set_url(o, name, value, &o->console);
    else if (strcmp(name, "--auth") == 0)
        o->auth = one_of(o, name, value, auths) == 0 ? SERVICE_AUTH_NONE : SERVICE_AUTH_HMAC;
    else if (strcmp(name, "--committee") == 0)
        o->committee_open = one_of(o, name, value, committees) == 1;
    else if (strcmp(name, "--session-timeout") == 0)
        set_number(o, name, value, 100, 600000, &o->session_timeout_ms);
    else if (strcmp(name, "--commit-gap") == 0)
        set_number(o, name, value, 1, 60000, &o->commit_gap_ms);
    else if (strcmp(name, "--hand-back") == 0)
        set_number(o, name, value, 0, 3600000, &o->hand_back_ms);
    else if (strcmp(name, "--log-level") == 0)
        set_level(o, value);
    else
        wrong(o, "unknown option '%.80s'", name);
}

static bool set_flag(struct options *o, const char *name)
{
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        o->action = OPTIONS_HELP;
    else if (strcmp(name, "--version") == 0)
        o->action = OPTIONS_VERSION;
    else if (strcmp(name, "--check") == 0)
        o->action = OPTIONS_CHECK;
    else if (strcmp(name, "--replace") == 0)
        o->replace = true;
    else
        return false;
    return true;
}

/* zookeeper_auth points into `o`, which stays where it is from now on. */
static void take_auth_file(struct options *o)
{
    struct err err = {""};
    const char *file = o->zookeeper_auth_file;
    if (file == NULL)
        return;
    if (o->zookeeper_auth != NULL)
        wrong(o, "--zookeeper-auth and --zookeeper-auth-file: one of them, please");
    else if (secret_read(file, o->zookeeper_auth_of_file, &err) < 0)
        wrong(o, "--zookeeper-auth-file '%.80s': %s", file, err.text);
    else if (strchr(o->zookeeper_auth_of_file, ':') == NULL)
        wrong(o, "--zookeeper-auth-file '%.80s': its first line is not USER:PASSWORD", file);
    else
        o->zookeeper_auth = o->zookeeper_auth_of_file;
}

static void check_all(struct options *o)
{
    const struct {
        const char *name;
        bool given;
    } needed[] = {
        {"--zookeeper", o->zookeeper != NULL}, {"--election", o->election != NULL},
        {"--data", o->data != NULL},           {"--name", o->name != NULL},
        {"--peer", o->peer.host[0] != 0},
    };
    if (o->action == OPTIONS_CHECK) {
        if (o->election == NULL)
            wrong(o, "--election is needed");
        return;
    }
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (!needed[i].given)
            wrong(o, "%s is needed", needed[i].name);
    }
    if (o->name != NULL && !is_name(o->name))
        wrong(o, "--name has 1 to %d letters, digits, '.', '_', '-'", SERVER_NAME_BYTES_MAX - 1);
    if ((o->certificate == NULL) != (o->certificate_key == NULL))
        wrong(o, "--certificate and --certificate-key belong together");
    if ((o->peer_identity == NULL) != (o->peer_ca == NULL))
        wrong(o, "--peer-identity and --peer-ca belong together");
    if (o->client_ca != NULL && o->certificate == NULL)
        wrong(o, "--client-ca needs --certificate");
}

void options_read(int argc, char **argv, struct options *ret)
{
    struct options o = {.log_level = LOG_INFO,
                        .states = "all",
                        .auth = SERVICE_AUTH_HMAC,
                        .commit_gap_ms = 20,
                        .hand_back_ms = 10000};
    for (int i = 1; i < argc && o.action != OPTIONS_WRONG; i++) {
        char name[64];
        const char *equals = strchr(argv[i], '=');
        if (set_flag(&o, argv[i]))
            continue;
        size_t len = equals != NULL ? (size_t)(equals - argv[i]) : strlen(argv[i]);
        snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1),
                 argv[i]);
        const char *value = equals != NULL ? equals + 1 : i + 1 < argc ? argv[++i] : NULL;
        if (value == NULL)
            wrong(&o, "%s needs a value, or is unknown", name);
        else
            set_option(&o, name, value);
    }
    if (o.action == OPTIONS_SERVE || o.action == OPTIONS_CHECK)
        check_all(&o);
    *ret = o;
    if (o.action == OPTIONS_SERVE || o.action == OPTIONS_CHECK)
        take_auth_file(ret);
}
