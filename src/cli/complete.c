#include "cli/complete.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/print.h"

static size_t common_length(const char *const *names, size_t count)
{
    size_t len = strlen(names[0]);
    for (size_t i = 1; i < count; i++)
        for (size_t k = 0; k < len; k++)
            if (names[i][k] != names[0][k])
                len = k;
    return len;
}

/* Of the names that begin with the stem. `end` is put behind one that is the only one. */
static void choose(const char **names, size_t count, const char *stem, size_t stem_len,
                   const char *end, struct completion *ret)
{
    size_t fitting = 0;
    for (size_t i = 0; i < count; i++)
        if (strncmp(names[i], stem, stem_len) == 0)
            names[fitting++] = names[i];
    if (fitting == 0)
        return;
    size_t common = common_length(names, fitting);
    snprintf(ret->insert, sizeof ret->insert, "%.*s%s", (int)(common - stem_len),
             names[0] + stem_len, fitting == 1 ? end : "");
    if (fitting == 1 || ret->insert[0] != 0)
        return;
    struct buf text = {0};
    sort_names(names, fitting);
    for (size_t i = 0; i < fitting; i++)
        buf_printf(&text, "%s%s", i > 0 ? "  " : "", names[i]);
    buf_put_u8(&text, 0);
    ret->choices = (char *)text.ptr;
}

static void complete_command(const char *stem, size_t len, struct completion *ret)
{
    const char **names = mem_alloc((command_count + 1) * sizeof *names);
    size_t count = 0;
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].wants & COMMAND_OUTSIDE))
            names[count++] = commands[i].name;
    names[count++] = "quit";
    choose(names, count, stem, len, " ", ret);
    free(names);
}

struct caucus_result *complete_children(struct caucus *c, const char *path, size_t len,
                                        size_t *ret_stem)
{
    char *parent = mem_alloc(len + 1);
    memcpy(parent, path, len);
    parent[len] = 0;
    char *slash = strrchr(parent, '/');
    *ret_stem = (size_t)(slash - parent) + 1;
    slash[slash == parent ? 1 : 0] = 0; /* "/" keeps its slash */

    struct caucus_result *r;
    if (caucus_get_children_wait(c, parent, NULL, NULL, &r) != 0) {
        caucus_result_free(r);
        r = NULL;
    }
    free(parent);
    return r;
}

static void complete_path(struct caucus *c, const char *word, size_t len, struct completion *ret)
{
    size_t stem;
    struct caucus_result *r = complete_children(c, word, len, &stem);
    if (r != NULL && r->name_count > 0) {
        const char **names = mem_alloc(r->name_count * sizeof *names);
        for (size_t i = 0; i < r->name_count; i++)
            names[i] = r->names[i];
        choose(names, r->name_count, word + stem, len - stem, "", ret);
        free(names);
    }
    caucus_result_free(r);
}

void complete_line(struct caucus *c, const char *line, size_t cursor, struct completion *ret)
{
    *ret = (struct completion){.choices = NULL};
    size_t begin = cursor;
    while (begin > 0 && line[begin - 1] != ' ')
        begin--;
    if (strspn(line, " ") >= begin)
        complete_command(line + begin, cursor - begin, ret);
    else if (begin < cursor && line[begin] == '/')
        complete_path(c, line + begin, cursor - begin, ret);
}

void completion_deinit(struct completion *c)
{
    free(c->choices);
}
