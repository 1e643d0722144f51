#include "io/file_watch.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"

/* What tells a file from the one that was there before; all zero = there is none. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
};

struct watched_file {
    char *path;
    struct stamp stamp;
    char *folder, *real_folder; /* of its name; of the file that it is, NULL if it is the same */
    uv_fs_event_t named, real;
    bool lost; /* told */
};

struct file_watch {
    struct file_watch_options o;
    struct watched_file *files;
    uv_timer_t quiet;
    size_t open_handles;
};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return mem_dup(".", sizeof ".");
    size_t len = slash > path ? (size_t)(slash - path) : 1;
    char *folder = mem_alloc(len + 1);
    memcpy(folder, path, len);
    folder[len] = 0;
    return folder;
}

/* NULL: there is no such file, or it is in the folder of its name. */
static char *real_folder_of(const struct watched_file *f)
{
    char path[PATH_MAX], folder[PATH_MAX];
    if (realpath(f->path, path) == NULL || realpath(f->folder, folder) == NULL)
        return NULL;
    char *real = folder_of(path);
    if (strcmp(real, folder) != 0)
        return real;
    free(real);
    return NULL;
}

static struct stamp stamp_of(const char *path)
{
    struct stat st;
    struct stamp s = {0};
    if (stat(path, &st) != 0)
        return s;
    s.device = st.st_dev;
    s.inode = st.st_ino;
    s.bytes = st.st_size;
    s.modified = st.st_mtim;
    s.changed = st.st_ctim;
    return s;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool same_stamp(const struct stamp *a, const struct stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

static void on_event(uv_fs_event_t *handle, const char *name, int events, int status);

/* Anew each time: a folder may have been replaced by another one of that name. Before the stamps
 * are taken, so that no change falls between. 0, or libuv's error. */
static int watch_folders(struct watched_file *f)
{
    uv_fs_event_stop(&f->named);
    uv_fs_event_stop(&f->real);
    free(f->real_folder);
    f->real_folder = real_folder_of(f);
    int rc = uv_fs_event_start(&f->named, on_event, f->folder, 0);
    if (rc == 0 && f->real_folder != NULL)
        rc = uv_fs_event_start(&f->real, on_event, f->real_folder, 0);
    return rc;
}

static bool has_changed(struct watched_file *f)
{
    struct stamp now = stamp_of(f->path);
    bool changed = !same_stamp(&now, &f->stamp);
    f->stamp = now;
    return changed;
}

static void on_quiet(uv_timer_t *timer)
{
    struct file_watch *w = timer->data;
    bool changed = false;
    for (size_t i = 0; i < w->o.count; i++) {
        struct watched_file *f = &w->files[i];
        int rc = watch_folders(f);
        if (rc < 0 && !f->lost)
            w->o.on_lost(w->o.arg, f->path, uv_strerror(rc));
        f->lost = rc < 0;
        changed |= has_changed(f);
    }
    if (changed)
        w->o.on_change(w->o.arg);
}

/* Not put off by what comes later: a folder in which there is no quiet would never be looked at. */
static void on_event(uv_fs_event_t *handle, const char *name, int events, int status)
{
    struct file_watch *w = handle->data;
    (void)name;
    (void)events;
    (void)status;
    if (!uv_is_active((uv_handle_t *)&w->quiet))
        uv_timer_start(&w->quiet, on_quiet, FILE_WATCH_QUIET_MS, 0);
}

/* ---- life ---- */

static void free_all(struct file_watch *w)
{
    for (size_t i = 0; i < w->o.count; i++) {
        free(w->files[i].path);
        free(w->files[i].folder);
        free(w->files[i].real_folder);
    }
    free(w->files);
    free(w);
}

static void on_closed(uv_handle_t *handle)
{
    struct file_watch *w = handle->data;
    if (--w->open_handles == 0)
        free_all(w);
}

static void file_init(struct file_watch *w, struct loop *l, struct watched_file *f,
                      const char *path)
{
    f->path = mem_dup(path, strlen(path) + 1);
    f->folder = folder_of(path);
    uv_fs_event_init(&l->uv, &f->named);
    uv_fs_event_init(&l->uv, &f->real);
    f->named.data = f->real.data = w;
    w->open_handles += 2;
}

int file_watch_open(struct loop *l, const struct file_watch_options *o, struct file_watch **ret,
                    struct err *err)
{
    struct file_watch *w = mem_calloc(1, sizeof *w);
    w->o = *o;
    w->o.paths = NULL; /* the caller's */
    w->files = mem_calloc(o->count, sizeof *w->files);
    uv_timer_init(&l->uv, &w->quiet);
    w->quiet.data = w;
    w->open_handles = 1;
    for (size_t i = 0; i < o->count; i++)
        file_init(w, l, &w->files[i], o->paths[i]);

    for (size_t i = 0; i < o->count; i++) {
        struct watched_file *f = &w->files[i];
        int rc = watch_folders(f);
        f->stamp = stamp_of(f->path);
        if (rc < 0) {
            err_set(err, ERR_IO, "the folder of '%s' cannot be watched: %s", f->path,
                    uv_strerror(rc));
            file_watch_close(w);
            return ERR_IO;
        }
    }
    *ret = w;
    return 0;
}

void file_watch_close(struct file_watch *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->o.count; i++) {
        uv_close((uv_handle_t *)&w->files[i].named, on_closed);
        uv_close((uv_handle_t *)&w->files[i].real, on_closed);
    }
    uv_close((uv_handle_t *)&w->quiet, on_closed);
}
