#include "recipes/copy.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

bool copy_is_parent(const char *path)
{
    size_t len = path != NULL ? strlen(path) : 0;
    return len > 1 && path[0] == '/' && path[len - 1] != '/';
}

bool copy_is_name(const char *name)
{
    return name != NULL && name[0] != '\0' && strchr(name, '/') == NULL && strcmp(name, ".") != 0 &&
           strcmp(name, "..") != 0;
}

char *copy_text(const char *text)
{
    return mem_dup(text, strlen(text) + 1);
}

char *copy_joined(const char *parent, const char *name)
{
    size_t bytes = strlen(parent) + 1 + strlen(name) + 1;
    char *path = mem_alloc(bytes);
    snprintf(path, bytes, "%s/%s", parent, name);
    return path;
}

char *copy_above(const char *path)
{
    char *above = copy_text(path);
    *strrchr(above, '/') = '\0';
    return above;
}

struct caucus_acl *copy_acl(const struct caucus_acl *acl, size_t count)
{
    if (count == 0)
        return NULL;
    size_t bytes = count * sizeof(*acl);
    for (size_t i = 0; i < count; i++)
        bytes += strlen(acl[i].scheme) + 1 + strlen(acl[i].id) + 1;
    struct caucus_acl *copy = mem_alloc(bytes);
    char *text = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        copy[i].perms = acl[i].perms;
        copy[i].scheme = text;
        text = stpcpy(text, acl[i].scheme) + 1;
        copy[i].id = text;
        text = stpcpy(text, acl[i].id) + 1;
    }
    return copy;
}
