/* member_talk.c: members of a group, and those who watch it, that do what they read and write what
 * they hear, a line each.
 *
 *   member_talk HOSTS TIMEOUT_MS PATH strict|lost COUNT
 *
 * Each has a client of its own and begins every line with its number:
 *
 *   N state NAME
 *   N joined TOKEN NS      N left ERROR NS       N trouble ERROR
 *   N group + ID DATA : LIST     N group ~ ID DATA BEFORE : LIST     N group - ID DATA : LIST
 *   N group current : LIST       N group trouble ERROR               LIST is ID=DATA ID=DATA ...
 *   N appeared ID     N suspected ID LEVEL     N gone ID
 *
 *   join N ID DATA | join N ID DATA take | join N ID DATA closing   (closes itself when it joined)
 *       -> N joins ERROR
 *   update N DATA -> N updates           leave N -> N is out       drop N  the client first -> N is
 * out token N -> N token TOKEN             await N MS -> N awaited ERROR TOKEN group N -> N groups
 * ERROR            list N -> N list ID=DATA ...      ungroup N -> N ungrouped detect N INTERVAL_MS
 * data|calls ID -> N detects ERROR        ID is its own beats N ID COUNT EVERY_MS  one after the
 * other, the first now -> N beats ERROR level N ID -> N level LEVEL          peers N -> N peers
 * ID=LEVEL ...   undetect N -> N undetected sync N -> N synced                   quit */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "caucus/detector.h"
#include "caucus/membership.h"

enum {
    TALKERS_MAX = 64,
    LINE_BYTES = 4096
};

struct talker {
    struct caucus *c;
    struct caucus_membership *membership;
    struct caucus_group *group;
    struct caucus_detector *detector;
    int number;
    bool closes_itself;
};

static struct talker talkers[TALKERS_MAX];
static const char *path;
static enum caucus_policy policy;

static void on_state(void *context, struct caucus *handle, const struct caucus_state_change *s)
{
    (void)handle;
    struct talker *t = context;
    printf("%d state %s\n", t->number, caucus_state_name(s->state));
}

/* ---- Membership ---- */

static void on_membership(void *context, struct caucus_membership *m,
                          const struct caucus_membership_change *change)
{
    struct talker *t = context;
    switch (change->news) {
    case CAUCUS_JOINED_GROUP:
        printf("%d joined %lld %lld\n", t->number, (long long)change->token,
               (long long)caucus_now_ns());
        if (t->closes_itself) {
            caucus_membership_close(m);
            printf("%d closed in its callback\n", t->number);
        }
        break;
    case CAUCUS_LEFT_GROUP:
        printf("%d left %s %lld\n", t->number, caucus_error_name(change->rc),
               (long long)caucus_now_ns());
        break;
    case CAUCUS_MEMBERSHIP_TROUBLE:
        printf("%d trouble %s\n", t->number, caucus_error_name(change->rc));
        break;
    }
}

static void join(struct talker *t, const char *id, const char *data, const char *how)
{
    t->closes_itself = strcmp(how, "closing") == 0;
    struct caucus_membership_options o = {.id = strcmp(id, "?") != 0 ? id : NULL,
                                          .data = data,
                                          .data_bytes = strlen(data),
                                          .policy = policy,
                                          .take_over = strcmp(how, "take") == 0,
                                          .on_change = on_membership,
                                          .context = t};
    flockfile(stdout); /* what is heard comes behind */
    int rc = caucus_membership_open(t->c, path, &o, &t->membership);
    printf("%d joins %s\n", t->number, caucus_error_name(rc));
    funlockfile(stdout);
}

static void leave(struct talker *t)
{
    if (!t->closes_itself)
        caucus_membership_close(t->membership);
    t->membership = NULL;
    printf("%d is out\n", t->number);
}

static void await(struct talker *t, int64_t ms)
{
    int64_t token = 0;
    int rc = caucus_membership_await(t->membership, ms, &token);
    printf("%d awaited %s %lld\n", t->number, caucus_error_name(rc), (long long)token);
}

/* ---- Groups ---- */

static const char *text(const struct caucus_member *m)
{
    return m->data != NULL ? m->data : "null";
}

static void put_list(struct caucus_group *g, char *ret)
{
    struct caucus_members *list;
    size_t len = 0;
    *ret = '\0';
    caucus_group_list(g, &list);
    for (size_t i = 0; i < list->count && len < LINE_BYTES; i++)
        len += (size_t)snprintf(ret + len, LINE_BYTES - len, " %s=%s", list->members[i].id,
                                text(&list->members[i]));
    caucus_members_free(list);
}

static void on_group(void *context, struct caucus_group *g,
                     const struct caucus_group_change *change)
{
    struct talker *t = context;
    char list[LINE_BYTES];
    put_list(g, list);
    switch (change->news) {
    case CAUCUS_MEMBER_JOINED:
        printf("%d group + %s %s :%s\n", t->number, change->member->id, text(change->member), list);
        break;
    case CAUCUS_MEMBER_CHANGED:
        printf("%d group ~ %s %s %s :%s\n", t->number, change->member->id, text(change->member),
               text(change->before), list);
        break;
    case CAUCUS_MEMBER_LEFT:
        printf("%d group - %s %s :%s\n", t->number, change->member->id, text(change->member), list);
        break;
    case CAUCUS_GROUP_CURRENT:
        printf("%d group current :%s\n", t->number, list);
        break;
    case CAUCUS_GROUP_TROUBLE:
        printf("%d group trouble %s\n", t->number, caucus_error_name(change->rc));
        break;
    }
}

