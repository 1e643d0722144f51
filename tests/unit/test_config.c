/* links: server */
/* Claims about zoo.cfg: every key of the table, wrong values, and how keys fit together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "server/config.h"

enum {
    NOTES_MAX = 16
};

/* What was told, copied: notes live for the call only. */
struct told {
    size_t count;
    struct {
        enum config_severity severity;
        char file[64];
        int line;
        char key[128], value[128], text[600];
    } notes[NOTES_MAX];
};

static void on_note(void *arg, const struct config_note *note)
{
    struct told *t = arg;
    if (t->count == NOTES_MAX)
        return;
    t->notes[t->count].severity = note->severity;
    t->notes[t->count].line = note->line;
    snprintf(t->notes[t->count].file, sizeof t->notes->file, "%s", note->file);
    snprintf(t->notes[t->count].key, sizeof t->notes->key, "%s", note->key);
    snprintf(t->notes[t->count].value, sizeof t->notes->value, "%s", note->value);
    snprintf(t->notes[t->count].text, sizeof t->notes->text, "%s", note->text);
    t->count++;
}

static int read_config(struct config *c, struct told *t, const char *text)
{
    *t = (struct told){0};
    config_init(c, on_note, t);
    assert_int_equal(config_read_text(c, "zoo.cfg", slice_str(text)), 0);
    return config_finish(c);
}

/* A right configuration with the lines of `more` behind it (they begin with line 3). */
static int read_more(struct config *c, struct told *t, const char *more)
{
    char text[4096];
    snprintf(text, sizeof text, "dataDir=/nowhere\nclientPort=2181\n%s", more);
    return read_config(c, t, text);
}

static void assert_refused(const char *more, int line, const char *key, const char *value,
                           const char *part_of_text)
{
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, more), ERR_INVALID);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.notes[0].severity, CONFIG_WRONG);
    assert_string_equal(t.notes[0].file, "zoo.cfg");
    assert_int_equal(t.notes[0].line, line);
    assert_string_equal(t.notes[0].key, key);
    assert_string_equal(t.notes[0].value, value);
    if (strstr(t.notes[0].text, part_of_text) == NULL)
        fail_msg("'%s' is not in: %s", part_of_text, t.notes[0].text);
    config_deinit(&c);
}

/* ---- the table ---- */

static void each_name_stands_in_the_table_once(void **state)
{
    (void)state;
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        for (int j = 0; j < i; j++)
            assert_string_not_equal(config_key(i)->name, config_key(j)->name);
    }
}

static void every_default_is_allowed(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const struct config_key *k = config_key(id);
        char def[512];
        snprintf(def, sizeof def, "%s", k->def);
        if (k->type == CONFIG_TYPE_CHOICE)
            def[strcspn(def, "|")] = 0;
        bool optional =
            def[0] == 0 && (id == CONFIG_CLIENT_PORT || id == CONFIG_SECURE_CLIENT_PORT);
        struct config_value v;
        bool clamped = false;
        struct err err = {""};
        if (!optional && config_parse_value(k, def, &v, &clamped, &err) < 0)
            fail_msg("%s: default '%s' %s", k->name, def, err.text);
        assert_false(clamped);
    }
}

static const char *wrong_value_of(const struct config_key *k)
{
    static char text[8192];
    switch (k->type) {
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_REAL:
        return "12monkeys";
    case CONFIG_TYPE_BOOL:
    case CONFIG_TYPE_YESNO:
    case CONFIG_TYPE_CHOICE:
        return "perhaps";
    case CONFIG_TYPE_TEXT:
        if (k->max == 0)
            return NULL; /* any text is right */
        memset(text, 'x', (size_t)k->max + 1);
        text[k->max + 1] = 0;
        return text;
    }
    return NULL;
}

