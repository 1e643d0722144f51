/* restore.c: a backup becomes the state of a server again.
 *
 * Into the data folder of a server that does not run, or into a running one by its admin port. What
 * is to be restored is read and checked before anything is touched, and nothing is ever deleted: a
 * state that is in the way is refused, or with --force moved aside. */
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

enum {
    NODES_OF_A_NEW_SERVER = 5 /* as servers count: /, twice, /zookeeper, its config and its quota */
};

struct restore {
    struct cli *cli;
    const char *backup;
    char snapshot[BACKUP_PATH_BYTES]; /* the file */
    char name[DATADIR_NAME_MAX];      /* what servers call it */
    bool force;
    struct datadir_state *state; /* what it holds */
    struct datadir_found found;
};

/* ---- what is restored ---- */

static int check_sums(struct restore *r)
{
    struct backup_info info;
    int64_t bytes;
    uint32_t crc;
    int code = backup_info_read(r->cli, r->backup, &info);
    if (code != CLI_OK)
        return code;
    int len = snprintf(r->snapshot, sizeof r->snapshot, "%s/" BACKUP_INNER_DIR "/%s", r->backup,
                       info.snapshot);
    if (len < 0 || (size_t)len >= sizeof r->snapshot)
        return cli_usage(r->cli, "the path is too long");
    if (!backup_sum(r->snapshot, &bytes, &crc))
        return cli_no(r->cli, "%s: %s", r->snapshot, strerror(errno));
    if (bytes != info.bytes || crc != info.crc32)
        return cli_no(r->cli, "'%s' is not what was backed up: its check sum differs", r->snapshot);
    return CLI_OK;
}

static int load(struct restore *r)
{
    struct datadir_list files = {0};
    struct err err = {""};
    int rc = datadir_list_add(&files, r->snapshot, &err);
    if (rc == 0 && files.files[0].kind != DATADIR_SNAPSHOT)
        rc = err_set(&err, ERR_INVALID, "'%s' is no snapshot", r->snapshot);
    if (rc == 0)
        rc = datadir_load_snapshot(&files.files[0], &r->state, &r->found, &err);
    datadir_list_deinit(&files);
    if (rc < 0)
        return rc == ERR_CORRUPT || rc == ERR_IO ? cli_no(r->cli, "%s", err.text)
                                                 : cli_usage(r->cli, "%s", err.text);
    if (r->found.match == DATADIR_DIFFERS || r->found.match == DATADIR_LATER)
        return cli_no(r->cli, "'%s' is no state that ever was: its digest is another", r->snapshot);
    return CLI_OK;
}

/* A folder made by backup, or one snapshot file by itself. */
static int read_backup(struct restore *r)
{
    struct stat st;
    if (stat(r->backup, &st) < 0)
        return cli_usage(r->cli, "%s: %s", r->backup, strerror(errno));
    int code = CLI_OK;
    if (S_ISDIR(st.st_mode))
        code = check_sums(r);
    else
        snprintf(r->snapshot, sizeof r->snapshot, "%s", r->backup);
    return code == CLI_OK ? load(r) : code;
}

/* ---- into a folder ---- */

/* The state's folder there, if it is there and not empty. */
static bool is_occupied(const char *dir, char inner[BACKUP_PATH_BYTES])
{
    snprintf(inner, BACKUP_PATH_BYTES, "%.4000s/" BACKUP_INNER_DIR, dir);
    return rmdir(inner) < 0 && errno != ENOENT;
}

static int move_aside(struct restore *r, const char *inner)
{
    char aside[BACKUP_PATH_BYTES + 64], when[32];
    time_t now = time(NULL);
    struct tm tm;
    strftime(when, sizeof when, "%Y%m%dT%H%M%SZ", gmtime_r(&now, &tm));
    snprintf(aside, sizeof aside, "%s.before-%s", inner, when);
    struct stat st;
    for (int i = 2; lstat(aside, &st) == 0 && i < 100; i++)
        snprintf(aside, sizeof aside, "%s.before-%s-%d", inner, when, i);
    if (rename(inner, aside) < 0)
        return cli_no(r->cli, "%s: cannot be moved aside: %s", inner, strerror(errno));
    if (!folder_sync_above(aside))
        return cli_no(r->cli, "%s: %s", aside, strerror(errno));
    fprintf(stderr, "caucus: restore: what was there is now in %s\n", aside);
    return CLI_OK;
}

static int make_room(struct restore *r, const char *dir)
{
    char inner[BACKUP_PATH_BYTES];
    if (!is_occupied(dir, inner))
        return CLI_OK;
    if (!r->force)
        return cli_no(r->cli, "'%s' holds a state; --force moves it aside", inner);
    return move_aside(r, inner);
}

static int make_dir(struct restore *r, const char *dir)
{
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return cli_usage(r->cli, "%s: %s", dir, strerror(errno));
    return folder_sync_above(dir) ? CLI_OK : cli_no(r->cli, "%s: %s", dir, strerror(errno));
}

/* Both are looked at before either is moved. */
static int check_room(struct restore *r, const char *data_dir, const char *log_dir)
{
    char inner[BACKUP_PATH_BYTES];
    const char *dirs[] = {data_dir, log_dir};
    for (size_t i = 0; i < 2; i++)
        if (!r->force && is_occupied(dirs[i], inner))
            return cli_no(r->cli, "'%s' holds a state; --force moves it aside", inner);
    return CLI_OK;
}

