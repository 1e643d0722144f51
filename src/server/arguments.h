/* arguments.h: the command line of caucusd. */
#ifndef CAUCUS_SERVER_ARGUMENTS_H
#define CAUCUS_SERVER_ARGUMENTS_H

#include <stdbool.h>

#include "io/log.h"
#include "server/config.h"

enum arguments_action {
    ARGUMENTS_SERVE,
    ARGUMENTS_CHECK,
    ARGUMENTS_ENSEMBLE,
    ARGUMENTS_VERSION,
    ARGUMENTS_HELP,
    ARGUMENTS_WRONG, /* `problem` says what */
};

struct arguments {
    enum arguments_action action;
    const char *config_file; /* NULL with --data */
    enum log_level log_level;
    /* Of --ensemble; NULL = not given. */
    int ensemble;
    const char *data, *port, *address, *admin_port;
    char problem[256];
};

extern const char arguments_help[];

/* Reads the command line and gives what it says about keys to the config as overrides (the file,
 * which they override, is read by the caller: config_read_file first, arguments_apply second). */
void arguments_parse(int argc, char **argv, struct arguments *ret);
void arguments_apply(int argc, char **argv, struct config *config);

enum {
    ARGUMENTS_PASSED_MAX = 256
};

/* What the servers of --ensemble are given as well (-D, --log-level), ended by NULL. Words of argv.
 */
void arguments_passed_on(int argc, char **argv, char *ret[ARGUMENTS_PASSED_MAX + 1]);

#endif
