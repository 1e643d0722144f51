/* election_terms.c: as many terms as are wanted, one after the other, and what they leave behind in
 * the program.
 *
 *   election_terms HOSTS PATH CANDIDATES TERMS
 *
 * Whoever is elected resigns, and queues again. Prints one line, with what the program had after a
 * tenth of the terms and after all of them:
 *
 *   TERMS terms in MS ms: heap BYTES BYTES, resident BYTES BYTES, descriptors N N, threads N N */
#include <dirent.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "caucus/election.h"

enum {
    CANDIDATES_MAX = 100
};

struct usage {
    size_t heap_bytes;
    long resident_bytes;
    int descriptors, threads;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int terms;          /* lock */
static int64_t last_token; /* lock */

static int entries_of(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count;
}

static struct usage usage(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        if (fscanf(file, "%*d %ld", &pages) != 1)
            pages = 0;
        fclose(file);
    }
    return (struct usage){mallinfo2().uordblks, pages * sysconf(_SC_PAGESIZE),
                          entries_of("/proc/self/fd"), entries_of("/proc/self/task")};
}

static void on_change(void *context, struct caucus_election *e,
                      const struct caucus_election_change *change)
{
    (void)context;
    if (change->news == CAUCUS_ELECTION_TROUBLE)
        printf("trouble %s\n", caucus_error_name(change->rc));
    if (change->news != CAUCUS_ELECTED)
        return;
    pthread_mutex_lock(&lock);
    if (change->token <= last_token)
        printf("token %lld after %lld\n", (long long)change->token, (long long)last_token);
    last_token = change->token;
    terms++;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    caucus_election_resign(e);
}

static struct usage wait_for(int count)
{
    pthread_mutex_lock(&lock);
    while (terms < count)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return usage();
}

int main(int argc, char **argv)
{
    int count = argc == 5 ? atoi(argv[3]) : 0;
    int wanted = argc == 5 ? atoi(argv[4]) : 0;
    if (count < 1 || count > CANDIDATES_MAX || wanted < 10)
        return 2;
    static struct caucus *clients[CANDIDATES_MAX];
    static struct caucus_election *elections[CANDIDATES_MAX];
    const struct caucus_election_options o = {.on_change = on_change};
    int64_t began_ns = caucus_now_ns();
    for (int i = 0; i < count; i++)
        if (caucus_open(argv[1], NULL, &clients[i]) != 0 ||
            caucus_election_open(clients[i], argv[2], &o, &elections[i]) != 0)
            return 1;

    struct usage early = wait_for(wanted / 10), late = wait_for(wanted);
    printf(
        "%d terms in %lld ms: heap %zu %zu, resident %ld %ld, descriptors %d %d, threads %d %d\n",
        wanted, (long long)(caucus_now_ns() - began_ns) / 1000000, early.heap_bytes,
        late.heap_bytes, early.resident_bytes, late.resident_bytes, early.descriptors,
        late.descriptors, early.threads, late.threads);
    for (int i = 0; i < count; i++)
        caucus_election_close(elections[i]);
    for (int i = 0; i < count; i++)
        caucus_close(clients[i]);
    return 0;
}