static void
a_wrong_value_of_any_key_is_refused_with_line_key_value_and_what_is_allowed(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const char *wrong = wrong_value_of(config_key(id));
        if (wrong == NULL || id == CONFIG_CLIENT_PORT || strlen(wrong) > 100)
            continue;
        char line[600];
        snprintf(line, sizeof line, "# comment\n%s = %s\n", config_key(id)->name, wrong);
        assert_refused(line, 4, config_key(id)->name, wrong, "must be");
    }
}

static void a_text_that_is_too_long_is_refused(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const struct config_key *k = config_key(id);
        struct config_value v;
        struct err err;
        if (k->type == CONFIG_TYPE_TEXT && k->max > 0)
            assert_int_equal(config_parse_value(k, wrong_value_of(k), &v, NULL, &err), ERR_TOOBIG);
    }
}

static void numbers_out_of_range_are_refused_on_both_sides(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const struct config_key *k = config_key(id);
        struct config_value v;
        struct err err;
        bool clamped = false;
        char text[64];
        if (k->type != CONFIG_TYPE_INT)
            continue;
        if (k->max < INT64_MAX) {
            snprintf(text, sizeof text, "%lld", (long long)k->max + 1);
            assert_int_equal(config_parse_value(k, text, &v, &clamped, &err), ERR_INVALID);
            snprintf(text, sizeof text, "%lld", (long long)k->max);
            assert_int_equal(config_parse_value(k, text, &v, &clamped, &err), 0);
        }
        if (k->min > INT64_MIN && k->effect != CONFIG_EFFECT_CLAMPED) {
            snprintf(text, sizeof text, "%lld", (long long)k->min - 1);
            assert_int_equal(config_parse_value(k, text, &v, &clamped, &err), ERR_INVALID);
            snprintf(text, sizeof text, "%lld", (long long)k->min);
            assert_int_equal(config_parse_value(k, text, &v, &clamped, &err), 0);
        }
    }
}

static void a_key_without_effect_is_named_in_a_warning_and_an_obeyed_one_is_not(void **state)
{
    (void)state;
    for (int id = 0; id < CONFIG_KEY_COUNT; id++) {
        const struct config_key *k = config_key(id);
        bool obeyed = k->effect == CONFIG_EFFECT_OBEYED || k->effect == CONFIG_EFFECT_CLAMPED;
        char line[600];
        snprintf(line, sizeof line, "%s=%s\n", k->name,
                 id == CONFIG_SECURE_CLIENT_PORT ? "2281" : k->def);
        if (k->type == CONFIG_TYPE_CHOICE)
            line[strcspn(line, "|\n")] = 0;
        if (id <= CONFIG_DATA_DIR || id == CONFIG_DYNAMIC_CONFIG_FILE)
            continue;
        struct config c;
        struct told t;
        if (read_more(&c, &t, line) < 0)
            fail_msg("%s: %s", line, t.notes[0].text);
        assert_int_equal(t.count, obeyed ? 0 : 1);
        if (!obeyed) {
            assert_int_equal(t.notes[0].severity, CONFIG_NO_EFFECT);
            assert_string_equal(t.notes[0].key, k->name);
            assert_int_equal(t.notes[0].line, 3);
        }
        config_deinit(&c);
    }
}

static void every_key_may_be_spelled_as_the_system_property_it_is_in_zookeeper(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t,
                               "zookeeper.maxCnxns=7\nzookeeper.jute.maxbuffer=0xfff\n"
                               "zookeeper.forceSync=no\nzookeeper.snapCount=9\n"),
                     0);
    assert_int_equal(t.count, 0);
    assert_int_equal(config_int(&c, CONFIG_MAX_CNXNS), 7);
    assert_int_equal(config_int(&c, CONFIG_JUTE_MAXBUFFER), 0xfff);
    assert_false(config_flag(&c, CONFIG_FORCE_SYNC));
    assert_int_equal(config_int(&c, CONFIG_SNAP_COUNT), 9);
    config_deinit(&c);
}

static void names_of_the_documentation_are_understood(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "connectionMaxTokens=11\n"), 0);
    assert_int_equal(config_int(&c, CONFIG_THROTTLE_TOKENS), 11);
    config_deinit(&c);
}

