/* shell.c: many commands, as the original's committee gave them: one after the other, by a prompt.
 */
#include <histedit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/line.h"
#include "committee/committee.h"

enum {
    HISTORY_LINES = 1000
};

struct shell {
    struct committee *committee;
    bool quit;
    int code; /* of the first command that failed */
};

static void run_line(struct shell *sh, char *line)
{
    static char *argv[LINE_WORDS_MAX + 1]; /* one shell in a process */
    const char *problem = NULL;
    int argc = line_split(line, argv, &problem);
    int code = COMMITTEE_OK;
    sh->committee->command = NULL;
    if (argc < 0)
        code = committee_complain(sh->committee, COMMITTEE_USAGE, "%s", problem);
    else if (argc > 0 && (strcmp(argv[0], "quit") == 0 || strcmp(argv[0], "exit") == 0))
        sh->quit = true;
    else if (argc > 0)
        code = committee_run(sh->committee, argc, argv);
    if (sh->code == COMMITTEE_OK)
        sh->code = code;
}

static void run_script(struct shell *sh)
{
    char *line = NULL;
    size_t room = 0;
    while (!sh->quit && getline(&line, &room, stdin) >= 0)
        run_line(sh, line);
    free(line);
}

static char *prompt(EditLine *el)
{
    static char text[] = "committee> ";
    (void)el;
    return text;
}

/* NULL: nowhere. */
static const char *history_file(void)
{
    static char path[4096];
    const char *home = getenv("HOME");
    if (home == NULL || home[0] == 0)
        return NULL;
    int len = snprintf(path, sizeof path, "%s/.committee_history", home);
    return len < (int)sizeof path ? path : NULL;
}

static void run_lines(struct shell *sh, EditLine *el, History *past)
{
    HistEvent event;
    int count = 0;
    const char *line;
    while (!sh->quit && (line = el_gets(el, &count)) != NULL && count > 0) {
        char *copy = strdup(line);
        if (copy == NULL)
            break;
        if (copy[strspn(copy, " \t\n")] != 0)
            history(past, &event, H_ENTER, line);
        run_line(sh, copy);
        free(copy);
    }
    if (!sh->quit)
        printf("\n");
}

static void run_terminal(struct shell *sh)
{
    HistEvent event;
    History *past = history_init();
    EditLine *el = el_init("committee", stdin, stdout, stderr);
    if (past == NULL || el == NULL) {
        run_script(sh);
        return;
    }
    const char *file = history_file();
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    history(past, &event, H_SETSIZE, HISTORY_LINES);
    history(past, &event, H_SETUNIQUE, 1);
    if (file != NULL)
        history(past, &event, H_LOAD, file);
    umask(mask);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, history, past);
    el_source(el, NULL);
    printf("start, stop, status STATE, global_status; help has the others\n");
    run_lines(sh, el, past);
    mask = umask(S_IRWXG | S_IRWXO);
    if (file != NULL)
        history(past, &event, H_SAVE, file);
    umask(mask);
    el_end(el);
    history_end(past);
}

int committee_shell(struct committee *m)
{
    struct shell sh = {.committee = m};
    m->in_shell = true;
    if (isatty(STDIN_FILENO) == 1)
        run_terminal(&sh);
    else
        run_script(&sh);
    return sh.code;
}
