/* candidates.h: who stands in an election. */
#ifndef CAUCUS_CLI_CANDIDATES_H
#define CAUCUS_CLI_CANDIDATES_H

#include "cli/cli.h"

/* Connects, prints them, the leader first; an exit code. */
int list_candidates(struct cli *cli, const char *path);

#endif
