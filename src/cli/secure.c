#include "cli/secure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int secure_context(const struct secure *s, const char *alpn, struct tls_context **ret,
                   struct err *err)
{
    struct tls_client_options o = secure_for_tls(s);
    o.alpn = alpn;
    *ret = NULL;
    return s->tls ? tls_client_context(&o, ret, err) : 0;
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

static bool read_password(const char *path, char ret[SECRET_BYTES], struct err *problem)
{
    int rc = secret_read(path, ret, problem);
    if (rc == 0 && ret[0] == 0)
        rc = err_set(problem, ERR_INVALID, "it is empty");
    return rc == 0 || err_wrap(problem, rc, "--sasl-password-file: '%s'", path) == 0;
}

bool secure_sasl(const struct secure *s, char password[SECRET_BYTES], struct caucus_sasl *ret,
                 bool *ret_wanted, struct err *problem)
{
    *ret_wanted = s->sasl_gssapi || s->sasl_user != NULL;
    *ret = (struct caucus_sasl){.mechanism = s->sasl_gssapi ? "GSSAPI" : "DIGEST-MD5"};
    if (s->sasl_gssapi || s->sasl_user == NULL)
        return true;
    ret->user = s->sasl_user;
    ret->password = password;
    if (s->sasl_password_file != NULL)
        return read_password(s->sasl_password_file, password, problem);
    const char *given = getenv("CAUCUS_SASL_PASSWORD");
    if (given == NULL || strlen(given) >= SECRET_BYTES) {
        err_set(problem, ERR_INVALID,
                "--sasl-user wants a password: --sasl-password-file, or $CAUCUS_SASL_PASSWORD");
        return false;
    }
    memcpy(password, given, strlen(given) + 1);
    return true;
}
