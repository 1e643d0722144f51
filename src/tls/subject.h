/* subject.h: a certificate's subject as text, as Java's X500Principal.getName() has it (RFC 2253):
 * it is what the ACLs of scheme x509 name. */
#ifndef CAUCUS_TLS_SUBJECT_H
#define CAUCUS_TLS_SUBJECT_H

#include <openssl/x509.h>

#include "base/buf.h"

void subject_print(const X509_NAME *name, struct buf *out);

#endif
