#include "server/config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

enum {
    CONFIG_FILE_BYTES_MAX = 1 << 20
};

static char *dup_text(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

/* ---- reading ---- */

void config_init(struct config *c, config_note_fn *note, void *arg)
{
    *c = (struct config){.my_id = -1, .note = note, .note_arg = arg};
}

void config_deinit(struct config *c)
{
    for (int id = 0; id < CONFIG_KEY_COUNT; id++)
        free(c->values[id].text);
    properties_deinit(&c->properties);
    properties_deinit(&c->dynamic);
    quorum_free(c->ensemble);
    quorum_free(c->ensemble_seen);
    free(c->dynamic_file);
    free(c->file);
    *c = (struct config){0};
}

static const char *file_of(const struct config *c, const struct property *p)
{
    if (p != NULL && c->dynamic.count > 0 && p >= c->dynamic.items &&
        p < c->dynamic.items + c->dynamic.count)
        return c->dynamic_file;
    bool from_file = p == NULL || p->line > 0;
    return from_file && c->file != NULL ? c->file : "command line";
}

void config_tell(struct config *c, enum config_severity severity, const struct property *p,
                 const char *format, ...)
{
    char text[600];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);

    struct config_note note = {
        .severity = severity,
        .file = file_of(c, p),
        .line = p != NULL ? p->line : 0,
        .key = p != NULL ? p->key : "",
        .value = p != NULL ? p->value : "",
        .text = text,
    };
    if (severity == CONFIG_WRONG)
        c->wrong_count++;
    c->note(c->note_arg, &note);
}

int config_read_whole(const char *path, struct buf *ret, struct err *err)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "%s", strerror(errno));
    buf_init(ret, CONFIG_FILE_BYTES_MAX);
    char chunk[4096];
    size_t got;
    while ((got = fread(chunk, 1, sizeof chunk, f)) > 0)
        buf_put(ret, chunk, got);
    int error = ferror(f) ? errno : 0;
    fclose(f);
    if (error == 0 && buf_ok(ret))
        return 0;

    bool large = !buf_ok(ret);
    buf_deinit(ret);
    if (large)
        return err_set(err, ERR_TOOBIG, "is larger than %d bytes", CONFIG_FILE_BYTES_MAX);
    return err_set(err, ERR_IO, "%s", strerror(error));
}

int config_read_text(struct config *c, const char *file, struct slice text)
{
    struct err err;
    struct properties parsed;
    free(c->file);
    c->file = dup_text(file);
    int rc = properties_parse(text, &parsed, &err);
    if (rc < 0) {
        config_tell(c, CONFIG_WRONG, NULL, "%s", err.text);
        return rc;
    }
    for (size_t i = 0; i < parsed.count; i++) {
        struct property *p = &parsed.items[i];
        properties_set(&c->properties, p->key, p->value, p->line);
    }
    properties_deinit(&parsed);
    return 0;
}

int config_read_file(struct config *c, const char *path)
{
    struct err err;
    struct buf text = {0};
    int rc = config_read_whole(path, &text, &err);
    if (rc < 0) {
        free(c->file);
        c->file = dup_text(path);
        config_tell(c, CONFIG_WRONG, NULL, "%s", err.text);
        return rc;
    }
    rc = config_read_text(c, path, buf_slice(&text));
    buf_deinit(&text);
    return rc;
}

void config_override(struct config *c, const char *key, const char *value)
{
    properties_set(&c->properties, key, value, 0);
}

/* ---- checking ---- */

#define CONFIG_ALIAS(other, name) {other, name},
static const struct {
    const char *other, *name;
} aliases[] = {CONFIG_ALIASES(CONFIG_ALIAS)};
#undef CONFIG_ALIAS

#define CONFIG_PREFIX(begin, effect) {begin, CONFIG_EFFECT_##effect},
static const struct {
    const char *begin;
    enum config_effect effect;
} prefixes[] = {CONFIG_PREFIXES(CONFIG_PREFIX)};
#undef CONFIG_PREFIX

