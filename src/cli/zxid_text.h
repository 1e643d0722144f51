/* zxid_text.h: a zxid as people write it: 0x100000003, as it is shown everywhere, or decimal. */
#ifndef CAUCUS_CLI_ZXID_TEXT_H
#define CAUCUS_CLI_ZXID_TEXT_H

#include "cli/cli.h"

/* False after having told what is wrong with the option's value. */
bool zxid_read(struct cli *cli, const char *option, const char *text, int64_t *ret);

#endif
