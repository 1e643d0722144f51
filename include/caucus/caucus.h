/* caucus.h: a client of ZooKeeper servers (caucusd, Apache ZooKeeper 3.5 and later).
 *
 * A handle keeps a session with one server of an ensemble, finds another server when that one is
 * gone, and begins a new session when the old one is over, until it is closed. Two ways to run it:
 *
 *   caucus_open       two threads of the library's own: one for the network, and the *event
 *                     thread*, on which all callbacks run, one after the other, in order.
 *   caucus_open_loop  no thread (but short-lived ones for a host's name and a step of SASL): the
 *                     calling program waits for a descriptor and a deadline in its own loop and
 *                     calls caucus_loop_run, from which all callbacks run.
 *
 * Requests. Each operation has two functions. caucus_get(...) starts it; its completion `done` is
 * called exactly once if 0 was returned, and never otherwise. caucus_get_wait(...) blocks until the
 * result is there. Arguments are copied before the function returns. The answers of one handle's
 * requests come in the order of the requests, and a change that a watch was set for is told to
 * the watch before the answer to any request that shows the change. Blocking calls get their
 * answer past the event thread, which may be busy: between them and callbacks there is no order.
 *
 * Threads. With caucus_open every function may be called from any thread, also from callbacks, but
 * for this: a blocking call on the event thread returns CAUCUS_WOULDBLOCK, since what it would wait
 * for may have to come through that thread. With caucus_open_loop everything is called from one
 * thread, and blocking calls always return CAUCUS_WOULDBLOCK.
 *
 * fork(). Session, connection and threads stay the parent's. In the child the handle can only be
 * closed or abandoned, which frees its descriptors (but not its memory) and tells no server; it is
 * CLOSED from the first moment, whatever is asked returns CAUCUS_FORKED, and callbacks do not come.
 * It opens a handle of its own. Of the recipes' functions a child calls only those of elections and
 * locks that ask (_token, _is_leader: no) and end (_close, _release). exec and posix_spawn do no
 * harm: all descriptors are closed.
 *
 * Memory. What a callback is given is valid until it returns. What a blocking call returns is freed
 * with caucus_result_free. A program whose memory is exhausted is stopped (abort) by small
 * allocations that fail.
 *
 * Paths are UTF-8 and absolute. With a chroot ("host:2181/app") they are below it, and the caller
 * sees them without it.
 *
 * Time is in milliseconds (_ms) or, where it is a point in time, in nanoseconds of the clock of
 * caucus_now_ns (_ns). */
#ifndef CAUCUS_CAUCUS_CAUCUS_H
#define CAUCUS_CAUCUS_CAUCUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "caucus/error.h"

#if defined(__GNUC__)
#define CAUCUS_API __attribute__((visibility("default")))
#else
#define CAUCUS_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct caucus; /* the handle */

/* ---- Connection states --------------------------------------------------------------------- */

enum caucus_state {
    CAUCUS_CONNECTING = 0, /* no session yet; never reported */
    CAUCUS_CONNECTED,      /* the first session of this handle began */
    CAUCUS_SUSPENDED,   /* the connection is lost; the session may live, or not, nobody can know */
    CAUCUS_RECONNECTED, /* connected again: `renewed` tells whether it is still the same session */
    CAUCUS_LOST,        /* the session is over, its ephemeral nodes go. A server said so, or none
                           was heard for 4/3 of the session's timeout, by the local clock */
    CAUCUS_READ_ONLY,   /* connected to a server without quorum; nothing keeps the session alive.
                           A server with quorum is looked for; then SUSPENDED and RECONNECTED */
    CAUCUS_AUTH_FAILED, /* the server refused caucus_add_auth, or SASL; final, only caucus_close
                           remains */
    CAUCUS_CLOSED       /* caucus_close was called, this is the last callback of the handle */
};

struct caucus_state_change {
    enum caucus_state state;
    int64_t session_id;  /* the session's, 0 if there is none (yet, or any more) */
    uint64_t generation; /* 1 for the first session of the handle, then 2 ... */
    bool renewed;        /* CONNECTED, RECONNECTED: a session began that was not there before */
    const char *reason;  /* for people: "no answer for 6667 ms", "host:2181: Connection refused" */
};

