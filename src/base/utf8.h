/* utf8.h: UTF-8, as strict as Unicode has it: nothing longer than need be, no surrogates, nothing
 * beyond U+10FFFF. */
#ifndef CAUCUS_BASE_UTF8_H
#define CAUCUS_BASE_UTF8_H

#include "base/buf.h"

/* Bytes of the character that stands there; 0: that is no UTF-8. bytes > 0. */
size_t utf8_length(const char *text, size_t bytes);
bool utf8_is_valid(const char *text, size_t bytes);

/* As it is, so that half of a surrogate pair comes out as what is not valid. */
void utf8_put(struct buf *out, uint32_t code);

#endif
