/* auth.c: auth packets and enforced authentication (ZooKeeperServer.processPacket,
 * DigestAuthenticationProvider, IPAuthenticationProvider, EnsembleAuthenticationProvider,
 * AuthenticationHelper). */
#include "node/effects_internal.h"
#include "node/node_internal.h"

enum {
    DIGEST_TEXT_MAX = 128
};

/* "user:password" becomes "user:base64(hash(user:password))" appended to `out`; false without a
 * hash. */
static bool digest_id(const struct node *n, struct slice auth, struct buf *out)
{
    char digest[DIGEST_TEXT_MAX];
    size_t len = n->options.digest(auth, digest);
    if (len == 0)
        return false;
    const uint8_t *colon = auth.len > 0 ? memchr(auth.ptr, ':', auth.len) : NULL;
    buf_put(out, auth.ptr, colon != NULL ? (size_t)(colon - auth.ptr) : auth.len);
    buf_put_u8(out, ':');
    buf_put(out, digest, len);
    return true;
}

static bool is_super(const struct node *n, struct slice digest)
{
    return n->options.super_digest[0] != 0 && slice_eq_str(digest, n->options.super_digest);
}

/* One of a comma separated list, blanks around it ignored. */
static bool list_has(const char *list, struct slice name)
{
    const char *at = list;
    while (*at != 0) {
        const char *end = strchr(at, ',');
        struct slice item = slice_of(at, end != NULL ? (size_t)(end - at) : strlen(at));
        while (item.len > 0 && item.ptr[0] == ' ')
            item = slice_from(item, 1);
        while (item.len > 0 && item.ptr[item.len - 1] == ' ')
            item.len--;
        if (slice_eq(item, name))
            return true;
        if (end == NULL)
            return false;
        at = end + 1;
    }
    return false;
}

static bool auth_digest(struct node *n, struct client *c, struct slice auth)
{
    struct buf id = {0};
    bool ok = !slice_is_null(auth) && digest_id(n, auth, &id);
    if (ok && is_super(n, buf_slice(&id)))
        ok = client_add_identity(c, slice_str("super"), slice_str(""));
    if (ok)
        ok = client_add_identity(c, slice_str("digest"), buf_slice(&id));
    buf_deinit(&id);
    return ok;
}

enum auth_outcome {
    AUTH_OK,
    AUTH_REFUSED,
    AUTH_WRONG_ENSEMBLE
};

static enum auth_outcome authenticate(struct node *n, struct client *c, struct slice scheme,
                                      struct slice auth)
{
    if (slice_eq_str(scheme, "digest") && n->options.digest_auth_enabled)
        return auth_digest(n, c, auth) ? AUTH_OK : AUTH_REFUSED;
    if (slice_eq_str(scheme, "ip"))
        return AUTH_OK; /* it has that identity since it connected */
    if (slice_eq_str(scheme, "ensemble") && n->options.ensemble_auth_name[0] != 0) {
        if (auth.len > 0 && !list_has(n->options.ensemble_auth_name, auth))
            return AUTH_WRONG_ENSEMBLE;
        metric_inc(&n->metrics,
                   auth.len > 0 ? METRIC_ENSEMBLE_AUTH_SUCCESS : METRIC_ENSEMBLE_AUTH_SKIP);
        return AUTH_OK;
    }
    return AUTH_REFUSED;
}

/* Answered at once, ahead of requests still on their way. */
void on_auth(struct node *n, struct client *c, int32_t xid, struct dec *d, struct effects *fx)
{
    struct rec_auth_packet packet;
    if (!rec_get_auth_packet(d, &packet)) {
        client_close(c, "malformed auth packet", fx);
        return;
    }
    switch (authenticate(n, c, packet.scheme, packet.auth)) {
    case AUTH_OK:
        reply_header(n, c, xid, 0, 0, fx);
        break;
    case AUTH_REFUSED:
        metric_inc(&n->metrics, METRIC_AUTH_FAILED_COUNT);
        fx_trace(fx, (struct trace_effect){
                         .type = TRACE_AUTH_FAILED, .session_id = c->session_id, .client = c->id});
        reply_header(n, c, xid, 0, ZK_AUTHFAILED, fx);
        client_close(c, "", fx);
        break;
    case AUTH_WRONG_ENSEMBLE:
        metric_inc(&n->metrics, METRIC_ENSEMBLE_AUTH_FAIL);
        client_close(c, "client asks for another ensemble", fx);
        break;
    }
}

