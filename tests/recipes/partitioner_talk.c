/* partitioner_talk.c: members that do what they read and write what they hear, a line each.
 *
 *   partitioner_talk HOSTS TIMEOUT_MS PATH COUNT
 *
 * Each of COUNT clients begins every line with its number N:
 *
 *   open N strict|lost SETTLE_MS NAME,NAME...      N opened ERROR
 *   close N                       N closed
 *   gone N                        N gone, when the client was closed, and then the member
 *   auto N                        from now on it releases in its callback
 *   closing N                     N closed itself, in the callback that tells what it has acquired
 *   release N
 *   token N NAME                  N token TOKEN
 *   await N MS                    N await ERROR
 *   quit
 *
 * and by themselves:
 *
 *   N state NAME                  N allocating               N failure NS ERROR
 *   N acquired NS NAME=TOKEN...   N release NS NAME=TOKEN... N trouble ERROR */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/partitioner.h"
#include "talk.h"

enum {
    NAMES_MAX = 64
};

struct member {
    struct caucus *c;
    struct caucus_partitioner *p;
    int number;
    bool releases_itself, closes_itself;
};

static struct member members[TALK_CLIENTS_MAX];
static const char *path;

static void say_held(const struct member *a, const char *what,
                     const struct caucus_partition_change *change)
{
    char line[8192];
    size_t len = (size_t)snprintf(line, sizeof(line), "%d %s %lld", a->number, what,
                                  (long long)caucus_now_ns());
    for (size_t i = 0; i < change->count; i++)
        len += (size_t)snprintf(line + len, sizeof(line) - len, " %s=%lld",
                                change->partitions[i].name, (long long)change->partitions[i].token);
    printf("%s\n", line);
}

static void on_change(void *context, struct caucus_partitioner *p,
                      const struct caucus_partition_change *change)
{
    struct member *a = context;
    switch (change->state) {
    case CAUCUS_PARTITION_ALLOCATING:
        printf("%d allocating\n", a->number);
        break;
    case CAUCUS_PARTITION_ACQUIRED:
        say_held(a, "acquired", change);
        break;
    case CAUCUS_PARTITION_RELEASE:
        say_held(a, "release", change);
        if (a->releases_itself)
            caucus_partitioner_release(p);
        break;
    case CAUCUS_PARTITION_FAILURE:
        printf("%d failure %lld %s\n", a->number, (long long)caucus_now_ns(),
               caucus_error_name(change->rc));
        break;
    case CAUCUS_PARTITION_TROUBLE:
        printf("%d trouble %s\n", a->number, caucus_error_name(change->rc));
        break;
    }
    if (a->closes_itself && change->state == CAUCUS_PARTITION_ACQUIRED) {
        a->closes_itself = false;
        a->p = NULL;
        caucus_partitioner_close(p);
        printf("%d closed itself\n", a->number);
    }
}

static void open_one(struct member *a, const char *policy, int settle_ms, char *list)
{
    const char *names[NAMES_MAX];
    size_t count = 0;
    char *rest = NULL;
    for (char *name = strtok_r(list, ",", &rest); name != NULL && count < NAMES_MAX;
         name = strtok_r(NULL, ",", &rest))
        names[count++] = name;
    struct caucus_partitioner_options o = {.policy = strcmp(policy, "lost") == 0 ? CAUCUS_UNTIL_LOST
                                                                                 : CAUCUS_STRICT,
                                           .settle_ms = settle_ms,
                                           .on_change = on_change,
                                           .context = a};
    int rc = caucus_partitioner_open(a->c, path, names, count, &o, &a->p);
    printf("%d opened %s\n", a->number, caucus_error_name(rc));
}

static bool obey(const char *line)
{
    char op[16] = "", first[64] = "", second[16] = "", third[1024] = "";
    int who = 0;
    sscanf(line, "%15s %d %63s %15s %1023s", op, &who, first, second, third);
    struct member *a = &members[who];
    if (strcmp(op, "open") == 0) {
        open_one(a, first, atoi(second), third);
    } else if (strcmp(op, "auto") == 0) {
        a->releases_itself = true;
    } else if (strcmp(op, "closing") == 0) {
        a->closes_itself = true;
    } else if (strcmp(op, "release") == 0) {
        caucus_partitioner_release(a->p);
    } else if (strcmp(op, "token") == 0) {
        printf("%d token %lld\n", who, (long long)caucus_partitioner_token(a->p, first));
    } else if (strcmp(op, "await") == 0) {
        printf("%d await %s\n", who,
               caucus_error_name(caucus_partitioner_await(a->p, atoi(first))));
    } else if (strcmp(op, "close") == 0) {
        caucus_partitioner_close(a->p);
        a->p = NULL;
        printf("%d closed\n", who);
    } else if (strcmp(op, "gone") == 0) {
        caucus_close(a->c);
        a->c = NULL;
        caucus_partitioner_close(a->p);
        a->p = NULL;
        printf("%d gone\n", who);
    } else {
        return false;
    }
    return true;
}

static void add(int number, struct caucus *c, const char *at)
{
    members[number].number = number;
    members[number].c = c;
    path = at;
}

static void end(int number)
{
    caucus_partitioner_close(members[number].p);
    caucus_close(members[number].c);
}

int main(int argc, char **argv)
{
    static const struct talk calls = {add, obey, end};
    return talk(argc, argv, &calls);
}
