#include "up/foreign.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "up/folder.h"

enum {
    HOSTS_TOLD = HOSTS_BYTES - 1,
};

/* False: there is none, or it is not one of ours, which is the same: nothing is known. */
static bool read_record(struct cluster *u, char hosts[HOSTS_BYTES], char root[ROOT_BYTES])
{
    char path[UP_PATH_BYTES];
    if (!folder_path(path, u->dir, "zookeeper"))
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool whole = fgets(hosts, HOSTS_BYTES, f) != NULL && fgets(root, ROOT_BYTES, f) != NULL;
    fclose(f);
    if (!whole || strncmp(root, "/caucus-up-", 11) != 0)
        return false;
    hosts[strcspn(hosts, "\n")] = root[strcspn(root, "\n")] = 0;
    return true;
}

static bool new_root(struct cluster *u)
{
    char path[UP_PATH_BYTES], text[HOSTS_BYTES + ROOT_BYTES + 2];
    uint64_t chance = 0;
    if (getrandom(&chance, sizeof chance, 0) != (ssize_t)sizeof chance) {
        up_complain("the system has no random numbers");
        return false;
    }
    snprintf(u->root, sizeof u->root, "/caucus-up-%016llx", (unsigned long long)chance);
    snprintf(text, sizeof text, "%.*s\n%s\n", HOSTS_TOLD, u->options->zookeeper, u->root);
    return folder_path(path, u->dir, "zookeeper") && folder_write(path, text);
}

bool foreign_root(struct cluster *u)
{
    char hosts[HOSTS_BYTES], servers[UP_PATH_BYTES];
    const char *wanted = u->options->zookeeper;
    bool known = read_record(u, hosts, u->root);
    if (known && (wanted == NULL || strcmp(wanted, hosts) != 0)) {
        up_complain("'%s' has a cluster on %s: give --zookeeper %s, or --clean to forget it",
                    u->dir, hosts, hosts);
        return false;
    }
    if (known)
        return true;
    if (wanted == NULL) {
        snprintf(u->root, sizeof u->root, "/Election");
        return true;
    }
    if (!folder_path(servers, u->dir, "election/1"))
        return false;
    if (access(servers, F_OK) == 0) {
        up_complain(
            "'%s' has a cluster with coordination servers of its own: leave --zookeeper out, or "
            "give --clean to forget it",
            u->dir);
        return false;
    }
    return new_root(u);
}

void foreign_clean(struct cluster *u)
{
    char path[UP_PATH_BYTES], hosts[HOSTS_BYTES], root[ROOT_BYTES];
    if (!read_record(u, hosts, root) || !folder_path(path, u->dir, "zookeeper"))
        return;
    const char *const words[] = {"--hosts", hosts, "deleteall", root, NULL};
    if (!cluster_run_tool(u, "caucus", words, false) && !u->all.interrupted &&
        strstr(u->tool.last_error, "CAUCUS_NONODE") == NULL)
        up_complain(
            "what an earlier cluster left on %s stays there; caucus --hosts %s deleteall %s "
            "removes it",
            hosts, hosts, root);
    if (!u->all.interrupted)
        unlink(path);
}
