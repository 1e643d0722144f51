#include "election_rest/web.h"

const struct web_file *web_find(struct slice name)
{
    for (size_t i = 0; i < web_file_count; i++) {
        if (slice_eq_str(name, web_files[i].name))
            return &web_files[i];
    }
    return NULL;
}
