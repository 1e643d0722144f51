/* backup.c: one state of a server, with its check, in a folder of its own.
 *
 * From a running server by its admin port, or from the files of one, running or not. In either case
 * what is kept was loaded and compared with the digest that the server recorded: Apache's servers
 * write a snapshot while the tree changes, and without the log behind it that may be no state that
 * ever was. Such a one is asked for again, and in the end refused. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/admin.h"
#include "cli/backup_info.h"
#include "cli/zxid_text.h"

enum {
    ATTEMPTS = 3
};

struct backup {
    struct cli *cli;
    const char *target;
    char inner[BACKUP_PATH_BYTES];  /* target/version-2 */
    char upload[BACKUP_PATH_BYTES]; /* what comes from a server, until it was looked at */
    struct backup_info info;
};

/* ---- the folder ---- */

static int make_target(struct backup *b)
{
    int len = snprintf(b->inner, sizeof b->inner, "%s/" BACKUP_INNER_DIR, b->target);
    if (len < 0 || (size_t)len + DATADIR_NAME_MAX >= sizeof b->inner)
        return cli_usage(b->cli, "the path is too long");
    if (mkdir(b->target, 0777) < 0)
        return errno == EEXIST ? cli_no(b->cli, "'%s' is there already", b->target)
                               : cli_usage(b->cli, "%s: %s", b->target, strerror(errno));
    if (mkdir(b->inner, 0777) < 0) {
        int code = cli_usage(b->cli, "%s: %s", b->inner, strerror(errno));
        rmdir(b->target);
        return code;
    }
    return CLI_OK;
}

/* Nothing half done stays. What is not empty was not made here, and stays. */
static void remove_target(const struct backup *b)
{
    char path[BACKUP_PATH_BYTES + DATADIR_NAME_MAX + 1];
    if (b->info.snapshot[0] != 0) {
        snprintf(path, sizeof path, "%s/%s", b->inner, b->info.snapshot);
        unlink(path);
    }
    if (b->upload[0] != 0)
        unlink(b->upload);
    rmdir(b->inner);
    rmdir(b->target);
}

static int keep(struct backup *b, struct datadir_state *state, const struct datadir_found *found)
{
    struct err err = {""};
    if (datadir_save(state, b->inner, b->info.snapshot, &err) < 0)
        return cli_no(b->cli, "%s", err.text);
    char path[BACKUP_PATH_BYTES + DATADIR_NAME_MAX + 1];
    snprintf(path, sizeof path, "%s/%s", b->inner, b->info.snapshot);
    if (!backup_sum(path, &b->info.bytes, &b->info.crc32))
        return cli_no(b->cli, "%s: %s", path, strerror(errno));
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    b->info.taken_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    b->info.zxid = found->zxid;
    b->info.digest = found->digest;
    b->info.verified = found->match == DATADIR_SAME;
    b->info.nodes = found->nodes;
    b->info.sessions = found->sessions;
    return CLI_OK;
}

/* ---- from a server ---- */

static int download(struct backup *b, const char *place, int64_t *ret_zxid)
{
    snprintf(b->upload, sizeof b->upload, "%.*s/received", BACKUP_PATH_BYTES - 16, b->target);
    int fd = open(b->upload, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_usage(b->cli, "%s: %s", b->upload, strerror(errno));
    struct http_answer answer;
    int code = admin_get(b->cli, place, "snapshot?streaming=true", fd, &answer);
    uint8_t first[16];
    ssize_t n = pread(fd, first, sizeof first, 0);
    close(fd);
    buf_deinit(&answer.text);
    if (code != CLI_OK)
        return code;

    /* Compressed files are told by their names. */
    struct err err = {""};
    char name[DATADIR_NAME_MAX], renamed[BACKUP_PATH_BYTES + DATADIR_NAME_MAX];
    *ret_zxid = strncmp(answer.last_zxid, "0x", 2) == 0
                    ? (int64_t)strtoull(answer.last_zxid, NULL, 16)
                    : -1;
    if (datadir_snapshot_name(*ret_zxid < 0 ? 0 : *ret_zxid, slice_of(first, n > 0 ? (size_t)n : 0),
                              name, &err) < 0)
        return cli_no(b->cli, "%s: what it sent is %s", place, err.text);
    snprintf(renamed, sizeof renamed, "%.*s/%s", BACKUP_PATH_BYTES - DATADIR_NAME_MAX - 2,
             b->target, name);
    if (rename(b->upload, renamed) < 0)
        return cli_no(b->cli, "%s: %s", renamed, strerror(errno));
    snprintf(b->upload, sizeof b->upload, "%.*s", BACKUP_PATH_BYTES - 1, renamed);
    return CLI_OK;
}

static int from_server_once(struct backup *b, const char *place, bool *ret_changed)
{
    int64_t zxid = -1;
    int code = download(b, place, &zxid);
    if (code == CLI_OK) {
        struct datadir_file file = {b->upload, DATADIR_SNAPSHOT, zxid};
        struct datadir_state *state = NULL;
        struct datadir_found found;
        struct err err = {""};
        if (datadir_load_snapshot(&file, &state, &found, &err) < 0)
            code = cli_no(b->cli, "%s: %s", place, err.text);
        else if (found.match == DATADIR_DIFFERS || found.match == DATADIR_LATER)
            *ret_changed = true;
        else
            code = keep(b, state, &found);
        datadir_free(state);
    }
    unlink(b->upload);
    b->upload[0] = 0;
    return code;
}

static int from_server(struct backup *b, const char *place)
{
    snprintf(b->info.source, sizeof b->info.source, "server %.200s", place);
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        bool changed = false;
        int code = from_server_once(b, place, &changed);
        if (code != CLI_OK || !changed)
            return code;
    }
    return cli_no(b->cli,
                  "%s: its tree changed while it was written, %d times: what it sends is "
                  "no state that ever was; ask when fewer write, or use --data-dir",
                  place, ATTEMPTS);
}

