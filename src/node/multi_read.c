/* multi_read.c: several reads in one request (MultiOperationRecord,
 * FinalRequestProcessor.multiRead). */
#include "node/node_internal.h"

/* A request of 1 MiB has room for 60,000 reads of a znode of 1 MiB. ZooKeeper builds such an answer
 * until it is out of memory. */
enum {
    ANSWER_BYTES_MAX = 64 * 1024 * 1024
};

/* False as well for what is no write at all. */
static bool skip_write(struct dec *d, int32_t op)
{
    struct rec_create_request create;
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
        /* A TTL node has no TTL here, so its flags are as wrong as unknown ones. */
        return rec_get_create_request(d, &create) && create.acl.count != -1 &&
               create.flags >= ZK_CREATE_PERSISTENT && create.flags < ZK_CREATE_TTL;
    case ZK_OP_CREATE_TTL:
        return rec_get_create_ttl_request(d, &(struct rec_create_ttl_request){0});
    case ZK_OP_DELETE:
        return rec_get_delete_request(d, &(struct rec_delete_request){0});
    case ZK_OP_SET_DATA:
        return rec_get_set_data_request(d, &(struct rec_set_data_request){0});
    case ZK_OP_CHECK:
        return rec_get_check_version_request(d, &(struct rec_check_version_request){0});
    default:
        return false;
    }
}

struct multi_shape {
    size_t reads, writes;
};

/* The whole request is decoded before anything is answered; mixing kinds is malformed. */
static bool check_shape(struct dec d, struct multi_shape *ret)
{
    struct rec_multi_header head;
    while (rec_get_multi_header(&d, &head)) {
        if (head.done)
            return true;
        if (head.type == ZK_OP_GET_DATA || head.type == ZK_OP_GET_CHILDREN) {
            if (ret->writes > 0 || !rec_get_get_data_request(&d, &(struct rec_get_data_request){0}))
                return false;
            ret->reads++;
        } else {
            if (ret->reads > 0 || !skip_write(&d, head.type))
                return false;
            ret->writes++;
        }
    }
    return false;
}

/* The watch that a part asks for is lost on its way in ZooKeeper (Op.GetData keeps the path only).
 */
static void answer_part(struct node *n, struct client *c, int32_t op, struct slice path,
                        struct identities who, struct buf *out)
{
    size_t at = out->len;
    rec_put_multi_header(out, &(struct rec_multi_header){.type = op, .done = false, .err = 0});
    int32_t err = op == ZK_OP_GET_DATA ? read_data(n, c, path, false, who, out)
                                       : read_children(n, c, path, false, false, who, out);
    if (err == 0)
        return;
    out->len = at;
    rec_put_multi_header(
        out, &(struct rec_multi_header){.type = ZK_OP_ERROR, .done = false, .err = err});
    rec_put_error_response(out, &(struct rec_error_response){.err = err});
}

int32_t answer_multi_read(struct node *n, struct client *c, struct dec *d, struct identities who,
                          struct buf *out, bool *ret_keep_body)
{
    struct multi_shape shape = {0};
    if (!check_shape(*d, &shape))
        return ZK_MARSHALLINGERROR;

    /* At a write, or a null path, the answer ends with an error; what was answered before it stands
     * behind that error all the same (facts A.27). */
    struct rec_multi_header head;
    struct rec_get_data_request req;
    size_t start = out->len;
    bool ok = shape.writes == 0;
    while (ok && rec_get_multi_header(d, &head) && !head.done) {
        ok = rec_get_get_data_request(d, &req) && !slice_is_null(req.path);
        if (ok)
            answer_part(n, c, head.type, req.path, who, out);
        if (out->len - start > ANSWER_BYTES_MAX)
            return ZK_SYSTEMERROR;
    }
    rec_put_multi_header(out, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
    *ret_keep_body = !ok;
    return ok ? 0 : ZK_MARSHALLINGERROR;
}
