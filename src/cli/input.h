/* input.h: where a node's new data comes from: a word, a file, standard input. */
#ifndef CAUCUS_CLI_INPUT_H
#define CAUCUS_CLI_INPUT_H

#include "base/buf.h"
#include "cli/cli.h"

enum {
    /* Far beyond what servers take (1 MiB, unless configured), which the library knows better. */
    INPUT_BYTES_MAX = 64 << 20
};

/* `file` "-": standard input. CLI_OK, or CLI_USAGE after having told why. The buffer is the
 * caller's to empty in either case. */
int input_read(struct cli *cli, const char *file, struct buf *ret);

#endif
