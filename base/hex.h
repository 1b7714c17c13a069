/* Bytes as text. */
#ifndef SEALGATE_BASE_HEX_H
#define SEALGATE_BASE_HEX_H

#include <stddef.h>

/* Writes LEN BYTES as 2 * LEN lower-case hexadecimal digits and a NUL to OUT, which has room for that. */
void hex_encode(const void *bytes, size_t len, char *out);

#endif
