#include "cli/zxid_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

bool zxid_read(struct cli *cli, const char *option, const char *text, int64_t *ret)
{
    char *end;
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    errno = 0;
    long long n = strtoll(text, &end, hex ? 16 : 10);
    if (!isdigit((unsigned char)text[0]) || *end != 0 || errno != 0) {
        cli_usage(cli, "%s: '%s' is not a zxid (0x100000003)", option, text);
        return false;
    }
    *ret = n;
    return true;
}
