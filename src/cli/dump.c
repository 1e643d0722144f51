/* dump.c: what lies in log and snapshot files, whether they are whole, and a state's digest.
 *
 * No server is asked. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/dump_record.h"
#include "cli/json.h"
#include "cli/zxid_text.h"

struct dump {
    struct cli *cli;
    const char *file;
    int64_t from, to; /* records of logs outside of these are passed over */
    bool quiet;       /* verify: the records are not shown */
    int code;         /* of the first failure */
};

/* A file that is not whole is the answer "no"; one that is not there cannot have been meant. */
static int failed(struct dump *d, int rc, const struct err *err)
{
    int code = rc == ERR_NOTFOUND || rc == ERR_INVALID ? cli_usage(d->cli, "%s", err->text)
                                                       : cli_no(d->cli, "%s", err->text);
    if (d->code == CLI_OK)
        d->code = code;
    return code;
}

/* ---- logs ---- */

static bool on_txn(void *arg, const struct datadir_txn *txn)
{
    struct dump *d = arg;
    if (d->quiet || txn->header.zxid < d->from || txn->header.zxid > d->to)
        return !ferror(stdout);
    if (d->cli->json)
        dump_txn_json(d->file, txn);
    else
        dump_txn_text(txn);
    return !ferror(stdout);
}

static const char *end_name(enum datadir_end end)
{
    switch (end) {
    case DATADIR_WHOLE:
        return "whole";
    case DATADIR_TORN:
        return "torn";
    case DATADIR_DAMAGED:
        return "damaged";
    }
    return "";
}

static void log_json(const char *file, const struct datadir_log *log)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_text(&j, "file", file);
    cli_json_text(&j, "record", "log");
    cli_json_text(&j, "state", end_name(log->end));
    cli_json_number(&j, "records", (int64_t)log->records);
    cli_json_id(&j, "first_zxid", log->first_zxid);
    cli_json_id(&j, "last_zxid", log->last_zxid);
    cli_json_number(&j, "end_offset", log->end_offset);
    if (log->end != DATADIR_WHOLE) {
        cli_json_number(&j, "garbage_until", log->garbage_offset);
        cli_json_text(&j, "reason", log->reason);
    }
    cli_json_number(&j, "undecoded", (int64_t)log->undecoded);
    cli_json_end(&j);
}

static void log_text(const char *file, const struct datadir_log *log)
{
    printf("%s: log, %s, %" PRIu64 " records", file, end_name(log->end), log->records);
    if (log->records > 0)
        printf(", zxid 0x%" PRIx64 " to 0x%" PRIx64, (uint64_t)log->first_zxid,
               (uint64_t)log->last_zxid);
    if (log->end != DATADIR_WHOLE)
        printf("; at offset %" PRId64 ": %s", log->end_offset, log->reason);
    if (log->end == DATADIR_TORN)
        printf(" (a write that was not finished: a server cuts it off)");
    putchar('\n');
}

static void dump_log(struct dump *d, const struct datadir_file *file)
{
    struct datadir_log log;
    struct err err = {""};
    int rc = datadir_read_log(file, on_txn, d, &log, &err);
    if (rc < 0) {
        failed(d, rc, &err);
        return;
    }
    if (d->cli->json)
        log_json(d->file, &log);
    else
        log_text(d->file, &log);
    if (log.end == DATADIR_DAMAGED)
        err_set(&err, 0, "log '%s': damaged at offset %" PRId64 ": %s", d->file, log.end_offset,
                log.reason);
    else if (log.undecoded > 0)
        err_set(&err, 0, "log '%s': the record at offset %" PRId64 " cannot be decoded", d->file,
                log.undecoded_offset);
    if (err.text[0] != 0)
        failed(d, ERR_CORRUPT, &err);
}

/* ---- states ---- */

