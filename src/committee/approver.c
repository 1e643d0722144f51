/* approver.c: keys of those who may approve what cannot be undone, and their approvals. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/hex.h"
#include "canvass/files.h"
#include "cli/options.h"
#include "committee/new_file.h"
#include "committee/show.h"
#include "election/loss.h"
#include "tls/sign.h"

enum {
    KEY_DIGITS = 2 * SIGN_KEY_BYTES,
};

/* ---- keys ---- */

/* 64 digits and the end of the line, nothing else. sign_key_free. */
static int read_key(const char *path, struct sign_key **ret, struct err *err)
{
    struct buf text;
    uint8_t key[SIGN_KEY_BYTES];
    int rc = canvass_file_read(path, KEY_DIGITS + 1, &text, err);
    bool good = rc == 0 && text.len == KEY_DIGITS + 1 && text.ptr[KEY_DIGITS] == '\n' &&
                hex_read((const char *)text.ptr, sizeof key, key);
    if (good)
        *ret = sign_key_make(key);
    else if (rc == 0 || rc == ERR_TOOBIG)
        rc = err_set(err, ERR_INVALID, "'%s': this is no key of an approver (committee approver)",
                     path);
    explicit_bzero(key, sizeof key);
    if (text.len > 0)
        explicit_bzero(text.ptr, text.len);
    buf_deinit(&text);
    return rc;
}

static int write_key(const char *path, struct err *err)
{
    uint8_t key[SIGN_KEY_BYTES];
    char text[KEY_DIGITS + 2];
    if (getrandom(key, sizeof key, 0) != (ssize_t)sizeof key)
        return err_set(err, ERR_IO, "the system gives no random bytes");
    hex_write(key, sizeof key, text);
    memcpy(text + KEY_DIGITS, "\n", 2);
    int rc = new_file_write(path, 0600, slice_str(text), err);
    explicit_bzero(key, sizeof key);
    explicit_bzero(text, sizeof text);
    return rc;
}

/* As election.conf has it. */
static int show_key(const struct committee *m, const char *path, const char *name, struct err *err)
{
    uint8_t public_key[SIGN_PUBLIC_BYTES];
    char text[2 * sizeof public_key + 1];
    struct sign_key *key;
    int rc = read_key(path, &key, err);
    if (rc < 0)
        return rc;
    sign_key_public(key, public_key);
    sign_key_free(key);
    hex_write(public_key, sizeof public_key, text);
    if (!m->json) {
        printf("approver=%s %s\n", name, text);
        return 0;
    }
    struct show_json s;
    show_json_begin(&s);
    json_out_string(&s.json, "name", name);
    json_out_string(&s.json, "key", text);
    show_json_end(&s);
    return 0;
}

static int check_name(const struct committee *m, const char *name)
{
    if (name == NULL)
        return committee_complain(m, COMMITTEE_USAGE, "--name NAME is wanted");
    if (!approver_name_is_sound(slice_str(name)))
        return committee_complain(m, COMMITTEE_USAGE,
                                  "--name has 1 to %d letters, digits, '.', '_', '-'",
                                  APPROVER_NAME_BYTES_MAX - 1);
    return COMMITTEE_OK;
}

int run_approver(struct committee *m, int argc, char **argv)
{
    const char *name = NULL;
    const struct option options[] = {{0, "name", OPTION_TEXT, &name}};
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, options, 1, argc, argv, 2, 2, &count);
    if (code != 0)
        return code;
    bool make = strcmp(argv[1], "new") == 0;
    if (!make && strcmp(argv[1], "show") != 0)
        return committee_complain(m, COMMITTEE_USAGE, "new FILE or show FILE is wanted");
    code = check_name(m, name);
    if (code != 0)
        return code;
    int rc = make ? write_key(argv[2], &err) : 0;
    if (rc == 0)
        rc = show_key(m, argv[2], name, &err);
    return rc == 0 ? COMMITTEE_OK : committee_complain(m, COMMITTEE_NO, "%s", err.text);
}

/* ---- approvals ---- */

