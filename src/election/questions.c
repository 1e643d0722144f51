/* questions.c: what servers ask each other, one frame there and one back.
 *
 *   ASK   id u64 | question u8 | body
 *   TELL  id u64 | body */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "election/service_internal.h"

struct asked {
    struct list all;
    uint64_t id, link;
    int64_t deadline_ns;
    question_done_fn *done;
    void *arg;
    const char *why; /* not NULL: it is over */
};

static void over(struct asked *q, const char *why)
{
    q->why = why;
    q->deadline_ns = 0;
}

void question_ask(struct service *s, const char *server, enum question kind, struct slice body,
                  int64_t timeout_ms, question_done_fn *done, void *arg)
{
    struct link *l = links_find(s->links, server);
    struct asked *q = mem_calloc(1, sizeof *q);
    q->id = ++s->last_question;
    q->deadline_ns = service_now_ns(s) + timeout_ms * 1000000;
    q->done = done;
    q->arg = arg;
    list_append(&s->questions, &q->all);
    if (l == NULL) {
        over(q, "it cannot be reached");
        loop_again(s->loop);
        return;
    }
    uint8_t head[9];
    store_be64(head, q->id);
    head[8] = (uint8_t)kind;
    q->link = link_number(l);
    link_send(l, FRAME_ASK, slice_of(head, sizeof head), body);
}

void question_on_ask(struct service *s, struct link *from, struct slice body)
{
    if (body.len < 9) {
        link_cut(from, "a question without its head");
        return;
    }
    uint64_t id = load_be64(body.ptr);
    struct slice rest = slice_from(body, 9);
    switch (body.ptr[8]) {
    case QUESTION_RECOUNT:
        recount_question(s, link_number(from), id, rest);
        return;
    case QUESTION_VOTER:
        voter_question(s, link_number(from), id, rest);
        return;
    case QUESTION_LOG:
        log_question(s, link_number(from), id, rest);
        return;
    case QUESTION_KEPT:
        kept_question(s, link_number(from), id, rest);
        return;
    case QUESTION_ADMIT:
        admit_question(s, link_number(from), id, rest);
        return;
    default:
        link_cut(from, "a question that is not known here");
        return;
    }
}

void question_answer(struct service *s, uint64_t link, uint64_t id, struct slice body)
{
    uint8_t head[8];
    struct link *l = links_numbered(s->links, link);
    store_be64(head, id);
    if (l != NULL)
        link_send(l, FRAME_TELL, slice_of(head, sizeof head), body);
}

static void conclude(struct asked *q, struct slice answer, const char *why)
{
    list_remove(&q->all);
    q->done(q->arg, answer, why);
    free(q);
}

void question_on_tell(struct service *s, struct link *from, struct slice body)
{
    if (body.len < 8) {
        link_cut(from, "an answer without its head");
        return;
    }
    for (struct list *at = s->questions.next; at != &s->questions; at = at->next) {
        struct asked *q = list_entry(at, struct asked, all);
        if (q->id == load_be64(body.ptr) && q->link == link_number(from)) {
            conclude(q, slice_from(body, 8), NULL);
            return;
        }
    }
}

void question_link_down(struct service *s, uint64_t link)
{
    for (struct list *at = s->questions.next; at != &s->questions; at = at->next) {
        struct asked *q = list_entry(at, struct asked, all);
        if (q->link == link)
            over(q, "it cannot be reached any more");
    }
    loop_again(s->loop);
}

void questions_end(struct service *s)
{
    for (struct list *at = s->questions.next; at != &s->questions; at = at->next)
        over(list_entry(at, struct asked, all), "this server ends");
    loop_again(s->loop);
}

void question_turn(struct service *s)
{
    int64_t now_ns = service_now_ns(s);
    for (struct list *at = s->questions.next, *next; at != &s->questions; at = next) {
        struct asked *q = list_entry(at, struct asked, all);
        next = at->next;
        if (now_ns >= q->deadline_ns)
            conclude(q, slice_of(NULL, 0), q->why != NULL ? q->why : "it did not answer in time");
    }
}

int64_t question_deadline(const struct service *s)
{
    int64_t at_ns = INT64_MAX;
    for (struct list *at = s->questions.next; at != &s->questions; at = at->next) {
        const struct asked *q = list_entry(at, struct asked, all);
        at_ns = q->deadline_ns < at_ns ? q->deadline_ns : at_ns;
    }
    return at_ns;
}
