/* instance.h: an instance of a service as JSON, as Curator's x-discovery has it, and back.
 *
 * Reading is for what others wrote: members in any order, unknown ones skipped, numbers and nesting
 * within bounds; what is not JSON, or has a member of another type than it should, is refused. A
 * name that comes twice counts the last time. Pure. */
#ifndef CAUCUS_RECIPES_INSTANCE_H
#define CAUCUS_RECIPES_INSTANCE_H

#include "base/buf.h"
#include "caucus/registry.h"

/* Whether it can be written. */
bool instance_is_sound(const struct caucus_instance *instance);

/* Appends the JSON of a sound instance. */
void instance_write(struct buf *out, const struct caucus_instance *instance);

/* NULL: it is not an instance. One block, freed with caucus_instance_free. What is missing is NULL
 * and 0, but for the name and the id, which must be there. */
struct caucus_instance *instance_read(struct slice json);
struct caucus_instance *instance_copy(const struct caucus_instance *instance);

#endif
