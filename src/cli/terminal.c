#include "cli/terminal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    HISTORY_LINES = 1000
};

/* NULL: nowhere. */
static const char *file_at_home(const char *name)
{
    static char path[4096];
    const char *home = getenv("HOME");
    if (home == NULL || home[0] == 0)
        return NULL;
    int len = snprintf(path, sizeof path, "%s/%s", home, name);
    return len < (int)sizeof path ? path : NULL;
}

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

static void take_interrupts(void)
{
    struct sigaction action = {.sa_handler = on_interrupt}; /* no SA_RESTART: reading is to end */
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
}

static void with_file(struct terminal *t, int what)
{
    HistEvent event;
    mode_t mask = umask(S_IRWXG | S_IRWXO);
    if (t->file != NULL)
        history(t->past, &event, what, t->file);
    umask(mask);
}

bool terminal_open(struct terminal *t, const char *program, const char *history_name,
                   char *(*prompt)(EditLine *edit), void *owner)
{
    HistEvent event;
    t->past = history_init();
    t->edit = t->past != NULL ? el_init(program, stdin, stdout, stderr) : NULL;
    if (t->edit == NULL) {
        if (t->past != NULL)
            history_end(t->past);
        return false;
    }
    take_interrupts();
    t->file = file_at_home(history_name);
    history(t->past, &event, H_SETSIZE, HISTORY_LINES);
    history(t->past, &event, H_SETUNIQUE, 1);
    with_file(t, H_LOAD);
    el_set(t->edit, EL_CLIENTDATA, owner);
    el_set(t->edit, EL_PROMPT, prompt);
    el_set(t->edit, EL_EDITOR, "emacs");
    el_set(t->edit, EL_SIGNAL, 1);
    el_set(t->edit, EL_HIST, history, t->past);
    return true;
}

char *terminal_read(struct terminal *t)
{
    for (;;) {
        int count = 0;
        interrupted = 0;
        const char *line = el_gets(t->edit, &count);
        if (line != NULL)
            return count > 0 ? strdup(line) : NULL;
        if (!interrupted)
            return NULL;
        printf("\n");
        el_reset(t->edit);
    }
}

void terminal_remember(struct terminal *t, const char *line)
{
    HistEvent event;
    if (line[strspn(line, " \t\n")] != 0)
        history(t->past, &event, H_ENTER, line);
}

void terminal_close(struct terminal *t)
{
    with_file(t, H_SAVE);
    el_end(t->edit);
    history_end(t->past);
}
