/* queue_internal.h: between the machine (queue.c) and what other threads call (queue_user.c). */
#ifndef CAUCUS_RECIPES_QUEUE_INTERNAL_H
#define CAUCUS_RECIPES_QUEUE_INTERNAL_H

#include "recipes/queue.h"

/* On the event thread, each with a reference that it drops. */
void queue_run_start(void *queue);
void queue_run_close(void *queue);
void queue_run_yield(void *queue);

/* As of now there is a reason why it is over. */
void queue_set_over(struct queue *q, int rc);

/* Nobody will be told anything any more. */
void queue_set_silent(struct queue *q, bool is_gone);

#endif
