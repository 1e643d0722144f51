/* foreign.h: a cluster on a coordination service that is not ours: what it may touch there.
 *
 * DIR/zookeeper has two lines: the hosts, and the one node below which everything of this cluster
 * is, a name by chance. Without that file the cluster's coordination servers are its own. */
#ifndef CAUCUS_UP_FOREIGN_H
#define CAUCUS_UP_FOREIGN_H

#include "up/cluster.h"

/* Sets u->root, the same for the folder's life. False: the folder is that of a cluster on other
 * servers, or cannot be written (told). */
bool foreign_root(struct cluster *u);

/* What an earlier cluster of this folder has on a service that is not its own is deleted there. If
 * that fails it is told, with what would do it, and is left. */
void foreign_clean(struct cluster *u);

#endif