/* ---- defaults ---- */

static void defaults_are_those_of_3_9_5(void **state)
{
    (void)state;
    static const struct {
        enum config_id id;
        int64_t value;
    } numbers[] = {
        {CONFIG_TICK_TIME, 3000},
        {CONFIG_MIN_SESSION_TIMEOUT, 6000},
        {CONFIG_MAX_SESSION_TIMEOUT, 60000},
        {CONFIG_MAX_CLIENT_CNXNS, 60},
        {CONFIG_MAX_CNXNS, 0},
        {CONFIG_LISTEN_BACKLOG, -1},
        {CONFIG_JUTE_MAXBUFFER, 0xfffff},
        {CONFIG_PRE_ALLOC_SIZE, 65536},
        {CONFIG_SNAP_COUNT, 100000},
        {CONFIG_SNAP_SIZE_LIMIT, 4194304},
        {CONFIG_OUTSTANDING_LIMIT, 1000},
        {CONFIG_PURGE_RETAIN, 3},
        {CONFIG_PURGE_INTERVAL, 0},
        {CONFIG_FSYNC_WARNING, 1000},
        {CONFIG_SESSIONLESS_TIMEOUT, 10000},
        {CONFIG_CONTAINER_INTERVAL, 60000},
        {CONFIG_CONTAINER_PER_MINUTE, 10000},
        {CONFIG_CONTAINER_NEVER_USED, 0},
        {CONFIG_LARGE_REQUEST_BYTES_MAX, 100 * 1024 * 1024},
        {CONFIG_LARGE_REQUEST_THRESHOLD, -1},
        {CONFIG_ADMIN_PORT, 8080},
        {CONFIG_THROTTLE_TOKENS, 0},
    };
    static const struct {
        enum config_id id;
        bool value;
    } flags[] = {
        {CONFIG_FORCE_SYNC, true},        {CONFIG_DIGEST_ENABLED, true},
        {CONFIG_CLOSE_SESSION_TXN, true}, {CONFIG_EXTENDED_TYPES, false},
        {CONFIG_ENFORCE_QUOTA, false},    {CONFIG_SKIP_ACL, false},
        {CONFIG_ADMIN_ENABLE, true},      {CONFIG_RECONFIG_ENABLED, false},
        {CONFIG_DB_AUTOCREATE, true},     {CONFIG_TRUST_EMPTY, false},
        {CONFIG_SNAP_LAST_ZXID, true},    {CONFIG_DIGEST_AUTH, true},
    };
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, ""), 0);
    assert_int_equal(t.count, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_int_equal(config_int(&c, numbers[i].id), numbers[i].value);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++)
        assert_int_equal(config_flag(&c, flags[i].id), flags[i].value);
    assert_string_equal(config_text(&c, CONFIG_WHITELIST), "srvr");
    assert_string_equal(config_text(&c, CONFIG_COMPRESSION), "");
    assert_string_equal(config_text(&c, CONFIG_DATA_LOG_DIR), "/nowhere");
    assert_string_equal(config_text(&c, CONFIG_PEER_TYPE), "participant");
    config_deinit(&c);
}

/* ---- how they fit together ---- */

static void session_timeouts_follow_the_tick_unless_given(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "tickTime=500\nmaxSessionTimeout=123456\n"), 0);
    assert_int_equal(config_int(&c, CONFIG_MIN_SESSION_TIMEOUT), 1000);
    assert_int_equal(config_int(&c, CONFIG_MAX_SESSION_TIMEOUT), 123456);
    config_deinit(&c);
    assert_refused("minSessionTimeout=5000\nmaxSessionTimeout=4000\n", 3, "minSessionTimeout",
                   "5000", "must not be larger");
}

