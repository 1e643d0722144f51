/* lock_talk.c: takers of locks that do what they read and write what they hear, a line each.
 *
 *   lock_talk HOSTS TIMEOUT_MS strict|lost COUNT
 *
 * Each taker has a client of its own and begins every line with its number:
 *
 *   N state NAME     N held TOKEN NS PATH     N lost TOKEN ERROR NS     N failed ERROR
 *   N asked INDEX    N trouble ERROR INDEX
 *
 *   acquire N KIND PATH[,PATH...] [kazoo|free|closing|yielding|losing] -> N acquires ERROR
 *       KIND: mutex, read, write, or leases:NUMBER. free: only if it is; closing: releases it when
 *       it is held, yielding: when it is asked, losing: when it is lost, in the callback
 *   release N -> N released      tokens N -> N tokens TOKEN TOKEN ...     ask N
 *   await N MS -> N await ERROR TOKEN       sync -> synced, when all have
 *   leave N      closes the client before the lock -> N left
 *   quit */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/semaphore.h"

enum {
    TAKERS_MAX = 1000,
    PATHS_MAX = 8
};

struct taker {
    struct caucus *c;
    struct caucus_lock *lock;
    int number;
    size_t path_count;
    char how[16];
    atomic_bool is_released; /* in a callback: `lock` is nothing any more */
};

static struct taker takers[TAKERS_MAX];
static enum caucus_policy policy;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int left; /* lock: syncs that have not been answered */

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)handle;
    struct taker *t = context;
    printf("%d state %s\n", t->number, caucus_state_name(s->state));
}

static void release_if(struct taker *t, struct caucus_lock *l, const char *how)
{
    if (strcmp(t->how, how) != 0)
        return;
    atomic_store(&t->is_released, true);
    caucus_lock_release(l);
    printf("%d released in its callback\n", t->number);
}

static void on_change(void *context, struct caucus_lock *l, const struct caucus_lock_change *change)
{
    struct taker *t = context;
    switch (change->news) {
    case CAUCUS_LOCK_HELD:
        printf("%d held %lld %lld %s\n", t->number, (long long)change->token,
               (long long)caucus_now_ns(), change->path);
        release_if(t, l, "closing");
        break;
    case CAUCUS_LOCK_LOST:
        printf("%d lost %lld %s %lld\n", t->number, (long long)change->token,
               caucus_error_name(change->rc), (long long)caucus_now_ns());
        release_if(t, l, "losing");
        break;
    case CAUCUS_LOCK_FAILED:
        printf("%d failed %s\n", t->number, caucus_error_name(change->rc));
        release_if(t, l, "losing");
        break;
    case CAUCUS_LOCK_ASKED:
        printf("%d asked %zu\n", t->number, change->index);
        release_if(t, l, "yielding");
        break;
    case CAUCUS_LOCK_TROUBLE:
        printf("%d trouble %s %zu\n", t->number, caucus_error_name(change->rc), change->index);
        break;
    }
}

static size_t split(char *paths, const char *kind,
                    struct caucus_lock_member members[static PATHS_MAX])
{
    size_t count = 0;
    char *rest = paths;
    for (char *path; count < PATHS_MAX && (path = strtok_r(rest, ",", &rest)) != NULL; count++) {
        members[count].path = path;
        members[count].kind = strcmp(kind, "read") == 0    ? CAUCUS_LOCK_READ
                              : strcmp(kind, "write") == 0 ? CAUCUS_LOCK_WRITE
                                                           : CAUCUS_LOCK_MUTEX;
    }
    return count;
}

