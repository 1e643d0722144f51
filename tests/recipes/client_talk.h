/* client_talk.h: what programs of the tests say of their one client, which has the number 0. */
#ifndef TESTS_RECIPES_CLIENT_TALK_H
#define TESTS_RECIPES_CLIENT_TALK_H

#include <stdio.h>
#include <stdlib.h>

#include "caucus/caucus.h"

static inline void client_on_state(void *context, struct caucus *c,
                                   const struct caucus_state_change *s)
{
    (void)context;
    (void)c;
    printf("0 state %s\n", caucus_state_name(s->state));
}

/* Ends the program if it cannot be. */
static inline struct caucus *client_open(const char *hosts, const char *timeout_ms)
{
    struct caucus *c = NULL;
    struct caucus_options o = {.session_timeout_ms = atoi(timeout_ms), .on_state = client_on_state};
    setvbuf(stdout, NULL, _IOLBF, 0);
    int rc = caucus_open(hosts, &o, &c);
    if (rc != 0) {
        fprintf(stderr, "%s: %s\n", hosts, caucus_error_text(rc));
        exit(1);
    }
    return c;
}

static inline void client_tell_session(struct caucus *c)
{
    struct caucus_session s;
    caucus_get_session(c, &s);
    flockfile(stdout); /* what callbacks say is another line */
    printf("0 session %lld ", (long long)s.id);
    for (size_t i = 0; i < sizeof(s.password); i++)
        printf("%02x", s.password[i]);
    printf("\n");
    funlockfile(stdout);
}

#endif
