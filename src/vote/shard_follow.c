#include "base/assert.h"
#include "vote/shard_internal.h"

static void drop_peer(struct shard_effects *fx, uint32_t member)
{
    fx->drop_peers |= UINT32_C(1) << member;
}

bool follow_is_streamed(const struct shard *s)
{
    return s->streamed_epoch != 0 && s->streamed_epoch == s->commit.epoch && view_is_open(s) &&
           !view_is_first(s);
}

void follow_peer_down(struct shard *s, uint32_t member)
{
    if (member == s->streamed_by)
        s->streamed_epoch = 0;
    if ((int32_t)member == s->greeted)
        s->greeted = -1;
}

/* A batch that could not be counted is not acknowledged: once committed it would stop everybody. */
static bool makes_sense(const struct shard *s, const struct batch *b)
{
    struct slice records = batch_records(b);
    for (uint32_t i = 0; i < b->count; i++) {
        struct record r = record_decode(batch_record(b, i).ptr);
        count_look_ahead(&s->voters, records, i);
        if (r.index != b->first + i || r.epoch != b->epoch || r.before > r.index ||
            r.revision < 1 || r.revision > s->options.revisions_max ||
            !lead_may_choose(s, r.candidate))
            return false;
        int64_t place = voters_find(&s->voters, &r.voter);
        if (place < 0 || s->voters.array[place].district != r.district)
            return false;
    }
    return true;
}

enum fit {
    FITS,
    FITS_NOT,   /* something is missing before it, or is other than it says */
    FITS_NEVER, /* one of the two logs is wrong */
};

/* Puts a batch where it belongs, in the place of what is there: I6. What an earlier epoch left goes
 * when the leader of a later one writes in its place, for his takeover is in Commit; and so does
 * whatever is not as a member has it that knows its log to be the one in Commit (UINT64_MAX). But
 * nothing goes for a leader whose takeover is still to be read here: there may be a loss with it,
 * and what was given up be kept first (loss_look). */
static enum fit install(struct shard *s, struct shard_effects *fx, const struct batch *b,
                        uint64_t epoch)
{
    bool unread = epoch != UINT64_MAX && epoch > s->commit.epoch;
    if (batch_end(b) <= s->log.base.end)
        return unread ? FITS_NOT : FITS;
    const struct shard_mark *before = log_mark(&s->log, b->first);
    if (before == NULL || !hash_eq(&before->chain, &b->before))
        return FITS_NOT;
    if (before->epoch > b->epoch || !makes_sense(s, b))
        return FITS_NEVER;

    size_t i = log_entry_at(&s->log, b->first);
    if (i < s->log.count) {
        const struct shard_mark *there = &s->log.entries[i].mark;
        if (hash_eq(&there->chain, &b->chain))
            return FITS;
        if (unread)
            return FITS_NOT;
        bool may_go = there->epoch < epoch || shard_fault(s, SHARD_FAULT_OLD_EPOCH);
        if (b->first < s->committed || !may_go)
            return FITS_NEVER;
        log_truncate(s, fx, b->first);
    }
    log_append(s, fx, b);
    return FITS;
}

/* ---- what the leader says ---- */

/* An ack is a promise: it leaves when the log it names, and the epoch it is given in, are on disk.
 */
static void acknowledge(struct shard *s, struct shard_effects *fx, uint32_t to, uint64_t epoch,
                        uint64_t index, const struct hash *chain)
{
    struct message m;
    s->streamed_epoch = epoch;
    s->streamed_by = to;
    memset(&m, 0, sizeof m);
    m.type = MESSAGE_ACK;
    m.round = s->log.round;
    m.epoch = epoch;
    m.index = index;
    m.chain = *chain;
    shard_send(fx, to, shard_fault(s, SHARD_FAULT_EARLY_ACK) ? 0 : s->ticket_last, &m);
}

static void on_append(struct shard *s, struct shard_effects *fx, uint32_t from,
                      const struct message *m)
{
    struct batch b;
    if (batch_read(m->bytes, &b) != BATCH_VALID || b.bytes.len != m->bytes.len ||
        b.round != m->round || b.epoch > m->epoch) {
        drop_peer(fx, from);
        return;
    }
    switch (install(s, fx, &b, m->epoch)) {
    case FITS:
        acknowledge(s, fx, from, m->epoch, batch_end(&b), &b.chain);
        return;
    case FITS_NOT:
        s->streamed_epoch = 0;
        s->greeted = -1;
        return;
    case FITS_NEVER:
        drop_peer(fx, from);
        return;
    }
}

