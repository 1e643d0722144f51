/* receipt.c: is my vote in? A receipt against servers, and against an exported log. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "canvass/definition.h"
#include "canvass/files.h"
#include "canvass/log.h"
#include "canvass/verify.h"
#include "cli/options.h"
#include "committee/receipt_file.h"
#include "committee/show.h"
#include "election/service.h"
#include "election/sign.h"
#include "tls/note.h"

enum {
    RECEIPT_BYTES_MAX = 64 << 10,
};

struct check {
    struct committee *committee;
    struct receipt_file file;
    struct signer signer;
    const char *export;
    /* Of servers: the newest head, of which the receipt's tree is the beginning. */
    uint64_t head_size;
    bool signature_is_right, signature_is_wrong, asked, read;
};

static int wrong(struct err *err, const char *what)
{
    return err_set(err, ERR_CORRUPT, "%s", what);
}

/* ---- the signature ---- */

static int check_signature(struct check *c, struct err *err)
{
    struct state_info state = {.names = {c->file.state, "", ""}};
    struct election_info e = {.id = c->signer.election, .states = &state, .state_count = 1};
    struct buf text = {0};
    if (!c->file.is_signed || !c->signer.known || c->signer.election[0] == 0)
        return 0;
    receipt_text(&e, 0, &c->file.receipt, &text);
    c->signature_is_right = sign_check(c->signer.key, buf_slice(&text), c->file.signature);
    buf_deinit(&text);
    c->signature_is_wrong = !c->signature_is_right;
    return c->signature_is_right ? 0 : wrong(err, "it is not signed by this election's key");
}

/* ---- against servers ---- */

static int get(const struct check *c, const char *path, struct buf *ret, struct err *err)
{
    return client_file(&c->committee->client, path, ret, err) == CLIENT_OK ? 0 : ERR_IO;
}

static int ask_signer(struct check *c, struct err *err)
{
    struct signer told;
    struct buf text;
    int rc = get(c, "/v1/election", &text, err);
    if (rc == 0 && !signer_read(buf_slice(&text), &told))
        rc = wrong(err, "the servers do not say who signs");
    buf_deinit(&text);
    if (rc < 0)
        return rc;
    if (c->signer.known && memcmp(c->signer.key, told.key, sizeof told.key) != 0)
        return wrong(err, "the servers sign with another key than --signer");
    if (c->signer.election[0] != 0 && strcmp(c->signer.election, told.election) != 0)
        return wrong(err, "the servers are of another election than --export");
    c->signer = told;
    return 0;
}

static int ask_proof(const struct check *c, const char *path, struct proof_file *ret,
                     struct err *err)
{
    struct buf text;
    int rc = get(c, path, &text, err);
    if (rc == 0 && !proof_file_read(buf_slice(&text), ret))
        rc = wrong(err, "what the server sent is no proof");
    buf_deinit(&text);
    return rc;
}

static int ask_inclusion(const struct check *c, struct err *err)
{
    const struct receipt *r = &c->file.receipt;
    struct proof_file p;
    char path[256];
    snprintf(path, sizeof path,
             "/v1/log/%s/proof/inclusion?round=%" PRIu64 "&index=%" PRIu64 "&size=%" PRIu64,
             c->file.state, r->round, r->index, r->tree_size);
    int rc = ask_proof(c, path, &p, err);
    if (rc == 0 && !merkle_included(&r->leaf, r->index, r->tree_size, p.path, p.count, &r->root))
        rc = wrong(err, "the servers do not prove that the record is in the receipt's tree");
    return rc;
}

/* Three lines: whose, how many records, their root. */
static bool read_head(struct slice text, const char *origin, uint64_t *ret_size, struct hash *ret)
{
    char line[32];
    size_t len = strlen(origin);
    if (text.len < len || memcmp(text.ptr, origin, len) != 0)
        return false;
    text = slice_from(text, len);
    const uint8_t *end = memchr(text.ptr, '\n', text.len);
    len = end != NULL ? (size_t)(end - text.ptr) : sizeof line;
    if (len >= sizeof line)
        return false;
    memcpy(line, text.ptr, len);
    line[len] = 0;
    int64_t size;
    if (!option_number(line, 0, INT64_MAX, &size))
        return false;
    *ret_size = (uint64_t)size;
    text = slice_from(text, len + 1);
    end = memchr(text.ptr, '\n', text.len);
    return end != NULL &&
           base64_take(slice_of(text.ptr, (size_t)(end - text.ptr)), ret->bytes, SHA256_BYTES);
}

