#include <string.h>

#include "election_grpc/door_internal.h"

/* Whether a subject as Java writes it ("CN=a,OU=b", special characters behind a backslash) has this
 * part. */
static bool subject_has(struct slice subject, const char *part)
{
    size_t from = 0;
    for (size_t i = 0; i <= subject.len; i++) {
        bool is_end = i == subject.len || subject.ptr[i] == ',' || subject.ptr[i] == '+';
        if (!is_end) {
            i += subject.ptr[i] == '\\' && i + 1 < subject.len;
            continue;
        }
        if (slice_eq_str(slice_of(subject.ptr + from, i - from), part))
            return true;
        from = i + 1;
    }
    return false;
}

bool caller_is_committee(const struct election_grpc *g, const struct grpc_call *c)
{
    if (g->options.committee_open)
        return true;
    struct buf subject = {0};
    bool is =
        grpc_call_peer_subject(c, &subject) && subject_has(buf_slice(&subject), "OU=committee");
    buf_deinit(&subject);
    return is;
}

bool caller_may_command(const struct election_grpc *g, struct grpc_call *c)
{
    if (caller_is_committee(g, c))
        return true;
    grpc_call_finish(c, GRPC_PERMISSION_DENIED, "this is the committee's");
    return false;
}

/* Counts of an election that is going on influence it. */
bool caller_may_look(const struct election_grpc *g, struct grpc_call *c)
{
    enum phase phase = service_peek_global(g->service)->phase;
    bool hidden =
        !service_election(g->service)->live && (phase == PHASE_OPEN || phase == PHASE_CLOSING);
    if (!hidden || caller_is_committee(g, c))
        return true;
    grpc_call_finish(c, GRPC_PERMISSION_DENIED, "counts are shown when the election is over");
    return false;
}

/* ---- Outcomes ---- */

int code_of_cast(enum cast_outcome o)
{
    switch (o) {
    case CAST_COMMITTED:
    case CAST_DUPLICATE:
        return GRPC_OK;
    case CAST_NOT_STARTED:
    case CAST_CLOSING:
    case CAST_CLOSED:
        return GRPC_FAILED_PRECONDITION;
    case CAST_NO_STATE:
    case CAST_NO_VOTER:
        return GRPC_NOT_FOUND;
    case CAST_NO_CANDIDATE:
    case CAST_INVALID:
        return GRPC_INVALID_ARGUMENT;
    case CAST_UNAUTHENTICATED:
        return GRPC_UNAUTHENTICATED;
    case CAST_FORBIDDEN:
        return GRPC_PERMISSION_DENIED;
    case CAST_CONFLICT:
        return GRPC_ALREADY_EXISTS;
    case CAST_REVISION:
        return GRPC_ABORTED;
    case CAST_TOO_MANY:
    case CAST_BUSY:
        return GRPC_RESOURCE_EXHAUSTED;
    case CAST_UNAVAILABLE:
        return GRPC_UNAVAILABLE;
    case CAST_UNKNOWN:
        return GRPC_DEADLINE_EXCEEDED;
    case CAST_OUTCOME_COUNT:
        break;
    }
    return GRPC_INTERNAL;
}

int code_of_command(enum command_outcome o)
{
    switch (o) {
    case COMMAND_DONE:
        return GRPC_OK;
    case COMMAND_WRONG_PHASE:
    case COMMAND_NOT_READY:
        return GRPC_FAILED_PRECONDITION;
    case COMMAND_UNAVAILABLE:
        return GRPC_UNAVAILABLE;
    case COMMAND_OUTCOME_COUNT:
        break;
    }
    return GRPC_INTERNAL;
}

void finish_cast(struct grpc_call *c, enum cast_outcome o, const char *detail,
                 uint32_t retry_after_ms)
{
    grpc_call_add_trailer(c, "caucus-outcome", slice_str(cast_outcome_name(o)));
    if (retry_after_ms > 0) {
        struct buf text = {0};
        buf_printf(&text, "%u", retry_after_ms);
        grpc_call_add_trailer(c, "caucus-retry-after-ms", buf_slice(&text));
        buf_deinit(&text);
    }
    grpc_call_finish(c, code_of_cast(o), detail != NULL ? detail : cast_outcome_name(o));
}
