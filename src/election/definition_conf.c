/* definition_conf.c: election.conf. */
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "election/definition_internal.h"
#include "election/loss.h"
#include "election/table.h"

enum {
    PATH_BYTES_MAX = 4096,
    CONF_BYTES_MAX = 64 << 10,
};

bool definition_parse_number(const char *text, uint64_t max, uint64_t *ret)
{
    uint64_t v = 0;
    if (*text == 0)
        return false;
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool definition_is_name(const char *text)
{
    size_t len = strlen(text);
    return len > 0 && len <= DEFINITION_NAME_BYTES_MAX && strchr(text, '"') == NULL;
}

static const char *set_number(const char *value, uint64_t min, uint64_t max, uint64_t *ret)
{
    uint64_t v;
    if (!definition_parse_number(value, max, &v) || v < min)
        return "the number is not in its range";
    *ret = v;
    return NULL;
}

static const char *set_scale(struct definition *d, const char *value)
{
    char up[24];
    const char *slash = strchr(value, '/');
    if (slash == NULL || (size_t)(slash - value) >= sizeof up)
        return "a fraction is wanted, as 1/100";
    memcpy(up, value, (size_t)(slash - value));
    up[slash - value] = 0;
    if (!definition_parse_number(up, 1000000, &d->scale) ||
        !definition_parse_number(slash + 1, 1000000000, &d->scale_of))
        return "a fraction is wanted, as 1/100";
    return d->scale == 0 || d->scale_of == 0 ? "a fraction of zero" : NULL;
}

static const char *set_choice(const char *value, const char *no, const char *yes, bool *ret)
{
    if (strcmp(value, no) != 0 && strcmp(value, yes) != 0)
        return "one of the two values it may have is wanted";
    *ret = strcmp(value, yes) == 0;
    return NULL;
}

/* "NAME HEX". */
static const char *add_approver(struct definition *d, char *value)
{
    struct approver_info *list = d->info.approvers, a;
    uint32_t count = d->info.approver_count;
    char *blank = strchr(value, ' ');
    if (count == APPROVERS_MAX)
        return "more approvers than there may be";
    if (blank == NULL || !approver_name_is_sound(slice_of(value, (size_t)(blank - value))) ||
        strlen(blank + 1) != 2 * sizeof a.key || !hex_read(blank + 1, sizeof a.key, a.key))
        return "a name and 64 hexadecimal digits are wanted (committee approver)";
    *blank = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (strcmp(list[i].name, value) == 0)
            return "there is an approver of this name already";
        if (memcmp(list[i].key, a.key, sizeof a.key) == 0)
            return "there is an approver with this key already";
    }
    a.name = definition_keep(d, value);
    list[d->info.approver_count++] = a;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *set_key(struct definition *d, const char *key, char *value)
{
    uint64_t v = 0;
    const char *wrong;
    if (strcmp(key, "id") == 0 || strcmp(key, "title") == 0) {
        if (!definition_is_name(value))
            return "1 to 128 bytes without quotes are wanted";
        *(strcmp(key, "id") == 0 ? &d->info.id : &d->info.title) = definition_keep(d, value);
        return NULL;
    }
    if (strcmp(key, "allocation") == 0)
        return set_choice(value, "winner", "law", &d->by_law);
    if (strcmp(key, "publish") == 0)
        return set_choice(value, "closed", "live", &d->info.live);
    if (strcmp(key, "roll_scale") == 0)
        return set_scale(d, value);
    if (strcmp(key, "replicas") == 0) {
        wrong = set_number(value, 1, SHARD_MEMBERS_MAX, &v);
        d->replicas = wrong == NULL ? (uint32_t)v : d->replicas;
        return wrong;
    }
    if (strcmp(key, "copies_min") == 0) {
        wrong = set_number(value, 1, SHARD_MEMBERS_MAX, &v);
        d->copies_min = wrong == NULL ? (uint32_t)v : d->copies_min;
        return wrong;
    }
    if (strcmp(key, "revisions_max") == 0) {
        wrong = set_number(value, 1, 200, &v);
        d->revisions_max = wrong == NULL ? (uint8_t)v : d->revisions_max;
        return wrong;
    }
    if (strcmp(key, "approver") == 0)
        return add_approver(d, value);
    if (strcmp(key, "approvals_min") == 0) {
        wrong = set_number(value, 1, APPROVERS_MAX, &v);
        d->info.approvals_min = wrong == NULL ? (uint32_t)v : d->info.approvals_min;
        return wrong;
    }
    return "no such key";
}

static char *trimmed(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t len = strlen(text);
    while (len > 0 && isspace((unsigned char)text[len - 1]))
        text[--len] = 0;
    return text;
}

static int read_conf_line(struct definition *d, const char *path, int number, char *line,
                          struct err *err)
{
    line = trimmed(line);
    if (*line == 0 || *line == '#')
        return 0;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return err_set(err, ERR_INVALID, "%s:%d: key=value is wanted", path, number);
    *equals = 0;
    const char *key = trimmed(line);
    const char *wrong = set_key(d, key, trimmed(equals + 1));
    if (wrong != NULL)
        return err_set(err, ERR_INVALID, "%s:%d: %.40s: %s", path, number, key, wrong);
    return 0;
}

static int read_lines(struct definition *d, const char *path, struct err *err)
{
    char *text, *at;
    size_t len;
    int number = 0;
    int rc = file_read_whole(path, CONF_BYTES_MAX, &text, &len, err);
    if (rc < 0)
        return rc;
    at = text;
    while (rc == 0 && at != NULL) {
        char *line = at, *end = strchr(at, '\n');
        at = end != NULL ? end + 1 : NULL;
        if (end != NULL)
            *end = 0;
        rc = read_conf_line(d, path, ++number, line, err);
    }
    free(text);
    return rc;
}

/* What follows from the rest, and what does not go together. */
static int settle(struct definition *d, const char *path, struct err *err)
{
    struct election_info *e = &d->info;
    if (e->id == NULL)
        return err_set(err, ERR_INVALID, "%s: id is missing", path);
    if (e->title == NULL)
        e->title = e->id;
    if (d->copies_min == 0)
        d->copies_min = d->replicas / 2 + 1;
    if (d->copies_min > d->replicas)
        return err_set(err, ERR_INVALID, "%s: more copies_min than replicas", path);
    if (e->approvals_min > e->approver_count)
        return err_set(err, ERR_INVALID, "%s: more approvals_min than approvers", path);
    if (e->approver_count > 0 && e->approvals_min == 0)
        e->approvals_min = e->approver_count / 2 + 1;
    return 0;
}

int definition_read_conf(struct definition *d, struct err *err)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/election.conf", d->dir);
    int rc = read_lines(d, path, err);
    return rc < 0 ? rc : settle(d, path, err);
}
