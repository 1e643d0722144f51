#include "crash_disk.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"

enum {
    SECTOR = 512,
    NAMES_MAX = 64,
    INODES_MAX = 1024,
    FDS_MAX = 16,
    CHANGES_MAX = 256
};

struct bytes {
    uint8_t *ptr;
    size_t len, cap;
};

struct inode {
    bool is_dir;
    struct bytes now, durable;
    uint8_t *dirty; /* per sector of `now` */
    uint8_t *allocated;
    size_t sectors_cap;
};

struct name {
    char path[256];
    int inode; /* -1 = free slot */
};

/* A change of names not yet durable. */
struct change {
    char from[256]; /* "" = none: the name is made */
    char to[256];   /* "" = none: the name is removed */
    int inode;
};

struct crash_disk {
    struct files files;
    pthread_mutex_t lock;
    struct inode inodes[INODES_MAX];
    int inode_count;
    struct name names[NAMES_MAX];   /* as programs see them */
    struct name durable[NAMES_MAX]; /* as after a power loss */
    struct change changes[CHANGES_MAX];
    size_t change_count;
    int fds[FDS_MAX]; /* inode, -1 = closed */
    bool direct[FDS_MAX];
    bool no_direct;
    uint64_t direct_writes;
    uint64_t calls, fail_at;
    bool off;
    int sync_rc;
    int64_t space;
    int64_t sync_delay_ns;
};

static struct crash_disk *disk_of(struct files *fs)
{
    return (struct crash_disk *)(void *)fs;
}

/* ---- names ---- */

