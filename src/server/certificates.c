/* certificates.c: TLS for clients, from files that may change while we serve (client.certReload:
 * ClientX509Util with X509Util.enableCertFileReloading). Who is connected stays so, whatever he
 * showed; who comes is met with what was read last. */
#include "io/file_watch.h"
#include "server/server.h"
#include "tls/context.h"

enum {
    FILES_MAX = 4
};

static void tell(enum log_level level, const char *event, const char *file, const char *reason)
{
    struct log_line l;
    log_begin(&l, level, event);
    if (file != NULL)
        log_text(&l, "file", file);
    if (reason != NULL)
        log_text(&l, "reason", reason);
    log_end(&l);
}

/* What cannot be used changes nothing: half of it may be written yet, and then there is more to
 * come. Reading takes some milliseconds of T0, once in months. */
static void on_change(void *arg)
{
    struct server *s = arg;
    struct tls_context *fresh;
    struct err err = {""};
    if (options_tls(s->config, &fresh, &err) < 0) {
        tell(LOG_WARN, "tls_files_not_taken", NULL, err.text);
        return;
    }
    tls_context_free(s->clients.tls);
    s->clients.tls = fresh;
    tell(LOG_INFO, "tls_files_taken", config_text(s->config, CONFIG_SSL_KEYSTORE), NULL);
}

static void on_lost(void *arg, const char *path, const char *reason)
{
    (void)arg;
    tell(LOG_WARN, "tls_file_not_watched", path, reason);
}

static int watch_files(struct server *s, struct err *err)
{
    static const enum config_id ids[FILES_MAX] = {
        CONFIG_SSL_KEYSTORE, CONFIG_SSL_KEYSTORE_PASSWORD_PATH, CONFIG_SSL_TRUSTSTORE,
        CONFIG_SSL_TRUSTSTORE_PASSWORD_PATH};
    const char *paths[FILES_MAX];
    struct file_watch_options o = {
        .paths = paths, .on_change = on_change, .on_lost = on_lost, .arg = s};
    for (size_t i = 0; i < FILES_MAX; i++) {
        const char *path = config_text(s->config, ids[i]);
        if (path[0] != 0)
            paths[o.count++] = path;
    }
    int rc = file_watch_open(&s->loop, &o, &s->clients.tls_files, err);
    return rc < 0 ? err_wrap(err, rc, "client.certReload") : 0;
}

int certificates_open(struct server *s, struct err *err)
{
    int rc = 0;
    if (config_flag(s->config, CONFIG_CERT_RELOAD))
        rc = watch_files(s, err);
    return rc == 0 ? options_tls(s->config, &s->clients.tls, err) : rc;
}

void certificates_unwatch(struct server *s)
{
    file_watch_close(s->clients.tls_files);
    s->clients.tls_files = NULL;
}
