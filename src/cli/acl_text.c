#include "cli/acl_text.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static const struct {
    char letter;
    int32_t perm;
} letters[] = {{'c', CAUCUS_PERM_CREATE},
               {'d', CAUCUS_PERM_DELETE},
               {'r', CAUCUS_PERM_READ},
               {'w', CAUCUS_PERM_WRITE},
               {'a', CAUCUS_PERM_ADMIN}};

enum {
    LETTER_COUNT = sizeof letters / sizeof *letters
};

/* -1: a letter that is none. */
static int32_t read_perms(const char *text)
{
    int32_t perms = 0;
    for (; *text != 0; text++) {
        size_t i = 0;
        while (i < LETTER_COUNT && letters[i].letter != *text)
            i++;
        if (i == LETTER_COUNT)
            return -1;
        perms |= letters[i].perm;
    }
    return perms;
}

void acl_text_perms(int32_t perms, char ret[6])
{
    size_t len = 0;
    for (size_t i = 0; i < LETTER_COUNT; i++)
        if (perms & letters[i].perm)
            ret[len++] = letters[i].letter;
    ret[len] = 0;
}

/* The entry's end. Ids may hold commas ("x509:CN=a,O=b:r"): one that ends an entry stands behind
 * permissions. */
static char *find_end(char *entry)
{
    char *comma = strchr(entry, ',');
    for (; comma != NULL; comma = strchr(comma + 1, ',')) {
        *comma = 0;
        const char *colon = strrchr(entry, ':');
        if (colon != NULL && colon[1] != 0 && read_perms(colon + 1) >= 0 &&
            strchr(entry, ':') != colon)
            return comma;
        *comma = ',';
    }
    return NULL;
}

static int read_entry(struct cli *cli, char *entry, struct caucus_acl *ret)
{
    char *first = strchr(entry, ':');
    char *last = strrchr(entry, ':');
    if (first == NULL || first == last || first == entry ||
        memchr(entry, ',', (size_t)(first - entry)) != NULL)
        return cli_usage(cli, "ACL: '%s' is not SCHEME:ID:PERMS", entry);
    ret->perms = read_perms(last + 1);
    if (last[1] == 0 || ret->perms < 0)
        return cli_usage(cli, "ACL: the permissions of '%s' are not of the letters cdrwa", entry);
    *first = 0;
    *last = 0;
    ret->scheme = entry;
    ret->id = first + 1;
    return CLI_OK;
}

int acl_text_read(struct cli *cli, const char *text, struct acl_text *ret)
{
    ret->text = mem_dup(text, strlen(text) + 1);
    ret->count = 0;
    char *entry = ret->text;
    for (;;) {
        char *end = find_end(entry);
        if (ret->count == ACL_TEXT_MAX)
            return cli_usage(cli, "ACL: more than %d entries", ACL_TEXT_MAX);
        int code = read_entry(cli, entry, &ret->list[ret->count]);
        if (code != CLI_OK)
            return code;
        ret->count++;
        if (end == NULL)
            return CLI_OK;
        entry = end + 1;
    }
}

void acl_text_deinit(struct acl_text *a)
{
    free(a->text);
    a->text = NULL;
}
