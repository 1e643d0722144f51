/* persistent_node.h: a node that is there as long as its keeper lives, whatever happens to
 * connections and sessions.
 *
 * It is made as soon as there is a session, with its parents (as containers) where they are
 * missing, and made again when it is gone:
 *
 *   disconnection   nothing: the node stands as long as its session. A creation or a write that was
 *                   answered by a lost connection is looked at before it is made again
 *   pause           as disconnection, or as expiry when it took too long
 *   expiry          an ephemeral node is gone (GONE, SESSIONEXPIRED) and is made again in the next
 *                   session. The old one may stand for a while if only this program's clock said
 *                   that its session is over: it is waited for, not deleted
 *   deletion        by somebody else: told as GONE (NONODE) and made again at once
 * An ephemeral node of another session at this path is not ours: it is reported (TROUBLE,
 * NODEEXISTS) and waited for. A node of the other modes is taken as it stands, and its data is set
 * once. What others write into the node later is left alone until the next
 * caucus_persistent_node_set.
 *
 * Nothing is promised about two keepers of one path but that an ephemeral node belongs to one of
 * them at a time. For leadership and locks that is not enough: there is no token and no deadline.
 *
 * Callbacks run where those of the client run (caucus.h). */
#ifndef CAUCUS_CAUCUS_PERSISTENT_NODE_H
#define CAUCUS_CAUCUS_PERSISTENT_NODE_H

#include "caucus/caucus.h"

#ifdef __cplusplus
extern "C" {
#endif

struct caucus_persistent_node;

enum caucus_persistent_node_news {
    CAUCUS_NODE_KEPT =
        1,               /* it is there, with the data that was asked for; again after each write */
    CAUCUS_NODE_GONE,    /* it is not there any more; in turns with KEPT */
    CAUCUS_NODE_TROUBLE, /* it cannot be made, or written; tried again after 50 ms to 6.4 s, with
                            NODEEXISTS when the node in the way is gone */
};

struct caucus_persistent_node_change {
    enum caucus_persistent_node_news news;
    int64_t czxid;   /* KEPT, GONE: of the node: another one each time that it was made */
    int32_t version; /* KEPT: of its data */
    int rc;          /* GONE: CAUCUS_NONODE, CAUCUS_SESSIONEXPIRED. TROUBLE: the error */
};

typedef void caucus_persistent_node_fn(void *context, struct caucus_persistent_node *n,
                                       const struct caucus_persistent_node_change *change);

struct caucus_persistent_node_options {
    const void *data; /* NULL: null */
    size_t data_bytes;
    enum caucus_create_mode mode; /* CAUCUS_EPHEMERAL, CAUCUS_PERSISTENT or CAUCUS_CONTAINER */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_persistent_node_fn *on_change; /* may be NULL */
    void *context;
};

/* Keeps a node at this path from now on. Everything is copied. The first callback may come before
 * this returns. Errors: CAUCUS_BADARGUMENTS (the path is "/", relative, or ends with a slash; the
 * mode), CAUCUS_CLOSING. */
CAUCUS_API int caucus_persistent_node_open(struct caucus *c, const char *path,
                                           const struct caucus_persistent_node_options *options,
                                           struct caucus_persistent_node **ret);

/* Not kept any more: no callback comes after this has returned, and the node is deleted in the
 * background, whatever its mode, as soon as a server can be reached, if its session does not end
 * first. It is looked at before: what somebody else has put into its place stays, unless that
 * happened in the moment between the two. From any thread and at any time, before or after
 * caucus_close of the client (then only the end of the session removes it). NULL is fine. */
CAUCUS_API void caucus_persistent_node_close(struct caucus_persistent_node *n);

/* From now on this is its data: it is written soon (KEPT), and is what the node is made with.
 * When it is called faster than servers answer, only the last one is written. From any thread. */
CAUCUS_API void caucus_persistent_node_set(struct caucus_persistent_node *n, const void *data,
                                           size_t data_bytes);

/* Waits until it is there with the data that was last asked for, at most timeout_ms (-1: for
 * ever). Errors: CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_persistent_node_await(struct caucus_persistent_node *n, int64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
