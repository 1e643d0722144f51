/* call.h: one operation on its way: the frame that asks for it, who waits for the answer, and the
 * watch it sets or removes.
 *
 * Made by the thread that asks, then owned by the session machine, which gives it back as a note
 * (note.h) with its result. The frame is complete but for its xid. Pure. */
#ifndef CAUCUS_CLIENT_CALL_H
#define CAUCUS_CLIENT_CALL_H

#include "base/buf.h"
#include "client/note.h"
#include "wire/zk.h"

/* What is the same for all calls of a handle. */
struct call_scope {
    struct slice chroot; /* "" or "/a/b" */
    size_t request_bytes_max;
};

struct call {
    struct note note; /* first: an answered call is a note; before, it hangs in a queue by it */
    int32_t op;       /* ZK_OP_* */
    struct buf frame;
    struct slice path;   /* as the server knows it, inside the frame; empty if it has none */
    size_t part_count;   /* of a multi */
    int64_t deadline_ns; /* while it waits for a connection */
    int64_t sent_ns;

    caucus_watch_fn *watch; /* to set, or (remove) to remove; NULL: none, or (remove) all */
    void *watch_context;
    int32_t watch_mode;                /* add_watch */
    enum caucus_watch_kind watch_kind; /* remove */
    bool local;                        /* remove */

    caucus_done_fn *done; /* may be NULL */
    void *context;
    void *waiter;                 /* the driver's: a blocked thread takes the result instead */
    struct caucus_result *result; /* when answered */
};

#define call_of_note(n) ((struct call *)(void *)(n))

enum {
    CALL_XID_AT = 4,  /* in the frame */
    CALL_BODY_AT = 12 /* length, xid, type */
};

/* All return 0 and *ret, or CAUCUS_BADARGUMENTS, CAUCUS_TOOBIG. Strings and bytes are copied. */
int call_create(const struct call_scope *s, const char *path, const void *data, size_t data_bytes,
                const struct caucus_create_options *options, struct call **ret);
int call_delete(const struct call_scope *s, const char *path, int32_t version, struct call **ret);
/* op: exists, getData, getChildren, getChildren2 */
int call_read(const struct call_scope *s, int32_t op, const char *path, caucus_watch_fn *watch,
              void *watch_context, struct call **ret);
int call_set(const struct call_scope *s, const char *path, const void *data, size_t data_bytes,
             int32_t version, struct call **ret);
/* op: getACL, sync, getAllChildrenNumber */
int call_path(const struct call_scope *s, int32_t op, const char *path, struct call **ret);
int call_set_acl(const struct call_scope *s, const char *path, const struct caucus_acl *acl,
                 size_t acl_count, int32_t aversion, struct call **ret);
int call_ephemerals(const struct call_scope *s, const char *prefix, struct call **ret);
/* op: multi, multiRead */
int call_multi(const struct call_scope *s, int32_t op, const struct caucus_op *ops, size_t count,
               struct call **ret);
int call_add_watch(const struct call_scope *s, const char *path, enum caucus_add_watch_mode mode,
                   caucus_watch_fn *watch, void *watch_context, struct call **ret);
int call_remove_watches(const struct call_scope *s, const char *path, enum caucus_watch_kind kind,
                        caucus_watch_fn *watch, void *watch_context, bool local, struct call **ret);
int call_who_am_i(const struct call_scope *s, struct call **ret);
int call_reconfig(const struct call_scope *s, const char *joining, const char *leaving,
                  const char *members, int64_t config_version, struct call **ret);
int call_get_config(const struct call_scope *s, caucus_watch_fn *watch, void *watch_context,
                    struct call **ret);
int call_auth(const struct call_scope *s, const char *scheme, const void *auth, size_t auth_bytes,
              struct call **ret);
struct call *call_close_session(void);

void call_free(struct call *c); /* with its result; NULL is fine */

/* Removing watches while others stay asks only whether they are there. */
void call_only_check(struct call *c);

/* The path as the caller knows it. */
struct slice chroot_strip(struct slice chroot, struct slice path);

#endif
