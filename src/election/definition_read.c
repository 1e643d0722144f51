/* definition_read.c: candidates.csv, states.csv. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "election/definition_internal.h"
#include "election/table.h"

enum {
    PATH_BYTES_MAX = 4096,
    ELECTORS_MAX = 10000,
    GRID_MAX = 99,
};

/* ---- columns by their names ---- */

struct columns {
    const char *const *names;
    size_t count;
    int at[16]; /* -1: not there */
};

static void find_columns(struct columns *c, const struct table_row *row)
{
    for (size_t n = 0; n < c->count; n++) {
        c->at[n] = -1;
        for (size_t i = 0; i < row->count; i++) {
            if (strcmp(row->fields[i], c->names[n]) == 0)
                c->at[n] = (int)i;
        }
    }
}

static const char *field(const struct columns *c, const struct table_row *row, size_t column)
{
    return c->at[column] < 0 ? "" : row->fields[c->at[column]];
}

/* ---- states.csv ---- */

enum state_column {
    STATE_USPS,
    STATE_KEY,
    STATE_NAME,
    STATE_ELECTORS,
    STATE_ROLL,
    STATE_DISTRICTS,
    STATE_ROW,
    STATE_COLUMN,
};
static const char *const state_columns[] = {"usps", "key",       "name",     "electors",
                                            "roll", "districts", "grid_row", "grid_col"};

struct reading {
    struct definition *d;
    struct columns columns;
    bool begun, headed;
};

static bool is_code(const char *text)
{
    size_t len = strlen(text);
    if (len == 0 || len > STATE_CODE_BYTES)
        return false;
    for (; *text != 0; text++) {
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    }
    return true;
}

static bool is_state_name(const char *text)
{
    return definition_is_name(text) && strlen(text) <= STATE_NAME_BYTES_MAX &&
           strchr(text, '/') == NULL;
}

static int add_state(struct definition *d, const struct table_row *row,
                     const struct state_info *state, struct err *err)
{
    if (d->info.state_count == STATES_MAX)
        return table_error(row, err, "more than %d states", STATES_MAX);
    if (!is_code(state->names.code))
        return table_error(row, err, "a code has 1 to %d letters or digits", STATE_CODE_BYTES);
    if (strcmp(state->names.code, "Global") == 0) /* its nodes would be the nation's */
        return table_error(row, err, "no state can have the code Global");
    if (!is_state_name(state->names.key) || !is_state_name(state->names.name))
        return table_error(row, err, "key and name have 1 to %d bytes", STATE_NAME_BYTES_MAX);
    if (definition_find_state(d, slice_str(state->names.code)) >= 0 ||
        definition_find_state(d, slice_str(state->names.key)) >= 0 ||
        definition_find_state(d, slice_str(state->names.name)) >= 0)
        return table_error(row, err, "'%s' is there already", state->names.name);
    struct state_info *s = &d->states[d->info.state_count++];
    *s = *state;
    s->names.code = definition_keep(d, state->names.code);
    s->names.key = definition_keep(d, state->names.key);
    s->names.name = definition_keep(d, state->names.name);
    s->divided = d->by_law && s->districts > 1;
    return 0;
}

static uint64_t scaled(const struct definition *d, uint64_t voters)
{
    return (voters * d->scale + d->scale_of - 1) / d->scale_of;
}

/* An optional column: if it is empty, what is there stays. */
static int number_of(struct reading *r, const struct table_row *row, enum state_column column,
                     uint64_t min, uint64_t max, uint64_t *ret, struct err *err)
{
    const char *text = field(&r->columns, row, column);
    if (*text == 0)
        return 0;
    if (!definition_parse_number(text, max, ret) || *ret < min)
        return table_error(row, err,
                           "%s: a number from %" PRIu64 " to %" PRIu64 " is wanted, not '%.40s'",
                           state_columns[column], min, max, text);
    return 0;
}

