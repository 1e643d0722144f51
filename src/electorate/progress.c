#include "electorate/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    BAR_CELLS = 24
};

const char *grouped(uint64_t n, char ret[GROUPED_BYTES])
{
    char *p = ret + GROUPED_BYTES - 1;
    *p = 0;
    for (int digits = 0; digits == 0 || n > 0; digits++, n /= 10) {
        if (digits > 0 && digits % 3 == 0)
            *--p = ',';
        *--p = (char)('0' + n % 10);
    }
    return p;
}

void progress_init(struct progress *p, uint64_t ballots, int64_t duration_ms, int64_t now_ns)
{
    *p = (struct progress){.on_terminal = isatty(STDERR_FILENO) == 1,
                           .ballots = ballots,
                           .duration_ms = duration_ms,
                           .begun_ns = now_ns};
    for (int i = 0; i < PROGRESS_PAST; i++)
        p->past[i].at_ns = now_ns;
}

static double share_done(const struct progress *p, uint64_t answered, int64_t now_ns)
{
    double share = 0;
    if (p->ballots > 0)
        share = (double)answered / (double)p->ballots;
    else if (p->duration_ms > 0)
        share = (double)(now_ns - p->begun_ns) / 1e6 / (double)p->duration_ms;
    return share < 1 ? share : 1;
}

/* Over the last two seconds. */
static double rate(struct progress *p, uint64_t answered, int64_t now_ns)
{
    size_t at = p->looks++ % PROGRESS_PAST;
    double seconds = (double)(now_ns - p->past[at].at_ns) / 1e9;
    double n = (double)(answered - p->past[at].answered);
    p->past[at].at_ns = now_ns;
    p->past[at].answered = answered;
    return seconds > 0 ? n / seconds : 0;
}

static void draw_bar(double share)
{
    fputc('[', stderr);
    for (int i = 0; i < BAR_CELLS; i++)
        fputc(i < (int)(share * BAR_CELLS + 0.5) ? '#' : '.', stderr);
    fputs("] ", stderr);
}

void progress_draw(struct progress *p, const struct crowd_counts *c, const struct door_counts *door,
                   int64_t now_ns)
{
    char answered[GROUPED_BYTES], speed[GROUPED_BYTES];
    double share = share_done(p, c->answered, now_ns);
    double per_second = rate(p, c->answered, now_ns);
    if (!p->on_terminal)
        return;
    fputs("\r\033[K", stderr);
    if (p->ballots > 0 || p->duration_ms > 0) {
        draw_bar(share);
        fprintf(stderr, "%5.1f %%  ", share * 100);
    }
    fprintf(stderr, "%s ballots  %s/s  p50 %.1f ms  p99 %.1f ms", grouped(c->answered, answered),
            grouped((uint64_t)per_second, speed),
            (double)summary_quantile(&c->latency_us, 0.5) / 1e3,
            (double)summary_quantile(&c->latency_us, 0.99) / 1e3);
    if (door->open == 0)
        fprintf(stderr, "  no server: %.60s", door->trouble);
    fflush(stderr);
}

void progress_clear(const struct progress *p)
{
    if (p->on_terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
