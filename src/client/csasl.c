/* csasl.c: who we are, shown by SASL at the begin of a connection (ZooKeeper's request 102): tokens
 * go to and fro until both sides have had enough. Making them is the driver's (session.h). */
#include "client/session_internal.h"
#include "wire/records.h"

static void want_step(struct csession *s, struct slice challenge)
{
    s->sasl_round++;
    s->sasl_wanted = true;
    buf_clear(&s->sasl_challenge);
    buf_put_slice(&s->sasl_challenge, challenge);
}

/* The session lives meanwhile: what the server hears is requests. */
void csession_begin_sasl(struct csession *s, int64_t now_ns)
{
    s->phase = CPHASE_SASL;
    s->phase_ns = now_ns;
    s->until_ns = now_ns + (int64_t)s->timeout_ms * MS_NS * 2 / 3;
    s->sasl_first = true;
    s->sasl_over = false;
    want_step(s, slice_str(""));
}

static void send_token(struct csession *s, int64_t now_ns, struct slice token)
{
    size_t at = s->out.len;
    buf_put_i32(&s->out, 0);
    rec_put_request_header(&s->out, &(struct rec_request_header){csession_next_xid(s), ZK_OP_SASL});
    rec_put_get_sasl_request(&s->out, &(struct rec_get_sasl_request){token});
    store_be32(s->out.ptr + at, (uint32_t)(s->out.len - at - 4));
    s->sent_ns = now_ns;
}

void csession_sasl_stepped(struct csession *s, int64_t now_ns,
                           const struct csession_sasl_step *step)
{
    if (s->phase != CPHASE_SASL || !s->sasl_wanted)
        return;
    s->sasl_wanted = false;
    if (step->failure != NULL) {
        csession_fail_link(s, now_ns, "%s", step->failure);
        return;
    }
    s->sasl_over = step->over;
    /* A mechanism whose server speaks first is begun by nothing at all. */
    if (s->sasl_first || !slice_is_null(step->token))
        send_token(s, now_ns, slice_is_null(step->token) ? slice_str("") : step->token);
    else if (step->over)
        csession_come_up(s, now_ns);
    else
        csession_fail_link(s, now_ns, "SASL does not know how to go on");
    s->sasl_first = false;
}

static void refused(struct csession *s, int64_t now_ns, int32_t err)
{
    if (err == CAUCUS_AUTHFAILED || err == CAUCUS_SESSIONCLOSEDREQUIRESASLAUTH)
        csession_stop(s, CAUCUS_AUTHFAILED, CAUCUS_AUTH_FAILED,
                      "the server refused the SASL identity");
    else
        csession_fail_link(s, now_ns, "the server answered SASL with error %ld", (long)err);
}

/* While our side is not over the server has to say something. */
void csession_sasl_frame(struct csession *s, int64_t now_ns, struct slice frame)
{
    struct dec d = dec_of(frame);
    struct rec_reply_header h;
    struct rec_set_sasl_response r;
    if (!rec_get_reply_header(&d, &h)) {
        csession_fail_link(s, now_ns, "a frame of the server is malformed");
        return;
    }
    if (!s->read_only)
        s->real_heard_ns = now_ns;
    if (h.err != CAUCUS_OK) {
        refused(s, now_ns, h.err);
        return;
    }
    if (h.xid != s->xid || s->sasl_wanted || !rec_get_set_sasl_response(&d, &r)) {
        csession_fail_link(s, now_ns, "the server's answer to SASL is malformed");
        return;
    }
    if (s->sasl_over)
        csession_come_up(s, now_ns);
    else if (slice_is_null(r.token))
        csession_fail_link(s, now_ns, "the server has no SASL");
    else
        want_step(s, r.token);
}

struct csession_sasl csession_sasl(const struct csession *s)
{
    return (struct csession_sasl){
        .wanted = s->phase == CPHASE_SASL && s->sasl_wanted,
        .round = s->sasl_round,
        .first = s->sasl_first,
        .host = s->host,
        .challenge = buf_part(&s->sasl_challenge, 0, s->sasl_challenge.len),
    };
}
