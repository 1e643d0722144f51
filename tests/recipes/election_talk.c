/* election_talk.c: candidates that do what they read and write what they hear, a line each.
 *
 *   election_talk HOSTS TIMEOUT_MS PATH strict|lost COUNT
 *
 * Each candidate has a client of its own and begins every line with its number:
 *
 *   N state NAME              N elected TOKEN NS PATH        N dismissed TOKEN ERROR NS
 *   N trouble ERROR           N state CLOSED
 *
 *   stand N | stand N closing    a candidate, that closes itself when it is elected -> N stands
 *   resign N     close N         is N -> N is TOKEN          await N MS -> N await ERROR TOKEN
 *   list -> list ERROR IDENTITY TOKEN, IDENTITY TOKEN ...    sync -> synced, when all have
 *   leave N      closes the client before the election -> N left
 *   quit */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/election.h"

enum {
    CANDIDATES_MAX = 1000
};

struct candidate {
    struct caucus *c;
    struct caucus_election *election;
    int number;
    bool closes_itself;
};

static struct candidate candidates[CANDIDATES_MAX];
static const char *path;
static enum caucus_policy policy;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int left; /* lock: syncs that have not been answered */

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)handle;
    struct candidate *a = context;
    printf("%d state %s\n", a->number, caucus_state_name(s->state));
}

static void on_change(void *context, struct caucus_election *e,
                      const struct caucus_election_change *change)
{
    struct candidate *a = context;
    switch (change->news) {
    case CAUCUS_ELECTED:
        printf("%d elected %lld %lld %s\n", a->number, (long long)change->token,
               (long long)caucus_now_ns(), change->path);
        if (a->closes_itself) {
            caucus_election_close(e);
            printf("%d closed in its callback\n", a->number);
        }
        break;
    case CAUCUS_DISMISSED:
        printf("%d dismissed %lld %s %lld\n", a->number, (long long)change->token,
               caucus_error_name(change->rc), (long long)caucus_now_ns());
        break;
    case CAUCUS_ELECTION_TROUBLE:
        printf("%d trouble %s\n", a->number, caucus_error_name(change->rc));
        break;
    }
}

static void stand(struct candidate *a)
{
    char identity[16];
    int bytes = snprintf(identity, sizeof(identity), "%d", a->number);
    struct caucus_election_options o = {.identity = identity,
                                        .identity_bytes = (size_t)bytes,
                                        .policy = policy,
                                        .on_change = on_change,
                                        .context = a};
    flockfile(stdout); /* what is heard comes behind */
    int rc = caucus_election_open(a->c, path, &o, &a->election);
    printf("%d stands %s\n", a->number, caucus_error_name(rc));
    funlockfile(stdout);
}

static void on_list(void *context, int rc, const struct caucus_candidate *list, size_t count)
{
    (void)context;
    char text[4096] = "";
    size_t len = 0;
    for (size_t i = 0; i < count && len < sizeof(text); i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%.*s %lld", i > 0 ? ", " : "",
                                (int)list[i].identity_bytes, (const char *)list[i].identity,
                                (long long)list[i].token);
    printf("list %s %s\n", caucus_error_name(rc), text);
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
        caucus_sync(candidates[i].c, "/", on_synced, NULL);
    pthread_mutex_lock(&lock);
    while (left > 0)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    printf("synced\n");
}

static void await(struct candidate *a, int ms)
{
    int64_t token = 0;
    int rc = caucus_election_await(a->election, ms, &token);
    printf("%d await %s %lld\n", a->number, caucus_error_name(rc), (long long)token);
}

/* False: quit. */
static bool obey(const char *line, int count)
{
    char op[16] = "", more[16] = "";
    int number = 0;
    sscanf(line, "%15s %d %15s", op, &number, more);
    struct candidate *a = &candidates[number];
    if (strcmp(op, "stand") == 0) {
        a->closes_itself = strcmp(more, "closing") == 0;
        stand(a);
    } else if (strcmp(op, "resign") == 0) {
        caucus_election_resign(a->election);
    } else if (strcmp(op, "close") == 0) {
        caucus_election_close(a->election);
        a->election = NULL;
        printf("%d closed\n", number);
    } else if (strcmp(op, "is") == 0) {
        printf("%d is %lld\n", number, (long long)caucus_election_token(a->election));
    } else if (strcmp(op, "await") == 0) {
        await(a, atoi(more));
    } else if (strcmp(op, "list") == 0) {
        caucus_election_list(candidates[0].c, path, on_list, NULL);
    } else if (strcmp(op, "sync") == 0) {
        sync_all(count);
    } else if (strcmp(op, "leave") == 0) {
        caucus_close(a->c);
        a->c = NULL;
        caucus_election_close(a->election);
        a->election = NULL;
        printf("%d left\n", number);
    } else {
        return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    path = argv[3];
    policy = strcmp(argv[4], "lost") == 0 ? CAUCUS_UNTIL_LOST : CAUCUS_STRICT;
    int count = atoi(argv[5]);
    for (int i = 0; i < count; i++) {
        candidates[i].number = i;
        struct caucus_options o = {.session_timeout_ms = atoi(argv[2]),
                                   .on_state = on_state,
                                   .on_state_context = &candidates[i]};
        int rc = caucus_open(argv[1], &o, &candidates[i].c);
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", argv[1], caucus_error_text(rc));
            return 1;
        }
    }
    char line[256];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line, count))
        ;
    for (int i = 0; i < count; i++)
        if (!candidates[i].closes_itself)
            caucus_election_close(candidates[i].election);
    for (int i = 0; i < count; i++)
        caucus_close(candidates[i].c);
    printf("quit\n");
    return 0;
}
