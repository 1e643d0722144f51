#include "server/digest_auth.h"

#include <openssl/evp.h>
#include <string.h>

static const EVP_MD *selected; /* set at the start, then constant */

bool digest_auth_select(const char *algorithm)
{
    /* The usual one without a search, for which the library would have to get ready: a megabyte
       that a server nobody shows a password to does without. */
    const EVP_MD *found =
        strcmp(algorithm, "SHA1") == 0 ? EVP_sha1() : EVP_get_digestbyname(algorithm);
    if (found == NULL || EVP_MD_get_size(found) <= 0)
        return false;
    selected = found;
    return true;
}

size_t digest_auth(struct slice text, char ret[128])
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    if (selected == NULL && !digest_auth_select("SHA1"))
        return 0;
    if (EVP_Digest(text.ptr, text.len, hash, &len, selected, NULL) != 1)
        return 0;
    return (size_t)EVP_EncodeBlock((unsigned char *)ret, hash, (int)len);
}