static int ask_head(struct check *c, struct hash *ret_root, struct err *err)
{
    char path[64], name[HEAD_NAME_BYTES], origin[HEAD_NAME_BYTES + 64];
    struct buf note;
    struct slice text;
    head_name(c->signer.election, name);
    snprintf(origin, sizeof origin, "%s/%s/%" PRIu64 "\n", name, c->file.state,
             c->file.receipt.round);
    snprintf(path, sizeof path, "/v1/log/%s/checkpoint", c->file.state);
    int rc = get(c, path, &note, err);
    if (rc == 0 && !note_check(c->signer.key, name, buf_slice(&note), &text))
        rc = wrong(err, "the log's head is not signed by this election's key");
    if (rc == 0 && !read_head(text, origin, &c->head_size, ret_root))
        rc = wrong(err, "the log's head is of another round or election");
    buf_deinit(&note);
    return rc;
}

static int ask_consistency(const struct check *c, const struct hash *root, struct err *err)
{
    const struct receipt *r = &c->file.receipt;
    struct proof_file p;
    char path[256];
    snprintf(path, sizeof path,
             "/v1/log/%s/proof/consistency?round=%" PRIu64 "&from=%" PRIu64 "&to=%" PRIu64,
             c->file.state, r->round, r->tree_size, c->head_size);
    int rc = ask_proof(c, path, &p, err);
    if (rc == 0 && !merkle_consistent(r->tree_size, &r->root, c->head_size, root, p.path, p.count))
        rc = wrong(err, "the servers do not prove that the log has only grown since the receipt");
    return rc;
}

static int ask_servers(struct check *c, struct err *err)
{
    struct hash root;
    int rc = ask_signer(c, err);
    if (rc == 0)
        rc = check_signature(c, err);
    if (rc == 0)
        rc = ask_inclusion(c, err);
    if (rc == 0)
        rc = ask_head(c, &root, err);
    if (rc == 0)
        rc = ask_consistency(c, &root, err);
    c->asked = rc == 0;
    return rc;
}

/* ---- against an export ---- */

static int read_log(const struct check *c, struct canvass_log *log, struct err *err)
{
    const struct receipt *r = &c->file.receipt;
    struct merkle tree = {.size = 0};
    struct batch batch;
    int more = 1;
    if (log->heading.round != r->round)
        return wrong(err, "the exported log is of another round");
    while (tree.size < r->tree_size && (more = canvass_log_next(log, &batch, err)) > 0) {
        for (uint32_t i = 0; i < batch.count && tree.size < r->tree_size; i++) {
            struct hash leaf = merkle_leaf(batch_record(&batch, i));
            if (tree.size == r->index && !hash_eq(&leaf, &r->leaf))
                return wrong(err, "the exported log has another record in its place");
            merkle_push(&tree, &leaf);
        }
    }
    if (more < 0)
        return more;
    struct hash root = merkle_root(&tree);
    if (tree.size < r->tree_size)
        return wrong(err, "the exported log is shorter than the receipt's tree");
    return hash_eq(&root, &r->root) ? 0 : wrong(err, "the exported log has another root");
}

static int read_definition(struct check *c, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct canvass_definition *d = mem_calloc(1, sizeof *d);
    struct buf text = {0};
    snprintf(path, sizeof path, "%.4000s/" CANVASS_DEFINITION, c->export);
    int rc = canvass_file_read(path, CANVASS_DEFINITION_BYTES_MAX, &text, err);
    if (rc == 0 && (rc = canvass_definition_read(buf_slice(&text), d, err)) < 0)
        err_wrap(err, rc, "'%s'", path);
    if (rc == 0) {
        struct signer s = {.known = d->has_signer};
        memcpy(s.key, d->signer, sizeof s.key);
        snprintf(s.election, sizeof s.election, "%s", d->id);
        if (c->signer.known && memcmp(c->signer.key, s.key, sizeof s.key) != 0)
            rc = wrong(err, "the export is of another key than --signer");
        c->signer = s;
    }
    buf_deinit(&text);
    free(d);
    return rc;
}

static int read_export(struct check *c, struct err *err)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct canvass_log log;
    int rc = read_definition(c, err);
    if (rc == 0)
        rc = check_signature(c, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof path, "%.4000s/%s/" CANVASS_LOG, c->export, c->file.state);
    rc = canvass_log_open(path, &log, err);
    if (rc < 0)
        return rc;
    rc = read_log(c, &log, err);
    canvass_log_close(&log);
    c->read = rc == 0;
    return rc;
}

/* ---- what was given up: a receipt may be right, and not be proven any more ---- */

