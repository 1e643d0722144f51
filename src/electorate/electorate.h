/* electorate.h: the program: voters by the million, for tests and demonstrations. */
#ifndef CAUCUS_ELECTORATE_ELECTORATE_H
#define CAUCUS_ELECTORATE_ELECTORATE_H

#include "electorate/run.h"

enum electorate_exit {
    ELECTORATE_OK = 0,         /* replay: every count is that of the returns; load: no refusal */
    ELECTORATE_NO = 1,         /* it is not, or something was refused or given up */
    ELECTORATE_USAGE = 2,      /* words or files cannot be understood; no server was asked */
    ELECTORATE_CONNECTION = 3, /* counts could not be asked for */
};

int electorate_main(int argc, char **argv);

/* "electorate: ..." on stderr; returns the code. */
int electorate_complain(enum electorate_exit code, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* What came of the votes: a table for people, or one JSON object with what `more` adds to it. */
void report_run(const struct run_result *r);

/* What the servers have counted. */
struct results {
    bool known[STATES_MAX];
    uint64_t votes[STATES_MAX][CANDIDATES_MAX];
};
/* 0, or -1 with a problem. */
int results_ask(const struct election_info *e, const struct servers *servers, bool rest,
                struct tls_context *tls, struct results *ret, struct err *err);

struct comparison {
    uint32_t states_exact, states; /* of those that take part */
    uint64_t votes_planned, votes_counted;
};
/* States whose counts are not those of the plan are printed, unless quiet. */
void compare_results(const struct plan *p, const struct results *r, bool quiet,
                     struct comparison *ret);

#endif
