#include "wire/zk.h"

#define ZK_CASE(name, value, text)                                                                 \
    case name:                                                                                     \
        return text;

const char *zk_op_name(int32_t op)
{
    switch (op) {
        ZK_OP_MAP(ZK_CASE)
    default:
        return "unknown";
    }
}

const char *zk_err_name(int32_t err)
{
    switch (err) {
        ZK_ERR_MAP(ZK_CASE)
    default:
        return "unknown";
    }
}
