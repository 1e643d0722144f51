/* queue_internal.h: between the machine (queue.c) and what other threads call (queue_user.c). */
#ifndef CAUCUS_RECIPES_QUEUE_INTERNAL_H
#define CAUCUS_RECIPES_QUEUE_INTERNAL_H

#include "recipes/queue.h"

void queue_hold(struct queue *q); /* one more reference */
void queue_drop(struct queue *q);

/* On the event thread, each with a reference that it drops. */
void queue_run_start(void *queue);
void queue_run_close(void *queue);
void queue_run_yield(void *queue);

/* Nobody will be told anything any more. */
void queue_set_silent(struct queue *q, bool is_gone);

#endif
