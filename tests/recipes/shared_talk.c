/* shared_talk.c: a shared value or a counter that does what it reads and writes what it hears, a
 * line each, with its number, 0.
 *
 *   shared_talk HOSTS TIMEOUT_MS PATH value|counter TRIES_MAX
 *
 *   state NAME     changed VERSION DATA     changed NUMBER     done ERROR VERSION|NUMBER
 *
 *   open -> opened ERROR    close -> closed    leave   closes the client first -> left
 *   set DATA|NUMBER         try VERSION DATA   add NUMBER       each -> done
 *   wait DATA|NUMBER        sets it, or adds, in a blocking call -> waited ERROR VERSION|NUMBER
 *   get -> got ERROR VERSION DATA | got ERROR NUMBER
 *   burst COUNT   adds 1 so often -> burst DONE UNKNOWN NOT
 *   session -> session ID PASSWORD             quit */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/counter.h"
#include "caucus/shared_value.h"
#include "client_talk.h"

static struct caucus *c;
static struct caucus_shared_value *value;
static struct caucus_counter *counter;

/* Of a burst; the thread of the callbacks'. */
static int left, done, unknown, not_done;

static void on_value(void *context, struct caucus_shared_value *v,
                     const struct caucus_cache_node *now)
{
    (void)context;
    (void)v;
    printf("0 changed %d %s\n", now->stat.version, (const char *)now->data);
}

static void on_number(void *context, struct caucus_counter *k, int64_t now)
{
    (void)context;
    (void)k;
    printf("0 changed %lld\n", (long long)now);
}

static void on_set(void *context, int rc, int32_t version)
{
    (void)context;
    printf("0 done %s %d\n", caucus_error_name(rc), version);
}

static void on_added(void *context, int rc, int64_t now)
{
    (void)context;
    printf("0 done %s %lld\n", caucus_error_name(rc), (long long)now);
}

static void on_burst(void *context, int rc, int64_t now)
{
    (void)context;
    (void)now;
    done += rc == 0;
    unknown += rc == CAUCUS_CONNECTIONLOSS;
    not_done += rc != 0 && rc != CAUCUS_CONNECTIONLOSS;
    if (--left == 0)
        printf("0 burst %d %d %d\n", done, unknown, not_done);
}

static int begin(const char *path, bool counts, unsigned tries_max)
{
    if (counts) {
        struct caucus_counter_options o = {.tries_max = tries_max, .on_change = on_number};
        return caucus_counter_open(c, path, &o, &counter);
    }
    struct caucus_shared_value_options o = {
        .initial = "initial", .initial_bytes = 7, .tries_max = tries_max, .on_change = on_value};
    return caucus_shared_value_open(c, path, &o, &value);
}

static void end(void)
{
    caucus_shared_value_close(value);
    caucus_counter_close(counter);
    value = NULL;
    counter = NULL;
}

static void get(void)
{
    int64_t number = 0;
    const struct caucus_cache_node *node = NULL;
    int rc = counter != NULL ? caucus_counter_get(counter, &number)
                             : caucus_shared_value_get(value, &node);
    if (node != NULL)
        printf("0 got %s %d %s\n", caucus_error_name(rc), node->stat.version,
               (const char *)node->data);
    else
        printf("0 got %s %lld\n", caucus_error_name(rc), (long long)number);
    caucus_cache_node_free(node);
}

static void change_and_wait(const char *to)
{
    int64_t number = 0;
    int32_t version = 0;
    int rc = counter != NULL ? caucus_counter_add_wait(counter, atoll(to), &number)
                             : caucus_shared_value_set_wait(value, to, strlen(to), &version);
    printf("0 waited %s %lld\n", caucus_error_name(rc), (long long)number + version);
}

/* False: quit. */
static bool obey(const char *line, char **argv)
{
    char op[16] = "", a[256] = "", b[256] = "";
    int rc = 0;
    sscanf(line, "%15s %255s %255s", op, a, b);
    if (strcmp(op, "open") == 0) {
        rc = begin(argv[3], strcmp(argv[4], "counter") == 0, (unsigned)atoi(argv[5]));
        printf("0 opened %s\n", caucus_error_name(rc));
    } else if (strcmp(op, "close") == 0) {
        end();
        printf("0 closed\n");
    } else if (strcmp(op, "leave") == 0) {
        caucus_close(c);
        c = NULL;
        end();
        printf("0 left\n");
    } else if (strcmp(op, "set") == 0 && counter != NULL) {
        rc = caucus_counter_set(counter, atoll(a), on_added, NULL);
    } else if (strcmp(op, "set") == 0) {
        rc = caucus_shared_value_set(value, a, strlen(a), on_set, NULL);
    } else if (strcmp(op, "try") == 0) {
        rc = caucus_shared_value_try_set(value, b, strlen(b), atoi(a), on_set, NULL);
    } else if (strcmp(op, "add") == 0) {
        rc = caucus_counter_add(counter, atoll(a), on_added, NULL);
    } else if (strcmp(op, "burst") == 0) {
        left = atoi(a);
        for (int i = 0, count = left; i < count; i++)
            if (caucus_counter_add(counter, 1, on_burst, NULL) != 0)
                abort();
    } else if (strcmp(op, "wait") == 0) {
        change_and_wait(a);
    } else if (strcmp(op, "get") == 0) {
        get();
    } else if (strcmp(op, "session") == 0) {
        client_tell_session(c);
    } else {
        return false;
    }
    if (rc != 0)
        printf("0 done %s 0\n", caucus_error_name(rc));
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    c = client_open(argv[1], argv[2]);
    char line[512];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line, argv))
        ;
    end();
    caucus_close(c);
    printf("quit\n");
    return 0;
}
