/* barrier_talk.c: clients at a barrier, a double barrier or a queue, that do what they read and
 * write what they hear, a line each.
 *
 *   barrier_talk HOSTS TIMEOUT_MS PATH COUNT
 *
 * Each of COUNT clients begins every line with its number N:
 *
 *   set N, lift N, pass N MS      N set ERROR, N lifted ERROR, N passed ERROR
 *   open N MEMBERS                N opened ERROR
 *   enter N MS, leave N MS        N entered ERROR, N left ERROR
 *   close N                       N closed
 *   gone N                        N gone, when the client was closed, and then the double barrier
 *   put N PRIORITY DATA           N put ERROR PATH
 *   take N MS                     N took ERROR PRIORITY DATA
 *   quit
 *
 * With "!" behind the word it is the call that waits. By themselves: N state NAME */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/barrier.h"
#include "caucus/queue.h"
#include "talk.h"

struct client {
    struct caucus *c;
    struct caucus_double_barrier *barrier;
    int number;
};

static struct client clients[TALK_CLIENTS_MAX];
static const char *path;

static void say(struct client *a, const char *what, int rc)
{
    printf("%d %s %s\n", a->number, what, caucus_error_name(rc));
}

static void on_set(void *context, int rc)
{
    say(context, "set", rc);
}

static void on_lifted(void *context, int rc)
{
    say(context, "lifted", rc);
}

static void on_passed(void *context, int rc)
{
    say(context, "passed", rc);
}

static void on_entered(void *context, int rc)
{
    say(context, "entered", rc);
}

static void on_left(void *context, int rc)
{
    say(context, "left", rc);
}

static void on_put(void *context, int rc, const char *item)
{
    printf("%d put %s %s\n", ((struct client *)context)->number, caucus_error_name(rc),
           rc == 0 ? item : "-");
}

static void on_took(void *context, int rc, const struct caucus_queue_item *item)
{
    printf("%d took %s %d %s\n", ((struct client *)context)->number, caucus_error_name(rc),
           rc == 0 ? item->priority : -1, rc == 0 ? (const char *)item->data : "-");
}

static void take_and_wait(struct client *a, int64_t ms)
{
    struct caucus_queue_item *item = NULL;
    int rc = caucus_queue_take_wait(a->c, path, ms, &item);
    on_took(a, rc, item);
    caucus_queue_item_free(item);
}

static void refused(struct client *a, const char *op, int rc)
{
    if (rc != 0)
        printf("%d refused %s %s\n", a->number, op, caucus_error_name(rc));
}

static bool obey_waiting(struct client *a, const char *op, int number, const char *data)
{
    if (strcmp(op, "set!") == 0)
        on_set(a, caucus_barrier_set_wait(a->c, path, -1));
    else if (strcmp(op, "lift!") == 0)
        on_lifted(a, caucus_barrier_lift_wait(a->c, path, -1));
    else if (strcmp(op, "pass!") == 0)
        on_passed(a, caucus_barrier_pass_wait(a->c, path, number));
    else if (strcmp(op, "enter!") == 0)
        on_entered(a, caucus_double_barrier_enter_wait(a->barrier, number));
    else if (strcmp(op, "leave!") == 0)
        on_left(a, caucus_double_barrier_leave_wait(a->barrier, number));
    else if (strcmp(op, "put!") == 0)
        on_put(a, caucus_queue_put_wait(a->c, path, number, data, strlen(data)), "-");
    else if (strcmp(op, "take!") == 0)
        take_and_wait(a, number);
    else
        return false;
    return true;
}

static bool obey_one(struct client *a, const char *op, int number, const char *data)
{
    if (strcmp(op, "set") == 0) {
        refused(a, op, caucus_barrier_set(a->c, path, -1, on_set, a));
    } else if (strcmp(op, "lift") == 0) {
        refused(a, op, caucus_barrier_lift(a->c, path, -1, on_lifted, a));
    } else if (strcmp(op, "pass") == 0) {
        refused(a, op, caucus_barrier_pass(a->c, path, number, on_passed, a));
    } else if (strcmp(op, "open") == 0) {
        struct caucus_double_barrier_options o = {.identity = "us", .identity_bytes = 2};
        say(a, "opened", caucus_double_barrier_open(a->c, path, number, &o, &a->barrier));
    } else if (strcmp(op, "enter") == 0) {
        refused(a, op, caucus_double_barrier_enter(a->barrier, number, on_entered, a));
    } else if (strcmp(op, "leave") == 0) {
        refused(a, op, caucus_double_barrier_leave(a->barrier, number, on_left, a));
    } else if (strcmp(op, "close") == 0 || strcmp(op, "gone") == 0) {
        bool is_first = strcmp(op, "gone") == 0;
        if (is_first)
            caucus_close(a->c);
        caucus_double_barrier_close(a->barrier);
        a->barrier = NULL;
        a->c = is_first ? NULL : a->c;
        printf("%d %s\n", a->number, is_first ? "gone" : "closed");
    } else if (strcmp(op, "put") == 0) {
        refused(a, op, caucus_queue_put(a->c, path, number, data, strlen(data), on_put, a));
    } else if (strcmp(op, "take") == 0) {
        refused(a, op, caucus_queue_take(a->c, path, number, on_took, a));
    } else {
        return obey_waiting(a, op, number, data);
    }
    return true;
}

static bool obey(const char *line)
{
    char op[16] = "", data[64] = "";
    int who = 0, number = 0;
    sscanf(line, "%15s %d %d %63s", op, &who, &number, data);
    return obey_one(&clients[who], op, number, data);
}

static void add(int number, struct caucus *c, const char *at)
{
    clients[number].number = number;
    clients[number].c = c;
    path = at;
}

static void end(int number)
{
    caucus_double_barrier_close(clients[number].barrier);
    caucus_close(clients[number].c);
}

int main(int argc, char **argv)
{
    static const struct talk calls = {add, obey, end};
    return talk(argc, argv, &calls);
}
