#include "base/web_file.h"

const struct web_file *web_file_find(const struct web_file *files, size_t count, struct slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_str(name, files[i].name))
            return &files[i];
    }
    return NULL;
}