static const char *match_name(enum datadir_match match)
{
    switch (match) {
    case DATADIR_NO_DIGEST:
        return "none";
    case DATADIR_SAME:
        return "same";
    case DATADIR_DIFFERS:
        return "differs";
    case DATADIR_LATER:
        return "later";
    }
    return "";
}

static void found_json(const char *place, const char *record, const struct datadir_found *f)
{
    struct json j;
    cli_json_begin(&j);
    cli_json_text(&j, "file", place);
    cli_json_text(&j, "record", record);
    cli_json_id(&j, "zxid", f->zxid);
    cli_json_id(&j, "digest", (int64_t)f->digest);
    cli_json_text(&j, "recorded_digest", match_name(f->match));
    if (f->match != DATADIR_NO_DIGEST)
        cli_json_id(&j, "recorded_zxid", f->match_zxid);
    cli_json_number(&j, "nodes", (int64_t)f->nodes);
    cli_json_number(&j, "ephemerals", (int64_t)f->ephemerals);
    cli_json_number(&j, "sessions", (int64_t)f->sessions);
    cli_json_number(&j, "data_bytes", (int64_t)f->data_bytes);
    cli_json_id(&j, "snapshot_zxid", f->snapshot_zxid);
    cli_json_number(&j, "txns", (int64_t)f->txns);
    cli_json_number(&j, "snapshots_refused", f->snapshots_refused);
    cli_json_number(&j, "gaps", (int64_t)f->gaps);
    if (f->torn) {
        cli_json_id(&j, "torn_log", f->torn_log);
        cli_json_number(&j, "torn_offset", f->torn_offset);
    }
    cli_json_end(&j);
}

static void found_text(const char *place, const char *record, const struct datadir_found *f)
{
    printf("%s: %s, zxid 0x%" PRIx64 ", digest 0x%" PRIx64 ", ", place, record, (uint64_t)f->zxid,
           f->digest);
    switch (f->match) {
    case DATADIR_NO_DIGEST:
        printf("none recorded");
        break;
    case DATADIR_SAME:
        printf("as recorded");
        break;
    case DATADIR_DIFFERS:
        printf("NOT as recorded at 0x%" PRIx64, (uint64_t)f->match_zxid);
        break;
    case DATADIR_LATER:
        printf("written until 0x%" PRIx64 " (the log up to there belongs to it)",
               (uint64_t)f->match_zxid);
        break;
    }
    printf("; %" PRIu64 " nodes, %" PRIu64 " ephemeral, %" PRIu64 " sessions", f->nodes,
           f->ephemerals, f->sessions);
    if (f->txns > 0)
        printf("; %" PRIu64 " transactions on snapshot 0x%" PRIx64, f->txns,
               (uint64_t)f->snapshot_zxid);
    if (f->snapshots_refused > 0)
        printf("; %u newer snapshots are not whole: %s", f->snapshots_refused, f->refused);
    if (f->torn)
        printf("; log.%" PRIx64 " is torn at offset %" PRId64, (uint64_t)f->torn_log,
               f->torn_offset);
    if (f->gaps > 0)
        printf("; %" PRIu64 " gaps, the first behind 0x%" PRIx64, f->gaps, (uint64_t)f->gap_after);
    putchar('\n');
}

static void tell_found(struct dump *d, const char *place, const char *record,
                       const struct datadir_found *f)
{
    if (d->cli->json)
        found_json(place, record, f);
    else
        found_text(place, record, f);
    if (f->match != DATADIR_DIFFERS)
        return;
    struct err err;
    err_set(&err, 0, "'%s': the digest recorded for 0x%" PRIx64 " is not that of the tree", place,
            (uint64_t)f->match_zxid);
    failed(d, ERR_CORRUPT, &err);
}

static bool on_session(void *arg, const struct datadir_session *session)
{
    const struct dump *d = arg;
    if (d->cli->json)
        dump_session_json(d->file, session);
    else
        dump_session_text(session);
    return !ferror(stdout);
}

