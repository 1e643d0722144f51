/* export.c: everything that is needed to count again, as docs/AUDIT-FORMAT.md has it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "canvass/files.h"
#include "canvass/log.h"
#include "canvass/roll.h"
#include "canvass/verify.h"
#include "cli/options.h"
#include "committee/seals.h"
#include "committee/show.h"
#include "election/definition.h"
#include "tls/secret.h"

enum {
    NAME_BYTES_MAX = CANVASS_LISTED_BYTES_MAX,
    PIECE_ENTRIES = 4096,
};

struct export
{
    const char *to;
    const char *election, *key;
    struct option_list from;
    struct seals_options service;
    const char *auth_file;
    char auth[SECRET_BYTES]; /* of that file */
    struct definition *definition;
    struct seals seals;
    struct buf sums; /* SHA256SUMS, as files are written */
};

static int make_folder(const char *path, struct err *err)
{
    return mkdir(path, 0755) == 0 ? 0 : err_set(err, ERR_IO, "'%s': %s", path, strerror(errno));
}

/* ---- a roll ---- */

static int write_voters(struct canvass_writer *w, const struct voters *v, struct err *err)
{
    uint8_t piece[PIECE_ENTRIES * CANVASS_ROLL_ENTRY_BYTES];
    size_t at = 0;
    int rc = 0;
    for (size_t i = 0; i < v->count && rc == 0; i++) {
        memcpy(piece + at, v->array[i].pseudonym.bytes, PSEUDONYM_BYTES);
        piece[at + PSEUDONYM_BYTES] = v->array[i].district;
        at += CANVASS_ROLL_ENTRY_BYTES;
        if (at == sizeof piece || i + 1 == v->count) {
            rc = canvass_writer_add(w, slice_of(piece, at), err);
            at = 0;
        }
    }
    return rc;
}

static int export_roll(struct export *x, int state, struct err *err)
{
    const char *code = x->definition->info.states[state].names.code;
    uint8_t heading[CANVASS_ROLL_HEADING_BYTES];
    char name[NAME_BYTES_MAX];
    struct voters voters = {0};
    struct canvass_writer w;
    snprintf(name, sizeof name, "%s/" CANVASS_ROLL, code);
    int rc = definition_roll(x->definition, state, &voters, err);
    if (rc < 0)
        return rc;
    rc = canvass_writer_open(x->to, name, &w, err);
    if (rc == 0) {
        canvass_roll_heading(code, voters.count, heading);
        rc = canvass_writer_add(&w, slice_of(heading, sizeof heading), err);
        if (rc == 0)
            rc = write_voters(&w, &voters, err);
        int ended = canvass_writer_end(&w, name, &x->sums, rc < 0 ? NULL : err);
        rc = rc < 0 ? rc : ended;
    }
    voters_deinit(&voters);
    return rc;
}

/* ---- a log ---- */

/* Whether this file has what the seal names: 0, or why not. */
static int find_end(struct canvass_log *log, const struct commit *seal, struct err *err)
{
    struct hash chain = log_genesis(&log->heading);
    struct batch batch;
    uint64_t index = 0;
    while (index < seal->index) {
        int more = canvass_log_next(log, &batch, err);
        if (more < 0)
            return more;
        if (more == 0)
            return err_set(err, ERR_CORRUPT, "has %" PRIu64 " of %" PRIu64 " records", index,
                           seal->index);
        index = batch_end(&batch);
        chain = batch.chain;
    }
    if (index != seal->index || !hash_eq(&chain, &seal->chain))
        return err_set(err, ERR_CORRUPT, "is not the log that was sealed");
    return 0;
}

static int copy_log(struct export *x, const char *path, const char *name, uint64_t bytes,
                    struct err *err)
{
    struct canvass_reader r;
    struct canvass_writer w;
    int rc = canvass_reader_open(path, &r, err);
    if (rc < 0)
        return rc;
    rc = canvass_writer_open(x->to, name, &w, err);
    if (rc < 0) {
        canvass_reader_close(&r);
        return rc;
    }
    while (bytes > 0 && rc == 0) {
        rc = canvass_reader_fill(&r, 1, err);
        struct slice hand = canvass_reader_hand(&r);
        if (rc == 0 && hand.len == 0)
            rc = err_set(err, ERR_CORRUPT, "'%s' has become shorter", path);
        if (hand.len > bytes)
            hand.len = (size_t)bytes;
        if (rc == 0)
            rc = canvass_writer_add(&w, hand, err);
        canvass_reader_take(&r, hand.len);
        bytes -= hand.len;
    }
    canvass_reader_close(&r);
    int ended = canvass_writer_end(&w, name, &x->sums, rc < 0 ? NULL : err);
    return rc < 0 ? rc : ended;
}

/* From the first data folder whose log is the one that was sealed. */
static int export_log(struct export *x, const char *code, const struct commit *seal,
                      struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX], name[NAME_BYTES_MAX];
    struct canvass_log log;
    int rc = err_set(err, ERR_NOTFOUND, "%s: no --from folder has its log", code);
    snprintf(name, sizeof name, "%s/" CANVASS_LOG, code);
    for (size_t i = 0; i < x->from.count && rc < 0; i++) {
        struct err why = {""};
        snprintf(path, sizeof path, "%s/%s/log-%016" PRIx64, x->from.items[i], code, seal->round);
        int found = canvass_log_open(path, &log, &why);
        if (found == 0) {
            found = find_end(&log, seal, &why);
            canvass_log_close(&log);
        }
        if (found == 0)
            return copy_log(x, path, name, log.at, err);
        if (found != ERR_NOTFOUND)
            rc = err_set(err, found, "'%s': %s", path, why.text);
    }
    return rc;
}

