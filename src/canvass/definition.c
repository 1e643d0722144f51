#include "canvass/definition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

enum {
    LINE_BYTES_MAX = 1024
};

/* What is left of a line. Each of these takes something off its front; false: it is not there. */
static bool take_text(const char **at, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

static bool take_until(const char **at, char end, char *ret, size_t room)
{
    const char *stop = strchr(*at, end);
    size_t len = stop != NULL ? (size_t)(stop - *at) : 0;
    if (stop == NULL || len == 0 || len >= room)
        return false;
    memcpy(ret, *at, len);
    ret[len] = 0;
    *at = stop + 1;
    return true;
}

static bool take_quoted(const char **at, char *ret, size_t room)
{
    return take_text(at, "\"") && take_until(at, '"', ret, room);
}

static bool take_number(const char **at, const char *name, int base, uint64_t max, uint64_t *ret)
{
    char *end;
    if (!take_text(at, name) || **at == '-' || **at == '+' || **at == ' ')
        return false;
    *ret = strtoull(*at, &end, base);
    bool there = end != *at && *ret <= max;
    *at = end;
    return there;
}

static bool read_candidate(const char *at, struct canvass_definition *ret)
{
    if (ret->candidate_count == CANDIDATES_MAX)
        return false;
    struct canvass_candidate *c = &ret->candidates[ret->candidate_count++];
    return take_quoted(&at, c->id, sizeof c->id) && take_text(&at, " ") &&
           take_quoted(&at, c->name, sizeof c->name) && *at == 0;
}

static bool read_state(const char *at, struct canvass_definition *ret)
{
    char key[CANVASS_NAME_BYTES_MAX];
    uint64_t electors, districts, divided, roll;
    if (ret->state_count == CANVASS_STATES_MAX)
        return false;
    struct canvass_state *s = &ret->states[ret->state_count++];
    if (!take_until(&at, ' ', s->code, sizeof s->code) || strchr(s->code, '/') != NULL ||
        s->code[0] == '.' || !take_quoted(&at, key, sizeof key) || !take_text(&at, " ") ||
        !take_quoted(&at, s->name, sizeof s->name) ||
        !take_number(&at, " electors=", 10, UINT16_MAX, &electors) ||
        !take_number(&at, " districts=", 10, DISTRICTS_MAX, &districts) || districts == 0 ||
        !take_number(&at, " divided=", 10, 1, &divided) ||
        !take_number(&at, " roll=", 10, UINT64_MAX, &roll) ||
        !take_number(&at, " ballot=", 16, UINT64_MAX, &s->on_ballot))
        return false;
    s->electors = (uint32_t)electors;
    s->districts = (uint32_t)districts;
    s->divided = divided != 0;
    return *at == 0;
}

static bool read_line(const char *line, uint64_t number, struct canvass_definition *ret)
{
    if (number == 1)
        return strcmp(line, "election 1") == 0;
    if (take_text(&line, "candidate "))
        return read_candidate(line, ret);
    if (take_text(&line, "state "))
        return read_state(line, ret);
    if (take_text(&line, "title="))
        snprintf(ret->title, sizeof ret->title, "%.*s", CANVASS_NAME_BYTES_MAX - 1, line);
    else if (take_text(&line, "id="))
        snprintf(ret->id, sizeof ret->id, "%.*s", CANVASS_NAME_BYTES_MAX - 1, line);
    else if (take_text(&line, "signer="))
        return ret->has_signer = strlen(line) == 2 * sizeof ret->signer &&
                                 hex_read(line, sizeof ret->signer, ret->signer);
    /* Other settings do not matter to a count. */
    return true;
}

int canvass_definition_read(struct slice text, struct canvass_definition *ret, struct err *err)
{
    *ret = (struct canvass_definition){.candidate_count = 0};
    sha256_of(text.ptr, text.len, ret->config.bytes);
    char line[LINE_BYTES_MAX];
    for (uint64_t number = 1; text.len > 0; number++) {
        const uint8_t *end = memchr(text.ptr, '\n', text.len);
        size_t len = end != NULL ? (size_t)(end - text.ptr) : text.len;
        bool fits = end != NULL && len < sizeof line && memchr(text.ptr, 0, len) == NULL;
        memcpy(line, text.ptr, fits ? len : 0);
        line[fits ? len : 0] = 0;
        if (!fits || !read_line(line, number, ret))
            return err_set(err, ERR_INVALID, "line %llu is none of a definition",
                           (unsigned long long)number);
        text = slice_from(text, len + 1);
    }
    if (ret->candidate_count == 0 || ret->state_count == 0)
        return err_set(err, ERR_INVALID, "no candidate, or no state");
    return 0;
}
