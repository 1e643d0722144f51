#include "recipes/uuid.h"

#include <string.h>

#include "recipes/protect.h"

/* What protected names begin with, after "_c_". */
void uuid_make(char ret[UUID_BYTES])
{
    struct protect p;
    protect_rename(&p, "");
    memcpy(ret, p.prefix + 3, UUID_BYTES - 1);
    ret[UUID_BYTES - 1] = '\0';
}
