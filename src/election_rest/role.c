/* role.c: who a client's certificate makes it. */
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "election_rest/rest_internal.h"

enum {
    UNIT_BYTES_MAX = 64
};

static bool is_of_committee(gnutls_x509_crt_t certificate)
{
    for (unsigned i = 0;; i++) {
        char unit[UNIT_BYTES_MAX];
        size_t bytes = sizeof unit;
        int rc = gnutls_x509_crt_get_dn_by_oid(
            certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, i, 0, unit, &bytes);
        if (rc == GNUTLS_E_SHORT_MEMORY_BUFFER)
            continue;
        if (rc < 0)
            return false;
        if (slice_eq_str(slice_of(unit, bytes), "committee"))
            return true;
    }
}

static bool is_trusted(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned problems;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &problems) == 0 && problems == 0;
}

enum role request_role(const struct request *r)
{
    if (!r->rest->wants_certificates)
        return ROLE_NOBODY;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(r->http, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    if (info == NULL)
        return ROLE_NOBODY;
    gnutls_session_t session = info->tls_session;
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (chain == NULL || count == 0)
        return ROLE_NOBODY;
    gnutls_x509_crt_t certificate;
    if (!is_trusted(session) || gnutls_x509_crt_init(&certificate) < 0)
        return ROLE_OTHER;
    bool committee = gnutls_x509_crt_import(certificate, &chain[0], GNUTLS_X509_FMT_DER) == 0 &&
                     is_of_committee(certificate);
    gnutls_x509_crt_deinit(certificate);
    return committee ? ROLE_COMMITTEE : ROLE_OTHER;
}
