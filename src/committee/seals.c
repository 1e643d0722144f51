#include "committee/seals.h"

#include <inttypes.h>
#include <stdio.h>

#include "election/session.h"

enum {
    PATH_BYTES_MAX = 512,
};

static int get(struct caucus *c, const char *path, struct buf *ret, struct err *err)
{
    struct caucus_result *r = NULL;
    char why[256];
    int rc = caucus_get_wait(c, path, NULL, NULL, &r);
    if (rc == 0 && r->data != NULL)
        buf_put(ret, r->data, r->data_bytes);
    caucus_result_free(r);
    if (rc == 0)
        return 0;
    caucus_get_trouble(c, why, sizeof why);
    return err_set(err, rc == CAUCUS_NONODE ? ERR_NOTFOUND : ERR_IO, "%s: %s%s%s", path,
                   caucus_error_text(rc), why[0] != 0 ? ": " : "", why);
}

static int read_global(struct caucus *c, const char *root, struct buf *ret,
                       struct global *ret_global, struct err *err)
{
    char path[PATH_BYTES_MAX];
    snprintf(path, sizeof path, "%s/Global/Commit", root);
    int rc = get(c, path, ret, err);
    if (rc < 0)
        return rc;
    if (!global_decode(buf_slice(ret), ret_global))
        return err_set(err, ERR_INVALID, "%s: no phase of an election", path);
    if (ret_global->phase != PHASE_CLOSED)
        return err_set(err, ERR_INVALID, "round %" PRIu64 " is not closed", ret_global->round);
    return 0;
}

static int read_seal(struct caucus *c, const char *root, const char *code, uint64_t round,
                     struct buf *ret, struct err *err)
{
    char path[PATH_BYTES_MAX];
    struct commit commit;
    snprintf(path, sizeof path, "%s/%s/Seal/%" PRIu64, root, code, round);
    int rc = get(c, path, ret, err);
    if (rc == ERR_NOTFOUND)
        return err_set(err, ERR_INVALID, "%s has no seal of round %" PRIu64 " yet", code, round);
    if (rc == 0 && (!commit_decode(buf_slice(ret), &commit) || commit.round != round))
        rc = err_set(err, ERR_INVALID, "%s: no seal of round %" PRIu64, path, round);
    return rc;
}

static int read_all(struct caucus *c, const struct seals_options *o, const struct election_info *e,
                    struct seals *ret, struct err *err)
{
    struct global global;
    int rc = 0;
    if (o->auth != NULL && caucus_add_auth_wait(c, "digest", o->auth, strlen(o->auth)) != 0)
        return err_set(err, ERR_IO, "the coordination service does not take --auth");
    rc = read_global(c, o->root, &ret->global, &global, err);
    for (uint32_t i = 0; i < e->state_count && rc == 0; i++)
        rc = read_seal(c, o->root, e->states[i].names.code, global.round, &ret->states[i], err);
    return rc;
}

int seals_read(const struct seals_options *o, const struct election_info *e, struct seals *ret,
               struct err *err)
{
    const struct session_place place = {o->zookeeper, o->ca, o->identity};
    const struct caucus_options options = {.session_timeout_ms = (int32_t)o->timeout_ms};
    struct caucus *c = NULL;
    *ret = (struct seals){.global = {0}};
    int rc = session_open(caucus_open, &place, &options, &c, err);
    if (rc < 0)
        return rc;
    rc = read_all(c, o, e, ret, err);
    caucus_close(c);
    return rc;
}

void seals_deinit(struct seals *s)
{
    buf_deinit(&s->global);
    for (int i = 0; i < STATES_MAX; i++)
        buf_deinit(&s->states[i]);
}