typedef void caucus_state_fn(void *context, struct caucus *c,
                             const struct caucus_state_change *change);

/* ---- Watches -------------------------------------------------------------------------------- */

enum caucus_event_type {
    CAUCUS_NODE_CREATED = 1,
    CAUCUS_NODE_DELETED = 2,
    CAUCUS_NODE_DATA_CHANGED = 3,
    CAUCUS_NODE_CHILDREN_CHANGED = 4,
    CAUCUS_WATCH_REMOVED = 5, /* by caucus_remove_watches */
    CAUCUS_WATCH_LOST = 6,    /* the session is over, or the handle closed */
    CAUCUS_WATCH_REARMED = 7  /* persistent watches only: events may be missing, read again. After a
                                 reconnection, when the watch was set again; and after callbacks
                                 had fallen behind by 100,000 */
};

struct caucus_event {
    enum caucus_event_type type;
    const char *path; /* of the node it happened to */
    int64_t zxid;     /* of the change; -1 where it is not known (servers before 3.9, and changes
                         found at a reconnection) */
    bool last;        /* this watch will not be called again: its context may be freed */
};

/* Each watch that was set is called one last time with `last`, whatever happens: after its event
 * (one-shot watches), its removal, the end of its session or of the handle. A watch is set when the
 * request that sets it succeeds (caucus_exists: also with CAUCUS_NONODE); otherwise it is never
 * called. The same function with the same context may be set for a path more than once, and is then
 * called more than once. */
typedef void caucus_watch_fn(void *context, const struct caucus_event *event);

enum caucus_add_watch_mode {
    CAUCUS_WATCH_PERSISTENT = 0,          /* the node, its data and its list of children */
    CAUCUS_WATCH_PERSISTENT_RECURSIVE = 1 /* the node and all below it; no NODE_CHILDREN_CHANGED */
};

enum caucus_watch_kind {
    CAUCUS_KIND_CHILDREN = 1, /* set by caucus_get_children, caucus_get_children2 */
    CAUCUS_KIND_DATA = 2,     /* set by caucus_get, caucus_exists, caucus_get_config */
    CAUCUS_KIND_ANY = 3,
    CAUCUS_KIND_PERSISTENT = 4, /* 4 and 5: servers 3.9 and later; earlier ones know ANY */
    CAUCUS_KIND_PERSISTENT_RECURSIVE = 5
};

/* ---- What nodes are made of ------------------------------------------------------------------ */

struct caucus_stat {
    int64_t czxid;    /* transaction that created it: the fencing token of a lock's node */
    int64_t mzxid;    /* that last changed its data */
    int64_t ctime_ms; /* since 1970, the server's clock */
    int64_t mtime_ms;
    int32_t version;         /* of the data */
    int32_t cversion;        /* of the list of children */
    int32_t aversion;        /* of the ACL */
    int64_t ephemeral_owner; /* session id; 0: not ephemeral */
    int32_t data_length;
    int32_t num_children;
    int64_t pzxid; /* that last changed the list of children */
};

enum caucus_perm {
    CAUCUS_PERM_READ = 1,
    CAUCUS_PERM_WRITE = 2,
    CAUCUS_PERM_CREATE = 4,
    CAUCUS_PERM_DELETE = 8,
    CAUCUS_PERM_ADMIN = 16,
    CAUCUS_PERM_ALL = 31
};

struct caucus_acl {
    int32_t perms;      /* bits of caucus_perm */
    const char *scheme; /* "world", "auth", "digest", "ip", "x509", "sasl" */
    const char *id;     /* "anyone", "", "user:base64(sha1(user:password))", "10.0.0.0/8", ... */
};

struct caucus_identity { /* caucus_who_am_i */
    const char *scheme;
    const char *user;
};

enum caucus_create_mode {
    CAUCUS_PERSISTENT = 0,
    CAUCUS_EPHEMERAL = 1,
    CAUCUS_PERSISTENT_SEQUENTIAL = 2,
    CAUCUS_EPHEMERAL_SEQUENTIAL = 3,
    CAUCUS_CONTAINER = 4,      /* removed by the server when its last child is gone */
    CAUCUS_PERSISTENT_TTL = 5, /* removed when childless and not changed for ttl_ms */
    CAUCUS_PERSISTENT_SEQUENTIAL_TTL = 6
};

