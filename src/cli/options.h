/* options.h: options among words.
 *
 * "-s", "-se", "-n 5", "--number 5", "--number=5", and "-number 5" as zkCli writes it. Options and
 * words may stand in any order; behind "--" everything is a word. Not getopt, whose state is global
 * and which knows nothing of zkCli's single dash. */
#ifndef CAUCUS_CLI_OPTIONS_H
#define CAUCUS_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* int64_t; decimal */
    OPTION_LIST,   /* struct option_list: may be given more than once */
};

enum {
    OPTION_LIST_MAX = 64,
    OPTION_PROBLEM_BYTES = 256,
};

struct option_list {
    const char *items[OPTION_LIST_MAX];
    size_t count;
};

struct option {
    char letter;      /* 0: none */
    const char *name; /* NULL: none */
    enum option_kind kind;
    void *ret; /* untouched when the option is not there */
};

/* Takes the options out of argv[1] ...; what is left stands in front. `first_word_ends`: what
 * follows the first word is not looked at. Returns how many words are left (argv[0] is not counted)
 * or -1 with a problem. Texts borrow argv. */
int options_parse(const struct option *options, size_t count, int argc, char **argv,
                  bool first_word_ends, char problem[OPTION_PROBLEM_BYTES]);

/* A whole decimal number in [min, max]. */
bool option_number(const char *text, int64_t min, int64_t max, int64_t *ret);

#endif
