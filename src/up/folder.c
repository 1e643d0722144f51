#include "up/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "up/process.h"

enum {
    FOLDERS_OPEN_MAX = 16,
};

bool folder_path(char *ret, const char *dir, const char *format, ...)
{
    int at = snprintf(ret, UP_PATH_BYTES, "%s/", dir);
    va_list args;
    va_start(args, format);
    if (at < UP_PATH_BYTES)
        at += vsnprintf(ret + at, (size_t)(UP_PATH_BYTES - at), format, args);
    va_end(args);
    if (at < UP_PATH_BYTES)
        return true;
    up_complain("'%s' is too long a path", dir);
    return false;
}

bool folder_make(const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return true;
    up_complain("cannot create '%s': %s", path, strerror(errno));
    return false;
}

bool folder_write(const char *path, const char *text)
{
    char fresh[UP_PATH_BYTES + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *f = fopen(fresh, "we");
    bool ok = f != NULL && fputs(text, f) >= 0;
    if (f != NULL && fclose(f) != 0)
        ok = false;
    ok = ok && rename(fresh, path) == 0;
    if (!ok)
        up_complain("cannot write '%s': %s", path, strerror(errno));
    return ok;
}

/* ---- one at a time ---- */

static int open_pid(const char *dir, int flags)
{
    char path[UP_PATH_BYTES];
    if (!folder_path(path, dir, "pid"))
        return -1;
    return open(path, O_RDWR | O_CLOEXEC | flags, 0644);
}

int folder_lock(const char *dir)
{
    int fd = open_pid(dir, O_CREAT);
    if (fd < 0) {
        up_complain("cannot write '%s/pid': %s", dir, strerror(errno));
        return -1;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        up_complain(errno == EWOULDBLOCK ? "a cluster runs on '%s' already; caucus down ends it"
                                         : "cannot lock '%s/pid'",
                    dir);
        close(fd);
        return -1;
    }
    char text[32];
    int len = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    /* In this order: on a full disk there is room for what was there, and --clean shall get
     * through. */
    if (pwrite(fd, text, (size_t)len, 0) != len || ftruncate(fd, len) != 0) {
        up_complain("cannot write '%s/pid': %s", dir, strerror(errno));
        close(fd);
        return -1;
    }
    return fd;
}

int folder_owner(const char *dir, int *ret_fd)
{
    char text[32] = "";
    *ret_fd = open_pid(dir, 0);
    if (*ret_fd < 0 && errno == ENOENT)
        return 0;
    if (*ret_fd < 0) {
        up_complain("cannot read '%s/pid': %s", dir, strerror(errno));
        return -1;
    }
    bool free_now = flock(*ret_fd, LOCK_EX | LOCK_NB) == 0;
    if (free_now) {
        close(*ret_fd);
        *ret_fd = -1;
        return 0;
    }
    if (pread(*ret_fd, text, sizeof text - 1, 0) > 0 && atoi(text) > 1)
        return atoi(text);
    up_complain("'%s/pid' does not say who runs", dir);
    close(*ret_fd);
    *ret_fd = -1;
    return -1;
}

/* The kernel wakes us when the lock is free; the alarm when it takes too long. */
static void on_alarm(int number)
{
    (void)number;
}

bool folder_wait_unlocked(int fd, int timeout_s)
{
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    alarm((unsigned)timeout_s);
    bool got = flock(fd, LOCK_EX) == 0;
    alarm(0);
    return got;
}

/* ---- cleaning ---- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

bool folder_clean(const char *dir)
{
    static const char *const parts[] = {"coordination", "election", "log", "export"};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char path[UP_PATH_BYTES];
        if (!folder_path(path, dir, "%s", parts[i]))
            return false;
        if (nftw(path, remove_one, FOLDERS_OPEN_MAX, FTW_DEPTH | FTW_PHYS) != 0 &&
            errno != ENOENT) {
            up_complain("cannot remove '%s': %s", path, strerror(errno));
            return false;
        }
    }
    return true;
}
