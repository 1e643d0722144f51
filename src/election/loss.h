/* loss.h: the document by which people give up votes that are committed and that nobody has any
 * more (docs/ELECTION.md, section 14).
 *
 * First the notice, which is what is signed: the same to the byte for whoever looks at the same
 * thing, and of one Commit, round, state and election alone. Lines, each with its end:
 *
 *   caucus loss 1
 *   election ID
 *   config HEX           of the definition
 *   state CODE
 *   round N
 *   version N            of Commit
 *   epoch N
 *   committed N          records that Commit names
 *   chain HEX            of the log up to there
 *   kept N               records that remain
 *   kept_chain HEX
 *   keeper NAME          the server that has them
 *   missing NAME...      servers that cannot be heard: whatever they have is given up
 *
 * Then the approvals, in any order, each of an approver that the definition names (`approver=` in
 * election.conf), and of each at most one:
 *
 *   approval NAME HEX    Ed25519 of the notice, "caucus loss 1" to the end of "missing ..."
 *
 * A line is its words with one blank between, and ends with a line feed; "missing" stands alone if
 * there are none. Numbers are decimal digits without zeros in front, HEX is lower case, an ID is
 * anything on one line. What can be read can be written in one way only, so nothing can be slipped
 * in beside what was signed.
 *
 * Pure. Any bytes may be read; errors (ERR_INVALID) name the line, from 1, and what is wanted. */
#ifndef CAUCUS_ELECTION_LOSS_H
#define CAUCUS_ELECTION_LOSS_H

#include "election/service.h"

struct sign_key; /* tls/sign.h */

enum {
    LOSS_ELECTION_BYTES_MAX = 129,
    LOSS_DOCUMENT_BYTES_MAX = 16 << 10,
    APPROVER_NAME_BYTES_MAX = 64, /* with a zero behind */
};

struct loss_notice {
    char election[LOSS_ELECTION_BYTES_MAX];
    struct hash config;
    char state[STATE_CODE_BYTES + 1];
    uint64_t round, version, epoch;
    uint64_t committed, kept; /* kept is less */
    struct hash chain, kept_chain;
    char keeper[SERVER_NAME_BYTES_MAX];                     /* is not missing */
    char missing[SHARD_MEMBERS_MAX][SERVER_NAME_BYTES_MAX]; /* different names */
    uint32_t missing_count;
};

/* 1 to 63 letters, digits, ".", "_", "-". */
bool approver_name_is_sound(struct slice name);

/* Appends it. */
void loss_notice_text(const struct loss_notice *n, struct buf *ret);

/* *ret_notice: the part of `document` that is signed. The approvals behind it, at most
 * APPROVERS_MAX, have the right form; nothing more of them is looked at. */
int loss_read(struct slice document, struct loss_notice *ret, struct slice *ret_notice,
              struct err *err);
/* Whether approvals_min different approvers have signed it. An approval that is not right is an
 * error, whatever the others are. Whether the notice is of this election and true is for the caller
 * to see. */
int loss_check_approvals(const struct election_info *e, struct slice document, struct err *err);
/* Whether a document that loss_read has read has an approval of this name, right or not. */
bool loss_names_approver(struct slice document, const char *name);

/* Appends "approval NAME HEX\n" by this key. */
void loss_approve(const struct sign_key *key, const char *name, struct slice notice,
                  struct buf *ret);

#endif