static uint64_t lost_at_servers(const struct check *c)
{
    struct model_state *s = mem_calloc(1, sizeof *s);
    bool known = client_state(&c->committee->client, c->file.state, s, NULL) == CLIENT_OK;
    uint64_t lost = known && s->round == c->file.receipt.round ? s->lost : 0;
    free(s);
    return lost;
}

static uint64_t lost_in_export(const struct check *c)
{
    char path[CANVASS_PATH_BYTES_MAX];
    struct buf bytes;
    struct commit seal;
    snprintf(path, sizeof path, "%.4000s/%s/" CANVASS_SEAL, c->export, c->file.state);
    bool known = canvass_file_read(path, COMMIT_BYTES_MAX, &bytes, NULL) == 0 &&
                 commit_decode(buf_slice(&bytes), &seal);
    buf_deinit(&bytes);
    return known && seal.round == c->file.receipt.round ? commit_lost(&seal) : 0;
}

/* A receipt that nobody signed was of no record. */
static int refuse(const struct check *c, const struct err *err)
{
    bool of_export = c->export != NULL && !c->read;
    uint64_t lost = of_export ? lost_in_export(c) : lost_at_servers(c);
    if (lost == 0 || c->signature_is_wrong)
        return committee_complain(c->committee, COMMITTEE_NO, "%s", err->text);
    return committee_complain(c->committee, COMMITTEE_NO,
                              "%s; of this state %s committed records were lost and given up in "
                              "this round, and this may be one of them",
                              err->text, show_number(lost));
}

/* ---- the command ---- */

static void tell(const struct check *c)
{
    const struct receipt *r = &c->file.receipt;
    if (c->committee->json) {
        struct show_json s;
        show_json_begin(&s);
        json_out_string(&s.json, "state", c->file.state);
        json_out_unsigned(&s.json, "round", r->round);
        json_out_unsigned(&s.json, "index", r->index);
        json_out_flag(&s.json, "signature", c->signature_is_right);
        json_out_flag(&s.json, "servers", c->asked);
        json_out_flag(&s.json, "export", c->read);
        show_json_end(&s);
        return;
    }
    printf("%s, round %" PRIu64 ": the vote is record %s of %s\n", c->file.state, r->round,
           show_number(r->index), show_number(r->tree_size));
    printf("%s\n", c->signature_is_right ? "signed by the election's key" : "without a signature");
    if (c->asked)
        printf("the servers prove it, and that these are the first of %s records\n",
               show_number(c->head_size));
    if (c->read)
        printf("it is in the exported log\n");
}

static int read_file(struct check *c, const char *path, struct err *err)
{
    struct buf text = {0};
    int rc = canvass_file_read(path, RECEIPT_BYTES_MAX, &text, err);
    if (rc == 0 && (rc = receipt_file_read(buf_slice(&text), &c->file, err)) < 0)
        err_wrap(err, rc, "'%s'", path);
    /* It becomes a part of paths. */
    if (rc == 0 &&
        strspn(c->file.state, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != strlen(c->file.state))
        rc = err_set(err, ERR_INVALID, "'%s': this is no state's code", path);
    buf_deinit(&text);
    return rc;
}

int run_receipt(struct committee *m, int argc, char **argv)
{
    struct check *c = mem_calloc(1, sizeof *c);
    const char *signer = NULL;
    const struct option options[] = {{0, "export", OPTION_TEXT, &c->export},
                                     {0, "signer", OPTION_TEXT, &signer}};
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, options, 2, argc, argv, 2, 2, &count);
    bool rest = m->client.rest.count > 0;
    c->committee = m;
    if (code == 0 && strcmp(argv[1], "check") != 0)
        code = committee_complain(m, COMMITTEE_USAGE, "check FILE is wanted");
    else if (code == 0 && c->export == NULL && !rest)
        code = committee_complain(m, COMMITTEE_USAGE, "--rest HOSTS or --export DIR is wanted");
    else if (code == 0 && signer != NULL && !signer_read_hex(signer, &c->signer))
        code = committee_complain(m, COMMITTEE_USAGE, "--signer: 64 hexadecimal digits are wanted");
    if (code == 0 && read_file(c, argv[2], &err) < 0)
        code = committee_complain(m, COMMITTEE_NO, "%s", err.text);
    if (code == 0) {
        int rc = c->export != NULL ? read_export(c, &err) : 0;
        if (rc == 0 && rest)
            rc = ask_servers(c, &err);
        if (rc == 0)
            tell(c);
        else
            code = refuse(c, &err);
    }
    free(c);
    return code;
}
