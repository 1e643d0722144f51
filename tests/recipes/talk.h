/* talk.h: what the programs here have in common that are called PROGRAM HOSTS TIMEOUT_MS PATH
 * COUNT: clients with numbers, which tell their states, and lines of orders. */
#ifndef TESTS_RECIPES_TALK_H
#define TESTS_RECIPES_TALK_H

#include <stdio.h>
#include <stdlib.h>

#include "caucus/caucus.h"

enum {
    TALK_CLIENTS_MAX = 64
};

struct talk {
    void (*add)(int number, struct caucus *c, const char *path);
    bool (*obey)(const char *line); /* false: quit */
    void (*end)(int number);        /* closes what it has, and the client */
};

static void talk_on_state(void *context, struct caucus *c, const struct caucus_state_change *s)
{
    (void)c;
    printf("%d state %s\n", *(const int *)context, caucus_state_name(s->state));
}

static int talk(int argc, char **argv, const struct talk *t)
{
    static int numbers[TALK_CLIENTS_MAX];
    int count = argc == 5 ? atoi(argv[4]) : 0;
    if (count < 1 || count > TALK_CLIENTS_MAX)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < count; i++) {
        numbers[i] = i;
        struct caucus_options o = {.session_timeout_ms = atoi(argv[2]),
                                   .on_state = talk_on_state,
                                   .on_state_context = &numbers[i]};
        struct caucus *c = NULL;
        if (caucus_open(argv[1], &o, &c) != 0)
            return 1;
        t->add(i, c, argv[3]);
    }
    char line[2048];
    while (fgets(line, sizeof(line), stdin) != NULL && t->obey(line))
        ;
    for (int i = 0; i < count; i++)
        t->end(i);
    printf("quit\n");
    return 0;
}

#endif
