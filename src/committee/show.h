/* show.h: what people and programs see on stdout. */
#ifndef CAUCUS_COMMITTEE_SHOW_H
#define CAUCUS_COMMITTEE_SHOW_H

#include "base/json_out.h"
#include "committee/committee.h"

/* One object, on one line. */
struct show_json {
    struct json_out json;
    struct buf text;
};
void show_json_begin(struct show_json *s);
void show_json_end(struct show_json *s); /* prints it */
void show_json_state(struct json_out *j, const struct model_state *s);
void show_json_counts(struct json_out *j, const char *name, const struct model_count *counts,
                      size_t count, bool with_electors);

/* 0, or what was told: neither --server nor --rest was given. */
int show_need_server(const struct committee *m);

/* "1,234,567"; valid until the eighth call after it. */
const char *show_number(uint64_t n);
/* "12.34 %", "-" of nothing. Likewise. */
const char *show_share(uint64_t part, uint64_t all);

#endif
