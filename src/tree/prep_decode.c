/* prep_decode.c: the records of writes, all as one struct. */
#include "tree/prep_internal.h"

static bool get_create(struct dec *d, struct write_op *op)
{
    struct rec_create_request r;
    if (!rec_get_create_request(d, &r))
        return false;
    op->path = r.path;
    op->data = r.data;
    op->acl = r.acl;
    op->flags = r.flags;
    return true;
}

static bool get_create_ttl(struct dec *d, struct write_op *op)
{
    struct rec_create_ttl_request r;
    if (!rec_get_create_ttl_request(d, &r))
        return false;
    op->path = r.path;
    op->data = r.data;
    op->acl = r.acl;
    op->flags = r.flags;
    op->ttl_ms = r.ttl;
    return true;
}

static bool get_delete(struct dec *d, struct write_op *op)
{
    struct rec_delete_request r;
    if (!rec_get_delete_request(d, &r))
        return false;
    op->path = r.path;
    op->version = r.version;
    return true;
}

/* Its path travels as a buffer, and a null one is malformed. */
static bool get_delete_container(struct dec *d, struct write_op *op)
{
    struct rec_delete_container_request r;
    if (!rec_get_delete_container_request(d, &r) || slice_is_null(r.path))
        return false;
    op->path = r.path;
    return true;
}

static bool get_set_data(struct dec *d, struct write_op *op)
{
    struct rec_set_data_request r;
    if (!rec_get_set_data_request(d, &r))
        return false;
    op->path = r.path;
    op->data = r.data;
    op->version = r.version;
    return true;
}

static bool get_set_acl(struct dec *d, struct write_op *op)
{
    struct rec_set_acl_request r;
    if (!rec_get_set_acl_request(d, &r))
        return false;
    op->path = r.path;
    op->acl = r.acl;
    op->version = r.version;
    return true;
}

static bool get_check(struct dec *d, struct write_op *op)
{
    struct rec_check_version_request r;
    if (!rec_get_check_version_request(d, &r))
        return false;
    op->path = r.path;
    op->version = r.version;
    return true;
}

bool write_op_get(struct dec *d, struct write_op *op)
{
    *op = (struct write_op){.type = op->type, .ttl_ms = -1};
    switch (op->type) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
        return get_create(d, op);
    case ZK_OP_CREATE_TTL:
        return get_create_ttl(d, op);
    case ZK_OP_DELETE:
        return get_delete(d, op);
    case ZK_OP_DELETE_CONTAINER:
        return get_delete_container(d, op);
    case ZK_OP_SET_DATA:
        return get_set_data(d, op);
    case ZK_OP_SET_ACL:
        return get_set_acl(d, op);
    case ZK_OP_CHECK:
        return get_check(d, op);
    case ZK_OP_RECONFIG:
        return rec_get_reconfig_request(d, &(struct rec_reconfig_request){0});
    default:
        return false;
    }
}