static void watch_group(struct talker *t)
{
    int rc = caucus_group_open(
        t->c, path, &(struct caucus_group_options){.on_change = on_group, .context = t}, &t->group);
    printf("%d groups %s\n", t->number, caucus_error_name(rc));
}

static void list_group(struct talker *t)
{
    char list[LINE_BYTES];
    int rc = caucus_group_await(t->group, -1);
    put_list(t->group, list);
    printf("%d list%s%s\n", t->number, rc != 0 ? caucus_error_name(rc) : "", list);
}

/* ---- Detectors ---- */

static void on_detector(void *context, struct caucus_detector *d,
                        const struct caucus_detector_change *change)
{
    (void)d;
    struct talker *t = context;
    switch (change->news) {
    case CAUCUS_PEER_APPEARED:
        printf("%d appeared %s\n", t->number, change->peer->id);
        break;
    case CAUCUS_PEER_SUSPECTED:
        printf("%d suspected %s %d\n", t->number, change->peer->id, change->peer->level);
        break;
    case CAUCUS_PEER_GONE:
        printf("%d gone %s\n", t->number, change->peer->id);
        break;
    case CAUCUS_DETECTOR_TROUBLE:
        printf("%d trouble %s\n", t->number, caucus_error_name(change->rc));
        break;
    }
}

static void detect(struct talker *t, int64_t interval_ms, const char *how, const char *own_id)
{
    struct caucus_detector_options o = {.interval_ms = interval_ms,
                                        .data_is_heartbeat = strcmp(how, "data") == 0,
                                        .own_id = own_id,
                                        .on_change = on_detector,
                                        .context = t};
    int rc = caucus_detector_open(t->c, path, &o, &t->detector);
    printf("%d detects %s\n", t->number, caucus_error_name(rc));
}

static void beat(struct talker *t, const char *id, int count, int64_t every_ms)
{
    int64_t now_ns = caucus_now_ns();
    int rc = 0;
    for (int i = 0; i < count && rc == 0; i++)
        rc = caucus_detector_heartbeat(t->detector, id, now_ns + i * every_ms * 1000000);
    printf("%d beats %s\n", t->number, caucus_error_name(rc));
}

static void list_peers(struct talker *t)
{
    struct caucus_peers *list;
    caucus_detector_list(t->detector, &list);
    flockfile(stdout);
    printf("%d peers", t->number);
    for (size_t i = 0; i < list->count; i++)
        printf(" %s=%d", list->peers[i].id, list->peers[i].level);
    printf("\n");
    funlockfile(stdout);
    caucus_peers_free(list);
}

/* ---- Commands ---- */

static void undetect(struct talker *t)
{
    caucus_detector_close(t->detector);
    t->detector = NULL;
}

static void ungroup(struct talker *t)
{
    caucus_group_close(t->group);
    t->group = NULL;
}

static void drop(struct talker *t)
{
    caucus_close(t->c);
    t->c = NULL;
    ungroup(t);
    undetect(t);
    leave(t);
}

/* False: quit. */
static bool obey(const char *line)
{
    char op[16] = "", a[256] = "", b[256] = "", more[256] = "";
    int number = 0;
    sscanf(line, "%15s %d %255s %255s %255s", op, &number, a, b, more);
    struct talker *t = &talkers[number];
    if (strcmp(op, "join") == 0) {
        join(t, a, b, more);
    } else if (strcmp(op, "update") == 0) {
        caucus_membership_update(t->membership, a, strlen(a));
        printf("%d updates\n", number);
    } else if (strcmp(op, "leave") == 0) {
        leave(t);
    } else if (strcmp(op, "drop") == 0) {
        drop(t);
    } else if (strcmp(op, "token") == 0) {
        printf("%d token %lld\n", number, (long long)caucus_membership_token(t->membership));
    } else if (strcmp(op, "await") == 0) {
        await(t, atoi(a));
    } else if (strcmp(op, "group") == 0) {
        watch_group(t);
    } else if (strcmp(op, "list") == 0) {
        list_group(t);
    } else if (strcmp(op, "ungroup") == 0) {
        ungroup(t);
        printf("%d ungrouped\n", number);
    } else if (strcmp(op, "detect") == 0) {
        detect(t, atoi(a), b, more);
    } else if (strcmp(op, "beats") == 0) {
        int count = 0, every_ms = 0;
        sscanf(line, "%*s %*d %*s %d %d", &count, &every_ms);
        beat(t, a, count, every_ms);
    } else if (strcmp(op, "level") == 0) {
        printf("%d level %d\n", number, caucus_detector_level(t->detector, a, NULL));
    } else if (strcmp(op, "peers") == 0) {
        list_peers(t);
    } else if (strcmp(op, "undetect") == 0) {
        undetect(t);
        printf("%d undetected\n", number);
    } else if (strcmp(op, "sync") == 0) {
        caucus_sync_wait(t->c, "/");
        printf("%d synced\n", number);
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
        talkers[i].number = i;
        struct caucus_options o = {.session_timeout_ms = atoi(argv[2]),
                                   .on_state = on_state,
                                   .on_state_context = &talkers[i]};
        int rc = caucus_open(argv[1], &o, &talkers[i].c);
        if (rc != 0) {
            fprintf(stderr, "%s: %s\n", argv[1], caucus_error_text(rc));
            return 1;
        }
    }
    char line[LINE_BYTES];
    while (fgets(line, sizeof(line), stdin) != NULL && obey(line))
        ;
    for (int i = 0; i < count; i++)
        if (talkers[i].c != NULL)
            drop(&talkers[i]);
    printf("quit\n");
    return 0;
}