static struct name *find(struct name *names, const char *path)
{
    for (int i = 0; i < NAMES_MAX; i++)
        if (names[i].inode >= 0 && strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static void set_name(struct name *names, const char *path, int inode)
{
    struct name *n = find(names, path);
    for (int i = 0; n == NULL && i < NAMES_MAX; i++)
        if (names[i].inode < 0)
            n = &names[i];
    assert(n != NULL && strlen(path) < sizeof n->path);
    strcpy(n->path, path);
    n->inode = inode;
}

static void drop_name(struct name *names, const char *path)
{
    struct name *n = find(names, path);
    if (n != NULL)
        n->inode = -1;
}

static bool is_in_dir(const char *path, const char *dir)
{
    size_t len = strlen(dir);
    if (strcmp(dir, "/") == 0)
        return path[0] == '/' && path[1] != '\0' && strchr(path + 1, '/') == NULL;
    return strncmp(path, dir, len) == 0 && path[len] == '/' && strchr(path + len + 1, '/') == NULL;
}

static void note_change(struct crash_disk *d, const char *from, const char *to, int inode)
{
    assert(d->change_count < CHANGES_MAX);
    struct change *c = &d->changes[d->change_count++];
    strcpy(c->from, from);
    strcpy(c->to, to);
    c->inode = inode;
}

static void apply_change(struct name *names, const struct change *c)
{
    if (c->from[0] != '\0')
        drop_name(names, c->from);
    if (c->to[0] != '\0')
        set_name(names, c->to, c->inode);
}

/* ---- bytes ---- */

static void bytes_resize(struct bytes *b, size_t len)
{
    if (len > b->cap) {
        b->cap = len * 2;
        b->ptr = mem_realloc(b->ptr, b->cap);
    }
    if (len > b->len)
        memset(b->ptr + b->len, 0, len - b->len);
    b->len = len;
}

static void sectors_reserve(struct inode *i, size_t bytes)
{
    size_t need = (bytes + SECTOR - 1) / SECTOR;
    if (need <= i->sectors_cap)
        return;
    size_t cap = need * 2;
    i->dirty = mem_realloc(i->dirty, cap);
    i->allocated = mem_realloc(i->allocated, cap);
    memset(i->dirty + i->sectors_cap, 0, cap - i->sectors_cap);
    memset(i->allocated + i->sectors_cap, 0, cap - i->sectors_cap);
    i->sectors_cap = cap;
}

/* How many of `len` bytes at `at` there is space for. Takes it. */
static size_t allocate(struct crash_disk *d, struct inode *i, size_t at, size_t len)
{
    sectors_reserve(i, at + len);
    for (size_t sector = at / SECTOR; sector * SECTOR < at + len; sector++) {
        if (i->allocated[sector])
            continue;
        if (d->space >= 0 && d->space < SECTOR)
            return sector * SECTOR > at ? sector * SECTOR - at : 0;
        if (d->space >= 0)
            d->space -= SECTOR;
        i->allocated[sector] = 1;
    }
    return len;
}

static void put_bytes(struct inode *i, size_t at, const void *bytes, size_t len)
{
    if (at + len > i->now.len)
        bytes_resize(&i->now, at + len);
    memcpy(i->now.ptr + at, bytes, len);
    for (size_t sector = at / SECTOR; sector * SECTOR < at + len; sector++)
        i->dirty[sector] = 1;
}

static void make_durable(struct inode *i)
{
    bytes_resize(&i->durable, 0);
    bytes_resize(&i->durable, i->now.len);
    if (i->now.len > 0)
        memcpy(i->durable.ptr, i->now.ptr, i->now.len);
    if (i->sectors_cap > 0)
        memset(i->dirty, 0, i->sectors_cap);
}

/* ---- the calls ---- */

/* Counts a changing call; -EIO from the one on at which the power fails. */
static int begin_call(struct crash_disk *d)
{
    pthread_mutex_lock(&d->lock);
    if (d->off)
        return -EIO;
    d->calls++;
    if (d->fail_at > 0 && d->calls >= d->fail_at) {
        d->off = true;
        return 1; /* happens, and nobody learns of it */
    }
    return 0;
}

static int end_call(struct crash_disk *d, int begun, int rc)
{
    if (begun == 1)
        rc = -EIO;
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int new_inode(struct crash_disk *d, bool is_dir)
{
    assert(d->inode_count < INODES_MAX);
    d->inodes[d->inode_count].is_dir = is_dir;
    return d->inode_count++;
}

static int open_fd(struct crash_disk *d, int inode)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        if (d->fds[fd] < 0) {
            d->fds[fd] = inode;
            return fd;
        }
    return -EMFILE;
}

static int disk_open(struct files *fs, const char *path, unsigned flags)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    bool refuses = d->no_direct && (flags & FILE_DIRECT);
    struct name *n = d->off ? NULL : find(d->names, path);
    bool creates = !d->off && n == NULL && (flags & FILE_CREATE);
    bool empties = n != NULL && (flags & FILE_EMPTY);
    pthread_mutex_unlock(&d->lock);
    if (refuses)
        return -EINVAL;
    if (n != NULL && (flags & FILE_NEW))
        return -EEXIST;
    if (n == NULL && !creates)
        return d->off ? -EIO : -ENOENT;

    int begun = 0;
    if (creates || empties) {
        begun = begin_call(d);
        if (begun < 0)
            return end_call(d, 0, begun);
    } else {
        pthread_mutex_lock(&d->lock);
    }
    int rc;
    if (creates && d->space == 0) {
        rc = -ENOSPC;
    } else {
        int inode = creates ? new_inode(d, false) : n->inode;
        if (creates) {
            set_name(d->names, path, inode);
            note_change(d, "", path, inode);
        }
        if (empties)
            bytes_resize(&d->inodes[inode].now, 0);
        rc = begun == 1 ? -EIO : open_fd(d, inode);
        if (rc >= 0)
            d->direct[rc] = (flags & FILE_DIRECT) != 0;
    }
    return end_call(d, begun, rc);
}

static struct inode *inode_of(struct crash_disk *d, int fd)
{
    assert(fd >= 0 && fd < FDS_MAX && d->fds[fd] >= 0);
    return &d->inodes[d->fds[fd]];
}

static void disk_close(struct files *fs, int fd)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    assert(fd >= 0 && fd < FDS_MAX);
    d->fds[fd] = -1;
    pthread_mutex_unlock(&d->lock);
}

