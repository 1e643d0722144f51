/* committee.h: the program of the election's committee.
 *
 * A command is a row of the table in commands.c, run alike from main and from a line of the shell;
 * it prints to stdout, says in one line on stderr what went wrong, and answers with an exit code.
 * One thread. */
#ifndef CAUCUS_COMMITTEE_COMMITTEE_H
#define CAUCUS_COMMITTEE_COMMITTEE_H

#include "election_client/client.h"

enum committee_exit {
    COMMITTEE_OK = 0,
    COMMITTEE_NO = 1, /* refused; or what was checked is not right; or not all states are known */
    COMMITTEE_USAGE = 2,      /* the words cannot be understood; no server was asked */
    COMMITTEE_CONNECTION = 3, /* no server answered */
};

struct committee {
    struct client client;
    bool json;
    bool in_shell;
    const char *command; /* the present one's name; NULL: none */
};

struct committee_command {
    const char *name;
    const char *arguments;
    const char *summary;
    const char *help; /* options and what else is to be known; NULL: nothing */
    int (*run)(struct committee *m, int argc, char **argv); /* argv[0] is its name */
};
extern const struct committee_command committee_commands[];
extern const size_t committee_command_count;

int committee_main(int argc, char **argv);
int committee_run(struct committee *m, int argc, char **argv);
int committee_shell(struct committee *m);
void committee_help(void);

/* "committee: NAME: ..." on stderr; returns the code. */
int committee_complain(const struct committee *m, enum committee_exit code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The same for what a client said; OK is OK. */
int committee_failed(const struct committee *m, enum client_code code, const struct err *err);

struct option;
/* The command's words: options are taken out, --json and --help understood; min to max are left in
 * argv[1] ... 0, or a code: told, or -1: help was asked for and given. */
int committee_words(struct committee *m, const struct option *options, size_t count, int argc,
                    char **argv, int min, int max, int *ret_count);

int run_start(struct committee *m, int argc, char **argv);
int run_stop(struct committee *m, int argc, char **argv);
int run_state_status(struct committee *m, int argc, char **argv);
int run_global_status(struct committee *m, int argc, char **argv);
int run_watch_results(struct committee *m, int argc, char **argv);
int run_leaders(struct committee *m, int argc, char **argv);
int run_recount(struct committee *m, int argc, char **argv);
int run_export(struct committee *m, int argc, char **argv);
int run_verify(struct committee *m, int argc, char **argv);
int run_cvr(struct committee *m, int argc, char **argv);
int run_roll(struct committee *m, int argc, char **argv);
int run_receipt(struct committee *m, int argc, char **argv);
int run_approver(struct committee *m, int argc, char **argv);
int run_approve(struct committee *m, int argc, char **argv);
int run_recover(struct committee *m, int argc, char **argv);
int run_credential(struct committee *m, int argc, char **argv);
int run_committee_help(struct committee *m, int argc, char **argv);

#endif
