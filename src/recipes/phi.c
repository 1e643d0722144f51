#include "recipes/phi.h"

#include <math.h>

#define MS_NS           1e6
#define INTERVAL_MS_MAX 1e9
/* From here on erfc is about to leave the range of a double. */
#define DEVIATIONS_FAR     36.0
#define OUTLIER_DEVIATIONS 6.0

static const double sqrt_2 = 1.41421356237309504880;
static const double sqrt_2pi = 2.50662827463100050242;
static const double ln_10 = 2.30258509299404568402;

static double at_most(double x, double max)
{
    return x < max ? x : max;
}

double phi_of_deviations(double y)
{
    double level =
        y < DEVIATIONS_FAR ? -log10(erfc(y / sqrt_2) / 2) : y * y / 2 / ln_10 + log10(y * sqrt_2pi);
    return level > 0 ? at_most(level, PHI_MAX) : 0;
}

/* phi rises with the delay: halving finds it. */
double phi_deviations(double level)
{
    double low = -10, high = 40;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (phi_of_deviations(middle) < level)
            low = middle;
        else
            high = middle;
    }
    return high;
}

static void remember(struct phi *p, double interval_ms)
{
    p->intervals_ms[p->next] = (float)at_most(interval_ms, INTERVAL_MS_MAX);
    p->next = (p->next + 1) % PHI_WINDOW;
    if (p->count < PHI_WINDOW)
        p->count++;
    p->is_stale = true;
}

static void refresh(struct phi *p)
{
    if (!p->is_stale)
        return;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < p->count; i++)
        sum += (double)p->intervals_ms[i];
    p->mean_ms = sum / (double)p->count;
    for (size_t i = 0; i < p->count; i++) {
        double d = (double)p->intervals_ms[i] - p->mean_ms;
        squares += d * d;
    }
    double deviation_ms = sqrt(squares / (double)p->count);
    double min = p->config.deviation_ms_min;
    p->deviation_ms = deviation_ms > min ? deviation_ms : min;
    p->is_stale = false;
}

/* Two intervals that have the expected mean, and a quarter of it as their deviation. */
void phi_init(struct phi *p, const struct phi_config *config, int64_t now_ns)
{
    *p = (struct phi){.config = *config, .last_ns = now_ns};
    remember(p, config->interval_ms * 0.75);
    remember(p, config->interval_ms * 1.25);
}

void phi_heartbeat(struct phi *p, int64_t at_ns)
{
    if (at_ns <= p->last_ns)
        return;
    refresh(p);
    double interval_ms = (double)(at_ns - p->last_ns) / MS_NS;
    remember(p, at_most(interval_ms,
                        p->mean_ms + p->config.pause_ms + OUTLIER_DEVIATIONS * p->deviation_ms));
    p->last_ns = at_ns;
}

void phi_forgive(struct phi *p, int64_t ns, int64_t now_ns)
{
    p->last_ns = now_ns - p->last_ns > ns ? p->last_ns + ns : now_ns;
}

double phi_at(struct phi *p, int64_t now_ns)
{
    refresh(p);
    double silence_ms = (double)(now_ns - p->last_ns) / MS_NS;
    return phi_of_deviations((silence_ms - p->mean_ms - p->config.pause_ms) / p->deviation_ms);
}

int64_t phi_due_ns(struct phi *p, double level)
{
    refresh(p);
    double ms = p->mean_ms + p->config.pause_ms + phi_deviations(level) * p->deviation_ms;
    return p->last_ns + (ms > 0 ? (int64_t)(ms * MS_NS) + 1 : 1);
}
