#include "cli/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool option_number(const char *text, int64_t min, int64_t max, int64_t *ret)
{
    char *end;
    errno = 0;
    long long n = strtoll(text, &end, 10);
    if (end == text || *end != 0 || errno != 0 || n < min || n > max)
        return false;
    *ret = n;
    return true;
}

static const struct option *find_name(const struct option *options, size_t count, const char *name,
                                      size_t len)
{
    for (size_t i = 0; i < count; i++)
        if (options[i].name != NULL && strlen(options[i].name) == len &&
            memcmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static const struct option *find_letter(const struct option *options, size_t count, char letter)
{
    for (size_t i = 0; i < count; i++)
        if (options[i].letter == letter)
            return &options[i];
    return NULL;
}

static bool store(const struct option *o, const char *shown, const char *value, char *problem)
{
    switch (o->kind) {
    case OPTION_FLAG:
        *(bool *)o->ret = true;
        return true;
    case OPTION_TEXT:
        *(const char **)o->ret = value;
        return true;
    case OPTION_NUMBER:
        if (option_number(value, INT64_MIN, INT64_MAX, o->ret))
            return true;
        snprintf(problem, OPTION_PROBLEM_BYTES, "%s: '%s' is not a number", shown, value);
        return false;
    case OPTION_LIST: {
        struct option_list *list = o->ret;
        if (list->count < OPTION_LIST_MAX) {
            list->items[list->count++] = value;
            return true;
        }
        snprintf(problem, OPTION_PROBLEM_BYTES, "%s: given more than %d times", shown,
                 OPTION_LIST_MAX);
        return false;
    }
    }
    return false;
}

/* A negative number is a word: versions may be -1. */
static bool is_option(const char *word)
{
    return word[0] == '-' && word[1] != 0 && !(word[1] >= '0' && word[1] <= '9');
}

struct reader {
    const struct option *options;
    size_t count;
    int argc;
    char **argv;
    int at;
    char *problem;
};

/* The value of the option that stands at `at`: behind '=' or the next word. */
static bool take(struct reader *r, const struct option *o, const char *shown, const char *attached)
{
    if (o->kind == OPTION_FLAG) {
        if (attached == NULL)
            return store(o, shown, NULL, r->problem);
        snprintf(r->problem, OPTION_PROBLEM_BYTES, "%s takes no value", shown);
        return false;
    }
    if (attached == NULL) {
        if (r->at + 1 >= r->argc) {
            snprintf(r->problem, OPTION_PROBLEM_BYTES, "%s: a value is missing", shown);
            return false;
        }
        attached = r->argv[++r->at];
    }
    return store(o, shown, attached, r->problem);
}

static bool read_option(struct reader *r)
{
    const char *word = r->argv[r->at];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    const struct option *o = find_name(r->options, r->count, name, len);
    if (o != NULL)
        return take(r, o, word, equals != NULL ? equals + 1 : NULL);
    if (word[1] == '-') {
        snprintf(r->problem, OPTION_PROBLEM_BYTES, "there is no option '%s'", word);
        return false;
    }
    for (const char *p = word + 1; *p != 0; p++) {
        char shown[3] = {'-', *p, 0};
        o = find_letter(r->options, r->count, *p);
        if (o == NULL) {
            snprintf(r->problem, OPTION_PROBLEM_BYTES,
                     word[2] == 0 ? "there is no option '-%c'"
                                  : "there is no option '-%c' (in '%s')",
                     *p, word);
            return false;
        }
        if (o->kind != OPTION_FLAG && p[1] != 0)
            return take(r, o, shown, p + 1);
        if (!take(r, o, shown, NULL))
            return false;
    }
    return true;
}

int options_parse(const struct option *options, size_t count, int argc, char **argv,
                  bool first_word_ends, char problem[OPTION_PROBLEM_BYTES])
{
    struct reader r = {options, count, argc, argv, 1, problem};
    int words = 0;
    bool only_words = false;
    for (; r.at < argc; r.at++) {
        if (!only_words && is_option(argv[r.at])) {
            if (strcmp(argv[r.at], "--") == 0)
                only_words = true;
            else if (!read_option(&r))
                return -1;
            continue;
        }
        argv[1 + words++] = argv[r.at];
        if (first_word_ends)
            only_words = true;
    }
    return words;
}
