/* plant.c: the faults of vote/fault.h by their names. */
#include <stdio.h>

#include "world.h"

uint32_t plant_named(const char *name)
{
#define MATCH_FAULT(id, bit, text)                                                                 \
    if (strcmp(name, text) == 0)                                                                   \
        return SHARD_FAULT_##id;
    SHARD_FAULT_MAP(MATCH_FAULT)
#undef MATCH_FAULT
    return 0;
}

void plants_print(void)
{
    fprintf(stderr, "plants, in programs that end in _planted:");
#define PRINT_FAULT(name, bit, text) fprintf(stderr, " %s", text);
    SHARD_FAULT_MAP(PRINT_FAULT)
#undef PRINT_FAULT
    fprintf(stderr, "\n");
}