static int64_t disk_read(struct files *fs, int fd, void *ret, size_t len, int64_t at)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    int64_t rc = -EIO;
    if (!d->off) {
        struct inode *i = inode_of(d, fd);
        size_t from = (size_t)at;
        size_t have = from < i->now.len ? i->now.len - from : 0;
        rc = (int64_t)(have < len ? have : len);
        if (rc > 0)
            memcpy(ret, i->now.ptr + from, (size_t)rc);
    }
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static void check_blocks(struct crash_disk *d, int fd, const struct iovec *parts, int count,
                         int64_t at)
{
    if (!d->direct[fd])
        return;
    d->direct_writes++;
    assert(at % FILE_BLOCK_BYTES == 0);
    for (int p = 0; p < count; p++)
        assert(parts[p].iov_len % FILE_BLOCK_BYTES == 0 &&
               (uintptr_t)parts[p].iov_base % FILE_BLOCK_BYTES == 0);
}

static int64_t disk_write(struct files *fs, int fd, const struct iovec *parts, int count,
                          int64_t at)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    if (begun < 0)
        return end_call(d, 0, begun);

    struct inode *i = inode_of(d, fd);
    int64_t done = 0;
    check_blocks(d, fd, parts, count, at);
    for (int p = 0; p < count; p++) {
        size_t want = parts[p].iov_len;
        size_t got = allocate(d, i, (size_t)(at + done), want);
        if (d->direct[fd]) /* a file system gives no part of a block */
            got -= got % FILE_BLOCK_BYTES;
        if (got > 0)
            put_bytes(i, (size_t)(at + done), parts[p].iov_base, got);
        done += (int64_t)got;
        if (got < want)
            break;
    }
    int rc = end_call(d, begun, 0);
    return rc < 0 ? rc : done > 0 ? done : -ENOSPC;
}

static int disk_sync(struct files *fs, int fd)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    int rc = begun < 0 ? begun : d->sync_rc;
    /* When the power fails in it, nothing or everything of it may have happened: the power cycle
     * rolls the dice per sector. */
    if (begun == 0 && rc == 0)
        make_durable(inode_of(d, fd));
    int64_t delay_ns = d->sync_delay_ns;
    rc = end_call(d, begun, rc);
    if (delay_ns > 0)
        nanosleep(&(struct timespec){.tv_nsec = delay_ns}, NULL);
    return rc;
}

/* What is not synced survives or not, whatever was begun. */
static void disk_write_soon(struct files *fs, int fd, int64_t at, int64_t len)
{
    (void)fs, (void)fd, (void)at, (void)len;
}

static int disk_sync_dir(struct files *fs, const char *path)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    int rc = begun < 0 ? begun : d->sync_rc;
    int fd = begun == 0 && rc == 0 ? open_fd(d, 0) : 0; /* it takes one while it lasts */
    if (fd < 0)
        rc = fd;
    if (begun == 0 && rc == 0) {
        d->fds[fd] = -1;
        size_t kept = 0;
        for (size_t c = 0; c < d->change_count; c++) {
            struct change *change = &d->changes[c];
            const char *any = change->to[0] != '\0' ? change->to : change->from;
            if (is_in_dir(any, path))
                apply_change(d->durable, change);
            else
                d->changes[kept++] = *change;
        }
        d->change_count = kept;
    }
    return end_call(d, begun, rc);
}

static int disk_resize(struct files *fs, int fd, int64_t size)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    if (begun >= 0) {
        struct inode *i = inode_of(d, fd);
        sectors_reserve(i, (size_t)size);
        bytes_resize(&i->now, (size_t)size);
    }
    return end_call(d, begun, begun < 0 ? begun : 0);
}

static int stat_inode(struct crash_disk *d, int inode, struct file_stat *ret)
{
    *ret = (struct file_stat){
        .size = (int64_t)d->inodes[inode].now.len,
        .inode = (uint64_t)inode,
        .is_dir = d->inodes[inode].is_dir,
    };
    return 0;
}

static int disk_stat(struct files *fs, const char *path, struct file_stat *ret)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    struct name *n = find(d->names, path);
    int rc = d->off ? -EIO : n == NULL ? -ENOENT : stat_inode(d, n->inode, ret);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int disk_stat_fd(struct files *fs, int fd, struct file_stat *ret)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    int rc = d->off ? -EIO : stat_inode(d, d->fds[fd], ret);
    pthread_mutex_unlock(&d->lock);
    return rc;
}

