/* rest.h: one question by REST, to whichever server answers: what ask.h is for gRPC. */
#ifndef CAUCUS_ELECTION_CLIENT_REST_H
#define CAUCUS_ELECTION_CLIENT_REST_H

#include "election_client/ask.h"

enum {
    REST_BODY_BYTES_MAX = 64 << 20,
};

struct rest_question {
    const char *method;
    const char *path;
    struct slice body; /* len 0: none */
    const char *type;  /* of the body; NULL: JSON */
};

struct rest_answer {
    int status; /* 0: no server answered */
    bool maybe; /* an attempt before the last one may have been carried out: 504, or no answer */
    char server[SERVER_TEXT_BYTES_MAX];
    char detail[ASK_DETAIL_BYTES_MAX]; /* if it is not 200: "message" of the answer, or what
                                          happened */
    struct buf body;                   /* with a zero behind, not counted; buf_deinit */
};

/* As ask: 503, 504, 429 and no answer at all lead to the next server. options->tls: made without
 * alpn. */
void rest_ask(const struct ask_options *o, const struct rest_question *q, struct rest_answer *ret);

#endif
