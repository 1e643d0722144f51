/* election.v1.Transparency: the tree over a state's log, its head and its proofs. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election/v1/election.pb-c.h"
#include "election_grpc/door_internal.h"

/* A question to the service about a log. */
struct log_call {
    struct asked *asked;
    struct log_request request;
    bool has_leaf;
    struct hash leaf;
};

/* -1, or no head: the call is over. */
static int find_head(struct election_grpc *g, struct grpc_call *c, const char *name,
                     struct log_head *ret)
{
    int state = find_state(g, c, slice_str(name));
    if (state < 0 || service_head(g->service, state, ret))
        return state;
    const struct state_result *known = service_peek(g->service, state);
    if (known->known)
        grpc_call_finish(c, GRPC_NOT_FOUND, "no round has begun");
    else
        grpc_call_finish(c, GRPC_UNAVAILABLE, known->why);
    return -1;
}

static void on_checkpoint(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Election__V1__StateQuery *m = unpack_request(c, &election__v1__state_query__descriptor, bytes);
    if (m == NULL)
        return;
    struct log_head head;
    int state = find_head(g, c, m->state, &head);
    if (state >= 0) {
        Election__V1__SignedCheckpoint reply = ELECTION__V1__SIGNED_CHECKPOINT__INIT;
        struct buf note = {0};
        service_sign_head(g->service, state, &head, &note);
        reply.note = (ProtobufCBinaryData){note.len, note.ptr};
        reply_packed(c, &reply);
        buf_deinit(&note);
    }
    free_request(m);
}

/* ---- proofs ---- */

static ProtobufCBinaryData on_loan_hash(const struct hash *h)
{
    return (ProtobufCBinaryData){sizeof h->bytes, (uint8_t *)(uintptr_t)h->bytes};
}

static void reply_proof(const struct log_call *l, const struct log_reply *reply)
{
    Election__V1__Proof m = ELECTION__V1__PROOF__INIT;
    ProtobufCBinaryData path[MERKLE_PROOF_MAX];
    m.index = l->request.index;
    m.tree_size = l->request.size;
    m.root = on_loan_hash(&reply->root);
    m.round = reply->round;
    if (l->request.what == LOG_INCLUSION)
        m.leaf_hash = on_loan_hash(&reply->leaf);
    m.path = path;
    for (; m.n_path < reply->count && m.n_path < MERKLE_PROOF_MAX; m.n_path++)
        path[m.n_path] = on_loan_hash(&reply->hashes[m.n_path]);
    reply_packed(l->asked->call, &m);
}

static int code_of_log(enum log_outcome o)
{
    switch (o) {
    case LOG_OK:
        return GRPC_OK;
    case LOG_NO_SENSE:
        return GRPC_INVALID_ARGUMENT;
    case LOG_NOT_THERE:
        return GRPC_NOT_FOUND;
    case LOG_UNAVAILABLE:
        break;
    }
    return GRPC_UNAVAILABLE;
}

static void on_proof(void *arg, const struct log_reply *reply)
{
    struct log_call *l = arg;
    if (reply->outcome != LOG_OK)
        grpc_call_finish(l->asked->call, code_of_log(reply->outcome), reply->detail);
    else if (l->has_leaf && !hash_eq(&l->leaf, &reply->leaf))
        grpc_call_finish(l->asked->call, GRPC_NOT_FOUND, "the record at this index is another one");
    else
        reply_proof(l, reply);
    asked_free(l->asked);
    free(l);
}

static void ask(struct election_grpc *g, struct grpc_call *c, const struct log_call *question)
{
    struct log_call *l = mem_dup(question, sizeof *question);
    l->asked = asked_new(g, c);
    service_log(g->service, &l->request, on_proof, l);
}

static void on_inclusion(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Election__V1__InclusionQuery *m =
        unpack_request(c, &election__v1__inclusion_query__descriptor, bytes);
    if (m == NULL)
        return;
    struct log_head head;
    struct log_call l = {.has_leaf = m->leaf_hash.len > 0};
    int state = find_head(g, c, m->state, &head);
    if (state >= 0 && l.has_leaf && m->leaf_hash.len != sizeof l.leaf.bytes) {
        grpc_call_finish(c, GRPC_INVALID_ARGUMENT, "a leaf's hash has 32 bytes, or none");
    } else if (state >= 0) {
        l.request = (struct log_request){.what = LOG_INCLUSION,
                                         .state = state,
                                         .index = m->index,
                                         .size = m->tree_size > 0 ? m->tree_size : head.size};
        if (l.has_leaf)
            memcpy(l.leaf.bytes, m->leaf_hash.data, sizeof l.leaf.bytes);
        ask(g, c, &l);
    }
    free_request(m);
}

static void on_consistency(void *arg, struct grpc_call *c, struct slice bytes)
{
    struct election_grpc *g = arg;
    Election__V1__ConsistencyQuery *m =
        unpack_request(c, &election__v1__consistency_query__descriptor, bytes);
    if (m == NULL)
        return;
    struct log_head head;
    int state = find_head(g, c, m->state, &head);
    struct log_call l = {.request = {.what = LOG_CONSISTENCY,
                                     .state = state,
                                     .from = m->from,
                                     .size = m->to > 0 || state < 0 ? m->to : head.size}};
    if (state >= 0)
        ask(g, c, &l);
    free_request(m);
}

#define TRANSPARENCY "/election.v1.Transparency/"

void transparency_add(struct election_grpc *g)
{
    const struct grpc_method methods[] = {
        {.path = TRANSPARENCY "Checkpoint", .unary = on_checkpoint, .arg = g},
        {.path = TRANSPARENCY "Inclusion", .unary = on_inclusion, .arg = g},
        {.path = TRANSPARENCY "Consistency", .unary = on_consistency, .arg = g},
    };
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++)
        grpc_server_add(g->server, &methods[i]);
}
