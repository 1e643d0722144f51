/* auditing.c: what the audit log hears of this server, and where its lines go: to the log, whole
 * and whatever the log level, behind the usual head. */
#include <pwd.h>
#include <unistd.h>

#include "server/audit.h"
#include "server/server.h"

static void write_line(void *arg, bool failure, struct slice line)
{
    (void)arg;
    log_whole(failure ? LOG_ERROR : LOG_INFO, "audit", line);
}

void auditing_open(struct server *s)
{
    if (!config_flag(s->config, CONFIG_AUDIT))
        return;
    char room[4096];
    struct passwd entry, *user = NULL;
    getpwuid_r(geteuid(), &entry, room, sizeof room, &user);
    s->audit =
        audit_create(user != NULL ? user->pw_name : "<NA>", options_seed(), write_line, NULL);
}

void auditing_request(struct server *s, uint64_t client, struct slice frame)
{
    struct node_client_view view;
    if (node_client(s->node, client, &view))
        audit_request(s->audit, &view, frame);
}

void auditing_commit(struct server *s, const struct trace_effect *t)
{
    audit_commit(s->audit, &(struct audit_commit){
                               .session_id = t->session_id,
                               .cxid = (int32_t)t->value,
                               .type = t->op,
                               .parts = buf_part(&s->fx.send_bytes, t->at, t->len),
                           });
}
