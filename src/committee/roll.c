/* roll.c: rolls of a definition, looked at before servers do. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "canvass/files.h"
#include "cli/options.h"
#include "committee/show.h"
#include "election/definition.h"

enum {
    VOTERS_MAX = 100 * 1000 * 1000,
};

/* What is wrong with a file is said now, and not by a server that starts. */
static int try_roll(const struct definition *d, int state, struct slice text, uint64_t *ret_voters,
                    struct err *err)
{
    struct hmac_key key;
    struct voters voters = {0};
    definition_key(d, DEFINITION_PSEUDONYMS, state, &key);
    struct roll_options o = {.state = d->info.states[state].names,
                             .key = &key,
                             .districts = d->info.states[state].districts,
                             .voters_max = VOTERS_MAX};
    struct roll_import *import = roll_import_begin(&o);
    int rc = roll_import_add(import, text, err);
    if (rc < 0)
        roll_import_free(import);
    else
        rc = roll_import_end(import, &voters, NULL, err);
    *ret_voters = voters.count;
    voters_deinit(&voters);
    if (rc == 0 && *ret_voters == 0)
        rc = err_set(err, ERR_INVALID, "no voter of %s is in it", o.state.code);
    return rc;
}

static int put_roll(const char *dir, const char *code, struct slice text, struct err *err)
{
    char folder[CANVASS_PATH_BYTES_MAX], name[STATE_CODE_BYTES + 8], path[CANVASS_PATH_BYTES_MAX],
        made[CANVASS_PATH_BYTES_MAX];
    struct buf sums = {0};
    snprintf(folder, sizeof folder, "%.4000s/roll", dir);
    if (mkdir(folder, 0755) < 0 && errno != EEXIST)
        return err_set(err, ERR_IO, "'%s': %s", folder, strerror(errno));
    snprintf(name, sizeof name, "%s.new", code);
    int rc = canvass_write(folder, name, text, &sums, err);
    buf_deinit(&sums);
    if (rc < 0)
        return rc;
    snprintf(made, sizeof made, "%.4000s/%s.new", folder, code);
    snprintf(path, sizeof path, "%.4000s/%s.csv", folder, code);
    if (rename(made, path) == 0)
        return 0;
    rc = err_set(err, ERR_IO, "'%s': %s", path, strerror(errno));
    unlink(made);
    return rc;
}

/* ---- servers ---- */

/* Each of them; the first that refuses ends it: what is wrong is the same everywhere. */
static int put_at_servers(struct committee *m, const char *state, const char *file,
                          struct slice text)
{
    struct err err = {""};
    struct model_roll told;
    for (uint32_t i = 0; i < m->client.rest.count; i++) {
        enum client_code code = client_put_roll(&m->client, i, state, text, &told, &err);
        if (code != CLIENT_OK) {
            err_wrap(&err, ERR_INVALID, "'%s'", file);
            return committee_failed(m, code, &err);
        }
        printf("%s  %s: %s voters  %.16s\n", m->client.rest.texts[i], told.state,
               show_number(told.voters), told.hash);
    }
    return COMMITTEE_OK;
}

static int compare_servers(struct committee *m, const char *state)
{
    struct err err = {""};
    struct model_roll first = {.hash = ""}, told;
    bool same = true;
    for (uint32_t i = 0; i < m->client.rest.count; i++) {
        enum client_code code = client_roll(&m->client, i, state, &told, &err);
        if (code != CLIENT_OK)
            return committee_failed(m, code, &err);
        printf("%s  %s: %s voters  %.16s\n", m->client.rest.texts[i], told.state,
               show_number(told.voters), told.hash);
        if (i == 0)
            first = told;
        same = same && strcmp(first.hash, told.hash) == 0;
    }
    return same ? COMMITTEE_OK
                : committee_complain(m, COMMITTEE_NO, "not all servers have the same roll");
}

/* ---- the command ---- */

static int put_here(struct committee *m, const char *dir, const struct definition *d, char **argv,
                    struct slice text)
{
    struct err err = {""};
    uint64_t voters = 0;
    int state = definition_find_state(d, slice_str(argv[2]));
    if (state < 0)
        return committee_complain(m, COMMITTEE_USAGE, "there is no state '%s'", argv[2]);
    int rc = try_roll(d, state, text, &voters, &err);
    if (rc < 0)
        err_wrap(&err, rc, "'%s'", argv[3]);
    else
        rc = put_roll(dir, d->info.states[state].names.code, text, &err);
    if (rc < 0)
        return committee_complain(m, COMMITTEE_NO, "%s", err.text);
    printf("%s: %s voters\n", d->info.states[state].names.code, show_number(voters));
    return COMMITTEE_OK;
}

static int import_roll(struct committee *m, const char *dir, const struct definition *d,
                       char **argv)
{
    struct err err = {""};
    struct buf text = {0};
    int code = canvass_file_read(argv[3], ROLL_BYTES_MAX, &text, &err) < 0
                   ? committee_complain(m, COMMITTEE_NO, "%s", err.text)
                   : COMMITTEE_OK;
    if (code == COMMITTEE_OK && d != NULL)
        code = put_here(m, dir, d, argv, buf_slice(&text));
    if (code == COMMITTEE_OK)
        code = put_at_servers(m, argv[2], argv[3], buf_slice(&text));
    buf_deinit(&text);
    return code;
}

static int check_rolls(struct committee *m, const struct definition *d)
{
    int code = COMMITTEE_OK;
    for (uint32_t i = 0; i < d->info.state_count; i++) {
        struct err err = {""};
        struct voters voters = {0};
        if (definition_roll(d, (int)i, &voters, &err) < 0) {
            code = committee_complain(m, COMMITTEE_NO, "%s", err.text);
            continue;
        }
        struct hash hash = voters_hash(&voters);
        char text[HASH_TEXT_BYTES];
        hash_text(&hash, text);
        printf("%-4s %12s voters  %s\n", d->info.states[i].names.code, show_number(voters.count),
               text);
        voters_deinit(&voters);
    }
    return code;
}

int run_roll(struct committee *m, int argc, char **argv)
{
    const char *dir = NULL, *key = NULL;
    const struct option options[] = {{'e', "election", OPTION_TEXT, &dir},
                                     {'k', "key", OPTION_TEXT, &key}};
    struct definition *d = NULL;
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, options, 2, argc, argv, 1, 3, &count);
    if (code != 0)
        return code;
    bool import = strcmp(argv[1], "import") == 0 && count == 3;
    bool check = strcmp(argv[1], "check") == 0 && (count == 1 || count == 2);
    if (!import && !check)
        return committee_complain(m, COMMITTEE_USAGE,
                                  "import STATE FILE or check [STATE] is wanted");
    if (dir == NULL && (m->client.rest.count == 0 || (check && count == 1)))
        return committee_complain(m, COMMITTEE_USAGE,
                                  "--election DIR is wanted, or STATE and --rest HOSTS");
    if (check && count == 2)
        return compare_servers(m, argv[2]);
    if (dir != NULL && definition_read(dir, key, &d, &err) < 0)
        return committee_complain(m, COMMITTEE_USAGE, "%s", err.text);
    code = import ? import_roll(m, dir, d, argv) : check_rolls(m, d);
    definition_free(d);
    return code;
}
