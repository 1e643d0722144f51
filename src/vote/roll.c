#include "vote/roll.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

enum column {
    COLUMN_VOTER,
    COLUMN_DISTRICT,
    COLUMN_KEY,
    COLUMN_COUNT,
};
static const char *const column_names[COLUMN_COUNT] = {"voter_id", "district", "credential_pubkey"};

enum form {
    FORM_UNKNOWN,
    FORM_COLUMNS,
    FORM_WIDE,
};

/* Where a voter stands, so that a duplicate can be told. */
struct position {
    uint32_t line, byte;
};

struct roll_import {
    struct roll_options options;
    struct csv csv;
    enum form form;
    struct voters voters; /* the note of each is its place in `positions` */
    struct position *positions;
    size_t position_cap;

    /* FORM_COLUMNS */
    bool in_heading;
    enum column columns[COLUMN_COUNT]; /* what field i is */
    size_t column_count;
    bool has_key; /* of this row */
    struct pseudonym row_voter;
    struct csv_place row_place;
    uint8_t row_district;
    uint8_t row_key[CREDENTIAL_KEY_BYTES];

    /* FORM_WIDE */
    bool row_is_ours;
    uint64_t passed_over;
};

static int refuse(const struct csv_place *at, struct err *err, const char *what)
{
    char where[96];
    csv_place_text(at, where, sizeof where);
    return err_set(err, ERR_INVALID, "%s: %s", where, what);
}

/* ---- names and ids ---- */

static uint8_t folded(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return (uint8_t)(c - 'A' + 'a');
    return c == '_' ? ' ' : c;
}

static bool called(const char *name, struct slice said)
{
    if (name == NULL || strlen(name) != said.len)
        return false;
    for (size_t i = 0; i < said.len; i++) {
        if (folded((uint8_t)name[i]) != folded(said.ptr[i]))
            return false;
    }
    return true;
}

bool state_is_called(const struct state_names *s, struct slice name)
{
    return called(s->code, name) || called(s->key, name) || called(s->name, name);
}

bool roll_id_is_valid(struct slice voter_id)
{
    if (voter_id.len == 0 || voter_id.len > VOTER_ID_BYTES_MAX)
        return false;
    for (size_t i = 0; i < voter_id.len; i++) {
        if (voter_id.ptr[i] < 0x20 || voter_id.ptr[i] == 0x7f)
            return false;
    }
    return true;
}

struct pseudonym roll_pseudonym(const struct hmac_key *key, struct slice voter_id)
{
    uint8_t code[SHA256_BYTES];
    struct pseudonym p;
    hmac_of(key, voter_id.ptr, voter_id.len, code);
    memcpy(p.bytes, code, sizeof p.bytes);
    return p;
}

/* ---- one voter ---- */

static int add_voter(struct roll_import *r, const struct pseudonym *p, uint8_t district,
                     const struct csv_place *at, struct err *err)
{
    size_t n = r->voters.count;
    if (n >= r->options.voters_max)
        return refuse(at, err, "the roll has more voters than are allowed");
    if (n == r->position_cap) {
        r->position_cap = n ? n + n / 2 : 64;
        r->positions = mem_realloc(r->positions, r->position_cap * sizeof *r->positions);
    }
    r->positions[n] = (struct position){(uint32_t)at->line, (uint32_t)at->byte};
    voters_add(&r->voters, p, district, (uint32_t)n);
    return 0;
}

static int voter_of(struct roll_import *r, struct slice id, const struct csv_place *at,
                    struct pseudonym *ret, struct err *err)
{
    if (id.len == 0)
        return refuse(at, err, "a voter without an id");
    if (!roll_id_is_valid(id))
        return refuse(at, err,
                      "a voter's id is at most 128 bytes, none of them a control character");
    *ret = roll_pseudonym(r->options.key, id);
    return 0;
}

/* ---- columns ---- */