static void on_probe(struct shard *s, struct shard_effects *fx, uint32_t from,
                     const struct message *m)
{
    const struct shard_mark *mark = log_mark(&s->log, m->index);
    if (mark == NULL || !hash_eq(&mark->chain, &m->chain)) {
        s->streamed_epoch = 0;
        s->greeted = -1;
        return;
    }
    acknowledge(s, fx, from, m->epoch, m->index, &m->chain);
}

static void refuse(struct shard *s, struct shard_effects *fx, uint32_t to)
{
    struct message m;
    memset(&m, 0, sizeof m);
    m.type = MESSAGE_REFUSE;
    m.round = s->log.round;
    m.epoch = s->promised;
    shard_send(fx, to, 0, &m);
}

/* Nobody speaks as a leader before his takeover is in Commit. From here on no earlier one is
 * listened to, also after a restart. */
static void promise(struct shard *s, struct shard_effects *fx, uint32_t to, uint64_t epoch)
{
    if (epoch > s->promised) {
        s->promised = epoch;
        s->promised_to = (int32_t)to;
        s->stale = true; /* whether that is so: view_read */
    }
    if (epoch > s->promised_noted) {
        s->promised_noted = epoch;
        shard_persist(s, fx, SHARD_PERSIST_PROMISE, epoch, slice_str(""));
    }
}

static void from_leader(struct shard *s, struct shard_effects *fx, uint32_t from,
                        const struct message *m)
{
    if (m->round != s->log.round) {
        s->stale = s->stale || m->round > s->log.round;
        return;
    }
    if (m->epoch < s->promised && !shard_fault(s, SHARD_FAULT_OLD_EPOCH)) {
        refuse(s, fx, from);
        return;
    }
    if (s->leading && m->epoch <= s->epoch) {
        drop_peer(fx, from); /* an epoch has one leader */
        return;
    }
    promise(s, fx, from, m->epoch);
    if (s->leading)
        lead_end(s, fx, ANSWER_UNKNOWN_RETRY);
    if (m->type == MESSAGE_APPEND)
        on_append(s, fx, from, m);
    else if (m->type == MESSAGE_PROBE)
        on_probe(s, fx, from, m);
    else
        s->streamed_epoch = 0;
}

/* ---- fetching ---- */

static void on_fetch(struct shard *s, struct shard_effects *fx, uint32_t from,
                     const struct message *m)
{
    uint64_t until = s->committed < m->index2 ? s->committed : m->index2;
    if (until > log_durable(s))
        until = log_durable(s);
    struct message reply;
    memset(&reply, 0, sizeof reply);
    reply.type = MESSAGE_FETCHED;
    reply.round = m->round;
    reply.epoch = loss_newest(s);
    reply.index = m->index;
    if (!s->known || m->round != s->log.round || until <= m->index)
        shard_send(fx, from, 0, &reply);
    else
        shard_send_log(fx, from, &reply, until);
}

static void on_fetched(struct shard *s, struct shard_effects *fx, uint32_t from,
                       const struct message *m)
{
    if (!s->fetching || m->round != s->log.round)
        return;
    /* What is committed is one log from one loss to the next only: somebody has not read of one. */
    if (m->epoch != loss_newest(s)) {
        s->stale = s->stale || m->epoch > loss_newest(s);
        return;
    }
    struct slice rest = m->bytes;
    struct batch b;
    bool any = false;
    for (; rest.len > 0; rest = slice_from(rest, b.bytes.len)) {
        if (batch_read(rest, &b) != BATCH_VALID || b.round != m->round ||
            b.epoch > s->commit.epoch) {
            drop_peer(fx, from);
            return;
        }
        enum fit fit = install(s, fx, &b, UINT64_MAX);
        if (fit == FITS_NEVER)
            drop_peer(fx, from);
        if (fit != FITS)
            return;
        if (batch_end(&b) > s->fetched) {
            s->fetched = batch_end(&b);
            any = true;
        }
    }
    if (any) {
        s->fetching = false;
        s->greeted = -1;
    }
}

