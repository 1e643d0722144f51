#include "electorate/returns.h"

#include <inttypes.h>

#include "vote/csv.h"

enum {
    COLUMN_STATE,
    COLUMN_CANDIDATE,
    COLUMN_VOTES,
    COLUMNS,
    NUMBER_DIGITS_MAX = 10,
};
static const char *const titles[COLUMNS] = {"usps", "candidate", "votes"};

struct reader {
    const struct election_info *election;
    struct returns *ret;
    bool in_rows; /* the heading is read */
    int state, candidate;
    uint64_t votes;
    bool seen[STATES_MAX][CANDIDATES_MAX];
};

static int wrong(const struct csv_place *at, struct err *err, const char *what, struct slice text)
{
    char place[64];
    csv_place_text(at, place, sizeof place);
    return err_set(err, ERR_INVALID, "%s: %s '%.*s'", place, what, (int)text.len,
                   (const char *)text.ptr);
}

static int find_state(const struct election_info *e, struct slice name)
{
    for (uint32_t i = 0; i < e->state_count; i++)
        if (state_is_called(&e->states[i].names, name))
            return (int)i;
    return -1;
}

static int find_candidate(const struct election_info *e, struct slice id)
{
    for (uint32_t i = 0; i < e->candidate_count; i++)
        if (slice_eq_str(id, e->candidates[i].id))
            return (int)i;
    return -1;
}

static bool read_votes(struct slice text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0 || text.len > NUMBER_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        n = n * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    *ret = n;
    return true;
}

static int on_field(void *arg, struct slice text, const struct csv_place *at, struct err *err)
{
    struct reader *r = arg;
    uint64_t column = at->field - 1;
    if (column >= COLUMNS)
        return 0;
    if (!r->in_rows)
        return slice_eq_str(text, titles[column])
                   ? 0
                   : wrong(at, err, "the heading is usps,candidate,votes, not", text);
    switch (column) {
    case COLUMN_STATE:
        r->state = find_state(r->election, text);
        return r->state >= 0 ? 0 : wrong(at, err, "there is no state", text);
    case COLUMN_CANDIDATE:
        r->candidate = find_candidate(r->election, text);
        return r->candidate >= 0 ? 0 : wrong(at, err, "there is no candidate", text);
    default:
        return read_votes(text, &r->votes) ? 0
                                           : wrong(at, err, "this is no number of votes:", text);
    }
}

static int on_row(void *arg, const struct csv_place *at, struct err *err)
{
    struct reader *r = arg;
    uint64_t fields = at->field - 1; /* the place is behind the last */
    if (fields < COLUMNS)
        return wrong(at, err, "a field is missing behind", slice_str(titles[fields - 1]));
    if (!r->in_rows) {
        r->in_rows = true;
        return 0;
    }
    const struct state_info *s = &r->election->states[r->state];
    struct slice id = slice_str(r->election->candidates[r->candidate].id);
    if (r->seen[r->state][r->candidate])
        return wrong(at, err, "a second row for", id);
    if (r->votes > 0 && (s->on_ballot >> r->candidate & 1) == 0)
        return wrong(at, err, "not on the ballot of this state:", id);
    r->seen[r->state][r->candidate] = true;
    r->ret->votes[r->state][r->candidate] = r->votes;
    r->ret->total += r->votes;
    return r->ret->total <= UINT32_MAX ? 0 : wrong(at, err, "more than 2^32 votes with", id);
}

int returns_read(struct slice text, const struct election_info *e, struct returns *ret,
                 struct err *err)
{
    *ret = (struct returns){.total = 0};
    struct reader r = {.election = e, .ret = ret};
    struct csv csv;
    csv_init(&csv, on_field, on_row, &r);
    int rc = csv_add(&csv, text, err);
    return rc < 0 ? rc : csv_end(&csv, err);
}
