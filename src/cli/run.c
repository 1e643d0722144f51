/* run.c: from main's words to a command and its exit code. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "wire/path.h"

static void begin_complaint(struct cli *cli)
{
    fflush(stdout); /* so that both come in the order in which they were said */
    fputs("caucus: ", stderr);
    if (cli->line > 0)
        fprintf(stderr, "line %d: ", cli->line);
    if (cli->command != NULL)
        fprintf(stderr, "%s: ", cli->command);
}

static int complain(struct cli *cli, int code, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
static int complain(struct cli *cli, int code, const char *format, va_list args)
{
    begin_complaint(cli);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    return code;
}

int cli_usage(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = complain(cli, CLI_USAGE, format, args);
    va_end(args);
    return code;
}

int cli_no(struct cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int code = complain(cli, CLI_NO, format, args);
    va_end(args);
    return code;
}

static int exit_of(int rc)
{
    switch (rc) {
    case CAUCUS_OK:
        return CLI_OK;
    case CAUCUS_CONNECTIONLOSS:
    case CAUCUS_OPERATIONTIMEOUT:
    case CAUCUS_SESSIONEXPIRED:
    case CAUCUS_SESSIONMOVED:
    case CAUCUS_CLOSING:
    case CAUCUS_NORESOURCES:
        return CLI_CONNECTION;
    case CAUCUS_BADARGUMENTS:
    case CAUCUS_BADHOSTS:
    case CAUCUS_BADTLS:
    case CAUCUS_BADSASL:
    case CAUCUS_TOOBIG:
        return CLI_USAGE;
    default:
        return CLI_NO;
    }
}

int cli_failed(struct cli *cli, const char *what, int rc)
{
    /* There is always a root, but for the one that a chroot makes. */
    bool is_chroot = rc == CAUCUS_NONODE && strcmp(what, "/") == 0;
    begin_complaint(cli);
    fprintf(stderr, "%s: %s (%s)\n", is_chroot ? cli->hosts : what,
            is_chroot ? "there is no node for the chroot" : caucus_error_text(rc),
            caucus_error_name(rc));
    return exit_of(rc);
}

int cli_check_path(struct cli *cli, const char *path, bool sequential)
{
    const char *problem = path_check(slice_str(path), sequential);
    if (problem == NULL)
        return CLI_OK;
    return cli_usage(cli, "'%s' is not a path: %s", path, problem);
}

bool cli_is_name(const char *name)
{
    char path[1024];
    int n = snprintf(path, sizeof path, "/%s", name);
    return n > 1 && n < (int)sizeof path && strchr(name, '/') == NULL &&
           path_check(slice_str(path), false) == NULL;
}

static bool read_auth(const char *auth, char *scheme, size_t bytes, const char **ret_rest)
{
    const char *colon = strchr(auth, ':');
    if (colon == NULL || colon == auth || (size_t)(colon - auth) >= bytes)
        return false;
    memcpy(scheme, auth, (size_t)(colon - auth));
    scheme[colon - auth] = 0;
    *ret_rest = colon + 1;
    return true;
}

static int present_auth(struct cli *cli, const char *auth)
{
    char scheme[64];
    const char *rest;
    if (!read_auth(auth, scheme, sizeof scheme, &rest))
        return cli_usage(cli, "--auth: '%s' is not SCHEME:AUTH", auth);
    int rc = caucus_add_auth_wait(cli->handle, scheme, rest, strlen(rest));
    /* Only the scheme: what follows it is a secret. */
    return rc == 0 ? CLI_OK : cli_failed(cli, scheme, rc);
}

static int tell_no_connection(struct cli *cli, enum waited how)
{
    char why[256];
    begin_complaint(cli);
    if (how == WAITED_TIMEOUT) {
        caucus_get_trouble(cli->handle, why, sizeof why);
        fprintf(stderr, "no server of %s within %lld ms%s%s\n", cli->hosts,
                (long long)cli->timeout_ms, why[0] != 0 ? ": " : "", why);
    } else if (how == WAITED_LOST) {
        fprintf(stderr, "%s: %s\n", cli->hosts, cli->watching.reason);
    } else {
        fprintf(stderr, "interrupted before a server of %s was reached\n", cli->hosts);
    }
    return CLI_CONNECTION;
}

/* Nobody is to wait in silence: after a moment people are told what they wait for. */
static enum waited wait_connected(struct cli *cli)
{
    enum {
        PATIENCE_MS = 1000
    };
    if (cli->timeout_ms <= PATIENCE_MS)
        return watching_wait_connected(&cli->watching, cli->timeout_ms);
    enum waited how = watching_wait_connected(&cli->watching, PATIENCE_MS);
    if (how != WAITED_TIMEOUT)
        return how;
    char why[256];
    caucus_get_trouble(cli->handle, why, sizeof why);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "caucus: no server yet%s%s\n", why[0] != 0 ? ": " : "", why);
    return watching_wait_connected(&cli->watching, cli->timeout_ms - PATIENCE_MS);
}

