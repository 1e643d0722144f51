#include "io/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

void name_log(char ret[NAME_BYTES_MAX], int64_t zxid)
{
    snprintf(ret, NAME_BYTES_MAX, "log.%" PRIx64, (uint64_t)zxid);
}

void name_snapshot(char ret[NAME_BYTES_MAX], int64_t zxid, enum snap_method method)
{
    static const char *const endings[] = {
        [SNAP_PLAIN] = "", [SNAP_GZIP] = ".gz", [SNAP_SNAPPY] = ".snappy"};
    snprintf(ret, NAME_BYTES_MAX, "snapshot.%" PRIx64 "%s", (uint64_t)zxid, endings[method]);
}

/* Reads the zxid between a prefix and the next '.' or the end. Whether the name is written as we
 * write it is for the caller to compare. */
static bool parse_zxid(const char *name, const char *prefix, int64_t *ret_zxid)
{
    size_t prefix_len = strlen(prefix);
    if (strncmp(name, prefix, prefix_len) != 0)
        return false;

    uint64_t zxid = 0;
    for (const char *at = name + prefix_len; *at != '\0' && *at != '.'; at++) {
        unsigned digit;
        if (*at >= '0' && *at <= '9')
            digit = (unsigned)(*at - '0');
        else if (*at >= 'a' && *at <= 'f')
            digit = (unsigned)(*at - 'a') + 10;
        else
            return false;
        if (zxid > (uint64_t)INT64_MAX >> 4)
            return false;
        zxid = zxid << 4 | digit;
    }
    *ret_zxid = (int64_t)zxid;
    return true;
}

bool name_is_log(const char *name, int64_t *ret_zxid)
{
    int64_t zxid;
    if (!parse_zxid(name, "log.", &zxid))
        return false;

    char canonical[NAME_BYTES_MAX];
    name_log(canonical, zxid);
    if (strcmp(name, canonical) != 0)
        return false;
    *ret_zxid = zxid;
    return true;
}

bool name_is_snapshot(const char *name, int64_t *ret_zxid, enum snap_method *ret_method)
{
    int64_t zxid;
    if (!parse_zxid(name, "snapshot.", &zxid))
        return false;

    for (enum snap_method method = SNAP_PLAIN; method <= SNAP_SNAPPY; method++) {
        char canonical[NAME_BYTES_MAX];
        name_snapshot(canonical, zxid, method);
        if (strcmp(name, canonical) == 0) {
            *ret_zxid = zxid;
            *ret_method = method;
            return true;
        }
    }
    return false;
}

struct listing {
    struct name_list *list;
    size_t cap;
    bool logs;
};

static bool listing_visit(void *arg, const char *name)
{
    struct listing *l = arg;
    struct name_entry entry = {0};
    bool wanted = l->logs ? name_is_log(name, &entry.zxid)
                          : name_is_snapshot(name, &entry.zxid, &entry.method);
    if (!wanted)
        return true;

    if (l->list->count == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 16;
        l->list->entries = mem_realloc(l->list->entries, l->cap * sizeof entry);
    }
    l->list->entries[l->list->count++] = entry;
    return true;
}

static int entry_compare(const void *a, const void *b)
{
    const struct name_entry *x = a, *y = b;
    if (x->zxid != y->zxid)
        return x->zxid < y->zxid ? -1 : 1;
    /* The same state in two forms: the plain one is "newer", that is, tried first. */
    return (int)y->method - (int)x->method;
}

static int list_names(struct files *fs, const char *dir, bool logs, struct name_list *ret,
                      struct err *err)
{
    struct name_list list = {0};
    struct listing l = {.list = &list, .logs = logs};
    int rc = fs->list(fs, dir, listing_visit, &l);
    if (rc < 0) {
        name_list_deinit(&list);
        return file_error(err, rc, "list directory", dir);
    }
    if (list.count > 0)
        qsort(list.entries, list.count, sizeof *list.entries, entry_compare);
    *ret = list;
    return 0;
}

int name_list_logs(struct files *fs, const char *dir, struct name_list *ret, struct err *err)
{
    return list_names(fs, dir, true, ret, err);
}

int name_list_snapshots(struct files *fs, const char *dir, struct name_list *ret, struct err *err)
{
    return list_names(fs, dir, false, ret, err);
}

void name_list_deinit(struct name_list *l)
{
    free(l->entries);
    *l = (struct name_list){0};
}
