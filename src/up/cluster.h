/* cluster.h: the cluster as up.c starts it and demo.c plays with it. */
#ifndef CAUCUS_UP_CLUSTER_H
#define CAUCUS_UP_CLUSTER_H

#include "up/process.h"
#include "up/up.h"

enum {
    SERVERS = 3,
    CLUSTER_NAME_BYTES = 32,
    HOSTS_BYTES = 512,
    ADDRESS_BYTES = 64,
    ROOT_BYTES = 32,
};

struct coordination {
    struct process process;
    char name[CLUSTER_NAME_BYTES], config[UP_PATH_BYTES], program[UP_PATH_BYTES];
    int client_port, quorum_port, election_port, admin_port;
};

struct server {
    struct process process;
    char name[CLUSTER_NAME_BYTES], data[UP_PATH_BYTES], program[UP_PATH_BYTES];
    const char *id; /* its --name */
    int rest_port, grpc_port;
    char rest[ADDRESS_BYTES], grpc[ADDRESS_BYTES], console[64];
};

struct cluster {
    const struct up_options *options;
    char dir[UP_PATH_BYTES]; /* absolute */
    struct processes all;
    struct coordination coordination[SERVERS];
    struct server servers[SERVERS];
    struct process tool; /* the one of demo.c */
    char hosts[HOSTS_BYTES];
    char root[ROOT_BYTES]; /* the node below which the election is */
};

/* Runs one of the programs with these words (ends with NULL) to its end. Its output is ours if it
 * `speaks`, else in its log. False: it failed, which it says itself, or we are to end. */
bool cluster_run_tool(struct cluster *u, const char *program, const char *const *words,
                      bool speaks);

/* Holds the election of the definition's returns (its returns.csv, at the scale of its rolls):
 * start, every vote cast, meanwhile the leader of the coordination servers and the server that
 * leads California are killed (and come back), stop, recount, export, verify, the national table,
 * and what the deaths cost. False: it was interrupted, or something is not as it must be, which is
 * told. */
bool demo_hold(struct cluster *u);

#endif
