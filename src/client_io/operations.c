/* operations.c: every operation with a completion. */
#include "client_io/handle.h"

int caucus_create(struct caucus *c, const char *path, const void *data, size_t data_bytes,
                  const struct caucus_create_options *options, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_create(handle_enter(c), path, data, data_bytes, options, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_delete(struct caucus *c, const char *path, int32_t version, caucus_done_fn *done,
                  void *context)
{
    struct call *call = NULL;
    int rc = call_delete(handle_enter(c), path, version, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_exists(struct caucus *c, const char *path, caucus_watch_fn *watch, void *watch_context,
                  caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_read(handle_enter(c), ZK_OP_EXISTS, path, watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get(struct caucus *c, const char *path, caucus_watch_fn *watch, void *watch_context,
               caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_read(handle_enter(c), ZK_OP_GET_DATA, path, watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_set(struct caucus *c, const char *path, const void *data, size_t data_bytes,
               int32_t version, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_set(handle_enter(c), path, data, data_bytes, version, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_children(struct caucus *c, const char *path, caucus_watch_fn *watch,
                        void *watch_context, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_read(handle_enter(c), ZK_OP_GET_CHILDREN, path, watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_children2(struct caucus *c, const char *path, caucus_watch_fn *watch,
                         void *watch_context, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_read(handle_enter(c), ZK_OP_GET_CHILDREN2, path, watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_acl(struct caucus *c, const char *path, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_path(handle_enter(c), ZK_OP_GET_ACL, path, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_set_acl(struct caucus *c, const char *path, const struct caucus_acl *acl,
                   size_t acl_count, int32_t aversion, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_set_acl(handle_enter(c), path, acl, acl_count, aversion, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_sync(struct caucus *c, const char *path, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_path(handle_enter(c), ZK_OP_SYNC, path, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_multi(struct caucus *c, const struct caucus_op *ops, size_t op_count,
                 caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_multi(handle_enter(c), ZK_OP_MULTI, ops, op_count, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_multi_read(struct caucus *c, const struct caucus_op *ops, size_t op_count,
                      caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_multi(handle_enter(c), ZK_OP_MULTI_READ, ops, op_count, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_add_watch(struct caucus *c, const char *path, enum caucus_add_watch_mode mode,
                     caucus_watch_fn *watch, void *watch_context, caucus_done_fn *done,
                     void *context)
{
    struct call *call = NULL;
    int rc = call_add_watch(handle_enter(c), path, mode, watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_remove_watches(struct caucus *c, const char *path, enum caucus_watch_kind kind,
                          caucus_watch_fn *watch, void *watch_context, bool local,
                          caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_remove_watches(handle_enter(c), path, kind, watch, watch_context, local, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_ephemerals(struct caucus *c, const char *prefix, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_ephemerals(handle_enter(c), prefix, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_all_children_number(struct caucus *c, const char *path, caucus_done_fn *done,
                                   void *context)
{
    struct call *call = NULL;
    int rc = call_path(handle_enter(c), ZK_OP_GET_ALL_CHILDREN_NUMBER, path, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_who_am_i(struct caucus *c, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_who_am_i(handle_enter(c), &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_reconfig(struct caucus *c, const char *joining, const char *leaving, const char *members,
                    int64_t config_version, caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_reconfig(handle_enter(c), joining, leaving, members, config_version, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_get_config(struct caucus *c, caucus_watch_fn *watch, void *watch_context,
                      caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_get_config(handle_enter(c), watch, watch_context, &call);
    return handle_start(c, rc, call, done, context);
}

int caucus_add_auth(struct caucus *c, const char *scheme, const void *auth, size_t auth_bytes,
                    caucus_done_fn *done, void *context)
{
    struct call *call = NULL;
    int rc = call_auth(handle_enter(c), scheme, auth, auth_bytes, &call);
    return handle_start(c, rc, call, done, context);
}
