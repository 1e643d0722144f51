/* completion.c: complete, which the shells' scripts in completion/ ask. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/help_options.h"
#include "cli/print.h"

enum {
    PATIENCE_MS = 1000, /* somebody pressed Tab */
};

/* What stands before the word that is to be completed. */
struct typed {
    const struct command *command; /* NULL: none yet */
    size_t words;                  /* behind the command, that are no options */
    bool only_words;               /* behind "--" */
    bool is_unknown;               /* no such command */
    char value[32]; /* the word is the value of an option, of this kind; "": it is not */
};

static bool fits(const char *text, const char *stem)
{
    return text[0] != 0 && strncmp(text, stem, strlen(stem)) == 0;
}

static void offer(const char *text, const char *means, const char *stem)
{
    if (fits(text, stem))
        printf("%s\t%s\n", text, means);
}

static bool find_option(const struct typed *t, const char *word, struct help_option *ret)
{
    if (t->command == NULL)
        return help_option_find(command_global_options, word, ret);
    return help_option_find(t->command->help, word, ret) ||
           help_option_find(command_common_options, word, ret);
}

static bool is_hosts(const char *name)
{
    return strcmp(name, "--hosts") == 0;
}

/* The options and words that are complete. */
static void read_typed(struct cli *cli, int count, char **words, struct typed *t)
{
    for (int i = 0; i < count; i++) {
        struct help_option o;
        const char *word = words[i];
        t->value[0] = 0;
        if (t->only_words || word[0] != '-') {
            if (t->command == NULL && !t->only_words)
                t->command = command_find(word);
            else
                t->words++;
            t->is_unknown = t->command == NULL;
            if (t->is_unknown)
                return;
        } else if (strcmp(word, "--") == 0) {
            t->only_words = true;
        } else if (strncmp(word, "--hosts=", 8) == 0) {
            cli->hosts = word + 8;
        } else if (find_option(t, word, &o) && o.value[0] != 0) {
            if (i + 1 == count)
                memcpy(t->value, o.value, sizeof t->value);
            else if (is_hosts(o.name))
                cli->hosts = words[i + 1];
            i++;
        }
    }
}

static void offer_value(const char *kind, const char *stem)
{
    if (strcmp(kind, "FILE") == 0 || strcmp(kind, "DIR") == 0) {
        printf(":files\n");
    } else if (strcmp(kind, "POLICY") == 0) {
        offer("strict", "stop when the connection is lost", stem);
        offer("until-lost", "stop when it does not come back in time", stem);
    }
}

static void offer_options(const char *help, const char *stem)
{
    struct help_option o;
    while (help_option_next(&help, &o)) {
        offer(o.name, o.means, stem);
        if (o.name[0] == 0)
            offer(o.letter, o.means, stem);
    }
}

static void offer_commands(const char *stem)
{
    for (size_t i = 0; i < command_count; i++)
        if (!(commands[i].wants & COMMAND_IN_SHELL))
            offer(commands[i].name, commands[i].summary, stem);
}

static void offer_paths(struct cli *cli, const char *word)
{
    if (word[0] == 0) {
        printf("/\t\n");
        return;
    }
    cli->timeout_ms = cli->timeout_ms < PATIENCE_MS ? cli->timeout_ms : PATIENCE_MS;
    if (word[0] != '/' || cli_connect(cli) != CLI_OK)
        return;
    size_t stem;
    struct caucus_result *r = complete_children(cli->handle, word, strlen(word), &stem);
    if (r != NULL && r->name_count > 0) {
        const char **names = mem_alloc(r->name_count * sizeof *names);
        for (size_t i = 0; i < r->name_count; i++)
            names[i] = r->names[i];
        sort_names(names, r->name_count);
        for (size_t i = 0; i < r->name_count; i++)
            if (fits(names[i], word + stem))
                printf("%.*s%s\t\n", (int)stem, word, names[i]);
        free(names);
    }
    caucus_result_free(r);
}

static bool takes(const struct command *c, const char *what)
{
    return strstr(c->arguments, what) != NULL;
}

static void offer_words(struct cli *cli, const struct typed *t, int count, const char *word)
{
    if (t->words > 0 && takes(t->command, "-- COMMAND"))
        printf(":command %d\n", count - (int)t->words + 2);
    else if (t->words == 0 && takes(t->command, "PATH"))
        offer_paths(cli, word);
    else if (t->words == 0 && takes(t->command, "[COMMAND]"))
        offer_commands(word);
    else if (takes(t->command, "FILE|DIR") || takes(t->command, "TARGET") ||
             takes(t->command, "BACKUP"))
        printf(":files\n");
}

int run_complete(struct cli *cli, int argc, char **argv)
{
    int words = 0;
    int code = cli_words(cli, NULL, 0, argc, argv, 0, argc, &words);
    if (code != CLI_OK)
        return code;
    int count = words > 0 ? words - 1 : 0; /* before the word */
    const char *word = words > 0 ? argv[words] : "";
    struct typed t = {.command = NULL};
    read_typed(cli, count, argv + 1, &t);
    if (t.is_unknown)
        return CLI_OK;
    if (t.value[0] != 0) {
        offer_value(t.value, word);
    } else if (word[0] == '-' && !t.only_words && (t.command == NULL || t.words < 2)) {
        offer_options(t.command != NULL ? t.command->help : command_global_options, word);
        offer_options(t.command != NULL ? command_common_options : NULL, word);
    } else if (t.command == NULL) {
        offer_commands(word);
    } else {
        offer_words(cli, &t, count, word);
    }
    return CLI_OK;
}