static int64_t disk_next_data(struct files *fs, int fd, int64_t at)
{
    struct crash_disk *d = disk_of(fs);
    pthread_mutex_lock(&d->lock);
    int64_t size = (int64_t)inode_of(d, fd)->now.len;
    pthread_mutex_unlock(&d->lock);
    return at < size ? at : size;
}

static int disk_rename(struct files *fs, const char *from, const char *to)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    struct name *n = begun < 0 ? NULL : find(d->names, from);
    if (n == NULL)
        return end_call(d, 0, begun < 0 ? begun : -ENOENT);
    int inode = n->inode;
    drop_name(d->names, from);
    set_name(d->names, to, inode);
    note_change(d, from, to, inode);
    return end_call(d, begun, 0);
}

static int disk_unlink(struct files *fs, const char *path)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    if (begun < 0)
        return end_call(d, 0, begun);
    if (find(d->names, path) == NULL)
        return end_call(d, begun, -ENOENT);
    drop_name(d->names, path);
    note_change(d, path, "", -1);
    return end_call(d, begun, 0);
}

static int disk_mkdir(struct files *fs, const char *path)
{
    struct crash_disk *d = disk_of(fs);
    int begun = begin_call(d);
    if (begun < 0)
        return end_call(d, 0, begun);
    if (find(d->names, path) != NULL)
        return end_call(d, begun, -EEXIST);
    int inode = new_inode(d, true);
    set_name(d->names, path, inode);
    note_change(d, "", path, inode);
    return end_call(d, begun, 0);
}

static int disk_list(struct files *fs, const char *path, file_visit *visit, void *arg)
{
    struct crash_disk *d = disk_of(fs);
    char(*found)[256] = mem_alloc(sizeof *found * NAMES_MAX);
    int count = 0;
    pthread_mutex_lock(&d->lock);
    int rc = d->off ? -EIO : find(d->names, path) == NULL ? -ENOENT : 0;
    for (int i = 0; rc == 0 && i < NAMES_MAX; i++)
        if (d->names[i].inode >= 0 && is_in_dir(d->names[i].path, path))
            strcpy(found[count++], strrchr(d->names[i].path, '/') + 1);
    pthread_mutex_unlock(&d->lock);
    for (int i = 0; i < count && visit(arg, found[i]); i++)
        ;
    free(found);
    return rc;
}

/* ---- power ---- */

static uint64_t dice(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
}

/* A power loss keeps everything, nothing, or some: each kind must come up often. */
static bool survives(uint64_t mood, uint64_t *state)
{
    return mood == 0 ? false : mood == 1 ? true : dice(state) & 1;
}

static void lose_bytes(struct inode *i, uint64_t mood, uint64_t *state)
{
    struct bytes *now = &i->now, *old = &i->durable;
    size_t old_len = old->len;
    if (now->len != old_len && survives(mood, state))
        bytes_resize(old, now->len);
    for (size_t sector = 0; sector < i->sectors_cap; sector++) {
        if (!i->dirty[sector])
            continue;
        i->dirty[sector] = 0;
        size_t at = sector * SECTOR;
        if (!survives(mood, state) || at >= old->len || at >= now->len)
            continue;
        size_t len = SECTOR;
        if (at + len > old->len)
            len = old->len - at;
        if (at + len > now->len)
            len = now->len - at;
        memcpy(old->ptr + at, now->ptr + at, len);
    }
    bytes_resize(now, 0);
    bytes_resize(now, old->len);
    if (old->len > 0)
        memcpy(now->ptr, old->ptr, old->len);
}

void crash_disk_power_cycle(struct crash_disk *d, uint64_t seed)
{
    uint64_t state = seed;
    for (size_t c = 0; c < d->change_count; c++)
        if (survives(seed % 3, &state))
            apply_change(d->durable, &d->changes[c]);
    d->change_count = 0;
    for (int i = 0; i < d->inode_count; i++)
        lose_bytes(&d->inodes[i], (seed / 3) % 3, &state);
    memcpy(d->names, d->durable, sizeof d->names);
    crash_disk_restart(d);
}