/* "= {0}" is a persistent node that everybody may change. */
struct caucus_create_options {
    const struct caucus_acl *acl; /* acl_count 0: world:anyone may do everything */
    size_t acl_count;
    int64_t ttl_ms; /* the TTL modes only: 1 to 2^40-1 */
    enum caucus_create_mode mode;
};

enum {
    CAUCUS_ANY_VERSION = -1
};

/* ---- Multi ------------------------------------------------------------------------------------
 */

enum caucus_op_type {
    CAUCUS_OP_CREATE = 1,
    CAUCUS_OP_DELETE = 2,
    CAUCUS_OP_SET = 5,
    CAUCUS_OP_CHECK = 13,      /* the node has this version */
    CAUCUS_OP_GET = 4,         /* caucus_multi_read only */
    CAUCUS_OP_GET_CHILDREN = 8 /* caucus_multi_read only */
};

struct caucus_op {
    enum caucus_op_type type;
    const char *path;
    const void *data; /* create, set */
    size_t data_bytes;
    int32_t version;                      /* delete, set, check */
    struct caucus_create_options options; /* create */
};

/* ---- Results -----------------------------------------------------------------------------------
 */

struct caucus_op_result {
    enum caucus_op_type type;
    int rc;
    const char *path; /* create */
    const void *data; /* get; NULL: the node's data is null */
    size_t data_bytes;
    /* set, get. Of a create NULL: telling it takes create2, and a server of 3.8.0 to 3.8.3 that
     * follows a newer leader passes over a transaction with a create2 in it. */
    const struct caucus_stat *stat;
    const char *const *names; /* get children */
    size_t name_count;
};

/* What is not of this operation is NULL and 0. Strings end with a zero. */
struct caucus_result {
    int rc;
    int64_t zxid;     /* the server's last transaction when it answered; 0 if no server did */
    const char *path; /* create: of the new node; sync: as it was given */
    const void *data; /* get, get_config, reconfig; a zero byte stands behind it. NULL: null */
    size_t data_bytes;
    const struct caucus_stat
        *stat;                /* create, exists, get, set, get_children2, get_acl, set_acl, ... */
    const char *const *names; /* get_children(2): names; get_ephemerals: paths. In no order */
    size_t name_count;
    const struct caucus_acl *acl; /* get_acl */
    size_t acl_count;
    int32_t number;                           /* get_all_children_number */
    const struct caucus_identity *identities; /* who_am_i; in no order */
    size_t identity_count;
    const struct caucus_op_result *results; /* multi, multi_read: one for each operation */
    size_t result_count;
};

typedef void caucus_done_fn(void *context, const struct caucus_result *result);

/* NULL is fine. */
CAUCUS_API void caucus_result_free(struct caucus_result *r);

/* ---- Handles ------------------------------------------------------------------------------------
 */

/* TLS 1.2 or 1.3 to every server. The certificate of a server must lead to one that is trusted and
 * name the host as it is written in `hosts`; otherwise another server is looked for, and
 * caucus_get_trouble says why. Files are PEM and read by caucus_open, not later. */
struct caucus_tls {
    const char *ca_file;   /* who is trusted: certificates, one after the other */
    const char *ca_folder; /* and those in files named by hashes (openssl rehash). If both are
                              NULL: whom the system trusts */
    const char *certificate_file; /* ours, then those that lead to a trusted one. NULL: none */
    const char *key_file;         /* its key. NULL: in certificate_file */
    const char *key_password;     /* NULL: the key is not encrypted */
    bool any_host; /* the certificate may name any host: whoever has one that is trusted can then
                      pass for the server */
    char *ret_trouble; /* with CAUCUS_BADTLS: which file, and what is wrong with it. May be NULL */
    size_t trouble_bytes; /* of ret_trouble */
};