/* Those who held it when it was committed first; then whoever can be heard. */
static int32_t whom_to_ask(const struct shard *s)
{
    uint32_t up = 0;
    for (uint32_t i = 0; i < s->options.members; i++) {
        if (s->peers[i].up && i != s->options.self)
            up |= UINT32_C(1) << i;
    }
    uint32_t likely = up & s->commit.holders;
    if (likely != 0 && s->fetch_tries % 2 == 0)
        up = likely;
    if (up == 0)
        return -1;
    uint32_t skip = s->fetch_tries / 2 % (uint32_t)__builtin_popcount(up);
    while (skip-- > 0)
        up &= up - 1;
    return __builtin_ctz(up);
}

bool follow_wants_to_fetch(const struct shard *s)
{
    return s->connected && s->known && !s->leading && !s->superseded &&
           s->commit.round == s->log.round && s->committed < s->commit.index &&
           !follow_is_streamed(s);
}

void follow_fetch(struct shard *s, struct shard_effects *fx)
{
    if (!follow_wants_to_fetch(s))
        return;
    if (s->fetching && !time_reached(s, s->fetch_until_ns))
        return;
    if (s->fetching)
        s->fetch_tries++;
    int32_t whom = whom_to_ask(s);
    s->fetching = whom >= 0;
    if (whom < 0)
        return;

    struct message m;
    memset(&m, 0, sizeof m);
    m.type = MESSAGE_FETCH;
    m.round = s->log.round;
    m.index = s->fetched > s->committed ? s->fetched : s->committed;
    m.index2 = s->commit.index;
    s->fetch_until_ns = s->now_ns + s->options.fetch_wait_ns;
    shard_send(fx, (uint32_t)whom, 0, &m);
}

/* ---- hello ---- */

static bool is_same_greeting(const struct message *a, const struct message *b)
{
    return a->round == b->round && a->epoch == b->epoch && a->index == b->index &&
           hash_eq(&a->chain, &b->chain) && a->index2 == b->index2 &&
           hash_eq(&a->chain2, &b->chain2);
}

/* Whenever the leader may not know where our log ends. */
void follow_greet(struct shard *s, struct shard_effects *fx)
{
    int32_t leader = view_leader(s);
    if (leader < 0 || (uint32_t)leader == s->options.self || s->leading || s->superseded ||
        !s->peers[leader].up || follow_is_streamed(s))
        return;
    const struct shard_mark *end = log_tip(&s->log);
    const struct shard_mark *committed = log_mark(&s->log, s->committed);
    invariant(committed != NULL);
    struct message m;
    memset(&m, 0, sizeof m);
    m.type = MESSAGE_HELLO;
    m.round = s->log.round;
    m.epoch = s->commit.epoch;
    m.index = end->end;
    m.chain = end->chain;
    m.index2 = committed->end;
    m.chain2 = committed->chain;
    if (s->greeted == leader && is_same_greeting(&m, &s->greeting))
        return;
    s->greeted = leader;
    s->greeting = m;
    shard_send(fx, (uint32_t)leader, 0, &m);
}

/* ---- */

void follow_message(struct shard *s, struct shard_effects *fx, uint32_t from,
                    const struct message *m)
{
    if (s->superseded)
        return;
    switch (m->type) {
    case MESSAGE_APPEND:
    case MESSAGE_PROBE:
    case MESSAGE_BEHIND:
        from_leader(s, fx, from, m);
        return;
    case MESSAGE_ACK:
        if (s->leading)
            stream_ack(s, from, m);
        return;
    case MESSAGE_REFUSE:
        s->stale = s->stale || m->epoch > s->commit.epoch;
        return;
    case MESSAGE_HELLO:
        s->peers[from].greeted = true;
        s->peers[from].hello = *m;
        s->peers[from].hello.bytes = slice_str("");
        s->stale = s->stale || m->epoch > s->commit.epoch;
        if (s->leading)
            stream_hello(s, fx, from);
        return;
    case MESSAGE_FETCH:
        on_fetch(s, fx, from, m);
        return;
    case MESSAGE_FETCHED:
        on_fetched(s, fx, from, m);
        return;
    case MESSAGE_TYPE_END:
        return;
    }
}
