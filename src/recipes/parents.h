/* parents.h: the nodes of a path, made where they are missing, from the top, as containers: those
 * that nobody uses any more are removed by the server.
 *
 * One run ends with exactly one call of `done`. A lost connection does not end it. What is refused
 * (NOAUTH: it may well exist) does not either: whoever makes a node below it will see. On the event
 * thread. Memory: what it is given is borrowed until `done`. */
#ifndef CAUCUS_RECIPES_PARENTS_H
#define CAUCUS_RECIPES_PARENTS_H

#include "caucus/caucus.h"

struct parents {
    struct caucus *c;
    const char *path; /* of the last of them */
    const struct caucus_acl *acl;
    size_t acl_count;
    /* 0, the last refusal, or CAUCUS_CLOSING and what else ends all requests */
    void (*done)(void *context, int rc);
    void *context;

    size_t at; /* bytes of the path that have been gone */
    int rc;
};

void parents_start(struct parents *p);

#endif
