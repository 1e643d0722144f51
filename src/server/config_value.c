/* config_value.c: the table of keys as data, and one value checked against its row. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "server/config.h"

#define CONFIG_ROW(id, name, type, def, min, max, effect)                                          \
    {name, CONFIG_TYPE_##type, def, min, max, CONFIG_EFFECT_##effect},
static const struct config_key keys[] = {CONFIG_KEYS(CONFIG_ROW)};
#undef CONFIG_ROW

const struct config_key *config_key(enum config_id id)
{
    return &keys[id];
}

/* "a whole number from 1 to 5", "a whole number, 1 or more" ... */
static int refuse_number(const struct config_key *k, const char *kind, struct err *err)
{
    bool any_min = k->min <= CONFIG_INT_MIN, any_max = k->max >= CONFIG_INT_MAX;
    if (any_min && any_max)
        return err_set(err, ERR_INVALID, "must be %s", kind);
    if (any_max)
        return err_set(err, ERR_INVALID, "must be %s, %lld or more", kind, (long long)k->min);
    if (any_min)
        return err_set(err, ERR_INVALID, "must be %s, %lld or less", kind, (long long)k->max);
    if (k->min == k->max)
        return err_set(err, ERR_INVALID, "must be %lld", (long long)k->min);
    return err_set(err, ERR_INVALID, "must be %s from %lld to %lld", kind, (long long)k->min,
                   (long long)k->max);
}

static int parse_int(const struct config_key *k, const char *text, int64_t *ret, bool *ret_clamped,
                     struct err *err)
{
    const char *digits = text + (*text == '-' || *text == '+');
    int base = strncasecmp(digits, "0x", 2) == 0 ? 16 : 10;
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, base);
    bool is_number = *digits >= '0' && *digits <= '9' && *end == 0 && errno == 0;
    if (is_number && v < k->min && k->effect == CONFIG_EFFECT_CLAMPED) {
        v = k->min;
        *ret_clamped = true;
    }
    if (!is_number || v < k->min || v > k->max)
        return refuse_number(k, "a whole number", err);
    *ret = v;
    return 0;
}

static int parse_real(const struct config_key *k, const char *text, double *ret, struct err *err)
{
    char *end;
    errno = 0;
    double v = strtod(text, &end);
    if (*text == 0 || *end != 0 || errno != 0 || !(v >= (double)k->min && v <= (double)k->max))
        return refuse_number(k, "a number", err);
    *ret = v;
    return 0;
}

static int parse_flag(const char *text, const char *yes, const char *no, bool *ret, struct err *err)
{
    if (strcasecmp(text, yes) != 0 && strcasecmp(text, no) != 0)
        return err_set(err, ERR_INVALID, "must be %s or %s", yes, no);
    *ret = strcasecmp(text, yes) == 0;
    return 0;
}

static int parse_choice(const struct config_key *k, const char *text, struct err *err)
{
    size_t len = strlen(text);
    for (const char *at = k->def;; at++) {
        size_t word = strcspn(at, "|");
        if (word == len && strncasecmp(at, text, len) == 0)
            return 0;
        at += word;
        if (*at == 0)
            break;
    }
    char allowed[400];
    snprintf(allowed, sizeof allowed, "%s", *k->def == '|' ? k->def + 1 : k->def);
    for (char *bar = allowed; (bar = strchr(bar, '|')) != NULL;)
        *bar = ' ';
    return err_set(err, ERR_INVALID, "must be %sone of: %s", *k->def == '|' ? "empty or " : "",
                   allowed);
}

int config_parse_value(const struct config_key *key, const char *text, struct config_value *ret,
                       bool *ret_clamped, struct err *err)
{
    switch (key->type) {
    case CONFIG_TYPE_INT:
        return parse_int(key, text, &ret->integer, ret_clamped, err);
    case CONFIG_TYPE_REAL:
        return parse_real(key, text, &ret->real, err);
    case CONFIG_TYPE_BOOL:
        return parse_flag(text, "true", "false", &ret->flag, err);
    case CONFIG_TYPE_YESNO:
        return parse_flag(text, "yes", "no", &ret->flag, err);
    case CONFIG_TYPE_CHOICE:
        return parse_choice(key, text, err);
    case CONFIG_TYPE_TEXT:
        if (key->max > 0 && strlen(text) > (size_t)key->max)
            return err_set(err, ERR_TOOBIG, "must not be longer than %d bytes", (int)key->max);
        return 0;
    }
    return 0;
}

bool config_is_secret(const char *key)
{
    static const char *const ends[] = {"password", "Password", "superDigest"};
    size_t len = strlen(key);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t end = strlen(ends[i]);
        if (len >= end && strcmp(key + len - end, ends[i]) == 0)
            return true;
    }
    return false;
}
