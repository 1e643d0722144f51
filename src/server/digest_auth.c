#include "server/digest_auth.h"

#include <openssl/evp.h>

static const EVP_MD *selected; /* set at the start, then constant */

bool digest_auth_select(const char *algorithm)
{
    const EVP_MD *found = EVP_get_digestbyname(algorithm);
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
