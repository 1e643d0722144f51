/* phi.h: how suspicious a silence is, judged by how heartbeats came before.
 *
 * The accrual failure detector of N. Hayashibara, X. Défago, R. Yared, T. Katayama, "The phi
 * accrual failure detector", 23rd IEEE Symposium on Reliable Distributed Systems (SRDS 2004):
 *
 *   phi(t) = -log10 P(a heartbeat comes later than t after the last one)
 *
 * with the times between heartbeats taken as normally distributed, their mean and deviation from
 * the last of them. Who suspects at phi = 1 is wrong once in 10 times, at 2 in 100, at 3 in 1000.
 *
 * Beyond the paper: there is an expectation before the first heartbeats; the deviation has a least
 * value, since a peer that was on time 200 times is not late after one more millisecond; and one
 * long silence that ended counts no more than as an outlier, or it would blunt the detector until
 * it has left the window.
 *
 * Time is an input. Calls nothing but mathematics. */
#ifndef CAUCUS_RECIPES_PHI_H
#define CAUCUS_RECIPES_PHI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PHI_WINDOW = 200, /* intervals that are remembered */
};

#define PHI_MAX 300.0

struct phi_config {
    double interval_ms;      /* expected */
    double deviation_ms_min; /* > 0 */
    double pause_ms;         /* always allowed on top */
};

struct phi {
    struct phi_config config;
    float intervals_ms[PHI_WINDOW];
    size_t count;
    size_t next; /* the oldest, once the window is full */
    double mean_ms;
    double deviation_ms;
    int64_t last_ns;
    bool is_stale; /* mean and deviation are those of an older window */
};

/* As if a heartbeat had come now. */
void phi_init(struct phi *p, const struct phi_config *config, int64_t now_ns);
/* One that is not later than the last one is ignored. */
void phi_heartbeat(struct phi *p, int64_t at_ns);
/* The silence was ours: so much of it does not count. */
void phi_forgive(struct phi *p, int64_t ns, int64_t now_ns);
/* 0 to PHI_MAX. */
double phi_at(struct phi *p, int64_t now_ns);
/* When it reaches a level without another heartbeat. */
int64_t phi_due_ns(struct phi *p, double level);

/* The same of the normal distribution: phi of a delay of so many deviations beyond the mean, and
 * the delay of a phi. */
double phi_of_deviations(double deviations);
double phi_deviations(double level);

#endif