static void acquire(struct taker *t, const char *kind, char *paths)
{
    struct caucus_lock_member members[PATHS_MAX] = {{0}};
    char identity[16];
    int bytes = snprintf(identity, sizeof(identity), "%d", t->number);
    struct caucus_lock_options o = {.identity = identity,
                                    .identity_bytes = (size_t)bytes,
                                    .policy = policy,
                                    .only_if_free = strcmp(t->how, "free") == 0,
                                    .names = strcmp(t->how, "kazoo") == 0 ? CAUCUS_NAMES_KAZOO
                                                                          : CAUCUS_NAMES_CURATOR,
                                    .on_change = on_change,
                                    .context = t};
    t->path_count = split(paths, kind, members);
    struct caucus_lock *l = NULL;
    int rc;
    atomic_store(&t->is_released, false);
    flockfile(stdout); /* what is heard comes behind */
    if (strncmp(kind, "leases:", 7) == 0) {
        rc = caucus_semaphore_acquire(t->c, members[0].path, atoi(kind + 7), &o, &l);
    } else if (t->path_count == 1) {
        o.kind = members[0].kind;
        rc = caucus_lock_acquire(t->c, members[0].path, &o, &l);
    } else {
        rc = caucus_lock_acquire_all(t->c, members, t->path_count, &o, &l);
    }
    t->lock = l;
    printf("%d acquires %s\n", t->number, caucus_error_name(rc));
    funlockfile(stdout);
}

static void on_synced(void *context, const struct caucus_result *r)
{
    (void)context;
    (void)r;
    pthread_mutex_lock(&lock);
    left--;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void sync_all(int count)
{
    left = count;
    for (int i = 0; i < count; i++)
        caucus_sync(takers[i].c, "/", on_synced, NULL);
    pthread_mutex_lock(&lock);
    while (left > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    printf("synced\n");
}

static void print_tokens(const struct taker *t)
{
    char text[PATHS_MAX * 21 + 1] = "";
    size_t len = 0;
    for (size_t i = 0; i < t->path_count; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, " %lld",
                                (long long)caucus_lock_token_of(t->lock, i));
    printf("%d tokens%s\n", t->number, text);
}

static void await(struct taker *t, int ms)
{
    int64_t token = 0;
    int rc = caucus_lock_await(t->lock, ms, &token);
    printf("%d await %s %lld\n", t->number, caucus_error_name(rc), (long long)token);
}

static void release(struct taker *t)
{
    struct caucus_lock *l = t->lock;
    t->lock = NULL;
    if (!atomic_load(&t->is_released))
        caucus_lock_release(l);
}

/* False: quit. */
static bool obey(const char *line, int count)
{
    char op[16] = "", what[16] = "", paths[200] = "", how[16] = "";
    int number = 0;
    sscanf(line, "%15s %d %15s %199s %15s", op, &number, what, paths, how);
    struct taker *t = &takers[number];
    if (strcmp(op, "acquire") == 0) {
        memcpy(t->how, how, sizeof(how));
        acquire(t, what, paths);
    } else if (strcmp(op, "release") == 0) {
        release(t);
        printf("%d released\n", number);
    } else if (strcmp(op, "tokens") == 0) {
        print_tokens(t);
    } else if (strcmp(op, "ask") == 0) {
        caucus_lock_ask(t->lock);
    } else if (strcmp(op, "await") == 0) {
        await(t, atoi(what));
    } else if (strcmp(op, "sync") == 0) {
        sync_all(count);
    } else if (strcmp(op, "leave") == 0) {
        caucus_close(t->c);
        t->c = NULL;
        release(t);
        printf("%d left\n", number);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    policy = strcmp(argv[3], "lost") == 0 ? CAUCUS_UNTIL_LOST : CAUCUS_STRICT;
    int count = atoi(argv[4]);
    for (int i = 0; i < count; i++) {
        takers[i].number = i;
        struct caucus_options o = {.session_timeout_ms = atoi(argv[2]),
                                   .on_state = on_state,
                                   .on_state_context = &takers[i]};
        int rc = caucus_open(argv[1], &o, &takers[i].c);
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", argv[1], caucus_error_text(rc));
            return 1;
        }
    }
    char line[256];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line, count))
        ;
    for (int i = 0; i < count; i++)
        release(&takers[i]);
    for (int i = 0; i < count; i++)
        caucus_close(takers[i].c);
    printf("quit\n");
    return 0;
}