/* SASL at the begin of every connection, before CONNECTED and before any request. That a server
 * refuses who we are is final (AUTH_FAILED). One that has no SASL, or cannot show that it knows the
 * password, is passed over like one that cannot be reached, and so is everything while Kerberos
 * cannot be asked (caucus_get_trouble). What follows is not encrypted by it: that is for TLS. Needs
 * libsasl2 (Cyrus SASL) and its plugin for the mechanism. */
struct caucus_sasl {
    const char *mechanism; /* "DIGEST-MD5" (or NULL); "GSSAPI": Kerberos, with the tickets of the
                              process's credential cache */
    const char *user;      /* DIGEST-MD5 */
    const char *password;  /* DIGEST-MD5 */
    const char *service;   /* GSSAPI: the servers are service/host. NULL: "zookeeper" */
    char *ret_trouble;     /* with CAUCUS_BADSASL: what is wrong. May be NULL */
    size_t trouble_bytes;  /* of ret_trouble */
};

struct caucus_options {
    int32_t session_timeout_ms; /* asked for; the server has limits of its own. 0: 10 seconds */
    bool read_only;             /* a server without quorum will do while there is no other */
    bool stop_when_lost;        /* LOST is final: no new session is begun, requests are refused */
    int64_t session_id; /* go on with this session, of a handle that was in this or another */
    uint8_t session_password[16]; /* process (caucus_session). 0: begin one */
    caucus_state_fn *on_state; /* as caucus_add_listener before anything can happen. May be NULL */
    void *on_state_context;
    size_t requests_max;      /* waiting for their answers; more are refused (BUSY), and so are more
                                 than 256 MiB of them. 0: 65,536 */
    size_t request_bytes_max; /* of one; bigger ones are refused (TOOBIG), because servers close the
                                 connection on them. 0: 1,048,575 as servers have it */
    size_t response_bytes_max;      /* of one; a bigger one ends the connection. 0: 16 MiB */
    uint64_t seed;                  /* of the order of hosts and of waiting times. 0: by chance */
    const struct caucus_tls *tls;   /* read by caucus_open only. NULL: plain TCP */
    const struct caucus_sasl *sasl; /* likewise. NULL: none */
};

/* `hosts`: "host:port,host:port/chroot"; the port may be left out (2181), IPv6 addresses stand in
 * brackets, names are looked up anew at each attempt. `options` may be NULL. Returns at once: that
 * the session began is told by the state CONNECTED, and requests may be made before; they wait for
 * the connection at most for the session's timeout (then CAUCUS_OPERATIONTIMEOUT). Errors:
 * CAUCUS_BADHOSTS, CAUCUS_BADTLS, CAUCUS_BADSASL, CAUCUS_BADARGUMENTS, CAUCUS_NORESOURCES. */
CAUCUS_API int caucus_open(const char *hosts, const struct caucus_options *options,
                           struct caucus **ret);
CAUCUS_API int caucus_open_loop(const char *hosts, const struct caucus_options *options,
                                struct caucus **ret);

/* Ends the session and frees the handle. Requests made before are still answered, if the server
 * does so soon (at most a third of the session's timeout, and 2 seconds), else with CAUCUS_CLOSING.
 * Every completion and every watch's last event comes before CLOSED, which is the last callback.
 *
 * Not on the event thread: returns after the last callback. In a callback: returns at once, the
 * callbacks go on after it. No other call may begin on the handle once this one has, except in
 * callbacks, where requests are refused with CAUCUS_CLOSING; blocking calls of other threads that
 * wait at this moment return. With caucus_open_loop: returns after the last callback, without
 * waiting for the server; in a callback, after it has returned. NULL is fine. */
CAUCUS_API void caucus_close(struct caucus *c);

/* Frees the handle like caucus_close, but leaves the session to its timeout: ephemeral nodes stay,
 * and another handle may go on with it (options.session_id). */
CAUCUS_API void caucus_abandon(struct caucus *c);

/* More listeners for states, called in the order they were added. A new one is first told the
 * present state, if it is not CONNECTING. After caucus_remove_listener has returned it is not
 * called any more; another thread's call is waited for. Returns CAUCUS_BADARGUMENTS if it is not
 * there. */
CAUCUS_API int caucus_add_listener(struct caucus *c, caucus_state_fn *listener, void *context);
CAUCUS_API int caucus_remove_listener(struct caucus *c, caucus_state_fn *listener, void *context);