static const char *effect_text(enum config_effect effect)
{
    switch (effect) {
    case CONFIG_EFFECT_ENSEMBLE:
        return "has no effect yet, in an ensemble either";
    case CONFIG_EFFECT_TLS:
        return "has no effect yet: TLS is for clients alone";
    case CONFIG_EFFECT_SASL:
        return "has no effect yet: SASL is DIGEST-MD5 for clients alone";
    case CONFIG_EFFECT_LATER:
        return "has no effect yet";
    case CONFIG_EFFECT_CLASS:
        return "has no effect: it names a class of Java's; world, auth, digest, ip, x509, sasl "
               "and ensemble are built in";
    case CONFIG_EFFECT_NOTHING:
        return "has no effect: what it tunes in ZooKeeper does not exist here";
    case CONFIG_EFFECT_OBEYED:
    case CONFIG_EFFECT_CLAMPED:
        break;
    }
    return NULL;
}

/* The name the table has for it: without the prefix of a system property, aliases resolved. */
static const char *canonical(const char *key)
{
    static const char prefix[] = "zookeeper.";
    if (strncmp(key, prefix, strlen(prefix)) == 0)
        key += strlen(prefix);
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(aliases[i].other, key) == 0)
            return aliases[i].name;
    }
    return key;
}

int config_find(const char *name)
{
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        if (strcmp(config_key(id)->name, name) == 0)
            return id;
    }
    return -1;
}

static void check_unlisted(struct config *c, const struct property *p, const char *name)
{
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        if (strncmp(name, prefixes[i].begin, strlen(prefixes[i].begin)) != 0)
            continue;
        const char *why = effect_text(prefixes[i].effect);
        if (why != NULL)
            config_tell(c, CONFIG_NO_EFFECT, p, "%s", why);
        return;
    }
    config_tell(c, CONFIG_UNKNOWN, p, "is no key that ZooKeeper knows: ignored");
}

static void check_property(struct config *c, const struct property *p)
{
    const char *name = canonical(p->key);
    int id = config_find(name);
    if (id < 0) {
        check_unlisted(c, p, name);
        return;
    }
    const struct config_key *key = config_key(id);
    struct config_value value = {.given = true};
    struct err err;
    bool clamped = false;
    if (config_parse_value(key, p->value, &value, &clamped, &err) < 0) {
        config_tell(c, CONFIG_WRONG, p, "%s", err.text);
        return;
    }
    if (clamped)
        config_tell(c, CONFIG_ADVICE, p, "is raised to %lld, the least there can be",
                    (long long)key->min);
    const char *why = effect_text(key->effect);
    if (why != NULL)
        config_tell(c, CONFIG_NO_EFFECT, p, "%s", why);
    value.text = dup_text(p->value);
    free(c->values[id].text);
    c->values[id] = value;
}

static void set_defaults(struct config *c)
{
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        struct config_value *v = &c->values[id];
        const struct config_key *key = config_key(id);
        if (v->given)
            continue;
        v->text = dup_text(key->def);
        v->text[strcspn(v->text, key->type == CONFIG_TYPE_CHOICE ? "|" : "")] = 0;
        bool clamped = false;
        if (v->text[0] != 0)
            config_parse_value(key, v->text, v, &clamped, NULL);
    }
}

const struct property *config_property_of(const struct config *c, enum config_id id)
{
    const struct property *found = NULL;
    for (size_t i = 0; i < c->properties.count; i++) {
        if (config_find(canonical(c->properties.items[i].key)) == (int)id)
            found = &c->properties.items[i];
    }
    return found;
}

static void read_my_id(struct config *c)
{
    char path[4096];
    int len = snprintf(path, sizeof path, "%s/myid", config_text(c, CONFIG_DATA_DIR));
    if (len >= (int)sizeof path)
        return;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return; /* a server that stands alone needs none; an ensemble asks for it */
    long long id;
    int got = fscanf(f, "%lld", &id);
    fclose(f);
    if (got != 1 || id < 0 || id > 255)
        config_tell(c, CONFIG_WRONG, NULL, "'%s' must hold a number from 0 to 255", path);
    else
        c->my_id = id;
}

static void set_int(struct config *c, enum config_id id, int64_t value)
{
    c->values[id].integer = value;
}

