/* line.h: a line of the shell to words. */
#ifndef CAUCUS_CLI_LINE_H
#define CAUCUS_CLI_LINE_H

enum {
    LINE_WORDS_MAX = 4096
};

/* Words are parted by blanks; '...' is taken as it is, in "..." and outside of quotes a backslash
 * takes the next character as it is; '#' where a word could begin is a comment. The line is changed
 * and the words point into it; argv[count] is NULL. Returns their number, or -1 with a problem. */
int line_split(char *line, char *argv[LINE_WORDS_MAX + 1], const char **ret_problem);

#endif
