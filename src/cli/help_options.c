#include "cli/help_options.h"

#include <stdio.h>
#include <string.h>

static const char *take(const char *p, size_t len, char *ret, size_t bytes)
{
    snprintf(ret, bytes, "%.*s", (int)len, p);
    return p + len;
}

static bool read_line(const char *line, struct help_option *ret)
{
    *ret = (struct help_option){.letter = ""};
    if (strncmp(line, "  -", 3) != 0)
        return false;
    const char *p = line + 2;
    if (p[1] != '-') {
        p = take(p, 2, ret->letter, sizeof ret->letter);
        if (strncmp(p, ", --", 4) == 0)
            p += 2;
    }
    if (p[0] == '-' && p[1] == '-')
        p = take(p, strcspn(p, " \n"), ret->name, sizeof ret->name);
    if (p[0] == ' ' && p[1] >= 'A' && p[1] <= 'Z')
        p = take(p + 1, strcspn(p + 1, " \n"), ret->value, sizeof ret->value);
    p += strspn(p, " ");
    take(p, strcspn(p, "\n"), ret->means, sizeof ret->means);
    return true;
}

bool help_option_next(const char **at, struct help_option *ret)
{
    while (*at != NULL && **at != 0) {
        const char *line = *at;
        *at += strcspn(line, "\n");
        *at += **at == '\n';
        if (read_line(line, ret))
            return true;
    }
    return false;
}

bool help_option_find(const char *help, const char *word, struct help_option *ret)
{
    while (help_option_next(&help, ret))
        if (strcmp(word, ret->letter) == 0 || strcmp(word, ret->name) == 0)
            return word[0] != 0;
    return false;
}
