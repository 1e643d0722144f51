/* traces.c: what the node tells (effects.h, enum trace_type) as lines of the log. */
#include <string.h>

#include "server/server.h"

struct trace_style {
    const char *event;
    enum log_level level;
    bool gated; /* a client can cause it as often as it likes: a line per second at most */
    const char *value, *text; /* the names of these fields; NULL = "value", "what" */
};

static const struct trace_style styles[] = {
    [TRACE_SESSION_CREATED] = {"session_created", LOG_DEBUG, false, NULL, NULL},
    [TRACE_SESSION_CLOSED] = {"session_closed", LOG_DEBUG, false, NULL, NULL},
    [TRACE_SESSION_EXPIRED] = {"session_expired", LOG_INFO, true, NULL, NULL},
    [TRACE_SESSION_REFUSED] = {"session_refused", LOG_INFO, true, NULL, NULL},
    [TRACE_SESSION_MOVED] = {"session_moved", LOG_DEBUG, false, NULL, NULL},
    [TRACE_AUTH_FAILED] = {"auth_failed", LOG_WARN, true, NULL, NULL},
    [TRACE_SNAPSHOT_BEGIN] = {"snapshot_begin", LOG_DEBUG, false, NULL, NULL},
    [TRACE_SNAPSHOT_DONE] = {"snapshot_taken_over", LOG_DEBUG, false, NULL,
                             NULL}, /* storage.c says more */
    [TRACE_SNAPSHOT_FAILED] = {"snapshot_given_up", LOG_DEBUG, false, NULL, NULL},
    [TRACE_DIGEST_MISMATCH] = {"digest_mismatch", LOG_ERROR, true, NULL, NULL},
    [TRACE_QUOTA_SOFT] = {"quota_soft_exceeded", LOG_WARN, true, NULL, NULL},
    [TRACE_WRITES_REFUSED] = {"writes_refused", LOG_ERROR, false, NULL, NULL},
    [TRACE_WRITES_ACCEPTED] = {"writes_accepted", LOG_INFO, false, NULL, NULL},
    [TRACE_STATE_REPLACED] = {"state_replaced", LOG_WARN, false, NULL, NULL},
    [TRACE_LARGE_REQUEST] = {"large_request_refused", LOG_WARN, true, NULL, NULL},
    [TRACE_LOOKING] = {"looking", LOG_INFO, false, .value = "round"},
    [TRACE_ELECTED] = {"elected", LOG_INFO, false, .value = "leader"},
    [TRACE_LEADING] = {"leading", LOG_INFO, false, .value = "epoch"},
    [TRACE_FOLLOWING] = {"following", LOG_INFO, false, .value = "leader"},
    [TRACE_OBSERVING] = {"observing", LOG_INFO, false, .value = "leader"},
    [TRACE_SERVING] = {"serving", LOG_INFO, false, .value = "epoch"},
    [TRACE_SERVING_READ_ONLY] = {"serving_read_only", LOG_WARN, false, NULL, NULL},
    [TRACE_ROLE_LOST] = {"role_lost", LOG_WARN, false, .text = "reason"},
    [TRACE_LEARNER_SYNCED] = {"learner_synced", LOG_INFO, false, .value = "server", .text = "by"},
    [TRACE_LEARNER_GONE] = {"learner_gone", LOG_WARN, false, .value = "server", .text = "reason"},
    [TRACE_SYNCED_BY] = {"synced", LOG_INFO, false, .value = "leader", .text = "by"},
    [TRACE_CONFIG_ACTIVE] = {"config_active", LOG_INFO, false, .value = "version"},
    [TRACE_PEER_REFUSED] = {"peer_refused", LOG_WARN, true, .value = "server", .text = "reason"},
    [TRACE_SESSION_UPGRADED] = {"session_upgraded", LOG_DEBUG, false, NULL, NULL},
};

static void add_peer(struct log_line *l, struct server *s, uint64_t client)
{
    const struct peer *p = clients_find(s, client);
    if (p == NULL)
        return;
    char text[LISTEN_ADDRESS_BYTES];
    listen_address_text((const struct sockaddr *)&p->address, text);
    log_text(l, "peer", text);
}

static void add_role(struct log_line *l, struct server *s)
{
    static const char *const roles[] = {[NODE_ALONE] = "alone",
                                        [NODE_LOOKING] = "none",
                                        [NODE_LEADING] = "leader",
                                        [NODE_FOLLOWING] = "follower",
                                        [NODE_OBSERVING] = "observer"};
    log_text(l, "role", roles[node_role(s->node)]);
    log_int(l, "server", s->config->my_id);
    log_int(l, "port", s->info.conf.client_port);
}

/* What the windows want to know of a role, and only traces tell. */
static void note_role(struct server *s, const struct trace_effect *t)
{
    if (t->type == TRACE_SYNCED_BY && t->text != NULL)
        s->membership.sync_mode = strcmp(t->text, "DIFF") == 0    ? "diff"
                                  : strcmp(t->text, "TRUNC") == 0 ? "trunc"
                                                                  : "snap";
    if (t->type == TRACE_SERVING || t->type == TRACE_ROLE_LOST)
        s->membership.sync_mode = NULL;
    if (t->type == TRACE_SERVING)
        s->membership.serving_since_ns = loop_now_ns(&s->loop);
}

void server_trace(struct server *s, const struct trace_effect *t)
{
    windows_trace(s, t);
    if (t->type == TRACE_COMMITTED) {
        if (s->audit != NULL)
            auditing_commit(s, t);
        return;
    }
    const struct trace_style *style = &styles[t->type];
    note_role(s, t);
    uint64_t held_back = 0;
    if (style->gated && !log_gate_pass(&s->trace_gates[t->type], loop_now_ns(&s->loop), &held_back))
        return;
    struct log_line l;
    log_begin(&l, style->level, style->event);
    if (t->session_id != 0)
        log_hex(&l, "session", t->session_id);
    if (t->zxid != 0)
        log_hex(&l, "zxid", t->zxid);
    if (t->client != 0)
        add_peer(&l, s, t->client);
    if (t->value != 0 || style->value != NULL)
        log_int(&l, style->value != NULL ? style->value : "value", t->value);
    if (t->text != NULL)
        log_text(&l, style->text != NULL ? style->text : "what", t->text);
    if (t->type == TRACE_SERVING)
        add_role(&l, s);
    if (held_back > 0)
        log_int(&l, "not_shown", (int64_t)held_back);
    log_end(&l);
}
