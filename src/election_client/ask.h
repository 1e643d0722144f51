/* ask.h: one question by gRPC, to whichever server answers.
 *
 * The servers are asked in an order by chance, each at most `rounds` times, until one gives an
 * answer; one that cannot be reached, has no leader at hand, or is too slow is none. So a question
 * must be one that may be asked twice: a reading, or a command with an id. Blocks; runs a loop of
 * its own. */
#ifndef CAUCUS_ELECTION_CLIENT_ASK_H
#define CAUCUS_ELECTION_CLIENT_ASK_H

#include "base/buf.h"
#include "election_client/servers.h"
#include "tls/context.h"

enum {
    ASK_DETAIL_BYTES_MAX = 512,
};

struct ask_options {
    const struct servers *servers;
    struct tls_context *tls; /* a client's, made with alpn "h2" for gRPC; NULL: plain text */
    int64_t timeout_ms;      /* of one attempt */
    uint32_t rounds;         /* 0: 2 */
};
static inline uint32_t ask_rounds(const struct ask_options *o)
{
    return o->rounds > 0 ? o->rounds : 2;
}

struct ask_answer {
    int code; /* enum grpc_code: GRPC_OK, what a server refused with, or UNAVAILABLE: none answered
               */
    char server[SERVER_TEXT_BYTES_MAX];
    char detail[ASK_DETAIL_BYTES_MAX]; /* if it is not OK: what the (last) server said */
    struct buf reply;                  /* if it is OK; buf_deinit */
};

void ask(const struct ask_options *o, const char *path, struct slice request,
         struct ask_answer *ret);

/* A stream of answers to one question. `message` is called for each; false ends it. A stream that
 * breaks is begun again at another server. Code: OK after `message` said so, or a server that it is
 * over. */
typedef bool ask_message_fn(void *arg, struct slice message);
void ask_stream(const struct ask_options *o, const char *path, struct slice request,
                ask_message_fn *message, void *arg, struct ask_answer *ret);

/* A loop that has nothing to do at the end of its turns. */
void ask_loop_init(struct loop *l);

#endif