/* As of this moment, which may be before the callback that tells of it. */
CAUCUS_API enum caucus_state caucus_get_state(struct caucus *c);

struct caucus_session {
    int64_t id; /* 0: none */
    uint8_t password[16];
    int32_t timeout_ms; /* agreed with the server */
    uint64_t generation;
    int64_t last_zxid; /* the last transaction that an answer of this session showed */
    int64_t
        safe_until_ns; /* before this moment no server can have ended the session by its timeout,
                          if clocks run at one pace and the servers' tickTime is at most half of
                          the timeout (their default: at most half). 0: no session */
};
CAUCUS_API void caucus_get_session(struct caucus *c, struct caucus_session *ret);

/* Why there is no connection, for people; "" when there is one, or nothing failed yet. Returns the
 * length of the text, of which at most bytes - 1 were copied, with a zero behind. */
CAUCUS_API size_t caucus_get_trouble(struct caucus *c, char *ret, size_t bytes);

/* CLOCK_BOOTTIME: goes on while the machine sleeps, as the servers' clocks do. */
CAUCUS_API int64_t caucus_now_ns(void);

/* Calls `run` once where callbacks run, at this time of caucus_now_ns or as soon after it as they
 * allow, with or without a connection; a time that is past means soon. When the handle is closed
 * before that, it is called then, before CLOSED. Not bounded like requests, so that an end can be
 * asked for when those are refused. Errors, after which it is never called: CAUCUS_BADARGUMENTS,
 * CAUCUS_CLOSING. */
typedef void caucus_run_fn(void *context);
CAUCUS_API int caucus_run_at(struct caucus *c, int64_t at_ns, caucus_run_fn *run, void *context);

/* Whether the calling thread is the one of the callbacks, on which blocking calls return
 * CAUCUS_WOULDBLOCK. With caucus_open_loop: always. */
CAUCUS_API bool caucus_is_event_thread(struct caucus *c);

CAUCUS_API const char *caucus_error_name(int rc); /* "CAUCUS_NONODE"; "unknown" */
CAUCUS_API const char *caucus_error_text(int rc); /* "no such node" */
CAUCUS_API const char *caucus_state_name(enum caucus_state state);
CAUCUS_API const char *caucus_event_name(enum caucus_event_type type);
CAUCUS_API const char *caucus_version(void); /* "0.1.0" */

/* ---- Your own loop (caucus_open_loop)
 * ------------------------------------------------------------ */

struct caucus_wants {
    int fd;        /* the same for the life of the handle; not to be read or closed */
    bool readable; /* wait for it to be readable (always true) */
    bool writable; /* or writable (always false: what is wanted of the socket is inside fd) */
    int64_t
        timeout_ms; /* call caucus_loop_run after this time even if nothing happened; -1: never */
};
CAUCUS_API void caucus_loop_wants(struct caucus *c, struct caucus_wants *ret);

/* Does what can be done without waiting, and calls the callbacks. When the handle was closed in one
 * of them it is gone afterwards, and false is returned. */
CAUCUS_API bool caucus_loop_run(struct caucus *c);

/* ---- Operations
 * ----------------------------------------------------------------------------------- *
 *
 * Errors of all that start an operation (some may as well come in the result): CAUCUS_BADARGUMENTS,
 * CAUCUS_TOOBIG, CAUCUS_BUSY, CAUCUS_CLOSING, CAUCUS_SESSIONEXPIRED (with stop_when_lost),
 * CAUCUS_AUTHFAILED, CAUCUS_FORKED. Of all results: CAUCUS_CONNECTIONLOSS, CAUCUS_OPERATIONTIMEOUT,
 * CAUCUS_SESSIONEXPIRED, CAUCUS_CLOSING, CAUCUS_NOTREADONLY and what else the server says; those
 * named below are an operation's own.
 *
 * `done` may be NULL when the result does not matter. `watch` NULL: none is set.
 *
 * Blocking: the result's rc is returned. `ret` may be NULL; otherwise *ret is set to the result,
 * the caller's, also when rc is not 0 (multi), and to NULL when the operation could not be started.
 */