static int state_with_heading(struct reading *r, const struct table_row *row, struct err *err)
{
    uint64_t electors = 0, roll = 0, districts = 1, grid_row = 0, grid_column = 0;
    int rc = number_of(r, row, STATE_ELECTORS, 0, ELECTORS_MAX, &electors, err);
    if (rc == 0)
        rc = number_of(r, row, STATE_ROLL, 0, UINT32_MAX - 1, &roll, err);
    if (rc == 0)
        rc = number_of(r, row, STATE_DISTRICTS, 1, DISTRICTS_MAX, &districts, err);
    if (rc == 0)
        rc = number_of(r, row, STATE_ROW, 0, GRID_MAX, &grid_row, err);
    if (rc == 0)
        rc = number_of(r, row, STATE_COLUMN, 0, GRID_MAX, &grid_column, err);
    if (rc < 0)
        return rc;
    if (scaled(r->d, roll) > UINT32_MAX - 1)
        return table_error(row, err, "roll: too many voters");
    struct state_info s = {
        .names = {field(&r->columns, row, STATE_USPS), field(&r->columns, row, STATE_KEY),
                  field(&r->columns, row, STATE_NAME)},
        .electors = (uint32_t)electors,
        .districts = (uint8_t)districts,
        .roll = scaled(r->d, roll),
        .row = (int)grid_row,
        .column = (int)grid_column,
    };
    return add_state(r->d, row, &s, err);
}

/* The original's: state,electors. */
static int state_without_heading(struct reading *r, const struct table_row *row, struct err *err)
{
    char name[STATE_NAME_BYTES_MAX + 1];
    uint64_t electors;
    const char *key = row->fields[0], *code = usps_code(slice_str(key));
    if (row->count != 2 || !definition_parse_number(row->fields[1], ELECTORS_MAX, &electors))
        return table_error(row, err,
                           "a heading that begins with usps,key,name,electors, or "
                           "state,electors is wanted");
    if (code == NULL)
        return table_error(row, err, "'%.40s' has no code: give a heading, and usps", key);
    bool begins = true;
    size_t len = strlen(key);
    for (size_t i = 0; i <= len && i <= STATE_NAME_BYTES_MAX; i++) {
        char c = key[i] == '_' ? ' ' : key[i];
        name[i] = begins ? (char)toupper((unsigned char)c) : c;
        begins = c == ' ';
    }
    name[STATE_NAME_BYTES_MAX] = 0;
    struct state_info s = {
        .names = {code, key, name}, .electors = (uint32_t)electors, .districts = 1};
    return add_state(r->d, row, &s, err);
}

static int on_state(void *arg, const struct table_row *row, struct err *err)
{
    struct reading *r = arg;
    if (!r->begun) {
        r->begun = true;
        r->headed = strcmp(row->fields[0], "usps") == 0;
        find_columns(&r->columns, row);
        if (r->headed) {
            for (size_t i = STATE_KEY; i <= STATE_ELECTORS; i++) {
                if (r->columns.at[i] < 0)
                    return table_error(row, err, "column %s is missing", state_columns[i]);
            }
            return 0;
        }
    }
    return r->headed ? state_with_heading(r, row, err) : state_without_heading(r, row, err);
}

static int by_code(const void *a, const void *b)
{
    return strcmp(((const struct state_info *)a)->names.code,
                  ((const struct state_info *)b)->names.code);
}

static int read_states(struct definition *d, struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct reading r = {
        .d = d,
        .columns = {.names = state_columns, .count = sizeof state_columns / sizeof *state_columns}};
    snprintf(path, sizeof path, "%s/states.csv", d->dir);
    int rc = table_read(path, on_state, &r, err);
    if (rc < 0)
        return rc;
    if (d->info.state_count == 0)
        return err_set(err, ERR_INVALID, "%s: no states", path);
    qsort(d->states, d->info.state_count, sizeof *d->states, by_code);
    return 0;
}

