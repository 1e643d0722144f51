#include "cli/quota.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "client/hosts.h"

/* ---- the text of both nodes ---- */

static int64_t *field(struct quota_limits *l, const char *key, size_t len)
{
    const struct {
        const char *key;
        int64_t *value;
    } fields[] = {
        {"count", &l->count},
        {"bytes", &l->bytes},
        {"countHardLimit", &l->count_hard},
        {"byteHardLimit", &l->bytes_hard},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strlen(fields[i].key) == len && memcmp(fields[i].key, key, len) == 0)
            return fields[i].value;
    return NULL;
}

/* "count=4,bytes=5=;byteHardLimit=10;countHardLimit=10". What cannot be understood is none. */
static struct quota_limits read_text(const struct caucus_result *r)
{
    struct quota_limits l = QUOTA_NO_LIMITS;
    const char *at = r->data != NULL ? r->data : ""; /* a zero stands behind it */
    while (*at != 0) {
        size_t len = strcspn(at, ",;");
        size_t key = strcspn(at, "=");
        int64_t *value = key < len ? field(&l, at, key) : NULL;
        if (value != NULL && at[key + 1] != ',' && at[key + 1] != ';')
            *value = strtoll(at + key + 1, NULL, 10);
        at += len + (at[len] != 0);
    }
    return l;
}

/* As ZooKeeper has written it since 3.7: the '=' behind bytes keeps older servers from reading on.
 */
void quota_write_text(const struct quota_limits *l, char ret[QUOTA_TEXT_BYTES])
{
    snprintf(ret, QUOTA_TEXT_BYTES,
             "count=%" PRId64 ",bytes=%" PRId64 "=;byteHardLimit=%" PRId64
             ";countHardLimit=%" PRId64,
             l->count, l->bytes, l->bytes_hard, l->count_hard);
}

/* ---- paths ---- */

char *quota_join(const char *a, const char *b, const char *c)
{
    size_t bytes = strlen(a) + strlen(b) + strlen(c) + 1;
    char *path = mem_alloc(bytes);
    snprintf(path, bytes, "%s%s%s", a, b, c);
    return path;
}

/* What a quota can stand on. A chroot would hide where quotas are kept. */
int quota_check_words(struct cli *cli, const char *path)
{
    struct hosts hosts;
    if (path != NULL) {
        int code = cli_check_path(cli, path, false);
        if (code != CLI_OK)
            return code;
        if (strcmp(path, "/") == 0)
            return cli_usage(cli, "there is no quota on the root");
        if (strncmp(path, QUOTA_ROOT, strlen(QUOTA_ROOT)) == 0)
            return cli_usage(cli, "there is no quota on '%s': quotas are kept there", path);
    }
    if (hosts_parse(cli->hosts, &hosts) != 0)
        return CLI_OK; /* connecting will tell */
    bool chroot = hosts.chroot[0] != 0;
    hosts_deinit(&hosts);
    return chroot ? cli_usage(cli, "quotas are kept outside of a chroot: leave it out of --hosts")
                  : CLI_OK;
}

bool quota_is_limits(const char *node)
{
    size_t len = strlen(node), end = strlen(LIMITS_NAME);
    return len >= end && strcmp(node + len - end, LIMITS_NAME) == 0;
}

int quota_read(struct cli *cli, const char *path, const char *name, struct quota_limits *ret)
{
    char *node = quota_join(QUOTA_ROOT, path, name);
    struct caucus_result *r;
    int rc = caucus_get_wait(cli->handle, node, NULL, NULL, &r);
    if (rc == 0)
        *ret = read_text(r);
    caucus_result_free(r);
    free(node);
    return rc;
}
