/* links: client wire base */
/* The session machine under a seed: a server that answers, errs, falls silent, refuses and breaks
 * off at any byte. Whatever happens: each call is answered once, in order, and each watch ends
 * once.
 *
 *   test_client_chaos SEED      repeats one run */
#include "client_kit.h"

enum {
    STEPS = 400,
    CALLS_MAX = STEPS + 1,
    RUNS = 1500
};

/* What a test knows of one call, and of the watch it may set. */
struct promise {
    int number;
    bool asked, answered;
    bool is_set;  /* its watch */
    bool is_over; /* likewise: it had its last event */
    bool sets_watch;
    bool is_auth;    /* survives connections */
    bool is_removal; /* answered at once where there is no connection */
};

struct pending {
    int32_t xid, op;
};

struct chaos {
    struct kit k;
    uint64_t random;
    struct promise calls[CALLS_MAX];
    int asked, heard;
    int last_answered, last_auth; /* numbers */
    int connections;
    struct buf in; /* what the server has of this connection */
    uint64_t attempt;
    bool greeted;
    int64_t zxid;
    int64_t session; /* 0: none */
    bool broke;      /* while bytes were delivered */
};

static uint64_t draw(struct chaos *c, uint64_t below)
{
    c->random = c->random * 6364136223846793005U + 1442695040888963407U;
    return (c->random >> 33) % below;
}

static const char *path(struct chaos *c)
{
    static const char *const paths[] = {"/", "/a", "/a/b", "/a/b/c", "/d"};
    return paths[draw(c, 5)];
}

/* ---- The user ---- */

static void hear_answer(struct chaos *c, struct call *call)
{
    struct promise *p = call->context;
    assert_true(p->asked && !p->answered);
    p->answered = true;
    c->heard++;
    int *last = p->is_auth ? &c->last_auth : &c->last_answered;
    if (!p->is_removal) {
        assert_true(p->number > *last);
        *last = p->number;
    }
    int rc = call->result->rc;
    p->is_set = p->sets_watch && (rc == 0 || (call->op == ZK_OP_EXISTS && rc == CAUCUS_NONODE));
}

static void hear_event(const struct note_watch *n)
{
    struct promise *p = n->context;
    assert_true(p->is_set && !p->is_over);
    p->is_over = n->event.last;
}

/* A lost connection answers all that was asked before, a lost session ends its watches too. Nothing
 * was asked since. */
static void check_all_told(struct chaos *c, bool session_too)
{
    for (int i = 0; i < c->asked; i++) {
        assert_true(c->calls[i].answered || c->calls[i].is_auth);
        assert_true(!session_too || c->calls[i].is_set == c->calls[i].is_over);
    }
}

static void hear(struct chaos *c)
{
    bool suspended = false, lost = false;
    struct list *notes = csession_notes(c->k.s);
    while (!list_is_empty(notes)) {
        struct note *n = note_of(notes->next);
        list_remove(&n->list);
        if (n->kind == NOTE_ANSWER) {
            if (call_of_note(n)->context != NULL)
                hear_answer(c, call_of_note(n));
            call_free(call_of_note(n));
            continue;
        }
        if (n->kind == NOTE_WATCH) {
            hear_event((struct note_watch *)n);
        } else {
            suspended |= ((struct note_state *)n)->change.state == CAUCUS_SUSPENDED;
            lost |= ((struct note_state *)n)->change.state == CAUCUS_LOST;
        }
        free(n);
    }
    if (suspended || lost)
        check_all_told(c, lost);
    if (lost)
        c->session = 0;
}

static void ask(struct chaos *c)
{
    static const int32_t reads[] = {ZK_OP_GET_DATA, ZK_OP_EXISTS, ZK_OP_GET_CHILDREN2};
    struct promise *p = &c->calls[c->asked++];
    *p = (struct promise){.number = c->asked, .asked = true};
    struct call *call = NULL;
    int rc;
    switch (draw(c, 6)) {
    case 0:
        p->sets_watch = true;
        rc = call_add_watch(&c->k.scope, path(c), (enum caucus_add_watch_mode)draw(c, 2), kit_watch,
                            p, &call);
        break;
    case 1:
        p->is_removal = true;
        rc = call_remove_watches(&c->k.scope, path(c), (enum caucus_watch_kind)(1 + draw(c, 5)),
                                 draw(c, 2) ? kit_watch : NULL,
                                 &c->calls[draw(c, (uint64_t)c->asked)], draw(c, 2), &call);
        break;
    case 2:
        p->is_auth = true;
        rc = call_auth(&c->k.scope, "digest", "u:p", 3, &call);
        break;
    default:
        p->sets_watch = draw(c, 2);
        rc = call_read(&c->k.scope, reads[draw(c, 3)], path(c), p->sets_watch ? kit_watch : NULL, p,
                       &call);
        break;
    }
    kit_submit(&c->k, rc, call, NULL);
    call->context = p;
}

/* ---- The server ---- */

/* To the machine in pieces, of which the last may be missing. */
static void deliver(struct chaos *c)
{
    c->broke = false;
    store_be32(c->k.reply.ptr, (uint32_t)(c->k.reply.len - 4));
    for (size_t at = 0; at < c->k.reply.len;) {
        size_t n = 1 + draw(c, 40);
        n = n < c->k.reply.len - at ? n : c->k.reply.len - at;
        csession_received(c->k.s, c->k.now, buf_part(&c->k.reply, at, n));
        at += n;
        if (draw(c, 400) == 0) {
            csession_disconnected(c->k.s, c->k.now, "broke in the middle");
            c->broke = true;
            return;
        }
    }
}