int cli_open(struct cli *cli, const struct caucus_options *options, struct caucus **ret)
{
    struct caucus_options all = *options;
    char trouble[512] = "";
    struct caucus_tls tls = secure_for_caucus(&cli->secure);
    tls.ret_trouble = trouble;
    tls.trouble_bytes = sizeof trouble;
    if (cli->secure.tls)
        all.tls = &tls;
    char password[SECRET_BYTES];
    struct caucus_sasl sasl;
    bool wants_sasl;
    struct err problem = {""};
    *ret = NULL;
    if (!secure_sasl(&cli->secure, password, &sasl, &wants_sasl, &problem))
        return cli_usage(cli, "%s", problem.text);
    sasl.ret_trouble = trouble;
    sasl.trouble_bytes = sizeof trouble;
    if (wants_sasl)
        all.sasl = &sasl;
    int rc = caucus_open(cli->hosts, &all, ret);
    if (rc == 0)
        return CLI_OK;
    *ret = NULL;
    return cli_failed(cli, trouble[0] != 0 ? trouble : cli->hosts, rc);
}

int cli_connect(struct cli *cli)
{
    if (cli->handle != NULL)
        return CLI_OK;
    struct caucus_options options = {
        .session_timeout_ms = (int32_t)cli->timeout_ms,
        .read_only = cli->read_only,
        .stop_when_lost = !cli->in_shell && !cli->outlives_sessions,
        .on_state = watching_on_state,
        .on_state_context = &cli->watching,
    };
    int opened = cli_open(cli, &options, &cli->handle);
    if (opened != CLI_OK)
        return opened;
    enum waited how = wait_connected(cli);
    if (how != WAITED_DONE)
        return tell_no_connection(cli, how);
    for (size_t i = 0; i < cli->auth_count; i++) {
        int code = present_auth(cli, cli->auth[i]);
        if (code != CLI_OK)
            return code;
    }
    return CLI_OK;
}

int cli_words(struct cli *cli, const struct option *options, size_t option_count, int argc,
              char **argv, int min, int max, int *ret_count)
{
    enum {
        OWN_MAX = 16
    };
    bool help = false, json = false;
    struct option all[OWN_MAX + 3];
    for (size_t i = 0; i < option_count && i < OWN_MAX; i++)
        all[i] = options[i];
    all[option_count++] = (struct option){'h', "help", OPTION_FLAG, &help};
    all[option_count++] = (struct option){0, "json", OPTION_FLAG, &json};
    if (!cli->in_shell)
        all[option_count++] = (struct option){0, "hosts", OPTION_TEXT, &cli->hosts};

    char problem[OPTION_PROBLEM_BYTES];
    int count = options_parse(all, option_count, argc, argv, false, problem);
    const struct command *command = command_find(argv[0]);
    if (count < 0)
        return cli_usage(cli, "%s", problem);
    if (help) {
        command_help(command);
        return -1;
    }
    if (count < min || count > max)
        return cli_usage(cli, "%s: %s %s", count < min ? "too few words" : "too many words",
                         command->name, command->arguments);
    cli->json = cli->json || json;
    watching_set_json(&cli->watching, cli->json);
    if (ret_count != NULL)
        *ret_count = count;
    return CLI_OK;
}

/* Help must not want a server, so it is looked for before one is. */
static bool asks_for_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return true;
    return false;
}

