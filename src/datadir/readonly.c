#include "datadir/readonly.h"

#include "io/names.h"

static struct readonly *self(struct files *fs)
{
    return (struct readonly *)fs; /* its first member */
}

static int open_to_read(struct files *fs, const char *path, unsigned flags)
{
    struct files *under = self(fs)->under;
    (void)flags;
    return under->open(under, path, FILE_READ);
}

static void close_it(struct files *fs, int fd)
{
    struct files *under = self(fs)->under;
    under->close(under, fd);
}

static int64_t read_it(struct files *fs, int fd, void *ret, size_t len, int64_t at)
{
    struct files *under = self(fs)->under;
    return under->read(under, fd, ret, len, at);
}

static int64_t no_write(struct files *fs, int fd, const struct iovec *parts, int count, int64_t at)
{
    int64_t bytes = 0;
    (void)fs;
    (void)fd;
    (void)at;
    for (int i = 0; i < count; i++)
        bytes += (int64_t)parts[i].iov_len;
    return bytes;
}

static int no_sync(struct files *fs, int fd)
{
    (void)fs;
    (void)fd;
    return 0;
}

static void no_write_soon(struct files *fs, int fd, int64_t at, int64_t len)
{
    (void)fs, (void)fd, (void)at, (void)len;
}

static int no_change(struct files *fs, const char *path)
{
    (void)fs;
    (void)path;
    return 0;
}

static int no_resize(struct files *fs, int fd, int64_t size)
{
    (void)fs;
    (void)fd;
    (void)size;
    return 0;
}

static int no_rename(struct files *fs, const char *from, const char *to)
{
    (void)fs;
    (void)from;
    (void)to;
    return 0;
}

static int stat_it(struct files *fs, const char *path, struct file_stat *ret)
{
    struct files *under = self(fs)->under;
    return under->stat(under, path, ret);
}

static int stat_fd(struct files *fs, int fd, struct file_stat *ret)
{
    struct files *under = self(fs)->under;
    return under->stat_fd(under, fd, ret);
}

static int64_t next_data(struct files *fs, int fd, int64_t at)
{
    struct files *under = self(fs)->under;
    return under->next_data(under, fd, at);
}

struct listing {
    int64_t snapshots_to;
    file_visit *visit;
    void *arg;
};

static bool visit_some(void *arg, const char *name)
{
    struct listing *l = arg;
    int64_t zxid;
    enum snap_method method;
    if (name_is_snapshot(name, &zxid, &method) && zxid > l->snapshots_to)
        return true;
    return l->visit(l->arg, name);
}

static int list_some(struct files *fs, const char *path, file_visit *visit, void *arg)
{
    struct files *under = self(fs)->under;
    struct listing l = {self(fs)->snapshots_to, visit, arg};
    return under->list(under, path, visit_some, &l);
}

struct files *readonly_init(struct readonly *r, struct files *under, int64_t snapshots_to)
{
    *r = (struct readonly){
        .fs = {.open = open_to_read,
               .close = close_it,
               .read = read_it,
               .write = no_write,
               .sync = no_sync,
               .write_soon = no_write_soon,
               .sync_dir = no_change,
               .resize = no_resize,
               .stat = stat_it,
               .stat_fd = stat_fd,
               .next_data = next_data,
               .rename = no_rename,
               .unlink = no_change,
               .mkdir = no_change,
               .list = list_some},
        .under = under,
        .snapshots_to = snapshots_to,
    };
    return &r->fs;
}
