#include "electorate/pauses.h"

#include "base/assert.h"

void pauses_sent(struct pauses *p, uint32_t state, int64_t now_ns)
{
    if (p->states[state].under_way++ == 0)
        p->states[state].since_ns = now_ns;
}

void pauses_done(struct pauses *p, uint32_t state, bool acknowledged, int64_t now_ns)
{
    invariant(p->states[state].under_way > 0);
    p->states[state].under_way--;
    if (!acknowledged)
        return;
    int64_t length_ns = now_ns - p->states[state].since_ns;
    p->states[state].since_ns = now_ns;
    if (length_ns >= p->told_from_ns)
        p->tell(p->arg, state, length_ns);
}