void crash_disk_restart(struct crash_disk *d)
{
    for (int fd = 0; fd < FDS_MAX; fd++)
        d->fds[fd] = -1;
    d->off = false;
    d->fail_at = 0;
}

/* ---- life and handles for the tests ---- */

struct crash_disk *crash_disk_create(void)
{
    struct crash_disk *d = mem_calloc(1, sizeof *d);
    d->files = (struct files){
        .open = disk_open,
        .close = disk_close,
        .read = disk_read,
        .write = disk_write,
        .sync = disk_sync,
        .write_soon = disk_write_soon,
        .sync_dir = disk_sync_dir,
        .resize = disk_resize,
        .stat = disk_stat,
        .stat_fd = disk_stat_fd,
        .next_data = disk_next_data,
        .rename = disk_rename,
        .unlink = disk_unlink,
        .mkdir = disk_mkdir,
        .list = disk_list,
    };
    pthread_mutex_init(&d->lock, NULL);
    for (int i = 0; i < NAMES_MAX; i++)
        d->names[i].inode = d->durable[i].inode = -1;
    for (int fd = 0; fd < FDS_MAX; fd++)
        d->fds[fd] = -1;
    d->space = -1;
    set_name(d->names, "/", new_inode(d, true));
    set_name(d->names, "/d", new_inode(d, true));
    memcpy(d->durable, d->names, sizeof d->names);
    return d;
}

void crash_disk_free(struct crash_disk *d)
{
    if (d == NULL)
        return;
    for (int i = 0; i < d->inode_count; i++) {
        free(d->inodes[i].now.ptr);
        free(d->inodes[i].durable.ptr);
        free(d->inodes[i].dirty);
        free(d->inodes[i].allocated);
    }
    pthread_mutex_destroy(&d->lock);
    free(d);
}

struct files *crash_disk_files(struct crash_disk *d)
{
    return &d->files;
}

uint64_t crash_disk_calls(const struct crash_disk *d)
{
    return d->calls;
}

void crash_disk_fail_at(struct crash_disk *d, uint64_t call)
{
    pthread_mutex_lock(&d->lock);
    d->fail_at = call;
    pthread_mutex_unlock(&d->lock);
}

bool crash_disk_failed(const struct crash_disk *d)
{
    return d->off;
}

void crash_disk_refuse_direct(struct crash_disk *d)
{
    d->no_direct = true;
}

uint64_t crash_disk_direct_writes(const struct crash_disk *d)
{
    return d->direct_writes;
}

void crash_disk_fail_syncs(struct crash_disk *d, int rc)
{
    pthread_mutex_lock(&d->lock);
    d->sync_rc = rc;
    pthread_mutex_unlock(&d->lock);
}

void crash_disk_space(struct crash_disk *d, int64_t bytes)
{
    pthread_mutex_lock(&d->lock);
    d->space = bytes;
    pthread_mutex_unlock(&d->lock);
}

void crash_disk_delay_syncs(struct crash_disk *d, int64_t ns)
{
    pthread_mutex_lock(&d->lock);
    d->sync_delay_ns = ns;
    pthread_mutex_unlock(&d->lock);
}

uint8_t *crash_disk_bytes(struct crash_disk *d, const char *path, size_t *ret_len)
{
    struct name *n = find(d->names, path);
    if (n == NULL)
        return NULL;
    *ret_len = d->inodes[n->inode].now.len;
    return d->inodes[n->inode].now.ptr;
}

void crash_disk_put(struct crash_disk *d, const char *path, const void *bytes, size_t len)
{
    struct name *n = find(d->names, path);
    int inode = n != NULL ? n->inode : new_inode(d, false);
    set_name(d->names, path, inode);
    set_name(d->durable, path, inode);
    struct inode *i = &d->inodes[inode];
    bytes_resize(&i->now, 0);
    sectors_reserve(i, len);
    bytes_resize(&i->now, len);
    if (len > 0)
        memcpy(i->now.ptr, bytes, len);
    make_durable(i);
}

size_t crash_disk_file_count(const struct crash_disk *d, const char *dir)
{
    size_t count = 0;
    for (int i = 0; i < NAMES_MAX; i++)
        count += d->names[i].inode >= 0 && is_in_dir(d->names[i].path, dir);
    return count;
}
