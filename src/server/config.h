/* config.h: what zoo.cfg and the command line say, checked against one table of keys
 * (config_table.h; QuorumPeerConfig and ZooKeeper's system properties).
 *
 *   struct config cfg;
 *   config_init(&cfg);
 *   config_read_file(&cfg, "zoo.cfg", ...);  config_override(&cfg, "tickTime", "2000") ...
 *   if (config_finish(&cfg, ...) < 0) ...
 *   config_int(&cfg, CONFIG_TICK_TIME)
 *
 * Everything that is wrong is told, not only the first thing: each as a note with file, line, key,
 * value and what is allowed. Used at the start only. The texts belong to the config. */
#ifndef CAUCUS_SERVER_CONFIG_H
#define CAUCUS_SERVER_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "server/config_table.h"
#include "server/properties.h"
#include "wire/quorum.h"

enum config_id {
#define CONFIG_ENUM(id, name, type, def, min, max, effect) CONFIG_##id,
    CONFIG_KEYS(CONFIG_ENUM)
#undef CONFIG_ENUM
    CONFIG_KEY_COUNT
};

enum config_type {
    CONFIG_TYPE_INT,
    CONFIG_TYPE_REAL,
    CONFIG_TYPE_BOOL,
    CONFIG_TYPE_YESNO,
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_CHOICE,
};

enum config_effect {
    CONFIG_EFFECT_OBEYED,
    CONFIG_EFFECT_CLAMPED,
    CONFIG_EFFECT_ENSEMBLE,
    CONFIG_EFFECT_TLS,
    CONFIG_EFFECT_SASL,
    CONFIG_EFFECT_LATER,
    CONFIG_EFFECT_CLASS,
    CONFIG_EFFECT_NOTHING,
};

struct config_key {
    const char *name;
    enum config_type type;
    const char *def; /* of a CHOICE: all that is allowed */
    int64_t min, max;
    enum config_effect effect;
};

const struct config_key *config_key(enum config_id id);
int config_find(const char *name); /* its config_id, or -1 */

struct config_value {
    char *text; /* as it was given, or the default */
    bool given;
    union {
        int64_t integer;
        double real;
        bool flag; /* BOOL and YESNO */
    };
};

enum config_severity {
    CONFIG_WRONG,     /* refused */
    CONFIG_NO_EFFECT, /* known, and without effect */
    CONFIG_UNKNOWN,
    CONFIG_ADVICE, /* obeyed, but not to the letter */
};

struct config_note {
    enum config_severity severity;
    const char *file; /* "command line" for -D */
    int line;         /* 0 = no line in particular */
    const char *key;  /* "" = the file as a whole */
    const char *value;
    const char *text; /* what is wrong and what is allowed; what becomes of it */
};
typedef void config_note_fn(void *arg, const struct config_note *note);

struct config {
    struct config_value values[CONFIG_KEY_COUNT];
    struct properties properties; /* everything that was given, for `conf` and the like */
    char *file;                   /* NULL = none */
    struct properties dynamic;    /* of the dynamic file */
    char *dynamic_file;           /* NULL = none */
    struct quorum *ensemble;      /* NULL = this server stands alone */
    struct quorum *ensemble_seen; /* proposed, not active yet; NULL = none */
    bool observer;
    bool client_port_from_line; /* the line server.N names it, not zoo.cfg */
    int64_t my_id;              /* from the file myid, -1 = none */
    config_note_fn *note;
    void *note_arg;
    int wrong_count;
};

void config_init(struct config *c, config_note_fn *note, void *arg);
void config_deinit(struct config *c);

/* ERR_NOTFOUND, ERR_IO, or ERR_INVALID when the file is no property file (also told as a note).
 * Wrong values are found by config_finish. */
int config_read_file(struct config *c, const char *path);
/* The same from memory. */
int config_read_text(struct config *c, const char *file, struct slice text);
void config_override(struct config *c, const char *key, const char *value);

/* Checks every value and how they fit together, reads myid and the dynamic file. 0, or ERR_INVALID
 * when anything was wrong. */
int config_finish(struct config *c);

int64_t config_int(const struct config *c, enum config_id id);
double config_real(const struct config *c, enum config_id id);
bool config_flag(const struct config *c, enum config_id id);
const char *config_text(const struct config *c, enum config_id id); /* never NULL */
bool config_given(const struct config *c, enum config_id id);
/* Whether its value is nothing to be shown: passwords and superDigest, whatever stands before. */
bool config_is_secret(const char *key);

/* ---- TLS for clients (config_tls.c) ---- */
bool config_has_tls(const struct config *c); /* secureClientPort, or client.portUnification */

enum config_client_auth {
    CONFIG_CLIENT_AUTH_NONE,
    CONFIG_CLIENT_AUTH_WANT,
    CONFIG_CLIENT_AUTH_NEED,
};
enum config_client_auth config_client_auth(const struct config *c);

enum config_store_type {
    CONFIG_STORE_UNKNOWN, /* neither the type nor the file's name says it */
    CONFIG_STORE_PEM,
    CONFIG_STORE_PKCS12,
    CONFIG_STORE_JAVA, /* JKS, BCFKS: only Java reads them */
};
/* By its type (CONFIG_SSL_KEYSTORE_TYPE ...), or else by the end of its file's name. */
enum config_store_type config_store_type(const struct config *c, enum config_id type,
                                         enum config_id location);

/* ---- shared by config*.c ---- */
void config_check_tls(struct config *c);
void config_tell(struct config *c, enum config_severity severity, const struct property *p,
                 const char *format, ...) __attribute__((format(printf, 4, 5)));
void config_check_servers(struct config *c);
/* What belongs to one key of several names: the one that was given last. NULL = none. */
const struct property *config_property_of(const struct config *c, enum config_id id);
int config_read_whole(const char *path, struct buf *ret, struct err *err);
int config_parse_value(const struct config_key *key, const char *text, struct config_value *ret,
                       bool *ret_clamped, struct err *err);

#endif
