/* shell.c: many commands, as the original's committee gave them: one after the other, by a prompt.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/line.h"
#include "cli/terminal.h"
#include "committee/committee.h"

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

static void run_terminal(struct shell *sh)
{
    struct terminal t;
    if (!terminal_open(&t, "committee", ".committee_history", prompt, sh)) {
        run_script(sh);
        return;
    }
    el_source(t.edit, NULL);
    printf("start, stop, status STATE, global_status; help has the others\n");

    char *line;
    while (!sh->quit && (line = terminal_read(&t)) != NULL) {
        terminal_remember(&t, line);
        run_line(sh, line);
        free(line);
    }
    if (!sh->quit)
        printf("\n");
    terminal_close(&t);
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