static void check_sessions(struct config *c)
{
    int64_t tick = config_int(c, CONFIG_TICK_TIME);
    if (config_int(c, CONFIG_MIN_SESSION_TIMEOUT) == -1)
        set_int(c, CONFIG_MIN_SESSION_TIMEOUT, tick * 2);
    if (config_int(c, CONFIG_MAX_SESSION_TIMEOUT) == -1)
        set_int(c, CONFIG_MAX_SESSION_TIMEOUT, tick * 20 < INT32_MAX ? tick * 20 : INT32_MAX);
    if (config_int(c, CONFIG_MIN_SESSION_TIMEOUT) > config_int(c, CONFIG_MAX_SESSION_TIMEOUT))
        config_tell(c, CONFIG_WRONG,
                    config_property_of(c, config_given(c, CONFIG_MIN_SESSION_TIMEOUT)
                                              ? CONFIG_MIN_SESSION_TIMEOUT
                                              : CONFIG_MAX_SESSION_TIMEOUT),
                    "minSessionTimeout (%lld) must not be larger than maxSessionTimeout (%lld)",
                    (long long)config_int(c, CONFIG_MIN_SESSION_TIMEOUT),
                    (long long)config_int(c, CONFIG_MAX_SESSION_TIMEOUT));
}

/* Whether anybody could prove an identity of that scheme to this server. */
static bool scheme_is_available(const struct config *c, const char *scheme, size_t len)
{
    static const char *const schemes[] = {"ip", "digest", "ensemble", "x509", "sasl"};
    const bool there[] = {true, config_flag(c, CONFIG_DIGEST_AUTH),
                          config_text(c, CONFIG_ENSEMBLE_AUTH_NAME)[0] != 0,
                          config_has_tls(c) && config_client_auth(c) != CONFIG_CLIENT_AUTH_NONE,
                          config_text(c, CONFIG_JAAS)[0] != 0};
    for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
        if (strlen(schemes[i]) == len && strncmp(scheme, schemes[i], len) == 0)
            return there[i];
    }
    return false;
}

/* Otherwise the server would start, and refuse everybody (AuthenticationHelper). */
static void check_enforced_auth(struct config *c)
{
    if (config_flag(c, CONFIG_REQUIRE_SASL) && config_text(c, CONFIG_JAAS)[0] == 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_REQUIRE_SASL),
                    "nobody could pass: it wants java.security.auth.login.config");
    if (!config_flag(c, CONFIG_ENFORCE_AUTH))
        return;
    const char *at = config_text(c, CONFIG_ENFORCE_AUTH_SCHEMES);
    if (at[0] == 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_ENFORCE_AUTH),
                    "wants enforce.auth.schemes");
    while (*at != 0) {
        at += strspn(at, ", ");
        size_t len = strcspn(at, ", ");
        if (len > 0 && !scheme_is_available(c, at, len))
            config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_ENFORCE_AUTH_SCHEMES),
                        "nobody could pass: scheme '%.*s' is not available", (int)len, at);
        at += len;
    }
}

int config_finish(struct config *c)
{
    for (size_t i = 0; i < c->properties.count; i++)
        check_property(c, &c->properties.items[i]);
    set_defaults(c);

    if (config_text(c, CONFIG_DATA_DIR)[0] == 0) {
        config_tell(c, CONFIG_WRONG, NULL, "dataDir is not set");
    } else {
        read_my_id(c);
    }
    if (config_text(c, CONFIG_DATA_LOG_DIR)[0] == 0) {
        struct config_value *v = &c->values[CONFIG_DATA_LOG_DIR];
        free(v->text);
        v->text = dup_text(config_text(c, CONFIG_DATA_DIR));
    }
    config_check_servers(c);
    check_sessions(c);
    check_enforced_auth(c);
    config_check_tls(c);
    if (!config_given(c, CONFIG_CLIENT_PORT) && !config_given(c, CONFIG_SECURE_CLIENT_PORT) &&
        c->wrong_count == 0)
        config_tell(c, CONFIG_WRONG, NULL, "clientPort is not set");
    return c->wrong_count > 0 ? ERR_INVALID : 0;
}

/* ---- asking ---- */

int64_t config_int(const struct config *c, enum config_id id)
{
    return c->values[id].integer;
}

double config_real(const struct config *c, enum config_id id)
{
    return c->values[id].real;
}

bool config_flag(const struct config *c, enum config_id id)
{
    return c->values[id].flag;
}

const char *config_text(const struct config *c, enum config_id id)
{
    return c->values[id].text != NULL ? c->values[id].text : "";
}

bool config_given(const struct config *c, enum config_id id)
{
    return c->values[id].given;
}