static int into_folder(struct restore *r, const char *data_dir, const char *log_dir)
{
    char inner[BACKUP_PATH_BYTES];
    struct err err = {""};
    if (strlen(data_dir) > 4000 || strlen(log_dir) > 4000)
        return cli_usage(r->cli, "the path is too long");
    int code = check_room(r, data_dir, log_dir);
    if (code == CLI_OK)
        code = make_room(r, data_dir);
    if (code == CLI_OK && strcmp(data_dir, log_dir) != 0)
        code = make_room(r, log_dir);
    if (code == CLI_OK)
        code = make_dir(r, data_dir);
    snprintf(inner, sizeof inner, "%.4000s/" BACKUP_INNER_DIR, data_dir);
    if (code == CLI_OK)
        code = make_dir(r, inner);
    if (code == CLI_OK && datadir_save(r->state, inner, r->name, &err) < 0)
        code = cli_no(r->cli, "%s", err.text);
    return code;
}

/* ---- into a running server ---- */

static int check_server(struct restore *r, const char *place)
{
    struct http_answer answer;
    char state[64] = "", nodes[32] = "";
    int code = admin_get(r->cli, place, "server_stats", -1, &answer);
    if (code == CLI_OK) {
        const char *text = (const char *)answer.text.ptr;
        http_member(text, "server_state", state, sizeof state);
        http_member(text, "node_count", nodes, sizeof nodes);
    }
    buf_deinit(&answer.text);
    if (code != CLI_OK || r->force)
        return code;
    if (strcmp(state, "standalone") != 0)
        return cli_no(r->cli,
                      "%s is a member of an ensemble (%s): all of them have to be restored "
                      "alike; --force restores this one",
                      place, state);
    long long count = strtoll(nodes, NULL, 10);
    if (count < 1 || count > NODES_OF_A_NEW_SERVER)
        return cli_no(r->cli, "%s holds a state of %s nodes; --force replaces it", place, nodes);
    return CLI_OK;
}

static int post(struct restore *r, const char *place, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0) {
        int code = cli_no(r->cli, "%s: %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return code;
    }
    struct http_answer answer;
    int code = admin_post(r->cli, place, "restore", fd, st.st_size, &answer);
    buf_deinit(&answer.text);
    close(fd);
    return code;
}

/* What is sent is written anew: servers take no compressed file in this way. */
static int into_server(struct restore *r, const char *place)
{
    int code = check_server(r, place);
    if (code != CLI_OK)
        return code;
    const char *tmp = getenv("TMPDIR");
    char dir[512], path[sizeof dir + DATADIR_NAME_MAX + 1];
    snprintf(dir, sizeof dir, "%.400s/caucus-restore-XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return cli_no(r->cli, "%s: %s", dir, strerror(errno));
    struct err err = {""};
    if (datadir_save(r->state, dir, r->name, &err) < 0) {
        code = cli_no(r->cli, "%s", err.text);
    } else {
        snprintf(path, sizeof path, "%s/%s", dir, r->name);
        code = post(r, place, path);
        unlink(path);
    }
    rmdir(dir);
    return code;
}

/* ---- the command ---- */

static void tell(const struct restore *r, const char *where)
{
    if (r->cli->json) {
        struct json j;
        cli_json_begin(&j);
        cli_json_text(&j, "restored", where);
        cli_json_text(&j, "backup", r->backup);
        cli_json_id(&j, "zxid", r->found.zxid);
        cli_json_id(&j, "digest", (int64_t)r->found.digest);
        cli_json_flag(&j, "verified", r->found.match == DATADIR_SAME);
        cli_json_number(&j, "nodes", (int64_t)r->found.nodes);
        cli_json_number(&j, "sessions", (int64_t)r->found.sessions);
        cli_json_end(&j);
        return;
    }
    printf("%s: zxid 0x%" PRIx64 ", %" PRIu64 " nodes, digest 0x%" PRIx64 "\n", where,
           (uint64_t)r->found.zxid, r->found.nodes, r->found.digest);
}

int run_restore(struct cli *cli, int argc, char **argv)
{
    const char *admin = NULL, *data_dir = NULL, *log_dir = NULL;
    struct restore r = {.cli = cli};
    const struct option options[] = {
        {0, "admin", OPTION_TEXT, &admin},
        {0, "data-dir", OPTION_TEXT, &data_dir},
        {0, "log-dir", OPTION_TEXT, &log_dir},
        {0, "force", OPTION_FLAG, &r.force},
    };
    int code = cli_words(cli, options, 4, argc, argv, 1, 1, NULL);
    if (code != CLI_OK)
        return code;
    if ((admin != NULL) == (data_dir != NULL))
        return cli_usage(cli, "one of --admin and --data-dir is wanted");
    if (admin != NULL && log_dir != NULL)
        return cli_usage(cli, "--log-dir belongs to --data-dir");
    if (admin != NULL)
        code = admin_check(cli, admin);
    r.backup = argv[1];
    if (code == CLI_OK)
        code = read_backup(&r);
    if (code == CLI_OK)
        code = admin != NULL ? into_server(&r, admin)
                             : into_folder(&r, data_dir, log_dir != NULL ? log_dir : data_dir);
    if (code == CLI_OK)
        tell(&r, admin != NULL ? admin : data_dir);
    datadir_free(r.state);
    return code;
}
