/* zk.h: the numbers of ZooKeeper's protocol and files (ZooDefs, KeeperException.Code, CreateMode,
 * Watcher.Event, FileTxnLog, FileSnap), as of 3.9.5. Constants and their names; no state.
 *
 * Each numbered family is one table, so that number and name cannot drift apart. */
#ifndef CAUCUS_WIRE_ZK_H
#define CAUCUS_WIRE_ZK_H

#include <stdint.h>

/* Operations: the type of a request header, of a txn header, of a part of a multi. */
#define ZK_OP_MAP(X)                                                                               \
    X(ZK_OP_NOTIFICATION, 0, "notification")                                                       \
    X(ZK_OP_CREATE, 1, "create")                                                                   \
    X(ZK_OP_DELETE, 2, "delete")                                                                   \
    X(ZK_OP_EXISTS, 3, "exists")                                                                   \
    X(ZK_OP_GET_DATA, 4, "getData")                                                                \
    X(ZK_OP_SET_DATA, 5, "setData")                                                                \
    X(ZK_OP_GET_ACL, 6, "getACL")                                                                  \
    X(ZK_OP_SET_ACL, 7, "setACL")                                                                  \
    X(ZK_OP_GET_CHILDREN, 8, "getChildren")                                                        \
    X(ZK_OP_SYNC, 9, "sync")                                                                       \
    X(ZK_OP_PING, 11, "ping")                                                                      \
    X(ZK_OP_GET_CHILDREN2, 12, "getChildren2")                                                     \
    X(ZK_OP_CHECK, 13, "check")                                                                    \
    X(ZK_OP_MULTI, 14, "multi")                                                                    \
    X(ZK_OP_CREATE2, 15, "create2")                                                                \
    X(ZK_OP_RECONFIG, 16, "reconfig")                                                              \
    X(ZK_OP_CHECK_WATCHES, 17, "checkWatches")                                                     \
    X(ZK_OP_REMOVE_WATCHES, 18, "removeWatches")                                                   \
    X(ZK_OP_CREATE_CONTAINER, 19, "createContainer")                                               \
    X(ZK_OP_DELETE_CONTAINER, 20, "deleteContainer")                                               \
    X(ZK_OP_CREATE_TTL, 21, "createTTL")                                                           \
    X(ZK_OP_MULTI_READ, 22, "multiRead")                                                           \
    X(ZK_OP_AUTH, 100, "auth")                                                                     \
    X(ZK_OP_SET_WATCHES, 101, "setWatches")                                                        \
    X(ZK_OP_SASL, 102, "sasl")                                                                     \
    X(ZK_OP_GET_EPHEMERALS, 103, "getEphemerals")                                                  \
    X(ZK_OP_GET_ALL_CHILDREN_NUMBER, 104, "getAllChildrenNumber")                                  \
    X(ZK_OP_SET_WATCHES2, 105, "setWatches2")                                                      \
    X(ZK_OP_ADD_WATCH, 106, "addWatch")                                                            \
    X(ZK_OP_WHO_AM_I, 107, "whoAmI")                                                               \
    X(ZK_OP_ERROR, -1, "error")                                                                    \
    X(ZK_OP_CREATE_SESSION, -10, "createSession")                                                  \
    X(ZK_OP_CLOSE_SESSION, -11, "closeSession")

/* Answers to clients: err of a reply header, ErrorTxn and ErrorResponse. Codes that only a client
 * library gives itself are named too, since they turn up in other people's logs. */
#define ZK_ERR_MAP(X)                                                                              \
    X(ZK_OK, 0, "OK")                                                                              \
    X(ZK_SYSTEMERROR, -1, "SYSTEMERROR")                                                           \
    X(ZK_RUNTIMEINCONSISTENCY, -2, "RUNTIMEINCONSISTENCY")                                         \
    X(ZK_DATAINCONSISTENCY, -3, "DATAINCONSISTENCY")                                               \
    X(ZK_CONNECTIONLOSS, -4, "CONNECTIONLOSS")                                                     \
    X(ZK_MARSHALLINGERROR, -5, "MARSHALLINGERROR")                                                 \
    X(ZK_UNIMPLEMENTED, -6, "UNIMPLEMENTED")                                                       \
    X(ZK_OPERATIONTIMEOUT, -7, "OPERATIONTIMEOUT")                                                 \
    X(ZK_BADARGUMENTS, -8, "BADARGUMENTS")                                                         \
    X(ZK_UNKNOWNSESSION, -12, "UNKNOWNSESSION")                                                    \
    X(ZK_NEWCONFIGNOQUORUM, -13, "NEWCONFIGNOQUORUM")                                              \
    X(ZK_RECONFIGINPROGRESS, -14, "RECONFIGINPROGRESS")                                            \
    X(ZK_APIERROR, -100, "APIERROR")                                                               \
    X(ZK_NONODE, -101, "NONODE")                                                                   \
    X(ZK_NOAUTH, -102, "NOAUTH")                                                                   \
    X(ZK_BADVERSION, -103, "BADVERSION")                                                           \
    X(ZK_NOCHILDRENFOREPHEMERALS, -108, "NOCHILDRENFOREPHEMERALS")                                 \
    X(ZK_NODEEXISTS, -110, "NODEEXISTS")                                                           \
    X(ZK_NOTEMPTY, -111, "NOTEMPTY")                                                               \
    X(ZK_SESSIONEXPIRED, -112, "SESSIONEXPIRED")                                                   \
    X(ZK_INVALIDCALLBACK, -113, "INVALIDCALLBACK")                                                 \
    X(ZK_INVALIDACL, -114, "INVALIDACL")                                                           \
    X(ZK_AUTHFAILED, -115, "AUTHFAILED")                                                           \
    X(ZK_SESSIONMOVED, -118, "SESSIONMOVED")                                                       \
    X(ZK_NOTREADONLY, -119, "NOTREADONLY")                                                         \
    X(ZK_EPHEMERALONLOCALSESSION, -120, "EPHEMERALONLOCALSESSION")                                 \
    X(ZK_NOWATCHER, -121, "NOWATCHER")                                                             \
    X(ZK_REQUESTTIMEOUT, -122, "REQUESTTIMEOUT")                                                   \
    X(ZK_RECONFIGDISABLED, -123, "RECONFIGDISABLED")                                               \
    X(ZK_SESSIONCLOSEDREQUIRESASLAUTH, -124, "SESSIONCLOSEDREQUIRESASLAUTH")                       \
    X(ZK_QUOTAEXCEEDED, -125, "QUOTAEXCEEDED")                                                     \
    X(ZK_THROTTLEDOP, -127, "THROTTLEDOP")

