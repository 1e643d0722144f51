/* terminal.h: lines that a person types, by a prompt, with what was typed before at hand.
 *
 * What is remembered is in a file of the person's home that nobody else can read. One in a process.
 */
#ifndef CAUCUS_CLI_TERMINAL_H
#define CAUCUS_CLI_TERMINAL_H

#include <histedit.h>
#include <stdbool.h>

struct terminal {
    EditLine *edit; /* its EL_CLIENTDATA is the owner */
    History *past;
    const char *file; /* NULL: nothing is remembered */
};

/* history: the file's name. false: there is no such thing here (memory, or no terminal). */
bool terminal_open(struct terminal *t, const char *program, const char *history,
                   char *(*prompt)(EditLine *edit), void *owner);
/* The next line, to be freed, or NULL: it has ended. Ctrl-C gives a line up, not the session. */
char *terminal_read(struct terminal *t);
void terminal_remember(struct terminal *t, const char *line); /* unless it is blank */
void terminal_close(struct terminal *t);

#endif
