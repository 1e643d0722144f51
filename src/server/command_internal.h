/* command_internal.h: what four letter words and HTTP commands both show. */
#ifndef CAUCUS_SERVER_COMMAND_INTERNAL_H
#define CAUCUS_SERVER_COMMAND_INTERNAL_H

#include "server/server_info.h"

#define SERVER_NOT_SERVING "This ZooKeeper instance is not currently serving requests"

/* command_dump.c: the long answers. */
void dump_connections(struct server_info *info, uint64_t asker, bool brief, struct buf *out);
void dump_sessions(struct server_info *info, struct buf *out);
void dump_watches_by_path(struct server_info *info, struct buf *out);
void dump_watches_by_session(struct server_info *info, struct buf *out);

/* "127.0.0.1:4711"; what the node knows, with port 0, if the driver does not know the connection.
 */
void connection_address(struct server_info *info, const struct node_client_view *view,
                        struct buf *out);

/* The session of a connection; 0 = none. */
int64_t session_of_client(struct server_info *info, uint64_t client);

/* command_environment.c: of the process and its directories. */
typedef void environment_visit(void *arg, const char *key, const char *value);
void environment_each(environment_visit *visit, void *arg);
int64_t directory_bytes(const char *path); /* of the files in it; 0 when it cannot be read */

#endif
