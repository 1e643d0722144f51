#include "electorate/http.h"

#include <stdio.h>

#include "electorate/door.h"

/* A candidate's id may hold what JSON wants escaped. */
static void put_json_text(struct buf *b, const char *text)
{
    buf_put_u8(b, '"');
    for (const char *p = text; *p != 0; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '"' || c == '\\')
            buf_put_u8(b, '\\');
        if (c < 0x20)
            buf_printf(b, "\\u%04x", c);
        else
            buf_put_u8(b, c);
    }
    buf_put_u8(b, '"');
}

static void put_uuid(struct buf *b, const struct request_id *id)
{
    static const char digits[] = "0123456789abcdef";
    char text[36];
    size_t at = 0;
    for (size_t i = 0; i < REQUEST_ID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            text[at++] = '-';
        text[at++] = digits[id->bytes[i] >> 4];
        text[at++] = digits[id->bytes[i] & 15];
    }
    buf_put(b, text, at);
}

static void put_text(struct buf *b, const char *text)
{
    buf_put(b, text, strlen(text));
}

void http_vote(const struct election_info *e, const struct ballot *b, const char *host,
               struct slice credential, struct buf *ret)
{
    char voter[DOOR_VOTER_BYTES_MAX], length[32];
    struct buf body = {0};
    put_text(&body, "{\"candidate\":");
    put_json_text(&body, e->candidates[b->candidate].id);
    buf_put_u8(&body, '}');
    put_text(ret, "POST /states/");
    put_text(ret, e->states[b->state].names.code);
    put_text(ret, "/voters/");
    buf_put(ret, voter, door_voter(e, b, voter));
    put_text(ret, "/vote HTTP/1.1\r\nHost: ");
    put_text(ret, host);
    if (credential.len > 0) {
        put_text(ret, "\r\nAuthorization: Voter ");
        buf_put_slice(ret, credential);
    }
    put_text(ret, "\r\nContent-Type: application/json\r\nIdempotency-Key: ");
    put_uuid(ret, &b->request);
    int len = snprintf(length, sizeof length, "\r\nContent-Length: %zu\r\n\r\n", body.len);
    buf_put(ret, length, (size_t)len);
    buf_put_slice(ret, buf_slice(&body));
    buf_deinit(&body);
}

/* ---- the answer ---- */

static bool has(struct slice text, const char *word)
{
    return text.len > 0 && memmem(text.ptr, text.len, word, strlen(word)) != NULL;
}

/* The status alone tells the outcome where the body has no name for it. */
static enum cast_outcome outcome_of_status(int status)
{
    switch (status) {
    case 200:
        return CAST_COMMITTED;
    case 400:
        return CAST_INVALID;
    case 401:
        return CAST_UNAUTHENTICATED;
    case 403:
        return CAST_FORBIDDEN;
    case 404:
        return CAST_NO_VOTER;
    case 409:
        return CAST_CONFLICT;
    case 412:
        return CAST_REVISION;
    case 422:
        return CAST_NO_CANDIDATE;
    case 429:
        return CAST_BUSY;
    case 503:
        return CAST_UNAVAILABLE;
    case 504:
        return CAST_UNKNOWN;
    default:
        return status >= 500 ? CAST_UNKNOWN : CAST_INVALID;
    }
}

enum cast_outcome http_outcome(int status, struct slice body)
{
    static const char *const names[CAST_OUTCOME_COUNT] = {
#define HTTP_OUTCOME_NAME(name, text) "\"" text "\"",
        CAST_OUTCOME_MAP(HTTP_OUTCOME_NAME)
#undef HTTP_OUTCOME_NAME
    };
    for (int o = 0; o < CAST_OUTCOME_COUNT; o++)
        if (has(body, names[o]))
            return (enum cast_outcome)o;
    return outcome_of_status(status);
}