/* ---- candidates.csv ---- */

enum candidate_column {
    CANDIDATE_ID,
    CANDIDATE_NAME,
    CANDIDATE_STATES,
};
static const char *const candidate_columns[] = {"id", "name", "states"};

static int put_on_ballots(struct definition *d, const struct table_row *row, const char *states,
                          uint64_t bit, struct err *err)
{
    bool all = true;
    while (*states != 0) {
        size_t len = strcspn(states, " ");
        if (len > 0) {
            int at = definition_find_state(d, slice_of(states, len));
            if (at < 0)
                return table_error(row, err, "no state '%.*s'", (int)(len < 40 ? len : 40), states);
            d->states[at].on_ballot |= bit;
            all = false;
        }
        states += len + strspn(states + len, " ");
    }
    for (uint32_t i = 0; all && i < d->info.state_count; i++)
        d->states[i].on_ballot |= bit;
    return 0;
}

static int add_candidate(struct definition *d, const struct table_row *row, const char *id,
                         const char *name, const char *states, struct err *err)
{
    uint32_t count = d->info.candidate_count;
    if (count == CANDIDATES_MAX)
        return table_error(row, err, "more than %d candidates", CANDIDATES_MAX);
    if (!definition_is_name(id) || !definition_is_name(name))
        return table_error(row, err, "id and name have 1 to %d bytes, and no quotes",
                           DEFINITION_NAME_BYTES_MAX);
    if (definition_find_candidate(d, slice_str(id)) >= 0 ||
        definition_find_candidate(d, slice_str(name)) >= 0)
        return table_error(row, err, "'%s' is there already", name);
    d->candidates[count].id = definition_keep(d, id);
    d->candidates[count].name = definition_keep(d, name);
    d->info.candidate_count++;
    return put_on_ballots(d, row, states, UINT64_C(1) << count, err);
}

static int on_candidate(void *arg, const struct table_row *row, struct err *err)
{
    struct reading *r = arg;
    if (!r->begun) {
        r->begun = true;
        find_columns(&r->columns, row);
        r->headed = strcmp(row->fields[0], "id") == 0 && r->columns.at[CANDIDATE_NAME] >= 0;
        if (r->headed)
            return 0;
    }
    if (!r->headed && row->count != 1)
        return table_error(row, err,
                           "a heading id,name[,states], or a name in each line is wanted");
    if (!r->headed)
        return add_candidate(r->d, row, row->fields[0], row->fields[0], "", err);
    return add_candidate(r->d, row, field(&r->columns, row, CANDIDATE_ID),
                         field(&r->columns, row, CANDIDATE_NAME),
                         field(&r->columns, row, CANDIDATE_STATES), err);
}

static int read_candidates(struct definition *d, struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct reading r = {.d = d,
                        .columns = {.names = candidate_columns,
                                    .count = sizeof candidate_columns / sizeof *candidate_columns}};
    snprintf(path, sizeof path, "%s/candidates.csv", d->dir);
    int rc = table_read(path, on_candidate, &r, err);
    if (rc < 0)
        return rc;
    for (uint32_t i = 0; i < d->info.state_count; i++) {
        if (d->states[i].on_ballot == 0)
            return err_set(err, ERR_INVALID, "%s: nobody is on the ballot of %s", path,
                           d->states[i].names.code);
    }
    return 0;
}

int definition_read_files(struct definition *d, struct err *err)
{
    d->states = mem_calloc(STATES_MAX, sizeof *d->states);
    d->candidates = mem_calloc(CANDIDATES_MAX, sizeof *d->candidates);
    d->info.states = d->states;
    d->info.candidates = d->candidates;
    d->replicas = 3;
    d->revisions_max = 16;
    d->scale = d->scale_of = 1;
    int rc = definition_read_conf(d, err);
    if (rc == 0)
        rc = read_states(d, err);
    return rc == 0 ? read_candidates(d, err) : rc;
}
