/* audit.h: the audit log (org.apache.zookeeper.audit): who changed what, and with what success.
 *
 *   session=0x1 user=ann,127.0.0.1 ip=127.0.0.1 operation=create znode=/a znode_type=persistent
 *   result=success                                     (separated by tabs, one line per operation)
 *
 * A line is written when a transaction is committed, by the server whose client asked for it; so
 * what was refused without a transaction is not told, as in ZooKeeper. What only the request says
 * (the kind of znode, the ACL, the path of what failed) is kept until then, by session. The
 * driver calls nothing here unless audit.enable is set.
 *
 * Control characters are escaped, so that nothing a client sends can forge a line. Memory is
 * bounded per session by what may be on its way. Core thread. */
#ifndef CAUCUS_SERVER_AUDIT_H
#define CAUCUS_SERVER_AUDIT_H

#include "base/buf.h"
#include "node/node.h"

enum {
    /* Of one session; the oldest go. A connection can have no more on its way (node/client.c). */
    AUDIT_PENDING_MAX = 20000,
    AUDIT_PENDING_BYTES_MAX = 64 << 20,
};

/* A line without its end; borrowed. */
typedef void audit_write(void *arg, bool failure, struct slice line);

struct audit;
/* `user`: in whose name the server runs. Copied. */
struct audit *audit_create(const char *user, uint64_t seed, audit_write *write, void *arg);
void audit_free(struct audit *a); /* NULL is fine */

/* A frame that is about to be given to the node. */
void audit_request(struct audit *a, const struct node_client_view *client, struct slice frame);

/* A committed transaction. `type`: of its header. `parts`: of a multi each one, else the one:
 * {int type, int err, ustring path}*; of a closeSession the ephemerals that went. */
struct audit_commit {
    int64_t session_id;
    int32_t cxid;
    int32_t type;
    struct slice parts;
};
void audit_commit(struct audit *a, const struct audit_commit *c);

/* "serverStart", "serverStop"; result: "success", "failure", "invoked". */
void audit_server(struct audit *a, const char *operation, const char *result);

#endif