static void data_dir_and_client_port_are_needed(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_config(&c, &t, "clientPort=2181\n"), ERR_INVALID);
    assert_string_equal(t.notes[0].text, "dataDir is not set");
    config_deinit(&c);
    assert_int_equal(read_config(&c, &t, "dataDir=/nowhere\n"), ERR_INVALID);
    assert_string_equal(t.notes[0].text, "clientPort is not set");
    config_deinit(&c);
}

static void everything_that_is_wrong_is_told_at_once(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "tickTime=x\nsnapCount=y\nforceSync=z\n"), ERR_INVALID);
    assert_int_equal(t.count, 3);
    assert_int_equal(t.notes[0].line, 3);
    assert_int_equal(t.notes[1].line, 4);
    assert_int_equal(t.notes[2].line, 5);
    config_deinit(&c);
}

static void an_unknown_key_is_a_warning(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "tickTme=2000\n"), 0);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.notes[0].severity, CONFIG_UNKNOWN);
    assert_string_equal(t.notes[0].key, "tickTme");
    config_deinit(&c);
}

static void families_of_keys_are_known(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t,
                               "authProvider.1=org.example.X\nsuperUser.2=joe\n"
                               "metricsProvider.whatever=1\n"),
                     0);
    assert_int_equal(t.count, 2); /* superUser.* is obeyed */
    for (size_t i = 0; i < t.count; i++)
        assert_int_equal(t.notes[i].severity, CONFIG_NO_EFFECT);
    assert_non_null(strstr(t.notes[0].text, "are built in"));
    config_deinit(&c);
}

static void too_small_a_snap_count_is_raised_with_a_warning(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "snapCount=1\nautopurge.snapRetainCount=1\n"), 0);
    assert_int_equal(t.count, 2);
    assert_int_equal(t.notes[0].severity, CONFIG_ADVICE);
    assert_int_equal(config_int(&c, CONFIG_SNAP_COUNT), 2);
    assert_int_equal(config_int(&c, CONFIG_PURGE_RETAIN), 3);
    config_deinit(&c);
}

static void the_command_line_wins_over_the_file(void **state)
{
    (void)state;
    struct config c;
    struct told t = {0};
    config_init(&c, on_note, &t);
    config_read_text(&c, "zoo.cfg", slice_str("dataDir=/a\nclientPort=1\ntickTime=7\n"));
    config_override(&c, "tickTime", "8");
    config_override(&c, "zookeeper.clientPort", "2");
    assert_int_equal(config_finish(&c), 0);
    assert_int_equal(config_int(&c, CONFIG_TICK_TIME), 8);
    assert_int_equal(config_int(&c, CONFIG_CLIENT_PORT), 2);
    config_deinit(&c);

    config_init(&c, on_note, &t);
    config_read_text(&c, "zoo.cfg", slice_str("dataDir=/a\nclientPort=1\n"));
    config_override(&c, "tickTime", "soon");
    assert_int_equal(config_finish(&c), ERR_INVALID);
    assert_string_equal(t.notes[0].file, "command line");
    config_deinit(&c);
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct config c;
    struct told t = {0};
    config_init(&c, on_note, &t);
    assert_int_equal(config_read_file(&c, "/nowhere/zoo.cfg"), ERR_NOTFOUND);
    assert_string_equal(t.notes[0].file, "/nowhere/zoo.cfg");
    config_deinit(&c);
}

/* ---- servers ---- */

static void one_server_line_stands_alone(void **state)
{
    (void)state;
    struct config c;
    struct told t;
    assert_int_equal(read_more(&c, &t, "server.1=host:2888:3888\n"), 0);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.notes[0].severity, CONFIG_ADVICE);
    assert_int_equal(config_int(&c, CONFIG_CLIENT_PORT), 2181);
    config_deinit(&c);
}

static void write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A folder with a myid. */
struct folder {
    char dir[64], my_id[128], dynamic[128];
};