static int take_heading(struct roll_import *r, struct slice name, const struct csv_place *at,
                        struct err *err)
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (!slice_eq_str(name, column_names[c]))
            continue;
        for (size_t i = 0; i < r->column_count; i++) {
            if (r->columns[i] == (enum column)c)
                return refuse(at, err, "the heading names a column twice");
        }
        r->columns[r->column_count++] = (enum column)c;
        return 0;
    }
    return refuse(at, err, "the heading may name voter_id, district and credential_pubkey only");
}

static int take_district(struct roll_import *r, struct slice text, const struct csv_place *at,
                         struct err *err)
{
    unsigned value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || i > 2)
            return refuse(at, err, "a district is a number");
        value = value * 10 + (unsigned)(text.ptr[i] - '0');
    }
    if (text.len == 0 || value >= r->options.districts)
        return refuse(at, err, "the state has no such district");
    r->row_district = (uint8_t)value;
    return 0;
}

static int digit_of(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int take_key(struct roll_import *r, struct slice text, const struct csv_place *at,
                    struct err *err)
{
    if (text.len == 0)
        return 0;
    if (text.len != (size_t)2 * CREDENTIAL_KEY_BYTES)
        return refuse(at, err, "a credential's public key is 64 hex digits");
    for (size_t i = 0; i < CREDENTIAL_KEY_BYTES; i++) {
        int high = digit_of(text.ptr[2 * i]), low = digit_of(text.ptr[2 * i + 1]);
        if (high < 0 || low < 0)
            return refuse(at, err, "a credential's public key is 64 hex digits");
        r->row_key[i] = (uint8_t)(high << 4 | low);
    }
    r->has_key = true;
    return 0;
}

static int take_column(struct roll_import *r, struct slice text, const struct csv_place *at,
                       struct err *err)
{
    if (at->field > r->column_count)
        return refuse(at, err, "the row has more fields than the heading");
    switch (r->columns[at->field - 1]) {
    case COLUMN_VOTER:
        r->row_place = *at;
        return voter_of(r, text, at, &r->row_voter, err);
    case COLUMN_DISTRICT:
        return take_district(r, text, at, err);
    case COLUMN_KEY:
        return take_key(r, text, at, err);
    case COLUMN_COUNT:
        break;
    }
    return 0;
}

static int end_columns(struct roll_import *r, const struct csv_place *at, struct err *err)
{
    if (r->in_heading) {
        r->in_heading = false;
        return 0;
    }
    if (at->field - 1 < r->column_count)
        return refuse(at, err, "the row has fewer fields than the heading");
    int rc = add_voter(r, &r->row_voter, r->row_district, &r->row_place, err);
    if (rc == 0 && r->has_key && r->options.on_key != NULL)
        r->options.on_key(r->options.arg, &r->row_voter, r->row_key);
    r->has_key = false;
    r->row_district = 0;
    return rc;
}

/* ---- wide rows ---- */

static int take_wide(struct roll_import *r, struct slice text, const struct csv_place *at,
                     struct err *err)
{
    if (at->field == 1) {
        if (text.len == 0 || text.len > STATE_NAME_BYTES_MAX)
            return refuse(at, err, "the row does not begin with a state");
        r->row_is_ours = state_is_called(&r->options.state, text);
        return 0;
    }
    if (!r->row_is_ours) {
        r->passed_over++;
        return 0;
    }
    struct pseudonym p;
    int rc = voter_of(r, text, at, &p, err);
    return rc < 0 ? rc : add_voter(r, &p, 0, at, err);
}

/* ---- the file ---- */

static bool is_heading(struct slice first)
{
    for (int c = 0; c < COLUMN_COUNT; c++) {
        if (slice_eq_str(first, column_names[c]))
            return true;
    }
    return false;
}

static int on_field(void *arg, struct slice text, const struct csv_place *at, struct err *err)
{
    struct roll_import *r = arg;
    if (r->form == FORM_UNKNOWN) {
        r->in_heading = is_heading(text);
        r->form = r->in_heading ? FORM_COLUMNS : FORM_WIDE;
    }
    if (r->form == FORM_WIDE)
        return take_wide(r, text, at, err);
    return r->in_heading ? take_heading(r, text, at, err) : take_column(r, text, at, err);
}

static bool names_voters(const struct roll_import *r)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (r->columns[i] == COLUMN_VOTER)
            return true;
    }
    return false;
}

