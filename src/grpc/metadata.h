/* metadata.h: a list of keys and values, as they come from headers and go into them. */
#ifndef CAUCUS_GRPC_METADATA_H
#define CAUCUS_GRPC_METADATA_H

#include <nghttp2/nghttp2.h>

#include "grpc/grpc.h"

/* Zeroed: empty. Each entry owns one piece of memory. */
struct metadata {
    struct grpc_metadata *entries;
    size_t count, cap;
};

void metadata_deinit(struct metadata *m);
bool metadata_find(const struct metadata *m, const char *key, struct slice *ret_value);

/* From the wire: values of keys with "-bin" are decoded, and several in one are taken apart; what
 * is no base64 is dropped. */
void metadata_receive(struct metadata *m, struct slice key, struct slice value);

/* To be sent: as the wire wants it. False: HTTP/2 does not allow it, or it is gRPC's own; nothing
 * was added. */
bool metadata_add(struct metadata *m, struct slice key, struct slice value);

/* Entry `i` as a header that borrows it. */
nghttp2_nv metadata_header(const struct metadata *m, size_t i);

/* A header of constants. */
nghttp2_nv header_of(const char *name, const char *value);
/* A header whose value nghttp2 copies. */
nghttp2_nv header_of_bytes(const char *name, const void *value, size_t len);

#endif
