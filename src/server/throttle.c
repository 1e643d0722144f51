#include "server/throttle.h"

static int32_t at_least(int32_t value, int32_t least)
{
    return value > least ? value : least;
}

void throttle_init(struct throttle *t, const struct throttle_options *options, int64_t now_ms,
                   uint64_t seed)
{
    *t = (struct throttle){.options = *options, .prng = seed | 1};
    struct throttle_options *o = &t->options;
    /* What is configured is meant for global sessions, the dearest kind. */
    int32_t scale = o->weighted ? at_least(o->weight_global, 1) : 1;
    t->tokens_max = t->tokens = (int64_t)o->tokens_max * scale;
    t->fill_count = (int64_t)o->fill_count * scale;
    t->filled_ms = t->frozen_ms = now_ms;
}

int64_t throttle_deficit(const struct throttle *t)
{
    return t->tokens_max - t->tokens;
}

/* xorshift64*, as a number from 0 to below 1 */
static double random_unit(struct throttle *t)
{
    t->prng ^= t->prng >> 12;
    t->prng ^= t->prng << 25;
    t->prng ^= t->prng >> 27;
    return (double)((t->prng * 0x2545f4914f6cdd1dULL) >> 11) * 0x1p-53;
}

static void refill(struct throttle *t, int64_t now_ms)
{
    int64_t passed = now_ms - t->filled_ms;
    if (passed <= t->options.fill_time_ms)
        return;
    int64_t fill;
    if (__builtin_mul_overflow(passed, t->fill_count, &fill))
        fill = INT64_MAX;
    fill /= t->options.fill_time_ms;
    t->tokens = fill >= t->tokens_max - t->tokens ? t->tokens_max : t->tokens + fill;
    t->filled_ms = now_ms;
}

/* BLUE: the longer nothing is left, the more are turned away. */
static bool passes_lottery(struct throttle *t, int64_t now_ms)
{
    if (now_ms - t->frozen_ms > t->options.freeze_time_ms) {
        double threshold = (double)t->tokens_max * t->options.decrease_ratio;
        if (t->tokens == 0 && t->drop < 1)
            t->drop += t->options.drop_increase;
        else if ((double)throttle_deficit(t) <= threshold && t->drop > 0)
            t->drop -= t->options.drop_decrease;
        t->drop = t->drop > 1 ? 1 : t->drop < 0 ? 0 : t->drop;
        t->frozen_ms = now_ms;
    }
    return random_unit(t) >= t->drop;
}

bool throttle_admit(struct throttle *t, bool renew, int64_t now_ms)
{
    const struct throttle_options *o = &t->options;
    if (t->tokens_max == 0)
        return true;
    refill(t, now_ms);
    if (o->freeze_time_ms != -1 && !passes_lottery(t, now_ms))
        return false;
    int64_t need = !o->weighted ? 1 : renew ? o->weight_renew : o->weight_new;
    if (t->tokens < need)
        return false;
    t->tokens -= need;
    return true;
}
