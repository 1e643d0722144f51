/* shell.c: many commands in one session. */
#include <histedit.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/complete.h"
#include "cli/line.h"

enum {
    HISTORY_LINES = 1000
};

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

/* NULL: nowhere. */
static const char *history_file(void)
{
    static char path[4096];
    const char *home = getenv("HOME");
    if (home == NULL || home[0] == 0)
        return NULL;
    int len = snprintf(path, sizeof path, "%s/.caucus_history", home);
    return len < (int)sizeof path ? path : NULL;
}

/* Secrets are not remembered. */
static bool is_secret(const char *line)
{
    return strstr(line, "addauth") != NULL;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* Ctrl-C gives the line up, not the session. */
static const char *read_line(EditLine *el, int *ret_count)
{
    for (;;) {
        interrupted = 0;
        const char *line = el_gets(el, ret_count);
        if (line != NULL || !interrupted)
            return line;
        printf("\n");
        el_reset(el);
    }
}

static void take_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reading is to end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static void run_terminal(struct shell *sh)
{
    HistEvent event;
    History *past = history_init();
    EditLine *el = el_init("caucus", stdin, stdout, stderr);
    if (past == NULL || el == NULL) {
        run_script(sh);
        return;
    }
    take_interrupts();
    const char *file = history_file();
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    history(past, &event, H_SETSIZE, HISTORY_LINES);
    history(past, &event, H_SETUNIQUE, 1);
    if (file != NULL)
        history(past, &event, H_LOAD, file);
    el_set(el, EL_CLIENTDATA, sh);
    el_set(el, EL_PROMPT, prompt);
    el_set(el, EL_EDITOR, "emacs");
    el_set(el, EL_SIGNAL, 1);
    el_set(el, EL_HIST, history, past);
    /* The narrow call would leak copies of both texts. */
    el_wset(el, EL_ADDFN, L"caucus-complete", L"complete a command or path", complete);
    el_set(el, EL_BIND, "^I", "caucus-complete", NULL);
    el_source(el, NULL);

    int count;
    const char *line;
    while (!sh->quit && (line = read_line(el, &count)) != NULL && count > 0) {
        char *copy = strdup(line);
        if (copy == NULL)
            break;
        if (copy[strspn(copy, " \t\n")] != 0 && !is_secret(copy))
            history(past, &event, H_ENTER, line);
        run_line(sh, copy);
        free(copy);
    }
    if (!sh->quit)
        printf("\n");
    if (file != NULL)
        history(past, &event, H_SAVE, file);
    umask(mask);
    el_end(el);
    history_end(past);
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