/* ---- all of it ---- */

static int export_state(struct export *x, int state, struct err *err)
{
    const char *code = x->definition->info.states[state].names.code;
    char path[CANVASS_PATH_BYTES_MAX], name[NAME_BYTES_MAX];
    struct commit seal;
    if (!commit_decode(buf_slice(&x->seals.states[state]), &seal))
        return err_set(err, ERR_CORRUPT, "%s: the seal is none", code);
    snprintf(path, sizeof path, "%s/%s", x->to, code);
    snprintf(name, sizeof name, "%s/" CANVASS_SEAL, code);
    int rc = make_folder(path, err);
    if (rc == 0)
        rc = export_log(x, code, &seal, err);
    if (rc == 0)
        rc = export_roll(x, state, err);
    if (rc == 0)
        rc = canvass_write(x->to, name, buf_slice(&x->seals.states[state]), &x->sums, err);
    return rc;
}

static int export_definition(struct export *x, struct err *err)
{
    struct buf text = {0};
    definition_text(x->definition, &text);
    int rc = canvass_write(x->to, CANVASS_DEFINITION, buf_slice(&text), &x->sums, err);
    buf_deinit(&text);
    if (rc == 0)
        rc = canvass_write(x->to, CANVASS_GLOBAL, buf_slice(&x->seals.global), &x->sums, err);
    return rc;
}

/* The same counts, as others want them. */
static int export_results(struct committee *m, struct export *x, struct err *err)
{
    static const char *const files[] = {"nist-1500-100.json", "openelections.csv", "manifest.csv"};
    char path[CANVASS_PATH_BYTES_MAX];
    if (m->client.rest.count == 0)
        return 0;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct buf bytes;
        snprintf(path, sizeof path, "/v1/export/%s", files[i]);
        int rc = client_file(&m->client, path, &bytes, err) == CLIENT_OK ? 0 : ERR_IO;
        if (rc == 0)
            rc = canvass_write(x->to, files[i], buf_slice(&bytes), &x->sums, err);
        buf_deinit(&bytes);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int export_all(struct committee *m, struct export *x, struct err *err)
{
    struct buf none = {0};
    int rc = definition_read(x->election, x->key, &x->definition, err);
    if (rc == 0)
        rc = seals_read(&x->service, &x->definition->info, &x->seals, err);
    if (rc == 0)
        rc = make_folder(x->to, err);
    if (rc == 0)
        rc = export_definition(x, err);
    for (uint32_t i = 0; rc == 0 && i < x->definition->info.state_count; i++)
        rc = export_state(x, (int)i, err);
    if (rc == 0)
        rc = export_results(m, x, err);
    /* The last: without it nothing is complete. */
    if (rc == 0)
        rc = canvass_write(x->to, CANVASS_SUMS, buf_slice(&x->sums), &none, err);
    buf_deinit(&none);
    return rc;
}

static int check_words(const struct committee *m, struct export *x)
{
    struct err err = {""};
    if (x->election == NULL || x->service.zookeeper == NULL || x->from.count == 0)
        return committee_complain(m, COMMITTEE_USAGE,
                                  "--election, --zookeeper and --from are wanted");
    if (strlen(x->to) > CANVASS_PATH_BYTES_MAX / 2)
        return committee_complain(m, COMMITTEE_USAGE, "the name of the folder is too long");
    for (size_t i = 0; i < x->from.count; i++)
        if (strlen(x->from.items[i]) > CANVASS_PATH_BYTES_MAX / 2)
            return committee_complain(m, COMMITTEE_USAGE, "--from: the name is too long");
    if (x->auth_file == NULL)
        return COMMITTEE_OK;
    if (secret_read(x->auth_file, x->auth, &err) < 0)
        return committee_complain(m, COMMITTEE_USAGE, "--auth-file: '%s': %s", x->auth_file,
                                  err.text);
    x->service.auth = x->auth;
    return COMMITTEE_OK;
}

int run_export(struct committee *m, int argc, char **argv)
{
    struct export x = {.service = {.root = "/Election", .timeout_ms = m->client.timeout_ms}};
    const struct option options[] = {{'e', "election", OPTION_TEXT, &x.election},
                                     {'k', "key", OPTION_TEXT, &x.key},
                                     {'z', "zookeeper", OPTION_TEXT, &x.service.zookeeper},
                                     {0, "root", OPTION_TEXT, &x.service.root},
                                     {0, "auth", OPTION_TEXT, &x.service.auth},
                                     {0, "auth-file", OPTION_TEXT, &x.auth_file},
                                     {0, "zookeeper-ca", OPTION_TEXT, &x.service.ca},
                                     {0, "zookeeper-identity", OPTION_TEXT, &x.service.identity},
                                     {0, "from", OPTION_LIST, &x.from}};
    struct err err = {""};
    int count = 0;
    int code =
        committee_words(m, options, sizeof options / sizeof *options, argc, argv, 1, 1, &count);
    if (code != 0)
        return code;
    x.to = argv[1];
    code = check_words(m, &x);
    if (code != 0)
        return code;
    int rc = export_all(m, &x, &err);
    struct hash sums;
    char text[HASH_TEXT_BYTES];
    sha256_of(x.sums.ptr, x.sums.len, sums.bytes);
    hash_text(&sums, text);
    if (rc < 0)
        code = committee_complain(m, COMMITTEE_NO, "%s", err.text);
    else
        printf("%s: %" PRIu32 " states, fingerprint %s\n", x.to, x.definition->info.state_count,
               text);
    buf_deinit(&x.sums);
    seals_deinit(&x.seals);
    definition_free(x.definition);
    return code;
}
