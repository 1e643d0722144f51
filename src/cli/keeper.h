/* keeper.h: a process that runs a command for as long as caucus may have it run, and not longer.
 *
 *   caucus --orders--> keeper --forks--> the command, first of a process group of its own
 *          <-reports--
 *
 * A caucus that is stopped (SIGSTOP, a debugger, Ctrl-Z) or killed cannot end what it began. The
 * keeper can: it is another process in a group of its own, has a clock of its own, and does at the
 * times it was told last what nobody tells it to do otherwise:
 *
 *   kind_at_ns    SIGTERM to the command's group
 *   kill_at_ns    SIGKILL to the group
 *
 * Who is left when one is gone:
 *   caucus ends, however      its end of the socket closes: SIGTERM at once, SIGKILL at kill_at_ns
 *   the keeper is killed      the command gets SIGKILL from the kernel (PR_SET_PDEATHSIG), and its
 *                             group from caucus (keeper_kill)
 *   the keeper is stopped     caucus kills the group itself (keeper_kill)
 * When the command has ended by itself, what it left running in its group is killed. Processes that
 * left the group (setsid, a shell's job control) are nobody's.
 *
 * The keeper must be opened before any thread is started: it is a fork without exec. Times are of
 * caucus_now_ns, which goes on while the machine sleeps. */
#ifndef CAUCUS_CLI_KEEPER_H
#define CAUCUS_CLI_KEEPER_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper {
    int fd; /* readable when there is a report */
    pid_t pid;
    pid_t group; /* of the command that runs; 0: none, as far as was heard */
};

enum keeper_news {
    KEEPER_STARTED = 1,
    KEEPER_PAUSED, /* the command was stopped (Ctrl-Z) */
    KEEPER_ENDED,  /* the command, and all in its group */
};

struct keeper_report {
    enum keeper_news news;
    pid_t group;      /* STARTED; 0: the system has no room for another process */
    int status;       /* ENDED: as of waitpid */
    bool was_stopped; /* ENDED: it was told to, by keeper_stop or at kind_at_ns */
};

/* The command is looked for in PATH. `mask` is the signal mask it is started with. Borrows both. 0,
 * or -1 with errno. */
int keeper_open(struct keeper *k, char *const *command, const sigset_t *mask);
/* Waits for the keeper's end. A command that runs is stopped. */
void keeper_close(struct keeper *k);

/* The command gets CAUCUS_FENCING_TOKEN=token. One at a time: not before the last one has ENDED. */
void keeper_start(struct keeper *k, int64_t token, int64_t kind_at_ns, int64_t kill_at_ns);
/* Other times, while the command runs. Once it is being stopped only the second counts. */
void keeper_until(struct keeper *k, int64_t kind_at_ns, int64_t kill_at_ns);
/* SIGTERM now. */
void keeper_stop(struct keeper *k, int64_t kill_at_ns);
/* Passed on to the command's group. */
void keeper_signal(struct keeper *k, int number);
/* Past the keeper, which does not do it or is gone. */
void keeper_kill(struct keeper *k);

/* 1: a report; 0: there is none at the moment; -1: the keeper is gone. */
int keeper_hear(struct keeper *k, struct keeper_report *ret);

#endif
