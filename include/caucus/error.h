/* error.h: the codes that the functions and results of libcaucus carry.
 *
 * 0 is success, everything else is negative. Codes down to -127 are ZooKeeper's, with its numbers
 * (KeeperException.Code): most are answers of a server. Codes from -2001 on are the library's own.
 * A server newer than this library may send a code that is not in this table; it is passed on as it
 * is, and caucus_error_name says "unknown". */
#ifndef CAUCUS_CAUCUS_ERROR_H
#define CAUCUS_CAUCUS_ERROR_H

/* X(name, number, explanation) */
#define CAUCUS_ERROR_MAP(X)                                                                        \
    X(CAUCUS_OK, 0, "success")                                                                     \
    X(CAUCUS_SYSTEMERROR, -1, "system error on the server")                                        \
    X(CAUCUS_RUNTIMEINCONSISTENCY, -2, "not done, because another part of the multi failed")       \
    X(CAUCUS_DATAINCONSISTENCY, -3, "data inconsistency on the server")                            \
    X(CAUCUS_CONNECTIONLOSS, -4, "the connection was lost: it may have happened or not")           \
    X(CAUCUS_MARSHALLINGERROR, -5, "a request or an answer was malformed")                         \
    X(CAUCUS_UNIMPLEMENTED, -6, "the server does not have this operation, or not enabled")         \
    X(CAUCUS_OPERATIONTIMEOUT, -7, "not sent: no server could be reached in time")                 \
    X(CAUCUS_BADARGUMENTS, -8, "bad arguments")                                                    \
    X(CAUCUS_UNKNOWNSESSION, -12, "unknown session")                                               \
    X(CAUCUS_NEWCONFIGNOQUORUM, -13, "the new configuration would have no quorum")                 \
    X(CAUCUS_RECONFIGINPROGRESS, -14, "another reconfiguration is in progress")                    \
    X(CAUCUS_APIERROR, -100, "error of the server's interface")                                    \
    X(CAUCUS_NONODE, -101, "no such node")                                                         \
    X(CAUCUS_NOAUTH, -102, "not allowed")                                                          \
    X(CAUCUS_BADVERSION, -103, "the node has another version")                                     \
    X(CAUCUS_NOCHILDRENFOREPHEMERALS, -108, "ephemeral nodes have no children")                    \
    X(CAUCUS_NODEEXISTS, -110, "the node exists already")                                          \
    X(CAUCUS_NOTEMPTY, -111, "the node has children")                                              \
    X(CAUCUS_SESSIONEXPIRED, -112, "the session is over")                                          \
    X(CAUCUS_INVALIDCALLBACK, -113, "invalid callback")                                            \
    X(CAUCUS_INVALIDACL, -114, "invalid ACL")                                                      \
    X(CAUCUS_AUTHFAILED, -115, "authentication failed")                                            \
    X(CAUCUS_CLOSING, -116, "the handle is being closed")                                          \
    X(CAUCUS_SESSIONMOVED, -118, "the session moved to another server")                            \
    X(CAUCUS_NOTREADONLY, -119, "the server is read-only")                                         \
    X(CAUCUS_EPHEMERALONLOCALSESSION, -120, "a local session cannot own ephemeral nodes")          \
    X(CAUCUS_NOWATCHER, -121, "no such watch")                                                     \
    X(CAUCUS_REQUESTTIMEOUT, -122, "the request timed out")                                        \
    X(CAUCUS_RECONFIGDISABLED, -123, "reconfiguration is disabled")                                \
    X(CAUCUS_SESSIONCLOSEDREQUIRESASLAUTH, -124, "the server requires SASL authentication")        \
    X(CAUCUS_QUOTAEXCEEDED, -125, "quota exceeded")                                                \
    X(CAUCUS_THROTTLEDOP, -127, "the server is overloaded and refused the operation")              \
    X(CAUCUS_WOULDBLOCK, -2001, "a blocking call is not allowed on the thread of the callbacks")   \
    X(CAUCUS_TOOBIG, -2002, "the request is bigger than servers take")                             \
    X(CAUCUS_BUSY, -2003, "too many requests are waiting for their answers")                       \
    X(CAUCUS_NORESOURCES, -2004, "the system refused a thread, descriptor or memory")              \
    X(CAUCUS_BADHOSTS, -2005, "the list of hosts cannot be understood")                            \
    X(CAUCUS_BADTLS, -2006, "the files for TLS cannot be used")                                    \
    X(CAUCUS_BADSASL, -2007, "SASL cannot be used")                                                \
    X(CAUCUS_FORKED, -2008, "the handle is of the process that this one was forked from")

#define CAUCUS_ERROR_ENUM(name, number, text) name = number,
enum caucus_error {
    CAUCUS_ERROR_MAP(CAUCUS_ERROR_ENUM) CAUCUS_ERROR_LAST = CAUCUS_FORKED
};
#undef CAUCUS_ERROR_ENUM

#endif