static void send_event(struct chaos *c)
{
    kit_header(&c->k, ZK_XID_NOTIFICATION, ++c->zxid, 0);
    rec_put_watcher_event(
        &c->k.reply, &(struct rec_watcher_event){(int32_t)(1 + draw(c, 4)), 3, slice_str(path(c))});
    deliver(c);
}

static void greet(struct chaos *c)
{
    bool refused = c->session != 0 && draw(c, 6) == 0;
    if (c->session == 0)
        c->session = 1 + (int64_t)draw(c, 1000000);
    kit_begin(&c->k);
    rec_put_connect_response(
        &c->k.reply, &(struct rec_connect_response){0, refused ? 0 : 9000, refused ? 0 : c->session,
                                                    slice_of(kit_password, 16), true, false});
    c->greeted = true;
    deliver(c);
    if (c->broke || refused)
        return;
    c->connections++;
    enum caucus_state state = csession_state(c->k.s);
    assert_true(state == CAUCUS_CONNECTED || state == CAUCUS_RECONNECTED);
}

static void answer(struct chaos *c, struct pending p)
{
    bool is_special = p.xid < 0;
    int32_t err = !is_special && draw(c, 3) == 0 ? CAUCUS_NONODE : 0;
    kit_header(&c->k, p.xid, draw(c, 2) ? ++c->zxid : c->zxid, err);
    if (err == 0 && p.op == ZK_OP_GET_DATA)
        kit_put_data(&c->k, "");
    else if (err == 0 && p.op == ZK_OP_EXISTS)
        rec_put_exists_response(&c->k.reply, &(struct rec_exists_response){{0}});
    else if (err == 0 && p.op == ZK_OP_GET_CHILDREN2)
        rec_put_get_children2_response(&c->k.reply, &(struct rec_get_children2_response){{0}, {0}});
    else if (err == 0 && p.op == ZK_OP_ADD_WATCH)
        buf_put_i32(&c->k.reply, 0);
    deliver(c);
}

/* Answers what it has, as far as it likes. */
static void serve(struct chaos *c)
{
    if (csession_link(c->k.s).attempt != c->attempt) {
        c->attempt = csession_link(c->k.s).attempt;
        buf_clear(&c->in);
        c->greeted = false;
    }
    struct slice out = csession_output(c->k.s);
    size_t n = out.len > 0 ? 1 + draw(c, out.len) : 0;
    buf_put(&c->in, out.ptr, n);
    csession_written(c->k.s, n);

    struct slice bytes = buf_slice(&c->in), frame;
    while (csession_link(c->k.s).wanted && draw(c, 8) != 0 &&
           frame_next(&bytes, 1 << 20, &frame) == FRAME_WHOLE) {
        struct dec d = dec_of(frame);
        struct pending p = {.xid = dec_i32(&d)};
        p.op = dec_i32(&d);
        if (!c->greeted)
            greet(c);
        else
            answer(c, p);
        if (draw(c, 5) == 0)
            send_event(c);
    }
    if (bytes.len > 0)
        memmove(c->in.ptr, bytes.ptr, bytes.len);
    c->in.len = bytes.len;
}

/* ---- Time and trouble ---- */

static void step(struct chaos *c)
{
    struct csession *s = c->k.s;
    uint64_t what = draw(c, 100);
    if (what < 40)
        ask(c);
    else if (what < 70 && csession_link(s).wanted)
        serve(c);
    else if (what < 85)
        kit_until(&c->k, c->k.now + (int64_t)draw(c, 1000) * MS);
    else if (what < 92)
        csession_connected(s, c->k.now);
    else if (what < 95)
        csession_disconnected(s, c->k.now, "broke");
    else if (what < 96)
        c->k.now += (int64_t)draw(c, 20) * SECOND; /* the process was stopped */
    else if (what < 98)
        csession_hold_events(s, draw(c, 2));
    csession_tick(s, c->k.now);
    hear(c);
}

static uint64_t current_seed; /* for a debugger */
static long connections;

static void run(uint64_t seed)
{
    struct chaos c = {.random = seed};
    current_seed = seed;
    struct csession_config config = kit_config();
    config.seed = seed;
    config.stop_when_lost = draw(&c, 4) == 0;
    kit_start(&c.k, &config);
    for (int i = 0; i < STEPS; i++)
        step(&c);
    if (draw(&c, 2)) {
        csession_close(c.k.s, c.k.now);
        kit_pass(&c.k, 10 * SECOND);
    }
    csession_finish(c.k.s);
    hear(&c);
    assert_int_equal(csession_state(c.k.s), CAUCUS_CLOSED);
    assert_int_equal(c.heard, c.asked);
    for (int i = 0; i < c.asked; i++)
        assert_int_equal(c.calls[i].is_set, c.calls[i].is_over);
    connections += c.connections;
    buf_deinit(&c.in);
    kit_stop(&c.k);
}

static uint64_t first_seed = 1, last_seed = RUNS;

static void every_promise_is_kept(void **state)
{
    (void)state;
    for (uint64_t seed = first_seed; seed <= last_seed; seed++)
        run(seed);
    if (last_seed > first_seed)
        assert_true(connections > 2 * RUNS); /* there was something to check */
}

int main(int argc, char **argv)
{
    if (argc > 1)
        first_seed = last_seed = strtoull(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_promise_is_kept)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
