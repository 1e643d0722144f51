#include "election/definition.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/mem.h"
#include "election/definition_internal.h"
#include "election/table.h"

enum {
    PATH_BYTES_MAX = 4096,
    ROLL_PIECE_BYTES = 1 << 20,
    ROLL_VOTERS_MAX = 100 * 1000 * 1000,
};

const char *definition_keep(struct definition *d, const char *text)
{
    if (d->text_count == d->text_cap) {
        d->text_cap = d->text_cap ? d->text_cap * 2 : 64;
        d->texts = mem_realloc(d->texts, d->text_cap * sizeof *d->texts);
    }
    return d->texts[d->text_count++] = mem_dup(text, strlen(text) + 1);
}

/* ---- keys ---- */

static void key_for(const uint8_t master[SHA256_BYTES], const char *label, const char *id,
                    const char *state, uint8_t ret[SHA256_BYTES])
{
    struct hmac_key k;
    struct buf b = {0};
    hmac_key_init(&k, master, SHA256_BYTES);
    buf_printf(&b, "caucus %s", label);
    buf_put_u8(&b, 0);
    buf_put(&b, id, strlen(id) + 1);
    buf_put(&b, state, strlen(state) + 1);
    hmac_of(&k, b.ptr, b.len, ret);
    buf_deinit(&b);
}

void definition_key(const struct definition *d, enum definition_key use, int state,
                    struct hmac_key *ret)
{
    static const char *const labels[] = {
        [DEFINITION_PSEUDONYMS] = "pseudonyms",
        [DEFINITION_CREDENTIALS] = "credentials",
    };
    uint8_t key[SHA256_BYTES];
    key_for(d->master, labels[use], d->info.id, d->states[state].names.code, key);
    hmac_key_init(ret, key, sizeof key);
}

/* Whoever has the master key can sign: a server that has it could write any log, too. */
static void make_signer(struct definition *d)
{
    uint8_t key[SIGN_KEY_BYTES];
    key_for(d->master, "signatures", d->info.id, "", key);
    d->signer = sign_key_make(key);
    sign_key_public(d->signer, d->info.signer);
    explicit_bzero(key, sizeof key);
}

static int read_master(struct definition *d, const char *path, struct err *err)
{
    char *text;
    size_t len;
    if (path == NULL) {
        static const char everybody[] = "caucus demonstration";
        sha256_of(everybody, sizeof everybody, d->master);
        d->demonstration = true;
        return 0;
    }
    int rc = file_read_whole(path, 1 << 16, &text, &len, err);
    if (rc < 0)
        return err_wrap(err, rc, "the master key");
    if (len >= DEFINITION_KEY_BYTES_MIN)
        sha256_of(text, len, d->master);
    else
        rc = err_set(err, ERR_INVALID, "'%s': a master key has at least %d bytes", path,
                     DEFINITION_KEY_BYTES_MIN);
    explicit_bzero(text, len);
    free(text);
    return rc;
}

/* ---- what it says ---- */

/* Servers with another master key make other pseudonyms, so this is part of it; from 16 bytes of an
 * HMAC nobody learns the key. */
static void put_fingerprint(const struct definition *d, struct buf *ret)
{
    uint8_t print[SHA256_BYTES];
    key_for(d->master, "fingerprint", d->info.id, "", print);
    for (int i = 0; i < 16; i++)
        buf_printf(ret, "%02x", print[i]);
}

/* Nothing if there are none: elections from before there were any keep their hash. */
static void put_approvers(const struct election_info *info, struct buf *ret)
{
    for (uint32_t i = 0; i < info->approver_count; i++) {
        char key[2 * sizeof info->approvers[i].key + 1];
        hex_write(info->approvers[i].key, sizeof info->approvers[i].key, key);
        buf_printf(ret, "\napprover=%s %s", info->approvers[i].name, key);
    }
    if (info->approver_count > 0)
        buf_printf(ret, "\napprovals_min=%" PRIu32, info->approvals_min);
}

void definition_text(const struct definition *d, struct buf *ret)
{
    const struct election_info *info = &d->info;
    char signer[2 * SIGN_PUBLIC_BYTES + 1];
    buf_printf(ret, "election 1\nid=%s\ntitle=%s\nallocation=%s\npublish=%s\n", info->id,
               info->title, d->by_law ? "law" : "winner", info->live ? "live" : "closed");
    buf_printf(ret, "replicas=%" PRIu32 "\ncopies_min=%" PRIu32 "\nrevisions_max=%d\n", d->replicas,
               d->copies_min, d->revisions_max);
    buf_printf(ret, "roll_scale=%" PRIu64 "/%" PRIu64 "\nkey=", d->scale, d->scale_of);
    put_fingerprint(d, ret);
    hex_write(info->signer, sizeof info->signer, signer);
    buf_printf(ret, "\nsigner=%s", signer);
    put_approvers(info, ret);
    for (uint32_t i = 0; i < info->candidate_count; i++)
        buf_printf(ret, "\ncandidate \"%s\" \"%s\"", info->candidates[i].id,
                   info->candidates[i].name);
    for (uint32_t i = 0; i < info->state_count; i++) {
        const struct state_info *s = &info->states[i];
        buf_printf(ret, "\nstate %s \"%s\" \"%s\" electors=%" PRIu32 " districts=%d divided=%d",
                   s->names.code, s->names.key, s->names.name, s->electors, s->districts,
                   s->divided);
        buf_printf(ret, " roll=%" PRIu64 " ballot=%" PRIx64, s->roll, s->on_ballot);
    }
    buf_put_u8(ret, '\n');
}