/* `data` NULL: null. rc: NONODE (the parent), NODEEXISTS, NOCHILDRENFOREPHEMERALS, INVALIDACL,
 * NOAUTH, UNIMPLEMENTED (TTL), QUOTAEXCEEDED. */
CAUCUS_API int caucus_create(struct caucus *c, const char *path, const void *data,
                             size_t data_bytes, const struct caucus_create_options *options,
                             caucus_done_fn *done, void *context);
CAUCUS_API int caucus_create_wait(struct caucus *c, const char *path, const void *data,
                                  size_t data_bytes, const struct caucus_create_options *options,
                                  struct caucus_result **ret);

/* rc: NONODE, BADVERSION, NOTEMPTY, NOAUTH */
CAUCUS_API int caucus_delete(struct caucus *c, const char *path, int32_t version,
                             caucus_done_fn *done, void *context);
CAUCUS_API int caucus_delete_wait(struct caucus *c, const char *path, int32_t version);

/* rc: NONODE. The watch is set in either case. */
CAUCUS_API int caucus_exists(struct caucus *c, const char *path, caucus_watch_fn *watch,
                             void *watch_context, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_exists_wait(struct caucus *c, const char *path, caucus_watch_fn *watch,
                                  void *watch_context, struct caucus_result **ret);

/* rc: NONODE, NOAUTH */
CAUCUS_API int caucus_get(struct caucus *c, const char *path, caucus_watch_fn *watch,
                          void *watch_context, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_get_wait(struct caucus *c, const char *path, caucus_watch_fn *watch,
                               void *watch_context, struct caucus_result **ret);

/* rc: NONODE, BADVERSION, NOAUTH, QUOTAEXCEEDED */
CAUCUS_API int caucus_set(struct caucus *c, const char *path, const void *data, size_t data_bytes,
                          int32_t version, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_set_wait(struct caucus *c, const char *path, const void *data,
                               size_t data_bytes, int32_t version, struct caucus_result **ret);

/* rc: NONODE, NOAUTH. The first has no stat in its result. */
CAUCUS_API int caucus_get_children(struct caucus *c, const char *path, caucus_watch_fn *watch,
                                   void *watch_context, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_get_children_wait(struct caucus *c, const char *path, caucus_watch_fn *watch,
                                        void *watch_context, struct caucus_result **ret);
CAUCUS_API int caucus_get_children2(struct caucus *c, const char *path, caucus_watch_fn *watch,
                                    void *watch_context, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_get_children2_wait(struct caucus *c, const char *path, caucus_watch_fn *watch,
                                         void *watch_context, struct caucus_result **ret);

/* rc: NONODE, NOAUTH; INVALIDACL, BADVERSION (of the ACL) */
CAUCUS_API int caucus_get_acl(struct caucus *c, const char *path, caucus_done_fn *done,
                              void *context);
CAUCUS_API int caucus_get_acl_wait(struct caucus *c, const char *path, struct caucus_result **ret);
CAUCUS_API int caucus_set_acl(struct caucus *c, const char *path, const struct caucus_acl *acl,
                              size_t acl_count, int32_t aversion, caucus_done_fn *done,
                              void *context);
CAUCUS_API int caucus_set_acl_wait(struct caucus *c, const char *path, const struct caucus_acl *acl,
                                   size_t acl_count, int32_t aversion, struct caucus_result **ret);

/* The server catches up with the leader before it answers; a read made after it by the same handle
 * shows everything that was committed when the leader saw the sync. */
CAUCUS_API int caucus_sync(struct caucus *c, const char *path, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_sync_wait(struct caucus *c, const char *path);

/* All or nothing. rc: 0, or the code of the operation that failed; result.results has the code of
 * each (RUNTIMEINCONSISTENCY for those after it, 0 for those before, which were not done either).
 */
CAUCUS_API int caucus_multi(struct caucus *c, const struct caucus_op *ops, size_t op_count,
                            caucus_done_fn *done, void *context);
CAUCUS_API int caucus_multi_wait(struct caucus *c, const struct caucus_op *ops, size_t op_count,
                                 struct caucus_result **ret);

/* Several reads, of one state of the tree each: rc is 0 even if some failed, see results[i].rc.
 * Servers 3.6 and later. */
CAUCUS_API int caucus_multi_read(struct caucus *c, const struct caucus_op *ops, size_t op_count,
                                 caucus_done_fn *done, void *context);
CAUCUS_API int caucus_multi_read_wait(struct caucus *c, const struct caucus_op *ops,
                                      size_t op_count, struct caucus_result **ret);

/* The node need not exist. Servers 3.6 and later. */
CAUCUS_API int caucus_add_watch(struct caucus *c, const char *path, enum caucus_add_watch_mode mode,
                                caucus_watch_fn *watch, void *watch_context, caucus_done_fn *done,
                                void *context);
CAUCUS_API int caucus_add_watch_wait(struct caucus *c, const char *path,
                                     enum caucus_add_watch_mode mode, caucus_watch_fn *watch,
                                     void *watch_context);

/* Removes the watches of this kind on the path that call `watch` with `watch_context`, or all of
 * this kind if `watch` is NULL; each is told WATCH_REMOVED. `local`: they go even if the server
 * cannot be asked or refuses. rc: NOWATCHER. */
CAUCUS_API int caucus_remove_watches(struct caucus *c, const char *path,
                                     enum caucus_watch_kind kind, caucus_watch_fn *watch,
                                     void *watch_context, bool local, caucus_done_fn *done,
                                     void *context);
CAUCUS_API int caucus_remove_watches_wait(struct caucus *c, const char *path,
                                          enum caucus_watch_kind kind, caucus_watch_fn *watch,
                                          void *watch_context, bool local);

/* This session's ephemeral nodes whose path begins with the prefix (as text, "/" for all). */
CAUCUS_API int caucus_get_ephemerals(struct caucus *c, const char *prefix, caucus_done_fn *done,
                                     void *context);
CAUCUS_API int caucus_get_ephemerals_wait(struct caucus *c, const char *prefix,
                                          struct caucus_result **ret);

/* All descendants, not only children. rc: NONODE */
CAUCUS_API int caucus_get_all_children_number(struct caucus *c, const char *path,
                                              caucus_done_fn *done, void *context);
CAUCUS_API int caucus_get_all_children_number_wait(struct caucus *c, const char *path,
                                                   struct caucus_result **ret);

/* The identities of this connection. Servers 3.7 and later. */
CAUCUS_API int caucus_who_am_i(struct caucus *c, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_who_am_i_wait(struct caucus *c, struct caucus_result **ret);

/* Lists of server lines ("server.4=host:2888:3888;2181") and ids, separated by commas; NULL: none.
 * Either joining and leaving, or members. `config_version` -1: whatever it is now. The result's
 * data is the new configuration. rc: RECONFIGDISABLED, NOAUTH, NEWCONFIGNOQUORUM,
 * RECONFIGINPROGRESS, BADVERSION */
CAUCUS_API int caucus_reconfig(struct caucus *c, const char *joining, const char *leaving,
                               const char *members, int64_t config_version, caucus_done_fn *done,
                               void *context);
CAUCUS_API int caucus_reconfig_wait(struct caucus *c, const char *joining, const char *leaving,
                                    const char *members, int64_t config_version,
                                    struct caucus_result **ret);

/* The data of /zookeeper/config, whatever the chroot. */
CAUCUS_API int caucus_get_config(struct caucus *c, caucus_watch_fn *watch, void *watch_context,
                                 caucus_done_fn *done, void *context);
CAUCUS_API int caucus_get_config_wait(struct caucus *c, caucus_watch_fn *watch, void *watch_context,
                                      struct caucus_result **ret);

/* One more identity, for this session and all that follow: it is presented again at every
 * reconnection, before any request. A refusal is final (state AUTH_FAILED). Example: "digest",
 * "user:password". rc: AUTHFAILED */
CAUCUS_API int caucus_add_auth(struct caucus *c, const char *scheme, const void *auth,
                               size_t auth_bytes, caucus_done_fn *done, void *context);
CAUCUS_API int caucus_add_auth_wait(struct caucus *c, const char *scheme, const void *auth,
                                    size_t auth_bytes);

#ifdef __cplusplus
}
#endif

#endif
