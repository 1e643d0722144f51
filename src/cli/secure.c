#include "cli/secure.h"

#include <stdlib.h>
#include <sys/stat.h>

void secure_settle(struct secure *s)
{
    s->tls |= s->ca != NULL || s->certificate != NULL || s->key != NULL || s->any_host;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return path != NULL && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

struct tls_client_options secure_for_tls(const struct secure *s)
{
    bool folder = is_folder(s->ca);
    return (struct tls_client_options){
        .ca_file = folder ? NULL : s->ca,
        .ca_folder = folder ? s->ca : NULL,
        .certificate_file = s->certificate,
        .key_file = s->key,
        .key_password = getenv("CAUCUS_TLS_KEY_PASSWORD"),
        .any_host = s->any_host,
    };
}

struct caucus_tls secure_for_caucus(const struct secure *s)
{
    struct tls_client_options o = secure_for_tls(s);
    return (struct caucus_tls){
        .ca_file = o.ca_file,
        .ca_folder = o.ca_folder,
        .certificate_file = o.certificate_file,
        .key_file = o.key_file,
        .key_password = o.key_password,
        .any_host = o.any_host,
    };
}