static bool on_node(void *arg, const struct datadir_node *node)
{
    const struct dump *d = arg;
    if (d->cli->json)
        dump_node_json(d->file, node);
    else
        dump_node_text(node);
    return !ferror(stdout);
}

static void dump_snapshot(struct dump *d, const struct datadir_file *file)
{
    struct datadir_state *state;
    struct datadir_found found;
    struct err err = {""};
    int rc = datadir_load_snapshot(file, &state, &found, &err);
    if (rc < 0) {
        failed(d, rc, &err);
        return;
    }
    if (!d->quiet) {
        datadir_visit_sessions(state, on_session, d);
        datadir_visit_nodes(state, on_node, d);
    }
    datadir_free(state);
    tell_found(d, d->file, "snapshot", &found);
}

/* ---- the command ---- */

/* Whether there was a snapshot among them. */
static bool dump_path(struct dump *d, const char *path)
{
    struct datadir_list files = {0};
    struct err err = {""};
    bool snapshots = false;
    int rc = datadir_list_add(&files, path, &err);
    if (rc < 0)
        failed(d, rc, &err);
    for (size_t i = 0; i < files.count && !ferror(stdout); i++) {
        d->file = files.files[i].path;
        snapshots = snapshots || files.files[i].kind == DATADIR_SNAPSHOT;
        if (files.files[i].kind == DATADIR_LOG)
            dump_log(d, &files.files[i]);
        else
            dump_snapshot(d, &files.files[i]);
    }
    datadir_list_deinit(&files);
    return snapshots;
}

static void tell_state(struct dump *d, const struct datadir_where *where)
{
    struct datadir_state *state;
    struct datadir_found found;
    struct err err = {""};
    int rc = datadir_load(where, &state, &found, &err);
    if (rc < 0) {
        failed(d, rc, &err);
        return;
    }
    datadir_free(state);
    tell_found(d, where->snap_dir, "state", &found);
}

int run_dump(struct cli *cli, int argc, char **argv)
{
    bool verify = false, digest = false;
    const char *from = NULL, *to = NULL, *zxid = NULL, *log_dir = NULL;
    const struct option options[] = {
        {0, "verify", OPTION_FLAG, &verify}, {0, "digest", OPTION_FLAG, &digest},
        {0, "zxid", OPTION_TEXT, &zxid},     {0, "from", OPTION_TEXT, &from},
        {0, "to", OPTION_TEXT, &to},         {0, "log-dir", OPTION_TEXT, &log_dir},
    };
    int count;
    int code =
        cli_words(cli, options, sizeof options / sizeof *options, argc, argv, 1, INT32_MAX, &count);
    if (code != CLI_OK)
        return code;
    struct dump d = {.cli = cli, .to = INT64_MAX, .quiet = verify};
    struct datadir_where where = {.log_dir = log_dir, .until = -1};
    if (verify && digest)
        return cli_usage(cli, "only one of --verify and --digest");
    if ((zxid != NULL && !digest) || (log_dir != NULL && !digest && !verify))
        return cli_usage(cli, "--zxid is for --digest, --log-dir for that and --verify");
    if ((from != NULL || to != NULL) && (verify || digest))
        return cli_usage(cli, "--from and --to are for records that are shown");
    if ((zxid != NULL && !zxid_read(cli, "--zxid", zxid, &where.until)) ||
        (from != NULL && !zxid_read(cli, "--from", from, &d.from)) ||
        (to != NULL && !zxid_read(cli, "--to", to, &d.to)))
        return CLI_USAGE;
    if ((digest || log_dir != NULL) && count != 1)
        return cli_usage(cli, "one folder is wanted");

    if (verify && log_dir != NULL)
        dump_path(&d, log_dir);
    for (int i = 1; i <= count && !ferror(stdout); i++) {
        where.snap_dir = argv[i];
        if (digest || (dump_path(&d, argv[i]) && verify && datadir_is_data_dir(argv[i])))
            tell_state(&d, &where);
    }
    return d.code;
}