static void reply_sasl(struct node *n, struct client *c, int32_t xid, int32_t err,
                       struct slice token, struct effects *fx)
{
    size_t begun = reply_begin(fx, xid, 0, err);
    rec_put_set_sasl_response(&fx->send_bytes, &(struct rec_set_sasl_response){token});
    reply_end(n, c, begun, fx);
}

static void sasl_failed(struct node *n, struct client *c, int32_t xid, struct effects *fx)
{
    bool required = n->options.require_sasl;
    if (n->options.allow_sasl_failed && !required) {
        reply_sasl(n, c, xid, 0, (struct slice){0}, fx);
        return;
    }
    metric_inc(&n->metrics, METRIC_AUTH_FAILED_COUNT);
    fx_trace(fx, (struct trace_effect){
                     .type = TRACE_AUTH_FAILED, .session_id = c->session_id, .client = c->id});
    reply_sasl(n, c, xid, required ? ZK_SESSIONCLOSEDREQUIRESASLAUTH : ZK_AUTHFAILED,
               (struct slice){0}, fx);
    client_close(c, "", fx);
}

/* Answered at once, like auth packets. Without a login context processSasl finds no SASL server,
 * answers with a null token, and leaves the client what it is. */
void on_sasl(struct node *n, struct client *c, int32_t xid, struct dec *d, struct effects *fx)
{
    struct rec_get_sasl_request packet;
    if (!rec_get_get_sasl_request(d, &packet) || slice_is_null(packet.token)) {
        client_close(c, "malformed sasl packet", fx);
        return;
    }
    if (n->options.sasl == NULL) {
        reply_sasl(n, c, xid, 0, (struct slice){0}, fx);
        return;
    }
    struct node_sasl_answer answer = {.outcome = NODE_SASL_FAILED};
    n->options.sasl(n->options.sasl_driver, c->id, packet.token, &answer);
    if (answer.outcome == NODE_SASL_DONE) {
        client_add_identity(c, slice_str("sasl"), answer.user);
        if (answer.super)
            client_add_identity(c, slice_str("super"), slice_str(""));
    }
    if (answer.outcome == NODE_SASL_FAILED)
        sasl_failed(n, c, xid, fx);
    else
        reply_sasl(n, c, xid, 0, answer.token, fx);
}

bool auth_enforced(struct node *n, struct client *c, int32_t xid, struct effects *fx)
{
    if (!n->options.enforce_auth && !n->options.require_sasl)
        return true;
    const char *schemes = n->options.require_sasl ? "sasl" : n->options.enforce_auth_schemes;
    for (uint32_t i = 0; i < c->identity_count; i++) {
        if (list_has(schemes, c->identities[i].scheme))
            return true;
    }
    reply_header(n, c, xid, 0, ZK_SESSIONCLOSEDREQUIRESASLAUTH, fx);
    client_close(c, "authentication is enforced", fx);
    return false;
}

int32_t node_authenticate(const struct node *n, struct slice scheme, struct slice auth,
                          struct slice address, struct buf *ret_id, struct slice *ret_scheme)
{
    if (slice_eq_str(scheme, "ip")) {
        buf_put_slice(ret_id, address);
        *ret_scheme = slice_str("ip");
        return 0;
    }
    if (!slice_eq_str(scheme, "digest") || !n->options.digest_auth_enabled)
        return ZK_AUTHFAILED;
    if (!digest_id(n, auth, ret_id))
        return ZK_AUTHFAILED;
    *ret_scheme = is_super(n, buf_slice(ret_id)) ? slice_str("super") : slice_str("digest");
    return 0;
}
