/* main.c: caucusd. */
#include <stdio.h>
#include <stdlib.h>

#include "server/arguments.h"
#include "server/digest_auth.h"
#include "server/local_ensemble.h"
#include "server/server.h"
#include "tls/context.h"

static void tell_note(void *arg, const struct config_note *note)
{
    static const struct {
        enum log_level level;
        const char *event;
    } styles[] = {
        [CONFIG_WRONG] = {LOG_ERROR, "config_refused"},
        [CONFIG_NO_EFFECT] = {LOG_WARN, "config_without_effect"},
        [CONFIG_UNKNOWN] = {LOG_WARN, "config_unknown"},
        [CONFIG_ADVICE] = {LOG_WARN, "config_adjusted"},
    };
    (void)arg;
    char place[4096 + 16];
    struct log_line l;
    log_begin(&l, styles[note->severity].level, styles[note->severity].event);
    if (note->line > 0)
        snprintf(place, sizeof place, "%s:%d", note->file, note->line);
    log_text(&l, "file", note->line > 0 ? place : note->file);
    if (note->key[0] != 0) {
        log_text(&l, "key", note->key);
        log_text(&l, "value", note->value);
    }
    log_text(&l, "text", note->text);
    log_end(&l);
}

static int read_config(int argc, char **argv, const struct arguments *a, struct config *config)
{
    if (a->config_file != NULL && config_read_file(config, a->config_file) < 0)
        return -1;
    arguments_apply(argc, argv, config);
    if (config_finish(config) < 0)
        return -1;
    const char *algorithm = config_text(config, CONFIG_DIGEST_ALG);
    if (digest_auth_select(algorithm))
        return 0;
    config_tell(config, CONFIG_WRONG, config_property_of(config, CONFIG_DIGEST_ALG),
                "must be a digest that OpenSSL has: SHA1, SHA-256, SHA-512, SHA3-256, ...");
    return -1;
}

/* What a start reads besides, and would fail at. */
static int check_files(struct config *c)
{
    struct err err;
    struct tls_context *tls = NULL;
    if (config_has_tls(c) && options_tls(c, &tls, &err) < 0)
        config_tell(c, CONFIG_WRONG, NULL, "%s", err.text);
    tls_context_free(tls);
    struct sasl *sasl = NULL;
    if (sasl_open(c, &sasl, &err) < 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_JAAS), "%s", err.text);
    sasl_close(sasl);
    return c->wrong_count > 0 ? -1 : 0;
}

static int check(struct config *c)
{
    if (check_files(c) < 0)
        return SERVER_EXIT_USAGE;
    printf("the configuration is right\n");
    return SERVER_EXIT_OK;
}

static int serve(int argc, char **argv, const struct arguments *a, int64_t started_ns)
{
    struct config config;
    config_init(&config, tell_note, NULL);
    int code = SERVER_EXIT_USAGE;
    if (read_config(argc, argv, a, &config) == 0) {
        code = a->action == ARGUMENTS_CHECK ? check(&config) : server_run(&config, started_ns);
    }
    config_deinit(&config);
    return code;
}

int main(int argc, char **argv)
{
    int64_t started_ns = loop_clock_ns();
    struct arguments a;
    arguments_parse(argc, argv, &a);
    log_set_level(a.log_level);
    switch (a.action) {
    case ARGUMENTS_HELP:
        fputs(arguments_help, stdout);
        return SERVER_EXIT_OK;
    case ARGUMENTS_VERSION:
        printf("caucusd %s (ZooKeeper %s)\n", CAUCUS_VERSION, SERVER_ZOOKEEPER_VERSION);
        return SERVER_EXIT_OK;
    case ARGUMENTS_WRONG:
        fprintf(stderr, "caucusd: %s\nTry 'caucusd --help'.\n", a.problem);
        return SERVER_EXIT_USAGE;
    case ARGUMENTS_ENSEMBLE:
        return local_ensemble_run(argc, argv, &a);
    case ARGUMENTS_SERVE:
    case ARGUMENTS_CHECK:
        break;
    }
    return serve(argc, argv, &a, started_ns);
}
