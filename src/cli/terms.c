#include "cli/terms.h"

#include <inttypes.h>
#include <stdio.h>

int terms_run(struct terms *t)
{
    struct holding *h = &t->h;
    for (;;) {
        int64_t token = 0;
        int code = holding_await(h, INT64_MAX, &token);
        if (code != CLI_OK)
            return code;
        fprintf(stderr, "caucus: %s: %s, token %" PRId64 "\n", h->path, t->begun, token);
        switch (holding_run(h, token, &code)) {
        case HOLDING_ENDED:
            return code;
        case HOLDING_BROKEN:
            return CLI_CONNECTION;
        case HOLDING_STOPPED:
            break;
        }
        if (t->once || h->end_signal != 0)
            return CLI_CONNECTION;
        t->again(t);
    }
}

int terms_watch(struct terms *t)
{
    for (;;) {
        int code = holding_hear_trouble(&t->h);
        if (code != CLI_OK)
            return code;
        if ((t->once && atomic_load(&t->has_ended)) || holding_wait(&t->h, -1) != 0)
            return CLI_OK;
    }
}