struct document {
    const char *path;
    struct buf text;
    struct loss_notice notice;
    struct slice signed_part; /* of text */
};

static int read_document(const char *path, struct document *ret, struct err *err)
{
    ret->path = path;
    int rc = canvass_file_read(path, LOSS_DOCUMENT_BYTES_MAX, &ret->text, err);
    if (rc < 0)
        return rc;
    rc = loss_read(buf_slice(&ret->text), &ret->notice, &ret->signed_part, err);
    return rc < 0 ? err_wrap(err, rc, "'%s'", path) : 0;
}

/* Names of servers and states can only be of letters; an election's id may be anything, which is
 * not to look like something else. */
static void tell_election(const char *id)
{
    fprintf(stderr, "Of election '");
    for (; *id != 0; id++)
        fprintf(stderr, *id < ' ' || *id > '~' ? "\\x%02x" : "%c", (unsigned char)*id);
    fprintf(stderr, "', ");
}

static void tell(const struct loss_notice *n)
{
    tell_election(n->election);
    fprintf(stderr,
            "state %s, round %" PRIu64 ":\n"
            "%s of %s committed records are given up for good, the newest ones; %s are kept, as\n"
            "server %s has them.\n",
            n->state, n->round, show_number(n->committed - n->kept), show_number(n->committed),
            show_number(n->kept), n->keeper);
    fprintf(stderr, "The disks of these servers are declared lost:");
    for (uint32_t i = 0; i < n->missing_count; i++)
        fprintf(stderr, " %s", n->missing[i]);
    fprintf(stderr,
            "%s\nVoters were told that these votes count. When enough have approved, this cannot "
            "be undone.\n",
            n->missing_count == 0 ? " none" : "");
}

static int add(struct document *d, const char *name, struct slice line, struct err *err)
{
    if (loss_names_approver(buf_slice(&d->text), name))
        return err_set(err, ERR_INVALID, "'%s': '%s' has approved it already", d->path, name);
    struct buf text = {0};
    buf_put_slice(&text, buf_slice(&d->text));
    buf_put_slice(&text, line);
    struct loss_notice notice;
    struct slice part;
    int rc = loss_read(buf_slice(&text), &notice, &part, err); /* as many as there may be */
    if (rc == 0)
        rc = new_file_replace(d->path, buf_slice(&text), err);
    buf_deinit(&text);
    return rc;
}

static int approve(struct document *d, const char *name, const char *key_path, bool added,
                   struct err *err)
{
    struct sign_key *key;
    struct buf line = {0};
    int rc = read_key(key_path, &key, err);
    if (rc < 0)
        return rc;
    tell(&d->notice);
    loss_approve(key, name, d->signed_part, &line);
    sign_key_free(key);
    if (added)
        rc = add(d, name, buf_slice(&line), err);
    else
        fwrite(line.ptr, 1, line.len, stdout);
    buf_deinit(&line);
    return rc;
}

int run_approve(struct committee *m, int argc, char **argv)
{
    const char *name = NULL, *key = NULL;
    bool added = false;
    const struct option options[] = {{0, "name", OPTION_TEXT, &name},
                                     {'k', "key", OPTION_TEXT, &key},
                                     {0, "add", OPTION_FLAG, &added}};
    struct document d = {.path = NULL};
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, options, 3, argc, argv, 1, 1, &count);
    if (code == 0)
        code = check_name(m, name);
    if (code == 0 && key == NULL)
        code = committee_complain(m, COMMITTEE_USAGE, "--key FILE is wanted");
    if (code != 0)
        return code;
    /* Two who approve at once: the second one reads what the first one has added. */
    int locked = added ? new_file_lock(argv[1], &err) : -1;
    int rc = added && locked < 0 ? locked : read_document(argv[1], &d, &err);
    if (rc == 0)
        rc = approve(&d, name, key, added, &err);
    if (locked >= 0)
        close(locked);
    buf_deinit(&d.text);
    return rc == 0 ? COMMITTEE_OK : committee_complain(m, COMMITTEE_NO, "%s", err.text);
}