int cli_run(struct cli *cli, int argc, char **argv)
{
    const struct command *command = command_find(argv[0]);
    cli->command = NULL;
    if (command == NULL)
        return cli_usage(cli, "there is no command '%s' (see: %s)", argv[0],
                         cli->in_shell ? "help" : "caucus --help");
    cli->command = command->name;
    if (asks_for_help(argc, argv)) {
        command_help(command);
        return CLI_OK;
    }
    if (cli->in_shell ? command->wants & COMMAND_OUTSIDE : command->wants & COMMAND_IN_SHELL)
        return cli_usage(cli, cli->in_shell ? "not in the shell" : "only in the shell");

    bool json = cli->json;
    int code = command->run(cli, argc, argv);
    cli->json = json;
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_usage(cli, "cannot write the output");
        code = code == CLI_OK ? CLI_NO : code;
    }
    return code < 0 ? CLI_OK : code;
}

static const char *hosts_of_environment(void)
{
    const char *hosts = getenv("CAUCUS_HOSTS");
    if (hosts == NULL || hosts[0] == 0)
        hosts = getenv("CAUCUS_SERVERS");
    return hosts != NULL && hosts[0] != 0 ? hosts : "127.0.0.1:2181";
}

/* --auth, and the one that nobody sees on the command line. CLI_OK, or CLI_USAGE after having told
 * why. */
static int take_auth(struct cli *cli, const struct option_list *given, const char *file)
{
    struct err err = {""};
    if (given->count > CLI_AUTH_MAX)
        return cli_usage(cli, "--auth: given more than %d times", CLI_AUTH_MAX);
    for (size_t i = 0; i < given->count; i++)
        cli->auth[cli->auth_count++] = given->items[i];
    if (file == NULL)
        return CLI_OK;
    if (secret_read(file, cli->auth_of_file, &err) < 0)
        return cli_usage(cli, "--auth-file: '%s': %s", file, err.text);
    if (cli->auth_count == CLI_AUTH_MAX)
        return cli_usage(cli, "--auth-file: --auth is given %d times already", CLI_AUTH_MAX);
    cli->auth[cli->auth_count++] = cli->auth_of_file;
    return CLI_OK;
}

static int run_from_main(struct cli *cli, int argc, char **argv)
{
    bool help = false, version = false;
    struct option_list auth = {.count = 0};
    const char *auth_file = NULL;
    const struct option options[] = {
        {'s', "hosts", OPTION_TEXT, &cli->hosts},
        {0, "servers", OPTION_TEXT, &cli->hosts},
        {'t', "timeout", OPTION_NUMBER, &cli->timeout_ms},
        {'a', "auth", OPTION_LIST, &auth},
        {0, "auth-file", OPTION_TEXT, &auth_file},
        SECURE_TLS_OPTIONS(&cli->secure),
        {0, "sasl-user", OPTION_TEXT, &cli->secure.sasl_user},
        {0, "sasl-password-file", OPTION_TEXT, &cli->secure.sasl_password_file},
        {0, "sasl-gssapi", OPTION_FLAG, &cli->secure.sasl_gssapi},
        {'r', "read-only", OPTION_FLAG, &cli->read_only},
        {'j', "json", OPTION_FLAG, &cli->json},
        {'h', "help", OPTION_FLAG, &help},
        {'v', "version", OPTION_FLAG, &version},
    };
    char problem[OPTION_PROBLEM_BYTES];
    int count = options_parse(options, sizeof options / sizeof *options, argc, argv, true, problem);
    if (count < 0)
        return cli_usage(cli, "%s (see: caucus --help)", problem);
    if (cli->timeout_ms < 1 || cli->timeout_ms > INT32_MAX)
        return cli_usage(cli, "--timeout: %lld is not from 1 to %d ms", (long long)cli->timeout_ms,
                         INT32_MAX);
    if (take_auth(cli, &auth, auth_file) != CLI_OK)
        return CLI_USAGE;
    secure_settle(&cli->secure);
    watching_set_json(&cli->watching, cli->json);
    if (version)
        return run_version(cli, argc, argv);
    if (help) {
        run_help(cli, 1, argv);
        return CLI_OK;
    }
    if (count == 0) {
        cli_usage(cli, "a command is missing (see: caucus --help)");
        return CLI_USAGE;
    }
    return cli_run(cli, count, argv + 1);
}

int cli_main(int argc, char **argv)
{
    struct cli cli = {.hosts = hosts_of_environment(), .timeout_ms = CLI_TIMEOUT_MS_DEFAULT};
    if (watching_init(&cli.watching) < 0) {
        perror("caucus: eventfd");
        return CLI_CONNECTION;
    }
    int code = run_from_main(&cli, argc, argv);
    watching_close(&cli.watching);
    caucus_close(cli.handle);
    watching_deinit(&cli.watching);
    return code;
}
