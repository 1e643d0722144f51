/* shell.c: many commands in one session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/line.h"
#include "cli/terminal.h"

struct shell {
    struct cli *cli;
    bool quit;
    bool stop_at_failure;
    int code; /* of the first command that failed */
};

static void run_line(struct shell *sh, char *line)
{
    static char *argv[LINE_WORDS_MAX + 1]; /* one shell in a process: commands cannot start one */
    const char *problem = NULL;
    int argc = line_split(line, argv, &problem);
    int code = CLI_OK;
    sh->cli->command = NULL;
    if (argc < 0)
        code = cli_usage(sh->cli, "%s", problem);
    else if (argc > 0 && (strcmp(argv[0], "quit") == 0 || strcmp(argv[0], "exit") == 0))
        sh->quit = true;
    else if (argc > 0)
        code = cli_run(sh->cli, argc, argv);
    if (code != CLI_OK && sh->code == CLI_OK)
        sh->code = code;
    if (code != CLI_OK && sh->stop_at_failure)
        sh->quit = true;
}

static void run_script(struct shell *sh)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;
    while (!sh->quit && (len = getline(&line, &room, stdin)) >= 0) {
        sh->cli->line++;
        if (memchr(line, 0, (size_t)len) != NULL) {
            cli_usage(sh->cli, "a zero byte");
            sh->code = sh->code == CLI_OK ? CLI_USAGE : sh->code;
            continue;
        }
        run_line(sh, line);
    }
    free(line);
}

static char *prompt(EditLine *el)
{
    static char text[320];
    struct shell *sh = NULL;
    el_get(el, EL_CLIENTDATA, &sh);
    enum caucus_state state = caucus_get_state(sh->cli->handle);
    bool connected = state == CAUCUS_CONNECTED || state == CAUCUS_RECONNECTED;
    snprintf(text, sizeof text, "%.280s%s> ", sh->cli->hosts,
             connected                   ? ""
             : state == CAUCUS_READ_ONLY ? " (read-only)"
                                         : " (no connection)");
    return text;
}

static unsigned char complete(EditLine *el, int character)
{
    struct shell *sh = NULL;
    (void)character;
    el_get(el, EL_CLIENTDATA, &sh);
    const LineInfo *line = el_line(el);
    size_t cursor = (size_t)(line->cursor - line->buffer);
    struct completion c;
    complete_line(sh->cli->handle, line->buffer, cursor, &c);
    if (c.insert[0] != 0 && el_insertstr(el, c.insert) < 0)
        c.insert[0] = 0;
    if (c.choices != NULL) {
        printf("\n%s\n", c.choices);
        fflush(stdout);
    }
    unsigned char result = c.choices != NULL  ? CC_REDISPLAY
                           : c.insert[0] != 0 ? CC_REFRESH
                                              : CC_ERROR;
    completion_deinit(&c);
    return result;
}

/* Secrets are not remembered. */
static bool is_secret(const char *line)
{
    return strstr(line, "addauth") != NULL;
}

static void run_terminal(struct shell *sh)
{
    struct terminal t;
    if (!terminal_open(&t, "caucus", ".caucus_history", prompt, sh)) {
        run_script(sh);
        return;
    }
    /* The narrow call would leak copies of both texts. */
    el_wset(t.edit, EL_ADDFN, L"caucus-complete", L"complete a command or path", complete);
    el_set(t.edit, EL_BIND, "^I", "caucus-complete", NULL);
    el_source(t.edit, NULL);

    char *line;
    while (!sh->quit && (line = terminal_read(&t)) != NULL) {
        if (!is_secret(line))
            terminal_remember(&t, line);
        run_line(sh, line);
        free(line);
    }
    if (!sh->quit)
        printf("\n");
    terminal_close(&t);
}

int run_shell(struct cli *cli, int argc, char **argv)
{
    struct shell sh = {.cli = cli};
    const struct option options[] = {{'e', "stop", OPTION_FLAG, &sh.stop_at_failure}};
    int code = cli_words(cli, options, 1, argc, argv, 0, 0, NULL);
    if (code != CLI_OK)
        return code;
    cli->in_shell = true;
    cli->command = NULL;
    code = cli_connect(cli);
    if (code != CLI_OK)
        return code;
    watching_tell_states(&cli->watching);
    if (isatty(STDIN_FILENO)) {
        run_terminal(&sh);
        return CLI_OK;
    }
    run_script(&sh);
    return sh.code;
}
