/* sign.h: what is signed of a log's head, for those who sign and those who check.
 *
 *   head   a checkpoint of C2SP's tlog-checkpoint: three lines, "caucus/ELECTION/STATE/ROUND", the
 *          number of records, the root in base64; the key is called "caucus/ELECTION", in which
 *          all but letters, digits and "._-" of the election's id is "_" */
#ifndef CAUCUS_ELECTION_SIGN_H
#define CAUCUS_ELECTION_SIGN_H

#include "base/buf.h"
#include "vote/merkle.h"

enum {
    HEAD_NAME_BYTES = 160,
};

void head_name(const char *election, char ret[HEAD_NAME_BYTES]);
void head_text(const char *election, const char *state, uint64_t round, uint64_t size,
               const struct hash *root, struct buf *ret);

#endif
