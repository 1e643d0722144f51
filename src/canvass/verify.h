/* verify.h: an exported election counted again, from its files alone.
 *
 * docs/AUDIT-FORMAT.md has the files and what is checked. Nothing is asked of a server, and nothing
 * but src/vote's counting is shared with one. Takes the memory of one state's roll at a time (24
 * bytes a voter). */
#ifndef CAUCUS_CANVASS_VERIFY_H
#define CAUCUS_CANVASS_VERIFY_H

#include "canvass/definition.h"
#include "vote/commit.h"
#include "vote/nation.h"

struct canvass_count {
    bool right;
    char problem[512]; /* if not */
    uint64_t roll;
    struct commit seal;  /* what the servers said */
    struct hash closing; /* of it */
    struct tally tally;  /* counted here; of a state that is not right: none */
};

struct canvass {
    struct canvass_definition definition;
    struct global global;
    struct hash sums; /* of SHA256SUMS: one number for all of it */
    struct canvass_count states[CANVASS_STATES_MAX];
    uint32_t wrong; /* states */
    struct nation nation;
};

/* Told when a state is done; may be NULL. */
typedef void canvass_progress_fn(void *arg, const struct canvass *a, uint32_t state);

/* 0: *ret has what was found, `wrong` says in how many states something is not right. Otherwise the
 * files do not fit together as a whole, or cannot be read. canvass_free. */
int canvass_verify(const char *dir, canvass_progress_fn *progress, void *arg, struct canvass **ret,
                   struct err *err);
void canvass_free(struct canvass *a); /* NULL is fine */

/* The files of an export. */
#define CANVASS_SUMS       "SHA256SUMS"
#define CANVASS_DEFINITION "definition.txt"
#define CANVASS_GLOBAL     "global"
/* In a folder for each state: */
#define CANVASS_LOG  "log"
#define CANVASS_SEAL "seal"
#define CANVASS_ROLL "roll"

#endif
