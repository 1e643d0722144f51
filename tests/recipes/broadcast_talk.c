/* broadcast_talk.c: members that do what they read and write what they hear, a line each.
 *
 *   broadcast_talk HOSTS TIMEOUT_MS PATH COUNT
 *
 * Each of COUNT clients begins every line with its number N:
 *
 *   join N ACKS HISTORY [AFTER]   N opened ERROR
 *   close N                       N closed
 *   gone N                        N gone, when the client was closed, and then the member
 *   send N TEXT, send! N TEXT     N sent ERROR POSITION TEXT
 *   many N COUNT TEXT             N many ERROR, when the last of TEXT-0, TEXT-1 ... is done
 *   closing N                     N closed itself, in the callback of the next message
 *   quit
 *
 * and by themselves:
 *
 *   N state NAME           N joined POSITION      N LEFT ERROR       N gap POSITION TO
 *   N leads EPOCH          N follows EPOCH        N trouble ERROR
 *   N accepted POSITION TEXT                      N got POSITION TEXT own|other */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/broadcast.h"
#include "talk.h"

struct member {
    struct caucus *c;
    struct caucus_broadcast *b;
    int number;
    bool closes_itself;
};

static struct member members[TALK_CLIENTS_MAX];
static const char *path;

static void on_accept(void *context, struct caucus_broadcast *b,
                      const struct caucus_broadcast_message *m)
{
    (void)b;
    printf("%d accepted %" PRIu64 " %.*s\n", ((struct member *)context)->number, m->position,
           (int)m->bytes, (const char *)m->data);
}

static void on_deliver(void *context, struct caucus_broadcast *b,
                       const struct caucus_broadcast_message *m)
{
    struct member *a = context;
    printf("%d got %" PRIu64 " %.*s %s\n", a->number, m->position, (int)m->bytes,
           (const char *)m->data, m->is_own ? "own" : "other");
    if (a->closes_itself) {
        a->closes_itself = false;
        a->b = NULL;
        caucus_broadcast_close(b);
        printf("%d closed itself\n", a->number);
    }
}

static void on_change(void *context, struct caucus_broadcast *b,
                      const struct caucus_broadcast_change *change)
{
    (void)b;
    int n = ((struct member *)context)->number;
    switch (change->news) {
    case CAUCUS_BROADCAST_JOINED:
        printf("%d joined %" PRIu64 "\n", n, change->position);
        break;
    case CAUCUS_BROADCAST_LEFT:
        printf("%d LEFT %s\n", n, caucus_error_name(change->rc));
        break;
    case CAUCUS_BROADCAST_GAP:
        printf("%d gap %" PRIu64 " %" PRIu64 "\n", n, change->position, change->to);
        break;
    case CAUCUS_BROADCAST_LEADS:
        printf("%d leads %" PRId64 "\n", n, change->epoch);
        break;
    case CAUCUS_BROADCAST_FOLLOWS:
        printf("%d follows %" PRId64 "\n", n, change->epoch);
        break;
    case CAUCUS_BROADCAST_TROUBLE:
        printf("%d trouble %s\n", n, caucus_error_name(change->rc));
        break;
    }
}

static void join(struct member *a, int acks, int history, const char *after)
{
    struct caucus_broadcast_options o = {.accept = on_accept,
                                         .deliver = on_deliver,
                                         .change = on_change,
                                         .context = a,
                                         .resume = after[0] != '\0',
                                         .after = strtoull(after, NULL, 10),
                                         .acks_min = acks,
                                         .history = history};
    int rc = caucus_broadcast_open(a->c, path, &o, &a->b);
    printf("%d opened %s\n", a->number, caucus_error_name(rc));
}

struct sending {
    struct member *by;
    bool is_one_of_many;
    char text[64];
};

static void on_sent(void *context, int rc, uint64_t position)
{
    struct sending *s = context;
    if (s->is_one_of_many)
        printf("%d many %s\n", s->by->number, caucus_error_name(rc));
    else
        printf("%d sent %s %" PRIu64 " %s\n", s->by->number, caucus_error_name(rc), position,
               s->text);
    free(s);
}

static void send_one(struct member *a, const char *text, bool is_one_of_many)
{
    struct sending *s = calloc(1, sizeof(*s));
    s->by = a;
    s->is_one_of_many = is_one_of_many;
    snprintf(s->text, sizeof(s->text), "%s", text);
    int rc = caucus_broadcast_send(a->b, text, strlen(text), on_sent, s);
    if (rc != 0)
        on_sent(s, rc, 0);
}

static void send_many(struct member *a, int count, const char *text)
{
    char numbered[80];
    for (int i = 0; i < count; i++) {
        snprintf(numbered, sizeof(numbered), "%s-%d", text, i);
        if (i == count - 1)
            send_one(a, numbered, true);
        else if (caucus_broadcast_send(a->b, numbered, strlen(numbered), NULL, NULL) != 0)
            printf("%d refused %s\n", a->number, numbered);
    }
}

static void send_and_wait(struct member *a, const char *text)
{
    uint64_t position = 0;
    int rc = caucus_broadcast_send_wait(a->b, text, strlen(text), &position);
    printf("%d sent %s %" PRIu64 " %s\n", a->number, caucus_error_name(rc), position, text);
}

static bool obey(const char *line)
{
    char op[16] = "", first[64] = "", second[64] = "", third[64] = "";
    int who = 0;
    sscanf(line, "%15s %d %63s %63s %63s", op, &who, first, second, third);
    struct member *a = &members[who];
    if (strcmp(op, "join") == 0) {
        join(a, atoi(first), atoi(second), third);
    } else if (strcmp(op, "send") == 0) {
        send_one(a, first, false);
    } else if (strcmp(op, "send!") == 0) {
        send_and_wait(a, first);
    } else if (strcmp(op, "many") == 0) {
        send_many(a, atoi(first), second);
    } else if (strcmp(op, "closing") == 0) {
        a->closes_itself = true;
    } else if (strcmp(op, "close") == 0) {
        caucus_broadcast_close(a->b);
        a->b = NULL;
        printf("%d closed\n", who);
    } else if (strcmp(op, "gone") == 0) {
        caucus_close(a->c);
        a->c = NULL;
        caucus_broadcast_close(a->b);
        a->b = NULL;
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
    caucus_broadcast_close(members[number].b);
    caucus_close(members[number].c);
}

int main(int argc, char **argv)
{
    static const struct talk calls = {add, obey, end};
    return talk(argc, argv, &calls);
}
