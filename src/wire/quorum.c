/* quorum.c: who belongs to an ensemble, and which of them are a quorum. */
#include "wire/quorum.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static char *copy_text(const char *text)
{
    return text != NULL ? mem_dup(text, strlen(text) + 1) : NULL;
}

struct quorum *quorum_copy(const struct quorum *q)
{
    struct quorum *copy = mem_dup(q, sizeof *q);
    copy->servers = mem_dup(q->servers, q->server_count * sizeof *q->servers);
    for (size_t i = 0; i < q->server_count; i++) {
        const struct quorum_server *from = &q->servers[i];
        struct quorum_server *to = &copy->servers[i];
        to->addresses = mem_dup(from->addresses, from->address_count * sizeof *from->addresses);
        for (size_t a = 0; a < from->address_count; a++)
            to->addresses[a].host = copy_text(from->addresses[a].host);
        to->client_host = copy_text(from->client_host);
    }
    return copy;
}

void quorum_free(struct quorum *q)
{
    if (q == NULL)
        return;
    for (size_t i = 0; i < q->server_count; i++)
        quorum_server_deinit(&q->servers[i]);
    free(q->servers);
    free(q);
}

const struct quorum_server *quorum_find(const struct quorum *q, int64_t sid)
{
    for (size_t i = 0; i < q->server_count; i++)
        if (q->servers[i].sid == sid)
            return &q->servers[i];
    return NULL;
}

bool quorum_is_voter(const struct quorum *q, int64_t sid)
{
    const struct quorum_server *s = quorum_find(q, sid);
    return s != NULL && !s->observer;
}

int64_t quorum_weight(const struct quorum *q, int64_t sid)
{
    const struct quorum_server *s = quorum_find(q, sid);
    return s != NULL && !s->observer ? s->weight : 0;
}

static bool has_majority(const struct quorum *q, const struct sid_set *set, bool oracle_says)
{
    size_t count = 0;
    for (size_t i = 0; i < q->server_count; i++)
        count += !q->servers[i].observer && sid_set_has(set, q->servers[i].sid);
    if (count > q->voter_count / 2)
        return true;
    return q->oracle && q->voter_count == 2 && count == 1 && oracle_says;
}

static bool is_first_of_group(const struct quorum *q, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (q->servers[i].group == q->servers[index].group)
            return false;
    return q->servers[index].group >= 0;
}

/* More than half of the groups that have weight, each by more than half of its weight. An observer
 * that stands in a group adds to the group's weight and can never add to the set's, as there. */
static bool has_hierarchical(const struct quorum *q, const struct sid_set *set)
{
    size_t groups = 0, won = 0;
    for (size_t first = 0; first < q->server_count; first++) {
        if (!is_first_of_group(q, first))
            continue;
        int64_t total = 0, present = 0;
        for (size_t i = first; i < q->server_count; i++) {
            const struct quorum_server *s = &q->servers[i];
            if (s->group != q->servers[first].group)
                continue;
            total += s->weight;
            present += !s->observer && sid_set_has(set, s->sid) ? s->weight : 0;
        }
        groups += total > 0;
        won += present > total / 2;
    }
    return won > groups / 2;
}

bool quorum_has(const struct quorum *q, const struct sid_set *set, bool oracle_says)
{
    return q->hierarchical ? has_hierarchical(q, set) : has_majority(q, set, oracle_says);
}

bool quorum_same_members(const struct quorum *a, const struct quorum *b)
{
    if (a->server_count != b->server_count || a->hierarchical != b->hierarchical)
        return false;
    for (size_t i = 0; i < a->server_count; i++) {
        const struct quorum_server *x = &a->servers[i], *y = &b->servers[i];
        if (x->sid != y->sid || x->observer != y->observer || x->group != y->group ||
            x->weight != y->weight)
            return false;
    }
    return true;
}
