#include "committee/show.h"

#include <stdio.h>

enum {
    TEXTS = 8, /* in one call of printf */
    TEXT_BYTES = 32,
};

static char *next_text(void)
{
    static char texts[TEXTS][TEXT_BYTES];
    static unsigned next;
    return texts[next++ % TEXTS];
}

const char *show_number(uint64_t n)
{
    char *p = next_text() + TEXT_BYTES - 1;
    *p = 0;
    for (int digits = 0; digits == 0 || n > 0; digits++, n /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + n % 10);
    }
    return p;
}

const char *show_share(uint64_t part, uint64_t all)
{
    char *p = next_text();
    if (all == 0)
        snprintf(p, TEXT_BYTES, "-");
    else
        snprintf(p, TEXT_BYTES, "%.2f %%", 100.0 * (double)part / (double)all);
    return p;
}

int show_need_server(const struct committee *m)
{
    if (m->client.grpc.count > 0 || m->client.rest.count > 0)
        return 0;
    return committee_complain(m, COMMITTEE_USAGE, "--server HOST:PORT,... or --rest is wanted");
}

void show_json_begin(struct show_json *s)
{
    s->text = (struct buf){0};
    json_out_begin(&s->json, &s->text);
}

void show_json_end(struct show_json *s)
{
    json_out_end(&s->json);
    fwrite(s->text.ptr, 1, s->text.len, stdout);
    putchar('\n');
    fflush(stdout);
    buf_deinit(&s->text);
}

void show_json_counts(struct json_out *j, const char *name, const struct model_count *counts,
                      size_t count, bool with_electors)
{
    json_out_list(j, name);
    for (size_t i = 0; i < count; i++) {
        json_out_object(j, NULL);
        json_out_string(j, "candidate", counts[i].candidate);
        json_out_unsigned(j, "votes", counts[i].votes);
        if (with_electors)
            json_out_unsigned(j, "electors", counts[i].electors);
        json_out_object_end(j);
    }
    json_out_list_end(j);
}

void show_json_state(struct json_out *j, const struct model_state *s)
{
    json_out_string(j, "state", s->code);
    json_out_flag(j, "known", s->known);
    json_out_unsigned(j, "electors", s->electors);
    json_out_unsigned(j, "roll", s->roll);
    if (!s->known) {
        json_out_string(j, "why", s->why);
        return;
    }
    json_out_string(j, "phase", s->phase);
    json_out_unsigned(j, "round", s->round);
    json_out_flag(j, "final", s->final);
    json_out_unsigned(j, "voters", s->voters);
    show_json_counts(j, "counts", s->counts, s->count_count, false);
    json_out_string(j, "leader", s->leader);
    json_out_flag(j, "tie", s->tie);
    json_out_string(j, "shard_leader", s->shard_leader);
    json_out_unsigned(j, "epoch", s->epoch);
    json_out_unsigned(j, "index", s->index);
    json_out_string(j, "root", s->root);
    json_out_unsigned(j, "lost", s->lost);
}
