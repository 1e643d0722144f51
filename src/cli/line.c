#include "cli/line.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* One word; what is read is never behind what is written, so both can be the line. NULL: problem.
 */
static char *read_word(char *in, char *out, char **ret_end, const char **ret_problem)
{
    char quote = 0;
    for (; *in != 0 && (quote != 0 || !is_blank(*in)); in++) {
        if (quote != 0 && *in == quote) {
            quote = 0;
        } else if (quote == 0 && (*in == '\'' || *in == '"')) {
            quote = *in;
        } else if (*in == '\\' && quote != '\'') {
            if (in[1] == 0) {
                *ret_problem = "nothing stands behind the last backslash";
                return NULL;
            }
            *out++ = *++in;
        } else {
            *out++ = *in;
        }
    }
    if (quote != 0) {
        *ret_problem = "a quote is not closed";
        return NULL;
    }
    *ret_end = out;
    return in;
}

int line_split(char *line, char *argv[LINE_WORDS_MAX + 1], const char **ret_problem)
{
    int count = 0;
    for (char *in = line;;) {
        in += strspn(in, " \t\r\n");
        if (*in == 0 || *in == '#')
            break;
        if (count == LINE_WORDS_MAX) {
            *ret_problem = "too many words";
            return -1;
        }
        char *word_end;
        argv[count++] = in;
        char *next = read_word(in, in, &word_end, ret_problem);
        if (next == NULL)
            return -1;
        bool last = *next == 0;
        *word_end = 0; /* it may be where `next` is */
        if (last)
            break;
        in = next + 1;
    }
    argv[count] = NULL;
    return count;
}
