/* The configurations: the one that is active, and the newest that was proposed. */
#include <stdlib.h>

#include "wire/zk.h"
#include "zab/zab_internal.h"

bool config_is_pending(const struct zab *z)
{
    return z->options.reconfig_enabled && z->last_seen->version > z->active->version;
}

void config_see(struct zab *z, struct quorum *q, bool ahead)
{
    bool known = q->version == z->last_seen->version && (ahead || !config_is_pending(z));
    if (!z->options.reconfig_enabled || known) {
        quorum_free(q);
        return;
    }
    quorum_free(z->last_seen);
    z->last_seen = q;
    z->host.config_seen(z->host.arg, q, ahead);
}

bool config_same_address(const struct quorum *a, const struct quorum *b, int64_t sid)
{
    const struct quorum_server *x = quorum_find(a, sid), *y = quorum_find(b, sid);
    if (x == NULL || y == NULL || x->observer || y->observer ||
        x->address_count != y->address_count)
        return false;
    for (size_t i = 0; i < x->address_count; i++) {
        const struct quorum_address *p = &x->addresses[i], *q = &y->addresses[i];
        if (p->quorum_port != q->quorum_port || strcmp(p->host, q->host) != 0)
            return false;
    }
    return true;
}

static bool role_changes(struct zab *z, const struct quorum *q)
{
    const struct quorum_server *me = quorum_find(q, z->options.sid);
    bool observer = me != NULL && me->observer;
    bool changes = observer != z->options.observer;
    z->options.observer = observer;
    return changes;
}

bool config_activate(struct zab *z, const struct quorum *q, int64_t leader, int64_t designated)
{
    if (!z->options.reconfig_enabled || q->version <= z->active->version)
        return false;

    struct quorum *before = z->active;
    z->active = quorum_copy(q);
    if (z->active->version > z->last_seen->version) {
        quorum_free(z->last_seen);
        z->last_seen = quorum_copy(q);
    }
    bool major = role_changes(z, z->active);
    if (designated >= 0)
        major |= designated != leader;
    else
        major |= !config_same_address(before, z->active, leader);
    quorum_free(before);

    z->host.config_active(z->host.arg, z->active);
    zab_trace(z, ZAB_TRACE_CONFIG, -1, 0, z->active->version, NULL);
    return major;
}

struct quorum *config_of_txn(struct slice entry, bool *ret_bad)
{
    *ret_bad = false;
    struct dec d = dec_of(entry);
    struct rec_txn_header header;
    if (!rec_get_txn_header(&d, &header) || header.type != ZK_OP_RECONFIG)
        return NULL;

    struct rec_set_data_txn txn;
    struct quorum *q = NULL;
    if (!rec_get_set_data_txn(&d, &txn) || quorum_parse(txn.data, &q, NULL) < 0)
        *ret_bad = true;
    return q;
}
