/* local_ensemble.h: caucusd --ensemble N: N servers on this machine, for trying things out.
 *
 * Makes a folder DIR/1 ... DIR/N with zoo.cfg and myid for each (an old zoo.cfg is replaced, data
 * stays), starts this program on each, keeps their logs in DIR/N/caucusd.log, and says on stdout
 * where clients find them as soon as all serve. SIGINT and SIGTERM stop them all; they also end if
 * this process dies. One that ends is told, and not started again. */
#ifndef CAUCUS_SERVER_LOCAL_ENSEMBLE_H
#define CAUCUS_SERVER_LOCAL_ENSEMBLE_H

#include "server/arguments.h"

enum {
    LOCAL_ENSEMBLE_MAX = 15
};

/* The exit code. */
int local_ensemble_run(int argc, char **argv, const struct arguments *a);

#endif