static void make_folder(struct folder *f, const char *my_id)
{
    strcpy(f->dir, "/tmp/caucus-config-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->my_id, sizeof f->my_id, "%s/myid", f->dir);
    snprintf(f->dynamic, sizeof f->dynamic, "%s/zoo.cfg.dynamic.1f", f->dir);
    if (my_id != NULL)
        write_file(f->my_id, my_id);
}

static void remove_folder(struct folder *f)
{
    unlink(f->my_id);
    unlink(f->dynamic);
    assert_int_equal(rmdir(f->dir), 0);
}

#define LIMITS "initLimit=5\nsyncLimit=2\n"
#define THREE  "server.1=a:2888:3888\nserver.2=b:2888:3888\nserver.3=c:2888:3888\n"

/* The lines of `more` begin with line 3. */
static int read_in(struct config *c, struct told *t, const struct folder *f, const char *more)
{
    char text[4096];
    snprintf(text, sizeof text, "dataDir=%s\nclientPort=2181\n%s", f->dir, more);
    return read_config(c, t, text);
}

static void assert_refused_in(const struct folder *f, const char *more, int line,
                              const char *part_of_text)
{
    struct config c;
    struct told t;
    assert_int_equal(read_in(&c, &t, f, more), ERR_INVALID);
    bool found = false;
    for (size_t i = 0; i < t.count; i++) {
        found |= t.notes[i].severity == CONFIG_WRONG && t.notes[i].line == line &&
                 strstr(t.notes[i].text, part_of_text) != NULL;
    }
    if (!found)
        fail_msg("no '%s' at line %d; the first: line %d: %s", part_of_text, line, t.notes[0].line,
                 t.notes[0].text);
    config_deinit(&c);
}

static void an_ensemble_is_taken_with_its_roles_groups_and_weights(void **state)
{
    (void)state;
    struct folder f;
    struct config c;
    struct told t;
    make_folder(&f, "2\n");
    assert_int_equal(read_in(&c, &t, &f, LIMITS THREE), 0);
    assert_int_equal(t.count, 0);
    assert_non_null(c.ensemble);
    assert_int_equal(c.ensemble->voter_count, 3);
    assert_int_equal(c.ensemble->version, 0);
    assert_int_equal(c.my_id, 2);
    assert_false(c.observer);
    config_deinit(&c);

    assert_int_equal(read_in(&c, &t, &f,
                             LIMITS "server.1=a:1:2\nserver.2=b:1:2:observer\n"
                                    "server.3=c:1:2\nserver.4=d:1:2\npeerType=observer\n"),
                     0);
    assert_int_equal(t.count, 0);
    assert_true(c.observer);
    config_deinit(&c);

    assert_int_equal(read_in(&c, &t, &f,
                             LIMITS THREE "server.4=d:1:2\nserver.5=e:1:2\n"
                                          "group.1=1:2\ngroup.2=3:4:5\nweight.1=0\n"),
                     0);
    assert_true(c.ensemble->hierarchical);
    assert_int_equal(quorum_find(c.ensemble, 4)->group, 2);
    assert_int_equal(quorum_find(c.ensemble, 1)->weight, 0);
    config_deinit(&c);

    /* One server alone may want to be an ensemble. */
    assert_int_equal(read_in(&c, &t, &f, LIMITS "standaloneEnabled=false\nserver.2=a:2888:3888\n"),
                     0);
    assert_non_null(c.ensemble);
    config_deinit(&c);
    remove_folder(&f);
}

static void what_an_ensemble_needs_is_asked_for(void **state)
{
    (void)state;
    struct folder f;
    make_folder(&f, "2");
    assert_refused_in(&f, "syncLimit=2\n" THREE, 0, "initLimit is not set");
    assert_refused_in(&f, "initLimit=2\n" THREE, 0, "syncLimit is not set");
    assert_refused_in(&f, LIMITS "server.1=a:1:2\nserver.3=c:1:2\n", 5, "not among the servers");
    assert_refused_in(&f, LIMITS "server.1=a:1:2\nserver.2=b:1:2:observer\n", 5,
                      "observers need a quorum");
    assert_refused_in(&f, LIMITS "server.2=b:1:2:observer\n", 5, "observers need participants");
    assert_refused_in(&f, LIMITS "standaloneEnabled=false\nserver.2=b:1:2:observer\n", 5,
                      "at least one participant");
    assert_refused_in(&f, LIMITS "server.x=a:2888:3888\n", 5, "from 0 to 255");
    assert_refused_in(&f, LIMITS "server.256=a:2888:3888\n", 5, "from 0 to 255");
    assert_refused_in(&f, LIMITS "server.1=a:1:1\n", 5, "must differ");
    assert_refused_in(&f, LIMITS THREE "server.4=a:1:2|b:1:2\n", 8, "multiAddress.enabled");
    assert_refused_in(&f, LIMITS THREE "group.1=1:2\n", 5, "server 3 is not in a group");
    assert_refused_in(&f, LIMITS THREE "electionAlg=1\n", 8, "must be 3");
    assert_refused_in(&f, LIMITS THREE "peerType=leader\n", 8, "must be");
    assert_refused_in(&f, LIMITS THREE "sslQuorum=true\n", 8, "no TLS");
    assert_refused_in(&f, LIMITS THREE "quorum.auth.enableSasl=true\n", 8, "no SASL");
    unlink(f.my_id);
    assert_refused_in(&f, LIMITS THREE, 0, "myid' is missing");
    remove_folder(&f);
}

static void what_is_unwise_in_an_ensemble_is_told(void **state)
{
    (void)state;
    struct folder f;
    struct config c;
    struct told t;
    make_folder(&f, "2");
    assert_int_equal(read_in(&c, &t, &f, LIMITS "server.1=a:1:2\nserver.2=b:1:2\n"), 0);
    assert_int_equal(t.count, 1);
    assert_int_equal(t.notes[0].severity, CONFIG_ADVICE);
    config_deinit(&c);
    assert_int_equal(read_in(&c, &t, &f, LIMITS THREE "server.4=d:1:2\n"), 0);
    assert_int_equal(t.count, 1);
    config_deinit(&c);
    assert_int_equal(read_in(&c, &t, &f, LIMITS THREE "peerType=observer\n"), 0);
    assert_int_equal(t.count, 1);
    assert_false(c.observer); /* the server's line counts */
    config_deinit(&c);
    remove_folder(&f);
}

static void the_dynamic_file_carries_its_version_in_its_name(void **state)
{
    (void)state;
    struct folder f;
    struct config c;
    struct told t;
    char more[512];
    make_folder(&f, "2");
    write_file(f.dynamic, THREE);
    snprintf(more, sizeof more, LIMITS "dynamicConfigFile=%s\n", f.dynamic);
    assert_int_equal(read_in(&c, &t, &f, more), 0);
    assert_int_equal(c.ensemble->version, 0x1f);
    config_deinit(&c);

    write_file(f.dynamic, THREE "version=1f\n");
    assert_int_equal(read_in(&c, &t, &f, more), ERR_INVALID);
    assert_string_equal(t.notes[0].file, f.dynamic);
    assert_int_equal(t.notes[0].line, 4);
    config_deinit(&c);
    write_file(f.dynamic, "server.1=a:1:2\nserver.2=nowhere\n");
    assert_int_equal(read_in(&c, &t, &f, more), ERR_INVALID);
    assert_string_equal(t.notes[0].file, f.dynamic);
    assert_int_equal(t.notes[0].line, 2);
    config_deinit(&c);

    write_file(f.dynamic, THREE);
    strcat(more, "group.1=1:2:3\n");
    assert_refused_in(&f, more, 6, "dynamic file");
    remove_folder(&f);
}

static void own_server_line_and_dynamic_file_name_the_client_port(void **state)
{
    (void)state;
    char dir[] = "/tmp/caucus-config-XXXXXX";
    assert_non_null(mkdtemp(dir));
    char my_id[128], dynamic[128], text[512];
    snprintf(my_id, sizeof my_id, "%s/myid", dir);
    snprintf(dynamic, sizeof dynamic, "%s/dynamic", dir);
    write_file(my_id, "5\n");
    write_file(dynamic, "server.5=a:1:2;127.0.0.1:7777\n");
    struct config c;
    struct told t;

    snprintf(text, sizeof text, "dataDir=%s\ndynamicConfigFile=%s\n", dir, dynamic);
    assert_int_equal(read_config(&c, &t, text), 0);
    assert_int_equal(c.my_id, 5);
    assert_int_equal(config_int(&c, CONFIG_CLIENT_PORT), 7777);
    assert_string_equal(config_text(&c, CONFIG_CLIENT_PORT_ADDRESS), "127.0.0.1");
    config_deinit(&c);

    /* Not the same as the static file says. */
    snprintf(text, sizeof text, "dataDir=%s\nclientPort=1\nserver.5=a:1:2;7777\n", dir);
    assert_int_equal(read_config(&c, &t, text), ERR_INVALID);
    config_deinit(&c);

    /* Server lines belong into one of the two; the dynamic file holds nothing else. */
    snprintf(text, sizeof text, "dataDir=%s\ndynamicConfigFile=%s\nserver.5=a:1:2\n", dir, dynamic);
    assert_int_equal(read_config(&c, &t, text), ERR_INVALID);
    config_deinit(&c);
    write_file(dynamic, "server.5=a:1:2;7777\ntickTime=5\n");
    snprintf(text, sizeof text, "dataDir=%s\ndynamicConfigFile=%s\n", dir, dynamic);
    assert_int_equal(read_config(&c, &t, text), ERR_INVALID);
    assert_string_equal(t.notes[0].key, "tickTime");
    assert_string_equal(t.notes[0].file, dynamic);
    config_deinit(&c);

    unlink(dynamic);
    assert_int_equal(read_config(&c, &t, text), ERR_INVALID);
    config_deinit(&c);
    write_file(my_id, "five");
    snprintf(text, sizeof text, "dataDir=%s\nclientPort=1\n", dir);
    assert_int_equal(read_config(&c, &t, text), ERR_INVALID);
    config_deinit(&c);
    unlink(my_id);
    assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_name_stands_in_the_table_once),
        cmocka_unit_test(every_default_is_allowed),
        cmocka_unit_test(
            a_wrong_value_of_any_key_is_refused_with_line_key_value_and_what_is_allowed),
        cmocka_unit_test(a_text_that_is_too_long_is_refused),
        cmocka_unit_test(numbers_out_of_range_are_refused_on_both_sides),
        cmocka_unit_test(a_key_without_effect_is_named_in_a_warning_and_an_obeyed_one_is_not),
        cmocka_unit_test(every_key_may_be_spelled_as_the_system_property_it_is_in_zookeeper),
        cmocka_unit_test(names_of_the_documentation_are_understood),
        cmocka_unit_test(defaults_are_those_of_3_9_5),
        cmocka_unit_test(session_timeouts_follow_the_tick_unless_given),
        cmocka_unit_test(data_dir_and_client_port_are_needed),
        cmocka_unit_test(everything_that_is_wrong_is_told_at_once),
        cmocka_unit_test(an_unknown_key_is_a_warning),
        cmocka_unit_test(families_of_keys_are_known),
        cmocka_unit_test(too_small_a_snap_count_is_raised_with_a_warning),
        cmocka_unit_test(the_command_line_wins_over_the_file),
        cmocka_unit_test(a_file_that_is_not_there_is_named),
        cmocka_unit_test(one_server_line_stands_alone),
        cmocka_unit_test(an_ensemble_is_taken_with_its_roles_groups_and_weights),
        cmocka_unit_test(what_an_ensemble_needs_is_asked_for),
        cmocka_unit_test(what_is_unwise_in_an_ensemble_is_told),
        cmocka_unit_test(the_dynamic_file_carries_its_version_in_its_name),
        cmocka_unit_test(own_server_line_and_dynamic_file_name_the_client_port),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
