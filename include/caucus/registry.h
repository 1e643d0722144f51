/* registry.h: where the instances of a service are.
 *
 *   BASE/NAME/ID is an ephemeral node for each instance: the service's name, the instance's id.
 *   Its data is JSON, as Curator's x-discovery writes and reads it, so that the two find each
 *   other's services:
 *
 *   {"name": "web", "id": "a1", "address": "10.0.0.7", "port": 8080, "sslPort": null,
 *    "payload": ..., "registrationTimeUTC": 1325129459728, "serviceType": "DYNAMIC",
 *    "uriSpec": null}
 *
 * The payload is a text (a JSON string; what Curator has of the type String), or any other JSON
 * value, which goes in and out as it is (Curator wants an object to name its class, "@class").
 *
 * ---- Registering ----
 *
 * A registration keeps its instance's node there until it is closed; the rules are those of a
 * membership (membership.h), among them for ids that somebody else has.
 *
 * ---- Discovering ----
 *
 * A struct caucus_discovery is the list of a service's instances, kept current by a watch
 * (cache.h), and picks one for each use:
 *
 *   CAUCUS_ROUND_ROBIN  one after the other, in the order of their ids
 *   CAUCUS_RANDOM       any
 *   CAUCUS_STICKY       the same one as long as it is there and not down; then another, at random
 *
 * Servers list an instance for as long as its session lives, also if it cannot be reached from
 * here. So those that failed can be marked (caucus_discovery_fail): after `failures_max` of them
 * within `down_ms` an instance is passed over, until so much time has gone since the first of them.
 * That is known to this discovery alone.
 *
 *   disconnection   the list stays as it was, and instances are picked from it: what is old by some
 *                   seconds beats nothing, and those that do not answer are marked
 *   expiry          as disconnection. What changed meanwhile is told when it is back
 *
 * Instances whose data is not as above are not listed, and told as TROUBLE with
 * CAUCUS_MARSHALLINGERROR. Those that Curator has disabled ("enabled": false) are listed, and not
 * picked.
 *
 * Callbacks run where those of the client run (caucus.h). */
#ifndef CAUCUS_CAUCUS_REGISTRY_H
#define CAUCUS_CAUCUS_REGISTRY_H

#include "caucus/caucus.h"
#include "caucus/policy.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Texts are UTF-8; NULL: null. */
struct caucus_instance {
    const char *name; /* of the service */
    const char *id;
    const char *address;
    int32_t port;     /* 0: none */
    int32_t tls_port; /* 0: none */
    const char *payload;
    bool payload_is_json;  /* it is a JSON value, else a text */
    bool is_disabled;      /* read only: registering one is refused */
    int64_t registered_ms; /* since 1970; 0 when registering: now */
};

/* ---- Registering ---- */

struct caucus_registration;

enum caucus_registration_news {
    CAUCUS_REGISTERED = 1,
    CAUCUS_UNREGISTERED, /* or nobody knows */
    CAUCUS_REGISTRATION_TROUBLE,
};

struct caucus_registration_change {
    enum caucus_registration_news news;
    const char *path; /* of the instance's node */
    int rc;           /* as of caucus_membership_change */
};

typedef void caucus_registration_fn(void *context, struct caucus_registration *r,
                                    const struct caucus_registration_change *change);

struct caucus_registration_options {
    enum caucus_policy policy; /* of what is told; 0: CAUCUS_STRICT */
    bool take_over;            /* another's node of this id, once, as in membership.h */
    const struct caucus_acl
        *acl; /* of nodes that are made; acl_count 0: everybody may everything */
    size_t acl_count;
    caucus_registration_fn *on_change; /* may be NULL */
    void *context;
};

/* Registers the instance below this path, now or when there is a session, and until it is closed.
 * An id NULL is made up. Everything is copied; `options` may be NULL. The first callback may come
 * before this returns. Errors: CAUCUS_BADARGUMENTS (the path, name or id cannot be a node's; a text
 * that is not UTF-8, a payload that is not JSON; a port that is none), CAUCUS_CLOSING. */
CAUCUS_API int caucus_registration_open(struct caucus *c, const char *base,
                                        const struct caucus_instance *instance,
                                        const struct caucus_registration_options *options,
                                        struct caucus_registration **ret);
