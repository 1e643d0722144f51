#include "election/session.h"

enum {
    TROUBLE_BYTES_MAX = 256,
};

int session_open(session_open_fn *open, const struct session_place *place,
                 const struct caucus_options *options, struct caucus **ret, struct err *err)
{
    char trouble[TROUBLE_BYTES_MAX] = "";
    const struct caucus_tls tls = {
        .ca_file = place->ca,
        .certificate_file = place->identity,
        .ret_trouble = trouble,
        .trouble_bytes = sizeof trouble,
    };
    struct caucus_options o = *options;
    o.tls = place->ca != NULL || place->identity != NULL ? &tls : NULL;
    int rc = open(place->hosts, &o, ret);
    if (rc == 0)
        return 0;
    if (rc == CAUCUS_BADTLS)
        return err_set(err, ERR_INVALID, "%s", trouble);
    if (rc == CAUCUS_BADHOSTS)
        return err_set(err, ERR_INVALID, "'%s': %s", place->hosts, caucus_error_text(rc));
    return err_set(err, ERR_NOSPACE, "coordination: %s", caucus_error_text(rc));
}
