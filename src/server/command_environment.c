/* command_environment.c: the machine and the user, under the keys of Java (Environment). Those of
 * the Java machine itself are left out: there is none. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <netdb.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "server/command_internal.h"
#include "server/metrics.h"

/* What Java calls the processors. */
static const char *java_arch(const char *machine)
{
    return strcmp(machine, "x86_64") == 0 ? "amd64" : machine;
}

static void visit_megabytes(environment_visit *visit, void *arg, const char *key, uint64_t bytes)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64 "MB", bytes >> 20);
    visit(arg, key, text);
}

/* The user database may be a slow network one: asked only when the environment does not tell. */
static void visit_user(environment_visit *visit, void *arg)
{
    const char *name = getenv("USER"), *home = getenv("HOME");
    char room[4096];
    struct passwd entry, *user = NULL;
    if (name == NULL || home == NULL)
        getpwuid_r(geteuid(), &entry, room, sizeof room, &user);
    if (user != NULL) {
        name = name != NULL ? name : user->pw_name;
        home = home != NULL ? home : user->pw_dir;
    }
    visit(arg, "user.name", name != NULL ? name : "<NA>");
    visit(arg, "user.home", home != NULL ? home : "<NA>");
}

void environment_each(environment_visit *visit, void *arg)
{
    visit(arg, "zookeeper.version", SERVER_VERSION_TEXT);

    /* The plain host name: asking DNS for the canonical one could hold up the server. */
    char host[HOST_NAME_MAX + 1] = "<NA>";
    gethostname(host, sizeof host - 1);
    visit(arg, "host.name", host);

    struct utsname system;
    if (uname(&system) == 0) {
        visit(arg, "os.name", system.sysname);
        visit(arg, "os.arch", java_arch(system.machine));
        visit(arg, "os.version", system.release);
    }

    visit_user(visit, arg);
    char dir[PATH_MAX];
    visit(arg, "user.dir", getcwd(dir, sizeof dir) != NULL ? dir : "<NA>");

    struct sysinfo memory;
    if (sysinfo(&memory) == 0) {
        visit_megabytes(visit, arg, "os.memory.free", (uint64_t)memory.freeram * memory.mem_unit);
        visit_megabytes(visit, arg, "os.memory.max", (uint64_t)memory.totalram * memory.mem_unit);
    }
    visit_megabytes(visit, arg, "os.memory.total", (uint64_t)metrics_resident_bytes());
}

int64_t directory_bytes(const char *path)
{
    DIR *dir = opendir(path);
    if (dir == NULL)
        return 0;
    int64_t bytes = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        struct stat st;
        if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
            bytes += st.st_size;
    }
    closedir(dir);
    return bytes;
}
