/* up.h: `caucus up`: a cluster of our own on this machine: three caucusd and three electiond.
 *
 * Everything lies in one folder: DIR/coordination/N (zoo.cfg, myid, data), DIR/election/N (votes),
 * DIR/log/NAME.log, DIR/export of a demonstration, DIR/pid while it runs. A second one on the same
 * folder is refused (a lock on DIR/pid). Ports are free ones of 127.0.0.1; a page's port that is
 * asked for must be free. One that served and is killed by a signal is started again; one that ends
 * otherwise ends all, and is told with the last error of its log.
 *
 * On an ensemble that is there (`zookeeper`) everything is below one node of our own, named in
 * DIR/zookeeper; nothing else there is read or written. */
#ifndef CAUCUS_UP_UP_H
#define CAUCUS_UP_UP_H

#include <stdbool.h>

struct up_options {
    const char *dir;
    const char *election;  /* the folder that defines it */
    const char *programs;  /* where caucusd and electiond are */
    const char *zookeeper; /* an ensemble that is there; NULL: three caucusd are started */
    int rest_port;         /* of the first electiond; 0 = a free one */
    bool clean;            /* what an earlier one left in dir goes first */
    bool demo;             /* clean, and an election is held on it: see cluster.h */
};

enum {
    UP_INTERRUPTED = 130, /* as a shell has it of Ctrl-C */
};

/* Until SIGINT or SIGTERM. 0: it served and was stopped; 1: it failed, and told why;
 * UP_INTERRUPTED: it was stopped before it served, or before the demonstration was through. */
int up_run(const struct up_options *o);
/* Ends the one that runs on dir, and waits for its end. 0: it is over, 1: told why not. */
int up_down(const char *dir);

#endif