/* ---- from files ---- */

static int from_files(struct backup *b, const struct datadir_where *where)
{
    struct datadir_state *state = NULL;
    struct datadir_found found;
    struct err err = {""};
    snprintf(b->info.source, sizeof b->info.source, "folder %.200s", where->snap_dir);
    int rc = datadir_load(where, &state, &found, &err);
    if (rc < 0)
        return rc == ERR_NOTFOUND ? cli_usage(b->cli, "%s", err.text)
                                  : cli_no(b->cli, "%s", err.text);
    int code;
    if (found.match == DATADIR_DIFFERS)
        code = cli_no(b->cli, "'%s': the digest recorded for 0x%" PRIx64 " is not that of the tree",
                      where->snap_dir, (uint64_t)found.match_zxid);
    else if (found.match == DATADIR_LATER)
        code = cli_no(b->cli,
                      "'%s': the snapshot was written until 0x%" PRIx64 ", and the log ends before",
                      where->snap_dir, (uint64_t)found.match_zxid);
    else
        code = keep(b, state, &found);
    datadir_free(state);
    if (code == CLI_OK && found.torn)
        fprintf(stderr, "caucus: backup: log.%" PRIx64 " ends with a write that was not finished\n",
                (uint64_t)found.torn_log);
    if (code == CLI_OK && found.snapshots_refused > 0)
        fprintf(stderr, "caucus: backup: a newer snapshot is not whole: %s\n", found.refused);
    return code;
}

/* ---- the command ---- */

static void tell(const struct backup *b)
{
    if (b->cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "backup", b->target);
        backup_info_json(&j, &b->info);
        cli_json_end(&j);
        return;
    }
    printf("%s: zxid 0x%" PRIx64 ", %" PRIu64 " nodes, %" PRId64 " bytes, digest 0x%" PRIx64 "%s\n",
           b->target, (uint64_t)b->info.zxid, b->info.nodes, b->info.bytes, b->info.digest,
           b->info.verified ? "" : " (the server recorded none to compare with)");
}

int run_backup(struct cli *cli, int argc, char **argv)
{
    const char *admin = NULL, *zxid = NULL;
    struct datadir_where where = {.until = -1};
    const struct option options[] = {
        {0, "admin", OPTION_TEXT, &admin},
        {0, "data-dir", OPTION_TEXT, &where.snap_dir},
        {0, "log-dir", OPTION_TEXT, &where.log_dir},
        {0, "zxid", OPTION_TEXT, &zxid},
    };
    int code = cli_words(cli, options, 4, argc, argv, 1, 1, NULL);
    if (code != CLI_OK)
        return code;
    if ((admin != NULL) == (where.snap_dir != NULL))
        return cli_usage(cli, "one of --admin and --data-dir is wanted");
    if (admin != NULL && (where.log_dir != NULL || zxid != NULL))
        return cli_usage(cli, "--log-dir and --zxid belong to --data-dir");
    if (zxid != NULL && !zxid_read(cli, "--zxid", zxid, &where.until))
        return CLI_USAGE;
    if (admin != NULL)
        code = admin_check(cli, admin);
    struct backup b = {.cli = cli, .target = argv[1]};
    if (code == CLI_OK)
        code = make_target(&b);
    if (code != CLI_OK)
        return code;
    code = admin != NULL ? from_server(&b, admin) : from_files(&b, &where);
    if (code == CLI_OK && !backup_info_write(b.target, &b.info))
        code = cli_no(cli, "%s/" BACKUP_INFO_NAME ": %s", b.target, strerror(errno));
    if (code == CLI_OK)
        tell(&b);
    else
        remove_target(&b);
    return code;
}
