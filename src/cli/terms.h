/* terms.h: what is held again and again: leadership, membership. A *term* is one time of it. */
#ifndef CAUCUS_CLI_TERMS_H
#define CAUCUS_CLI_TERMS_H

#include <stdatomic.h>

#include "cli/holding.h"

struct terms {
    struct holding h;      /* first */
    const char *begun;     /* what is said on stderr when a command begins: "elected" */
    bool once;             /* end with the first term */
    atomic_bool has_ended; /* set by callbacks: a term has */
    /* Called when a command was stopped, before the next term is waited for. */
    void (*again)(struct terms *t);
};

/* Runs the command in each term, until it ends by itself or this is asked to end. An exit code. */
int terms_run(struct terms *t);
/* Without a command: until this is asked to end, or the first term ended. An exit code. */
int terms_watch(struct terms *t);

#endif