static int on_row(void *arg, const struct csv_place *at, struct err *err)
{
    struct roll_import *r = arg;
    if (r->form == FORM_WIDE)
        return 0;
    if (r->in_heading && !names_voters(r))
        return refuse(at, err, "the heading has no voter_id");
    return end_columns(r, at, err);
}

struct roll_import *roll_import_begin(const struct roll_options *options)
{
    struct roll_import *r = mem_calloc(1, sizeof *r);
    r->options = *options;
    csv_init(&r->csv, on_field, on_row, r);
    return r;
}

int roll_import_add(struct roll_import *r, struct slice bytes, struct err *err)
{
    return csv_add(&r->csv, bytes, err);
}

static int check_duplicates(const struct roll_import *r, struct err *err)
{
    const struct voters *v = &r->voters;
    size_t at = voters_duplicate(v, 0);
    if (at == v->count)
        return 0;
    size_t more = 0;
    for (size_t i = at; i < v->count; i = voters_duplicate(v, i + 1))
        more++;
    const struct position *second = &r->positions[v->array[at].last];
    const struct position *first = &r->positions[v->array[at - 1].last];
    return err_set(err, ERR_INVALID,
                   "line %" PRIu32 ", column %" PRIu32 ": this voter stands in line %" PRIu32
                   ", column %" PRIu32 " already (%zu duplicates in all)",
                   second->line, second->byte, first->line, first->byte, more);
}

static int finish(struct roll_import *r, struct err *err)
{
    int rc = csv_end(&r->csv, err);
    if (rc < 0)
        return rc;
    if (r->voters.count == 0)
        return err_set(err, ERR_INVALID, "no voter of this state in the file");
    voters_sort(&r->voters);
    return check_duplicates(r, err);
}

int roll_import_end(struct roll_import *r, struct voters *ret, uint64_t *ret_passed_over,
                    struct err *err)
{
    int rc = finish(r, err);
    if (rc == 0) {
        voters_reset(&r->voters);
        *ret = r->voters;
        r->voters = (struct voters){0};
        if (ret_passed_over != NULL)
            *ret_passed_over = r->passed_over;
    }
    roll_import_free(r);
    return rc;
}

void roll_import_free(struct roll_import *r)
{
    if (r == NULL)
        return;
    voters_deinit(&r->voters);
    free(r->positions);
    free(r);
}

/* ---- by rule ---- */

size_t roll_rule_id(const struct roll_rule *rule, uint64_t number, char ret[VOTER_ID_BYTES_MAX])
{
    int n = snprintf(ret, VOTER_ID_BYTES_MAX, "%s%" PRIu64, rule->prefix, number);
    return n < VOTER_ID_BYTES_MAX ? (size_t)n : VOTER_ID_BYTES_MAX - 1;
}

int roll_by_rule(const struct roll_rule *rule, const struct hmac_key *key, struct voters *ret,
                 struct err *err)
{
    if (rule->count == 0 || rule->count >= UINT32_MAX)
        return err_set(err, ERR_INVALID, "a roll by rule has 1 to 2^32 - 2 voters");
    if (rule->districts == 0 || rule->districts > DISTRICTS_MAX)
        return err_set(err, ERR_INVALID, "a state has 1 to 8 districts");
    if (strlen(rule->prefix) > VOTER_ID_BYTES_MAX - 24)
        return err_set(err, ERR_INVALID, "the prefix is too long");

    struct voters v = {.cap = rule->count};
    v.array = mem_alloc(v.cap * sizeof *v.array);
    for (uint64_t i = 1; i <= rule->count; i++) {
        char id[VOTER_ID_BYTES_MAX];
        struct pseudonym p = roll_pseudonym(key, slice_of(id, roll_rule_id(rule, i, id)));
        voters_add(&v, &p, (uint8_t)(i % rule->districts), 0);
    }
    voters_sort(&v);
    *ret = v;
    return 0;
}
