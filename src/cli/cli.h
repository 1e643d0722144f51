/* cli.h: the command line, `caucus`.
 *
 * A command is a row of the table in commands.c: a name, what help says of it, and a function that
 * is given its words and answers with an exit code. It runs alike from main and from a line of the
 * shell, so it prints to stdout, explains failures on stderr (one line, which names the command,
 * the input and what is wrong with it) and never ends the process.
 *
 * One thread runs commands; watches print from the library's event thread (see watching.h). */
#ifndef CAUCUS_CLI_CLI_H
#define CAUCUS_CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "caucus/caucus.h"
#include "cli/options.h"
#include "cli/secure.h"
#include "cli/watching.h"

enum cli_exit {
    CLI_OK = 0,
    CLI_NO = 1,         /* the answer is no: no such node, another version, not allowed */
    CLI_USAGE = 2,      /* the words cannot be understood; no server was asked */
    CLI_CONNECTION = 3, /* no server could be reached, or the connection was lost meanwhile */
};

enum {
    CLI_AUTH_MAX = 16,
    CLI_TIMEOUT_MS_DEFAULT = 10000,
};

struct cli {
    const char *hosts;
    int64_t timeout_ms; /* for a connection; the session's too */
    bool read_only;
    const char *auth[CLI_AUTH_MAX]; /* "scheme:auth" */
    size_t auth_count;
    char auth_of_file[SECRET_BYTES]; /* one of them */
    struct secure secure;
    struct caucus *handle; /* NULL: not opened yet */
    struct watching watching;
    bool in_shell;
    bool outlives_sessions; /* a session that is lost is followed by another */
    bool json;              /* of the present command */
    const char *command;    /* the present one's name; NULL: none */
    int line;               /* of the script; 0: none */
};

enum command_wants {
    COMMAND_SESSION = 1,  /* connected before it runs */
    COMMAND_IN_SHELL = 2, /* only there */
    COMMAND_OUTSIDE = 4,  /* not in the shell */
};

struct command {
    const char *name;
    const char *alias; /* what zkCli calls it; NULL: the same */
    const char *arguments;
    const char *summary;
    const char *help; /* options and what else is to be known; may be NULL. A line that begins with
                         "  -x, --name VALUE  " is an option to completion (help_options.h) */
    unsigned wants;
    int (*run)(struct cli *cli, int argc, char **argv); /* argv[0] is its name */
};

extern const struct command commands[];
extern const size_t command_count;
/* As in help: of caucus, and of every command. */
extern const char command_global_options[];
extern const char command_common_options[];

const struct command *command_find(const char *name);

/* A command whose first word says which other one is meant. */
struct command_part {
    const char *word, *command; /* NULL: the end of the list */
};
int command_run_part(struct cli *cli, const struct command_part *parts, int argc, char **argv);
void command_help(const struct command *command);

/* From main: reads the global options, runs the command, ends the session. */
int cli_main(int argc, char **argv);
/* One command, from main or the shell. */
int cli_run(struct cli *cli, int argc, char **argv);

/* A handle to the servers, over TLS if that is wanted. 0, or an exit code after having told why. */
int cli_open(struct cli *cli, const struct caucus_options *options, struct caucus **ret);
/* Opens the handle and waits until it is connected. 0, or an exit code after having told why. */
int cli_connect(struct cli *cli);

/* The command's words: options (may be NULL with 0) are taken out, the others stand in argv[1] to
 * argv[*ret_count]. Their number must be min to max. 0, CLI_USAGE (told), or -1: help was asked for
 * and given, the command is done. */
int cli_words(struct cli *cli, const struct option *options, size_t option_count, int argc,
              char **argv, int min, int max, int *ret_count);

/* "caucus: get: ..." on stderr; returns CLI_USAGE. */
int cli_usage(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, but returns CLI_NO. */
int cli_no(struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same with the exit code that fits rc and its explanation; `what` is the input, a path. */
int cli_failed(struct cli *cli, const char *what, int rc);
/* CLI_OK, or CLI_USAGE: what stands there cannot be a path. */
int cli_check_path(struct cli *cli, const char *path, bool sequential);
/* The nodes above this one, as far as they are missing: open to everybody, without data. CLI_OK,
 * also where what is missing may not be seen or made; or what was told. */
int cli_create_parents(struct cli *cli, const char *path);

/* Whether it can be the name of a node. */
bool cli_is_name(const char *name);

/* What the commands.c table names; grouped by file. */
int run_ls(struct cli *cli, int argc, char **argv);
int run_tree(struct cli *cli, int argc, char **argv);
int run_get(struct cli *cli, int argc, char **argv);
int run_stat(struct cli *cli, int argc, char **argv);
int run_ephemerals(struct cli *cli, int argc, char **argv);
int run_set(struct cli *cli, int argc, char **argv);
int run_create(struct cli *cli, int argc, char **argv);
int run_delete(struct cli *cli, int argc, char **argv);
int run_delete_all(struct cli *cli, int argc, char **argv);
int run_multi(struct cli *cli, int argc, char **argv);
int run_sync(struct cli *cli, int argc, char **argv);
int run_watch(struct cli *cli, int argc, char **argv);
int run_acl(struct cli *cli, int argc, char **argv);
int run_get_acl(struct cli *cli, int argc, char **argv);
int run_set_acl(struct cli *cli, int argc, char **argv);
int run_add_auth(struct cli *cli, int argc, char **argv);
int run_whoami(struct cli *cli, int argc, char **argv);
int run_config(struct cli *cli, int argc, char **argv);
int run_reconfig(struct cli *cli, int argc, char **argv);
int run_status(struct cli *cli, int argc, char **argv);
int run_quota(struct cli *cli, int argc, char **argv);
int run_list_quota(struct cli *cli, int argc, char **argv);
int run_set_quota(struct cli *cli, int argc, char **argv);
int run_delete_quota(struct cli *cli, int argc, char **argv);
int run_dump(struct cli *cli, int argc, char **argv);
int run_backup(struct cli *cli, int argc, char **argv);
int run_restore(struct cli *cli, int argc, char **argv);
int run_top(struct cli *cli, int argc, char **argv);
int run_bench(struct cli *cli, int argc, char **argv);
int run_elect(struct cli *cli, int argc, char **argv);
int run_members(struct cli *cli, int argc, char **argv);
int run_register(struct cli *cli, int argc, char **argv);
int run_discover(struct cli *cli, int argc, char **argv);
int run_lock(struct cli *cli, int argc, char **argv);
int run_barrier(struct cli *cli, int argc, char **argv);
int run_up(struct cli *cli, int argc, char **argv);
int run_down(struct cli *cli, int argc, char **argv);
int run_shell(struct cli *cli, int argc, char **argv);
int run_complete(struct cli *cli, int argc, char **argv);
int run_help(struct cli *cli, int argc, char **argv);
int run_version(struct cli *cli, int argc, char **argv);

#endif
