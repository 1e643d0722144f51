/* recover.c: a state that goes on although what is committed is lost. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "canvass/files.h"
#include "cli/options.h"
#include "cli/print.h"
#include "committee/new_file.h"
#include "committee/show.h"
#include "election/loss.h"

/* ---- what would be given up ---- */

static void row(struct table *t, const char *name, const char *value)
{
    cli_table_cell(t, "%s", name);
    cli_table_bytes(t, value, strlen(value));
}

static void list_cell(struct table *t, const char *name, const struct buf *list)
{
    cli_table_cell(t, "%s", name);
    cli_table_bytes(t, list->len > 0 ? (const char *)list->ptr : "none",
                    list->len > 0 ? list->len : strlen("none"));
}

static void print_servers(struct table *t, const struct loss_notice *n)
{
    struct buf names = {0};
    for (uint32_t i = 0; i < n->missing_count; i++)
        buf_printf(&names, "%s%s", i > 0 ? " " : "", n->missing[i]);
    list_cell(t, "missing", &names);
    buf_deinit(&names);
}

static void print_approvers(struct table *t, const struct model_loss *l)
{
    struct buf text = {0};
    if (l->approvals_min == 0) {
        row(t, "approvals", "the definition names nobody who may approve it");
        return;
    }
    buf_printf(&text, "%" PRIu32 " of", l->approvals_min);
    for (size_t i = 0; i < l->approver_count; i++)
        buf_printf(&text, " %s", l->approvers[i]);
    list_cell(t, "approvals", &text);
    buf_deinit(&text);
}

static void print_loss(const struct loss_notice *n, const struct model_loss *l)
{
    static const char *const titles[] = {"", ""};
    struct table t;
    printf("%s, round %" PRIu64 ": the newest records are on no disk that can be reached\n",
           n->state, n->round);
    cli_table_init(&t, 2, titles);
    row(&t, "committed", show_number(n->committed));
    row(&t, "kept", show_number(n->kept));
    row(&t, "given up", show_number(n->committed - n->kept));
    row(&t, "keeper", n->keeper);
    print_servers(&t, n);
    print_approvers(&t, l);
    cli_table_print(&t);
    cli_table_deinit(&t);
}

static void json_loss(const struct loss_notice *n, const struct model_loss *l)
{
    struct show_json s;
    show_json_begin(&s);
    json_out_string(&s.json, "state", n->state);
    json_out_unsigned(&s.json, "round", n->round);
    json_out_unsigned(&s.json, "committed", n->committed);
    json_out_unsigned(&s.json, "kept", n->kept);
    json_out_unsigned(&s.json, "lost", n->committed - n->kept);
    json_out_string(&s.json, "keeper", n->keeper);
    json_out_list(&s.json, "missing");
    for (uint32_t i = 0; i < n->missing_count; i++)
        json_out_string(&s.json, NULL, n->missing[i]);
    json_out_list_end(&s.json);
    json_out_unsigned(&s.json, "approvals_min", l->approvals_min);
    json_out_list(&s.json, "approvers");
    for (size_t i = 0; i < l->approver_count; i++)
        json_out_string(&s.json, NULL, l->approvers[i]);
    json_out_list_end(&s.json);
    json_out_string(&s.json, "text", l->text);
    show_json_end(&s);
}

/* What is shown is what is signed: of the text, not of what the server says beside it. */
static int ask(struct committee *m, const char *state, const char *notice_path)
{
    struct err err = {""};
    struct model_loss *l = mem_calloc(1, sizeof *l);
    struct loss_notice n;
    struct slice notice;
    int code = committee_failed(m, client_loss(&m->client, state, l, &err), &err);
    if (code == COMMITTEE_OK && loss_read(slice_str(l->text), &n, &notice, &err) < 0)
        code = committee_complain(m, COMMITTEE_NO, "the server's text is no notice: %s", err.text);
    if (code == COMMITTEE_OK && notice_path != NULL &&
        new_file_write(notice_path, 0644, notice, &err) < 0)
        code = committee_complain(m, COMMITTEE_NO, "%s", err.text);
    if (code == COMMITTEE_OK && m->json)
        json_loss(&n, l);
    else if (code == COMMITTEE_OK)
        print_loss(&n, l);
    free(l);
    return code;
}

/* ---- what is given up ---- */

static void tell_done(const struct committee *m, const struct model_loss *l)
{
    if (!m->json) {
        print_line_text(l->state, strlen(l->state));
        printf(", round %" PRIu64
               ": %s records are given up; it goes on with the %s that are kept, in epoch %" PRIu64
               "\n",
               l->round, show_number(l->lost), show_number(l->kept), l->epoch);
        return;
    }
    struct show_json s;
    show_json_begin(&s);
    json_out_string(&s.json, "state", l->state);
    json_out_unsigned(&s.json, "round", l->round);
    json_out_unsigned(&s.json, "epoch", l->epoch);
    json_out_unsigned(&s.json, "kept", l->kept);
    json_out_unsigned(&s.json, "lost", l->lost);
    show_json_end(&s);
}

static int read_document(const char *path, struct buf *ret, struct err *err)
{
    struct loss_notice n;
    struct slice notice;
    int rc = canvass_file_read(path, LOSS_DOCUMENT_BYTES_MAX, ret, err);
    if (rc < 0)
        return rc;
    rc = loss_read(buf_slice(ret), &n, &notice, err);
    return rc < 0 ? err_wrap(err, rc, "'%s'", path) : 0;
}

static int send_document(struct committee *m, const char *state, const char *path)
{
    struct err err = {""};
    struct buf text;
    struct model_loss *l = mem_calloc(1, sizeof *l);
    int code = COMMITTEE_OK;
    if (read_document(path, &text, &err) < 0)
        code = committee_complain(m, COMMITTEE_NO, "%s", err.text);
    else
        code = committee_failed(m, client_admit_loss(&m->client, state, buf_slice(&text), l, &err),
                                &err);
    if (code == COMMITTEE_OK)
        tell_done(m, l);
    buf_deinit(&text);
    free(l);
    return code;
}

/* ---- the command ---- */

int run_recover(struct committee *m, int argc, char **argv)
{
    const char *notice = NULL, *document = NULL;
    const struct option options[] = {{0, "notice", OPTION_TEXT, &notice},
                                     {0, "document", OPTION_TEXT, &document}};
    int count = 0;
    int code = committee_words(m, options, 2, argc, argv, 1, 1, &count);
    if (code != 0)
        return code;
    if (m->client.rest.count == 0)
        return committee_complain(m, COMMITTEE_USAGE, "--rest HOST:PORT,... is wanted");
    if (notice != NULL && document != NULL)
        return committee_complain(m, COMMITTEE_USAGE, "either --notice FILE or --document FILE");
    return document != NULL ? send_document(m, argv[1], document) : ask(m, argv[1], notice);
}
