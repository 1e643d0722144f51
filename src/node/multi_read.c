/* multi_read.c: several reads in one request (MultiOperationRecord, FinalRequestProcessor.multiRead). */
#include "node/node_internal.h"

static bool is_multi_write(int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE:
    case ZK_OP_CREATE2:
    case ZK_OP_CREATE_CONTAINER:
    case ZK_OP_CREATE_TTL:
    case ZK_OP_DELETE:
    case ZK_OP_SET_DATA:
    case ZK_OP_CHECK:
        return true;
    default:
        return false;
    }
}

static bool skip_write(struct dec *d, int32_t op)
{
    switch (op) {
    case ZK_OP_CREATE_TTL:
        return rec_get_create_ttl_request(d, &(struct rec_create_ttl_request){0});
    case ZK_OP_DELETE:
        return rec_get_delete_request(d, &(struct rec_delete_request){0});
    case ZK_OP_SET_DATA:
        return rec_get_set_data_request(d, &(struct rec_set_data_request){0});
    case ZK_OP_CHECK:
        return rec_get_check_version_request(d, &(struct rec_check_version_request){0});
    default:
        return rec_get_create_request(d, &(struct rec_create_request){0});
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
            if (ret->writes > 0 ||
                !rec_get_get_data_request(&d, &(struct rec_get_data_request){0}))
                return false;
            ret->reads++;
        } else if (is_multi_write(head.type)) {
            if (ret->reads > 0 || !skip_write(&d, head.type))
                return false;
            ret->writes++;
        } else {
            return false;
        }
    }
    return false;
}

static void answer_part(struct node *n, struct client *c, int32_t op,
                        const struct rec_get_data_request *req, struct identities who,
                        struct buf *out)
{
    size_t at = out->len;
    rec_put_multi_header(out, &(struct rec_multi_header){.type = op, .done = false, .err = 0});
    int32_t err = op == ZK_OP_GET_DATA
                      ? read_data(n, c, req->path, req->watch, who, out)
                      : read_children(n, c, req->path, req->watch, false, who, out);
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

    /* Writes in a multiRead: an error, and all the same an empty response behind it (facts A.27). */
    struct rec_multi_header head;
    while (shape.writes == 0 && rec_get_multi_header(d, &head) && !head.done) {
        struct rec_get_data_request req;
        if (!rec_get_get_data_request(d, &req))
            return ZK_MARSHALLINGERROR;
        answer_part(n, c, head.type, &req, who, out);
    }
    rec_put_multi_header(out, &(struct rec_multi_header){.type = -1, .done = true, .err = -1});
    *ret_keep_body = shape.writes > 0;
    return shape.writes > 0 ? ZK_MARSHALLINGERROR : 0;
}
