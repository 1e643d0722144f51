/* process.h: programs that run for us: started, heard, stopped, waited for.
 *
 * struct processes is a few of them and one loop (processes_wait) that reads what they write, keeps
 * it in their logs, notices their ends, and the signals SIGINT, SIGTERM and SIGHUP, after which
 * everything is to be stopped. Ctrl-C reaches only us: each process is in a group of its own; and
 * if we die, the system sends it SIGTERM. One thread. */
#ifndef CAUCUS_UP_PROCESS_H
#define CAUCUS_UP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    PROCESSES_MAX = 16,
    PROCESS_WORDS_MAX = 48,
    PROCESS_LINE_BYTES = 2048,
    UP_PATH_BYTES = 4096,
};

struct processes;

struct process {
    const char *name;                         /* "coordination 1"; for people */
    const char *words[PROCESS_WORDS_MAX + 1]; /* the program first; borrowed */
    size_t word_count;
    char log_path[UP_PATH_BYTES];
    /* A line of its log that holds this says that it serves. */
    const char *ready_mark;
    bool is_tool; /* does one thing and ends */
    bool speaks;  /* its output is ours, for people to see */

    pid_t pid; /* 0 = it does not run */
    bool ready;
    bool expected_to_end;                /* by us */
    int status;                          /* of a tool that has ended, as waitpid has it */
    char last_error[PROCESS_LINE_BYTES]; /* the last line with level=error, or the last at all */
    /* Inside. */
    int output, log;
    char line[PROCESS_LINE_BYTES];
    size_t line_len;
};

struct processes {
    struct process *members[PROCESSES_MAX];
    size_t count;
    int signals;      /* a signalfd */
    bool interrupted; /* we were asked to end */
    bool one_ended;   /* that was not to, which was told */
};

/* False after having told why. Blocks the signals for the rest of the program's life. */
bool processes_init(struct processes *c);
void processes_deinit(struct processes *c); /* of processes that have ended */
void processes_add(struct processes *c, struct process *p);

void process_word(struct process *p, const char *word);
/* Its log is continued. False after having told why. */
bool process_start(struct process *p);
void process_signal(struct process *p, int number);

/* Looks after everybody until `done` says so; who served and is killed by a signal is started again
 * (told). False: it was not to be: interrupted, one ended otherwise that nobody had stopped (told),
 * or timeout_ms (-1 = none) passed. */
bool processes_wait(struct processes *c, bool (*done)(void *arg), void *arg, int timeout_ms);
bool processes_all_ready(void *processes); /* but for tools */
bool processes_all_ended(void *processes);

/* SIGTERM to everybody, in reverse order of processes_add but at once; SIGKILL to who is there
 * after a while. */
void processes_stop(struct processes *c);

/* "caucus: up: ..." on stderr. */
void up_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