#define ZK_ENUM(name, value, text) name = value,
enum zk_op {
    ZK_OP_MAP(ZK_ENUM)
};
enum zk_err {
    ZK_ERR_MAP(ZK_ENUM)
};
#undef ZK_ENUM

/* The table's text; "unknown" for any other number. */
const char *zk_op_name(int32_t op);
const char *zk_err_name(int32_t err);

/* xids that a client does not count. */
enum {
    ZK_XID_NOTIFICATION = -1,
    ZK_XID_PING = -2,
    ZK_XID_AUTH = -4,
    ZK_XID_SET_WATCHES = -8,
};

/* WatcherEvent.type */
enum {
    ZK_EVENT_NONE = -1,
    ZK_EVENT_NODE_CREATED = 1,
    ZK_EVENT_NODE_DELETED = 2,
    ZK_EVENT_NODE_DATA_CHANGED = 3,
    ZK_EVENT_NODE_CHILDREN_CHANGED = 4,
    ZK_EVENT_DATA_WATCH_REMOVED = 5,
    ZK_EVENT_CHILD_WATCH_REMOVED = 6,
    ZK_EVENT_PERSISTENT_WATCH_REMOVED = 7,
};

/* WatcherEvent.state */
enum {
    ZK_STATE_DISCONNECTED = 0,
    ZK_STATE_SYNC_CONNECTED = 3,
    ZK_STATE_AUTH_FAILED = 4,
    ZK_STATE_CONNECTED_READ_ONLY = 5,
    ZK_STATE_SASL_AUTHENTICATED = 6,
    ZK_STATE_CLOSED = 7,
    ZK_STATE_EXPIRED = -112,
};

/* Bits of an ACL's perms. */
enum {
    ZK_PERM_READ = 1,
    ZK_PERM_WRITE = 2,
    ZK_PERM_CREATE = 4,
    ZK_PERM_DELETE = 8,
    ZK_PERM_ADMIN = 16,
    ZK_PERM_ALL = 31,
};

/* CreateRequest.flags: a number, not a set of bits. */
enum {
    ZK_CREATE_PERSISTENT = 0,
    ZK_CREATE_EPHEMERAL = 1,
    ZK_CREATE_PERSISTENT_SEQUENTIAL = 2,
    ZK_CREATE_EPHEMERAL_SEQUENTIAL = 3,
    ZK_CREATE_CONTAINER = 4,
    ZK_CREATE_TTL = 5,
    ZK_CREATE_TTL_SEQUENTIAL = 6,
};

/* Watcher.WatcherType: what checkWatches and removeWatches mean. */
enum {
    ZK_WATCHER_CHILDREN = 1,
    ZK_WATCHER_DATA = 2,
    ZK_WATCHER_ANY = 3,
    ZK_WATCHER_PERSISTENT = 4,
    ZK_WATCHER_PERSISTENT_RECURSIVE = 5,
};

/* AddWatchRequest.mode */
enum {
    ZK_ADD_WATCH_PERSISTENT = 0,
    ZK_ADD_WATCH_PERSISTENT_RECURSIVE = 1,
};

/* Version arguments: "whatever it is now". */
enum {
    ZK_VERSION_ANY = -1
};

/* Files: the magic of a FileHeader ("ZKLG", "ZKSN") and the one version there is; the byte that
 * ends each record of a transaction log. */
enum {
    ZK_TXNLOG_MAGIC = 0x5a4b4c47,
    ZK_SNAPSHOT_MAGIC = 0x5a4b534e,
    ZK_FILE_VERSION = 2,
    ZK_TXNLOG_EOR = 0x42,
};

/* TxnDigest.version (DigestCalculator). */
enum {
    ZK_DIGEST_VERSION = 2
};

/* Bytes of a session password; zeroes where a session was refused. */
enum {
    ZK_PASSWORD_BYTES = 16
};

/* jute.maxbuffer when nothing else is configured: the longest frame a client may send. */
enum {
    ZK_FRAME_BYTES_MAX_DEFAULT = 0xfffff
};

/* ephemeralOwner says more than an owner (EphemeralType). A container has only the highest bit. A
 * TTL node (with extended types) has 0xff in the first byte, zeroes in the next two, and the TTL in
 * milliseconds in the lower 40 bits. */
#define ZK_CONTAINER_OWNER UINT64_C(0x8000000000000000)
#define ZK_TTL_OWNER_MASK  UINT64_C(0xff00000000000000)
#define ZK_TTL_MS_MAX      INT64_C(0xffffffffff)

#endif
