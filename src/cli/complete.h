/* complete.h: what could stand where the cursor is: a command's name, or a path that is there. */
#ifndef CAUCUS_CLI_COMPLETE_H
#define CAUCUS_CLI_COMPLETE_H

#include "caucus/caucus.h"

struct completion {
    char insert[1024]; /* what all that fit have in common, behind what is there; "": nothing */
    char *choices;     /* names, parted by blanks, where several fit and nothing can be inserted */
};

/* The first `cursor` bytes of the line matter. Asks the server; does not change anything. */
void complete_line(struct caucus *c, const char *line, size_t cursor, struct completion *ret);
void completion_deinit(struct completion *c);

/* The children of the node above what the path, which may be half one, ends with, NULL if there are
 * none; freed by the caller. *ret_stem is set to where its last name begins. */
struct caucus_result *complete_children(struct caucus *c, const char *path, size_t len,
                                        size_t *ret_stem);

#endif
