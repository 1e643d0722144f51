/* command.c: start and stop. */
#include <stdio.h>
#include <sys/random.h>

#include "cli/options.h"
#include "committee/show.h"

enum {
    DRAIN_MS_MAX = 600000
};

static void tell(const struct committee *m, const struct client_command *c,
                 const struct model_command *done)
{
    if (m->json) {
        struct show_json s;
        show_json_begin(&s);
        json_out_string(&s.json, "phase", done->phase);
        json_out_unsigned(&s.json, "round", done->round);
        json_out_string(&s.json, "not_ready", done->not_ready);
        show_json_end(&s);
        return;
    }
    printf("round %llu is %s\n", (unsigned long long)done->round, c->start ? "open" : "closed");
    if (done->not_ready[0] != 0)
        printf("not ready: %s\n", done->not_ready);
}

static int carry_out(struct committee *m, struct client_command *c)
{
    struct model_command done;
    struct err err = {""};
    int code = show_need_server(m);
    if (code != 0)
        return code;
    /* The same id on every attempt: it is carried out once. */
    if (getrandom(c->id, sizeof c->id, 0) != (ssize_t)sizeof c->id)
        return committee_complain(m, COMMITTEE_NO, "the system gives no random bytes");
    code = committee_failed(m, client_command(&m->client, c, &done, &err), &err);
    if (code == COMMITTEE_OK)
        tell(m, c, &done);
    return code;
}

int run_start(struct committee *m, int argc, char **argv)
{
    struct client_command c = {.start = true};
    int64_t round = 0;
    int count = 0;
    const struct option options[] = {{'f', "force", OPTION_FLAG, &c.force},
                                     {0, "round", OPTION_NUMBER, &round}};
    int code = committee_words(m, options, 2, argc, argv, 0, 0, &count);
    if (code != 0)
        return code;
    if (round < 0)
        return committee_complain(m, COMMITTEE_USAGE, "--round: there is no such round");
    c.round = (uint64_t)round;
    return carry_out(m, &c);
}

int run_stop(struct committee *m, int argc, char **argv)
{
    struct client_command c = {.start = false};
    int64_t round = 0, drain_ms = 0;
    int count = 0;
    const struct option options[] = {{'n', "now", OPTION_FLAG, &c.now},
                                     {0, "drain", OPTION_NUMBER, &drain_ms},
                                     {0, "round", OPTION_NUMBER, &round}};
    int code = committee_words(m, options, 3, argc, argv, 0, 0, &count);
    if (code != 0)
        return code;
    if (round < 0 || drain_ms < 0 || drain_ms > DRAIN_MS_MAX)
        return committee_complain(m, COMMITTEE_USAGE, "--round, --drain: there is no such number");
    c.round = (uint64_t)round;
    c.drain_ms = (uint32_t)drain_ms;
    return carry_out(m, &c);
}
