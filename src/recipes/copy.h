/* copy.h: what a recipe keeps of what it was given. */
#ifndef CAUCUS_RECIPES_COPY_H
#define CAUCUS_RECIPES_COPY_H

#include "caucus/caucus.h"

/* Whether the path can be a recipe's: absolute, not the root, and without a slash at its end. */
bool copy_is_parent(const char *path);
/* Whether it can be the name of a node below it. */
bool copy_is_name(const char *name);
char *copy_text(const char *text);
/* "parent/name" */
char *copy_joined(const char *parent, const char *name);
/* The path without its last name; "" above the first. */
char *copy_above(const char *path);
/* One block, freed with free; NULL for none. */
struct caucus_acl *copy_acl(const struct caucus_acl *acl, size_t count);

#endif
