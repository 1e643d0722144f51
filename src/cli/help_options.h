/* help_options.h: the options that a text of help names, for completion.
 *
 * One text says what there is, to people and to shells: a line that begins with "  -x, --name VALUE
 * ", any of it but one missing, is an option; VALUE begins with a capital. */
#ifndef CAUCUS_CLI_HELP_OPTIONS_H
#define CAUCUS_CLI_HELP_OPTIONS_H

#include <stdbool.h>

struct help_option {
    char letter[3];  /* "-x"; "": none */
    char name[32];   /* "--name"; "": none */
    char value[32];  /* "FILE"; "": it takes none */
    char means[100]; /* the rest of the line */
};

/* The next one, from *at on, which moves. False: there is none. `*at` may be NULL. */
bool help_option_next(const char **at, struct help_option *ret);

/* The one with this letter or name. */
bool help_option_find(const char *help, const char *word, struct help_option *ret);

#endif
