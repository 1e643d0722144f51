/* acl_text.h: "scheme:id:perms,..." and back. */
#ifndef CAUCUS_CLI_ACL_TEXT_H
#define CAUCUS_CLI_ACL_TEXT_H

#include <stddef.h>

#include "cli/cli.h"

enum {
    ACL_TEXT_MAX = 64
};

struct acl_text {
    char *text; /* what the entries' strings are in */
    struct caucus_acl list[ACL_TEXT_MAX];
    size_t count;
};

/* CLI_OK, or CLI_USAGE after having told which entry is wrong, and why. */
int acl_text_read(struct cli *cli, const char *text, struct acl_text *ret);
void acl_text_deinit(struct acl_text *a);

/* "cdrwa", as zkCli has it. */
void acl_text_perms(int32_t perms, char ret[6]);

#endif
