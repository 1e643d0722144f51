/* uuid.h: a name that nobody else has, by chance. */
#ifndef CAUCUS_RECIPES_UUID_H
#define CAUCUS_RECIPES_UUID_H

enum {
    UUID_BYTES = 36 + 1 /* with the zero */
};

void uuid_make(char ret[UUID_BYTES]);

#endif
