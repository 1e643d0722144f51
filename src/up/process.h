/* process.h: programs that run for us: started, heard, stopped, waited for.
 *
 * A crew is a few processes and one loop (crew_wait) that reads what they write, keeps it in their
 * logs, notices their ends, and the signals SIGINT, SIGTERM and SIGHUP, after which everything is
 * to be stopped. Ctrl-C reaches only us: each process is in a group of its own; and if we die, the
 * system sends it SIGTERM. One thread. */
#ifndef CAUCUS_UP_PROCESS_H
#define CAUCUS_UP_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    CREW_MAX = 16,
    PROCESS_WORDS_MAX = 48,
    PROCESS_LINE_BYTES = 2048,
    UP_PATH_BYTES = 4096,
};

struct crew;

struct process {
    const char *name;                         /* "coordination 1"; for people */
    const char *words[PROCESS_WORDS_MAX + 1]; /* the program first; borrowed */
    size_t word_count;
    char log_path[UP_PATH_BYTES];
    /* A line of its log that holds this says that it serves. */
    const char *ready_mark;

    pid_t pid; /* 0 = it does not run */
    bool ready;
    bool expected_to_end; /* by us */
    char ready_line[PROCESS_LINE_BYTES];
    char last_error[PROCESS_LINE_BYTES]; /* the last line with level=error, or the last at all */
    /* Inside. */
    int output, log;
    char line[PROCESS_LINE_BYTES];
    size_t line_len;
};

struct crew {
    struct process *members[CREW_MAX];
    size_t count;
    int signals;      /* a signalfd */
    bool interrupted; /* we were asked to end */
};

/* False after having told why. Blocks the signals for the rest of the program's life. */
bool crew_init(struct crew *c);
void crew_deinit(struct crew *c); /* of processes that have ended */
void crew_add(struct crew *c, struct process *p);

void process_word(struct process *p, const char *word);
/* Its log is continued. False after having told why. */
bool process_start(struct process *p);
void process_signal(struct process *p, int number);

/* Looks after everybody until `done` says so. False: it was not to be: interrupted, a member ended
 * that nobody had stopped (told), or timeout_ms (-1 = none) passed. */
bool crew_wait(struct crew *c, bool (*done)(void *arg), void *arg, int timeout_ms);
bool crew_all_ready(void *crew);
bool crew_all_ended(void *crew);

/* SIGTERM to everybody, in reverse order of crew_add but at once; SIGKILL to who is there after a
 * while. */
void crew_stop(struct crew *c);

/* "caucus: up: ..." on stderr. */
void up_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
