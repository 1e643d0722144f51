/* credential.c: what voters show, made by whoever has the master key: the registrar. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/options.h"
#include "committee/show.h"
#include "election/credential.h"
#include "election/definition.h"

enum {
    SECONDS_PER_HOUR = 3600,
    HOURS_MAX = 10 * 366 * 24,
};

struct registrar {
    struct committee *committee;
    const char *code; /* of the state */
    struct hmac_key key;
    int64_t round, expires_s;
};

static int give(struct registrar *r, const char *voter)
{
    struct buf text = {0};
    if (!roll_id_is_valid(slice_str(voter)) || strchr(voter, '|') != NULL)
        return committee_complain(r->committee, COMMITTEE_USAGE, "'%s' is no voter's id", voter);
    credential_make(&r->key, r->code, slice_str(voter), (uint64_t)r->round, r->expires_s, &text);
    buf_put_u8(&text, 0);
    if (r->committee->json) {
        struct show_json s;
        show_json_begin(&s);
        json_out_string(&s.json, "voter", voter);
        json_out_string(&s.json, "credential", (const char *)text.ptr);
        show_json_end(&s);
    } else {
        printf("%s\t%s\n", voter, (const char *)text.ptr);
    }
    buf_deinit(&text);
    return COMMITTEE_OK;
}

/* One on a line; the first that is none ends it. */
static int give_listed(struct registrar *r)
{
    char *line = NULL;
    size_t room = 0;
    int code = COMMITTEE_OK;
    while (code == COMMITTEE_OK && getline(&line, &room, stdin) >= 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] != 0)
            code = give(r, line);
    }
    free(line);
    return code;
}

static int give_all(struct registrar *r, const struct definition *d, int count, char **argv)
{
    int state = definition_find_state(d, slice_str(argv[1]));
    if (state < 0)
        return committee_complain(r->committee, COMMITTEE_USAGE, "there is no state '%s'", argv[1]);
    r->code = d->info.states[state].names.code;
    definition_key(d, DEFINITION_CREDENTIALS, state, &r->key);
    int code = count == 1 ? give_listed(r) : COMMITTEE_OK;
    for (int i = 2; i <= count && code == COMMITTEE_OK; i++)
        code = give(r, argv[i]);
    return code;
}

int run_credential(struct committee *m, int argc, char **argv)
{
    struct registrar r = {.committee = m};
    const char *dir = NULL, *key = NULL;
    int64_t hours = 0;
    const struct option options[] = {{'e', "election", OPTION_TEXT, &dir},
                                     {'k', "key", OPTION_TEXT, &key},
                                     {0, "round", OPTION_NUMBER, &r.round},
                                     {0, "hours", OPTION_NUMBER, &hours}};
    struct definition *d = NULL;
    struct err err = {""};
    int count = 0;
    int code = committee_words(m, options, 4, argc, argv, 1, INT32_MAX, &count);
    if (code != 0)
        return code;
    if (dir == NULL)
        return committee_complain(m, COMMITTEE_USAGE, "--election DIR is wanted");
    if (m->in_shell && count == 1)
        return committee_complain(m, COMMITTEE_USAGE, "VOTER... is wanted");
    if (r.round < 0 || hours < 0 || hours > HOURS_MAX)
        return committee_complain(m, COMMITTEE_USAGE, "--round, --hours: there is no such number");
    if (hours > 0)
        r.expires_s = (int64_t)time(NULL) + hours * SECONDS_PER_HOUR;
    if (definition_read(dir, key, &d, &err) < 0)
        return committee_complain(m, COMMITTEE_USAGE, "%s", err.text);
    code = give_all(&r, d, count, argv);
    explicit_bzero(&r.key, sizeof r.key);
    definition_free(d);
    return code;
}
