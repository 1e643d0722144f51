/* config_tls.c: the keys of TLS for clients: how they fit together, and what cannot be had.
 *
 * What would let somebody in who is kept out by ZooKeeper (revoked certificates, certificates for
 * other hosts) is refused, rather than passed over. */
#include <string.h>
#include <strings.h>

#include "server/config.h"

bool config_has_tls(const struct config *c)
{
    return config_given(c, CONFIG_SECURE_CLIENT_PORT) || config_flag(c, CONFIG_PORT_UNIFICATION);
}

enum config_client_auth config_client_auth(const struct config *c)
{
    const char *text = config_text(c, CONFIG_SSL_CLIENT_AUTH);
    if (strcasecmp(text, "none") == 0)
        return CONFIG_CLIENT_AUTH_NONE;
    return strcasecmp(text, "want") == 0 ? CONFIG_CLIENT_AUTH_WANT : CONFIG_CLIENT_AUTH_NEED;
}

enum config_store_type config_store_type(const struct config *c, enum config_id type,
                                         enum config_id location)
{
    static const struct {
        const char *type, *end;
        enum config_store_type is;
    } kinds[] = {
        {"PEM", ".pem", CONFIG_STORE_PEM},
        {"PKCS12", ".p12", CONFIG_STORE_PKCS12},
        {"JKS", ".jks", CONFIG_STORE_JAVA},
        {"BCFKS", ".bcfks", CONFIG_STORE_JAVA},
    };
    const char *given = config_text(c, type);
    const char *path = config_text(c, location);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t len = strlen(kinds[i].end);
        bool ends = strlen(path) >= len && strcmp(path + strlen(path) - len, kinds[i].end) == 0;
        if (given[0] != 0 ? strcasecmp(given, kinds[i].type) == 0 : ends)
            return kinds[i].is;
    }
    return CONFIG_STORE_UNKNOWN;
}

static void check_store(struct config *c, enum config_id location, enum config_id type)
{
    const struct property *p = config_property_of(c, location);
    switch (config_store_type(c, type, location)) {
    case CONFIG_STORE_JAVA:
        config_tell(c, CONFIG_WRONG, p,
                    "is a store that only Java can read: make it PKCS12 (keytool -importkeystore "
                    "-deststoretype PKCS12) or PEM, and say so in %s",
                    config_key(type)->name);
        break;
    case CONFIG_STORE_UNKNOWN:
        config_tell(c, CONFIG_WRONG, p, "wants %s: PEM or PKCS12", config_key(type)->name);
        break;
    case CONFIG_STORE_PEM:
    case CONFIG_STORE_PKCS12:
        break;
    }
}

/* Flags that are wrong when they are on: there is nothing here that would obey them. */
static void refuse_flag(struct config *c, enum config_id id, const char *why)
{
    if (config_flag(c, id))
        config_tell(c, CONFIG_WRONG, config_property_of(c, id), "cannot be had: %s", why);
}

/* The line without which nothing of this would be asked. */
static const struct property *what_asks_for_tls(const struct config *c)
{
    return config_property_of(c, config_given(c, CONFIG_SECURE_CLIENT_PORT)
                                     ? CONFIG_SECURE_CLIENT_PORT
                                     : CONFIG_PORT_UNIFICATION);
}

static void check_clients_certificates(struct config *c)
{
    refuse_flag(c, CONFIG_SSL_CRL, "there are no revocation lists");
    refuse_flag(c, CONFIG_SSL_OCSP, "there is no OCSP");
    refuse_flag(c, CONFIG_SSL_CLIENT_HOSTNAME, "clients' hosts are not verified");
    if (config_client_auth(c) == CONFIG_CLIENT_AUTH_NONE)
        return;
    if (config_text(c, CONFIG_SSL_TRUSTSTORE)[0] != 0)
        check_store(c, CONFIG_SSL_TRUSTSTORE, CONFIG_SSL_TRUSTSTORE_TYPE);
    else
        config_tell(c, CONFIG_WRONG,
                    config_given(c, CONFIG_SSL_CLIENT_AUTH)
                        ? config_property_of(c, CONFIG_SSL_CLIENT_AUTH)
                        : what_asks_for_tls(c),
                    "wants ssl.trustStore.location, or no client's certificate would do; without "
                    "certificates of clients: ssl.clientAuth=none");
}

void config_check_tls(struct config *c)
{
    if (config_text(c, CONFIG_SECURE_CLIENT_PORT_ADDRESS)[0] != 0 &&
        !config_given(c, CONFIG_SECURE_CLIENT_PORT))
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_SECURE_CLIENT_PORT_ADDRESS),
                    "wants secureClientPort");
    if (!config_has_tls(c))
        return;
    if (config_text(c, CONFIG_SSL_CONTEXT_SUPPLIER)[0] != 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_SSL_CONTEXT_SUPPLIER),
                    "cannot be had: it is a class of Java's");
    if (strcmp(config_text(c, CONFIG_SSL_AUTH_PROVIDER), "x509") != 0)
        config_tell(c, CONFIG_WRONG, config_property_of(c, CONFIG_SSL_AUTH_PROVIDER),
                    "cannot be had: there is x509");
    if (config_text(c, CONFIG_SSL_KEYSTORE)[0] != 0)
        check_store(c, CONFIG_SSL_KEYSTORE, CONFIG_SSL_KEYSTORE_TYPE);
    else
        config_tell(c, CONFIG_WRONG, what_asks_for_tls(c), "wants ssl.keyStore.location");
    check_clients_certificates(c);
}
