/* A server in an election, to which anything is said in any order. What it says must be well-formed
 * and bounded; what it decides must have been possible. */
#include "fle/fle.h"
#include "fle/notification.h"
#include "fuzz.h"

enum {
    SENT_PER_EVENT_MAX = 64 /* a few messages to each of the few servers that have a channel */
};

static const char *const CONFIGS[] = {
    "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\nserver.4=d:1:2:observer\nversion=3",
    "server.1=a:1:2\n",
    "server.1=a:1:2\nserver.2=b:1:2\n",
    "server.1=a:1:2\nserver.2=b:1:2\nserver.3=c:1:2\ngroup.1=1:2:3\nweight.2=0\nversion=5",
    "server.2=a:1:2\nserver.3=b:1:2\nserver.5=c:1:2\nversion=4",
    "server.1=a:1:2:observer\nserver.2=b:1:2\nserver.3=c:1:2\nversion=6",
};

struct world {
    struct fle *f;
    size_t sent;
    struct quorum *offered; /* by newer_config, if it is taken */
    bool takes;
};

static struct quorum *parsed(struct slice text)
{
    struct quorum *q = NULL;
    FUZZ_CHECK(quorum_parse(text, &q, NULL) == 0, "a configuration that was said to be one");
    return q;
}

static struct quorum *some_config(struct fz *f)
{
    struct quorum *q = parsed(slice_str(CONFIGS[fz_below(f, sizeof CONFIGS / sizeof *CONFIGS)]));
    q->oracle = fz_one_in(f, 3);
    return q;
}

static void on_send(void *arg, int64_t sid, struct slice payload)
{
    struct world *w = arg;
    struct fle_notification n;
    struct quorum *q;
    FUZZ_CHECK(sid != 1, "nothing goes to ourselves");
    FUZZ_CHECK(fle_notification_parse(payload, &n) && n.version == 2, "a notification");
    FUZZ_CHECK(quorum_parse(n.config, &q, NULL) == 0, "with a configuration");
    FUZZ_CHECK(n.state == fle_state(w->f), "in our state");
    FUZZ_CHECK(++w->sent <= SENT_PER_EVENT_MAX, "no storm");
    quorum_free(q);
}

static void on_newer_config(void *arg, struct slice text)
{
    struct world *w = arg;
    struct quorum *q = parsed(text);
    if (w->takes)
        fle_set_config(w->f, q);
    quorum_free(q);
}

static void hear(struct world *w, struct fz *f, int64_t now_ns)
{
    struct buf b = {0};
    int64_t from = fz_one_in(f, 8) ? fz_i64(f) : 1 + (int64_t)fz_below(f, 5);
    if (fz_one_in(f, 6)) {
        fle_message(w->f, from, fz_blob(f), now_ns);
        return;
    }
    bool wild = fz_one_in(f, 4);
    struct fle_vote vote = {
        wild ? fz_i64(f) : 1 + (int64_t)fz_below(f, 5), wild ? fz_i64(f) : (int64_t)fz_below(f, 3),
        wild ? fz_i64(f) : (int64_t)fz_below(f, 4), wild ? fz_i64(f) : (int64_t)fz_below(f, 3)};
    enum fle_state state = (enum fle_state)fz_below(f, 4);
    struct slice config = fz_one_in(f, 3)
                              ? slice_str(CONFIGS[fz_below(f, sizeof CONFIGS / sizeof *CONFIGS)])
                              : slice_str("");
    fle_notification_put(&b, state, &vote, config);
    size_t cut = fz_one_in(f, 8) ? fz_u8(f) : b.len;
    fle_message(w->f, from, slice_of(b.ptr, cut < b.len ? cut : b.len), now_ns);
    buf_deinit(&b);
}

static void set_configs(struct world *w, struct fz *f)
{
    struct quorum *q = some_config(f);
    if (fz_one_in(f, 2))
        fle_set_config(w->f, q);
    else
        fle_set_next_config(w->f, fz_one_in(f, 3) ? NULL : q);
    quorum_free(q);
}

static void settle(struct world *w, struct fz *f)
{
    struct fle_vote vote;
    if (!fle_decided(w->f, &vote))
        return;
    FUZZ_CHECK(fle_state(w->f) != FLE_LOOKING, "who has decided does not look");
    FUZZ_CHECK((fle_state(w->f) == FLE_LEADING) == (vote.leader == 1), "who leads, leads");
    FUZZ_CHECK(fle_deadline_ns(w->f) == INT64_MAX, "and waits for nothing");
    if (fz_one_in(f, 2))
        fle_settle(w->f, fle_state(w->f), vote.leader);
    if (fz_one_in(f, 3))
        fle_update_epoch(w->f, fz_i64(f));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fz fz = fz_of(data, size), *f = &fz;
    struct world w = {.takes = fz_one_in(f, 2)};
    const struct fle_options options = {.sid = 1,
                                        .finalize_wait_ms = 200,
                                        .notification_ms_min = 200,
                                        .notification_ms_max = 1000,
                                        .reconfig_enabled = fz_one_in(f, 2)};
    const struct fle_host host = {&w, on_send, on_newer_config};
    struct quorum *q = some_config(f);
    w.f = fle_create(&options, &host, q);
    quorum_free(q);

    int64_t now_ns = 1;
    while (fz_more(f)) {
        w.sent = 0;
        switch (fz_below(f, 10)) {
        case 0:
            fle_look(w.f, (struct fle_vote){.zxid = fz_i64(f), .peer_epoch = fz_i64(f)}, now_ns);
            break;
        case 1:
            now_ns += (int64_t)fz_u8(f) * 1000000;
            fle_tick(w.f, now_ns);
            FUZZ_CHECK(fle_deadline_ns(w.f) > now_ns, "what was due is done");
            break;
        case 2:
        case 3: {
            int64_t sid = fz_one_in(f, 8) ? fz_i64(f) : 1 + (int64_t)fz_below(f, 5);
            fle_channel(w.f, sid, fz_one_in(f, 2), now_ns);
            break;
        }
        case 4:
            set_configs(&w, f);
            break;
        case 5:
            fle_set_oracle(w.f, fz_one_in(f, 2));
            break;
        default:
            hear(&w, f, now_ns);
        }
        settle(&w, f);
        FUZZ_CHECK(!fle_doubts(w.f) || fle_state(w.f) != FLE_LOOKING, "who looks does not doubt");
    }
    fle_free(w.f);
    return 0;
}
