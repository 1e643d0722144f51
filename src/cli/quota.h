/* quota.h: a quota is two nodes: /zookeeper/quota<path>/zookeeper_limits, which clients write, and
 * zookeeper_stats beside it, in which each server keeps what is used.
 *
 * Soft limits are told in the servers' logs; hard ones are refused if the servers run with
 * enforceQuota. */
#ifndef CAUCUS_CLI_QUOTA_H
#define CAUCUS_CLI_QUOTA_H

#include "cli/cli.h"

#define QUOTA_ROOT  "/zookeeper/quota"
#define LIMITS_NAME "/zookeeper_limits"
#define STATS_NAME  "/zookeeper_stats"

enum {
    QUOTA_TEXT_BYTES = 160
};

/* Of nodes and of bytes of their data; -1: none. Usage is told in the first two. */
struct quota_limits {
    int64_t count, bytes, count_hard, bytes_hard;
};

#define QUOTA_NO_LIMITS ((struct quota_limits){-1, -1, -1, -1})

/* The text of the limits' node, as ZooKeeper has it. */
void quota_write_text(const struct quota_limits *l, char ret[QUOTA_TEXT_BYTES]);
/* One of the two nodes of a path; what cannot be understood in it is none. 0, or an error of enum
 * caucus_error, NONODE among them. */
int quota_read(struct cli *cli, const char *path, const char *name, struct quota_limits *ret);

/* free() it. */
char *quota_join(const char *a, const char *b, const char *c);
/* Is this the path of a limits' node? */
bool quota_is_limits(const char *node);

/* CLI_OK, or CLI_USAGE after having told why there can be no quota; path NULL: of all. */
int quota_check_words(struct cli *cli, const char *path);

#endif