/* Unregisters it. As caucus_membership_close. NULL is fine. */
CAUCUS_API void caucus_registration_close(struct caucus_registration *r);
/* The instance looks like this, soon; its name and id are not looked at. From any thread. Errors:
 * CAUCUS_BADARGUMENTS. */
CAUCUS_API int caucus_registration_update(struct caucus_registration *r,
                                          const struct caucus_instance *instance);
/* As of this moment; what is in doubt is not. From any thread. */
CAUCUS_API bool caucus_registration_is_there(struct caucus_registration *r);
/* The id, as long as the registration is open. */
CAUCUS_API const char *caucus_registration_id(struct caucus_registration *r);
/* Waits until it is registered. Errors: as caucus_membership_await. */
CAUCUS_API int caucus_registration_await(struct caucus_registration *r, int64_t timeout_ms);

/* ---- Discovering ---- */

struct caucus_discovery;

enum caucus_strategy {
    CAUCUS_ROUND_ROBIN = 0,
    CAUCUS_RANDOM,
    CAUCUS_STICKY,
};

enum caucus_discovery_news {
    CAUCUS_INSTANCE_ADDED = 1, /* also of those that were there before */
    CAUCUS_INSTANCE_CHANGED,
    CAUCUS_INSTANCE_REMOVED,
    CAUCUS_DISCOVERY_CURRENT, /* all have been read: at first, and after each reconnection */
    CAUCUS_DISCOVERY_TROUBLE, /* an instance, or none, can be read */
};

struct caucus_discovery_change {
    enum caucus_discovery_news news;
    const struct caucus_instance *instance; /* as it is; REMOVED: as it was */
    const char *path;                       /* TROUBLE: of the node; else NULL */
    int rc;                                 /* TROUBLE: the error; else 0 */
};

/* caucus_discovery_list shows the instances as of this change here. */
typedef void caucus_discovery_fn(void *context, struct caucus_discovery *d,
                                 const struct caucus_discovery_change *change);

struct caucus_discovery_options {
    enum caucus_strategy strategy;
    int64_t down_ms;                /* 0: 30 seconds */
    int32_t failures_max;           /* 0: 2 */
    caucus_discovery_fn *on_change; /* may be NULL */
    void *context;
};

/* Begins to watch this service below this path; it need not exist. `options` may be NULL. The first
 * callback may come before this returns. Errors: CAUCUS_BADARGUMENTS, CAUCUS_CLOSING. */
CAUCUS_API int caucus_discovery_open(struct caucus *c, const char *base, const char *name,
                                     const struct caucus_discovery_options *options,
                                     struct caucus_discovery **ret);
/* No callback comes after this has returned. As caucus_membership_close. NULL is fine. */
CAUCUS_API void caucus_discovery_close(struct caucus_discovery *d);

/* Waits until all instances have been read in the connection that there is. Errors:
 * CAUCUS_OPERATIONTIMEOUT, CAUCUS_CLOSING, CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_discovery_await(struct caucus_discovery *d, int64_t timeout_ms);

/* An instance to use now, the caller's, freed with caucus_instance_free; if there is none, waits
 * for one, at most timeout_ms (0: not at all; -1: for ever). From any thread; on that of the
 * callbacks only without waiting. Errors: CAUCUS_OPERATIONTIMEOUT (there is none), CAUCUS_CLOSING,
 * CAUCUS_WOULDBLOCK. */
CAUCUS_API int caucus_discovery_pick(struct caucus_discovery *d, int64_t timeout_ms,
                                     struct caucus_instance **ret);
CAUCUS_API void caucus_instance_free(struct caucus_instance *instance); /* NULL is fine */

/* The instance of this id could not be used. From any thread. */
CAUCUS_API void caucus_discovery_fail(struct caucus_discovery *d, const char *id);

/* The instances as of one moment, in the order of their ids as bytes, also those that are down; the
 * caller's, freed with caucus_instances_free. From any thread, also in callbacks. */
struct caucus_instances {
    const struct caucus_instance *const *instances;
    size_t count;
};
CAUCUS_API void caucus_discovery_list(struct caucus_discovery *d, struct caucus_instances **ret);
CAUCUS_API void caucus_instances_free(struct caucus_instances *instances); /* NULL is fine */

#ifdef __cplusplus
}
#endif

#endif