static void seal_definition(struct definition *d)
{
    struct buf b = {0};
    definition_text(d, &b);
    sha256_of(b.ptr, b.len, d->info.config.bytes);
    buf_deinit(&b);
}

int definition_read(const char *dir, const char *key_file, struct definition **ret, struct err *err)
{
    struct definition *d = mem_calloc(1, sizeof *d);
    d->dir = mem_dup(dir, strlen(dir) + 1);
    int rc = definition_read_files(d, err);
    if (rc == 0)
        rc = read_master(d, key_file, err);
    if (rc < 0) {
        definition_free(d);
        return rc;
    }
    make_signer(d);
    seal_definition(d);
    *ret = d;
    return 0;
}

void definition_free(struct definition *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->text_count; i++)
        free(d->texts[i]);
    explicit_bzero(d->master, sizeof d->master);
    sign_key_free(d->signer);
    free(d->texts);
    free(d->states);
    free(d->candidates);
    free(d->dir);
    free(d);
}

int definition_find_state(const struct definition *d, struct slice name)
{
    for (uint32_t i = 0; i < d->info.state_count && name.len == 2; i++) {
        if (slice_eq_str(name, d->states[i].names.code))
            return (int)i;
    }
    for (uint32_t i = 0; i < d->info.state_count; i++) {
        if (state_is_called(&d->states[i].names, name))
            return (int)i;
    }
    return -1;
}

int definition_find_candidate(const struct definition *d, struct slice name)
{
    for (uint32_t i = 0; i < d->info.candidate_count; i++) {
        if (slice_eq_str(name, d->candidates[i].id) || slice_eq_str(name, d->candidates[i].name))
            return (int)i;
    }
    return -1;
}

/* ---- rolls ---- */

static int import_from(int fd, struct roll_import *import, struct err *err)
{
    uint8_t *piece = mem_alloc(ROLL_PIECE_BYTES);
    int rc = 0;
    while (rc == 0) {
        ssize_t n = read(fd, piece, ROLL_PIECE_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = err_set(err, ERR_IO, "%s", strerror(errno));
        if (n <= 0)
            break;
        rc = roll_import_add(import, slice_of(piece, (size_t)n), err);
    }
    free(piece);
    return rc;
}

int definition_roll_read(const struct definition *d, int state, int fd, struct voters *ret,
                         struct err *err)
{
    const struct state_info *s = &d->states[state];
    struct hmac_key key;
    definition_key(d, DEFINITION_PSEUDONYMS, state, &key);
    struct roll_options options = {
        .state = s->names,
        .key = &key,
        .districts = s->districts,
        .voters_max = ROLL_VOTERS_MAX,
    };
    struct roll_import *import = roll_import_begin(&options);
    int rc = import_from(fd, import, err);
    if (rc == 0)
        return roll_import_end(import, ret, NULL, err);
    roll_import_free(import);
    return rc;
}

/* ERR_NOTFOUND: there is no such file. */
static int roll_from_file(const struct definition *d, int state, const char *path,
                          struct voters *ret, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, "open '%s': %s", path,
                       strerror(errno));
    int rc = definition_roll_read(d, state, fd, ret, err);
    close(fd);
    return rc < 0 ? err_wrap(err, rc, "roll '%s'", path) : 0;
}

static int roll_from_rule(const struct state_info *s, const struct hmac_key *key,
                          struct voters *ret, struct err *err)
{
    char prefix[STATE_CODE_BYTES + 2];
    snprintf(prefix, sizeof prefix, "%s-", s->names.code);
    struct roll_rule rule = {.prefix = prefix, .count = s->roll, .districts = s->districts};
    return roll_by_rule(&rule, key, ret, err);
}

int definition_roll(const struct definition *d, int state, struct voters *ret, struct err *err)
{
    const struct state_info *s = &d->states[state];
    char path[PATH_BYTES_MAX];
    struct hmac_key key;
    definition_key(d, DEFINITION_PSEUDONYMS, state, &key);

    snprintf(path, sizeof path, "%s/roll/%s.csv", d->dir, s->names.code);
    int rc = roll_from_file(d, state, path, ret, err);
    if (rc == ERR_NOTFOUND) {
        snprintf(path, sizeof path, "%s/roll.csv", d->dir);
        rc = roll_from_file(d, state, path, ret, err);
    }
    if (rc != ERR_NOTFOUND)
        return rc;
    if (s->roll == 0)
        return err_set(err, ERR_NOTFOUND,
                       "%s has no roll: no '%s/roll/%s.csv', no roll.csv, and states.csv gives it "
                       "no number of voters",
                       s->names.code, d->dir, s->names.code);
    return roll_from_rule(s, &key, ret, err);
}
