/*
 * Memory files: where message bodies live until they are sealed (promise 4: no plaintext on disk).
 * A finished one is sealed against change (F_SEAL_*) and travels between roles as a descriptor.
 */
#ifndef SEALGATE_BASE_MEMFILE_H
#define SEALGATE_BASE_MEMFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

/* A new empty memory file, close-on-exec. NAME is only for /proc. */
MUST_USE enum status memfile_create(const char *name, int *fd_out, struct error *err);

/* Appends all of BYTES at the file offset. */
MUST_USE enum status memfile_write(int fd, struct span bytes, struct error *err);

/* Nothing can write, grow, shrink or unseal it any more. */
MUST_USE enum status memfile_seal(int fd, struct error *err);

/* A new sealed memory file that holds BYTES. */
MUST_USE enum status memfile_from(const char *name, struct span bytes, int *fd_out, struct error *err);

/*
 * Makes the bytes of a sealed memory file readable until memfile_unmap; small ones are a copy. An unsealed
 * file or one that is no memory file is STATUS_INVALID: its sender could change it under the reader. More
 * than MAX bytes is STATUS_LIMIT.
 */
MUST_USE enum status memfile_map(int fd, size_t max, struct span *bytes_out, struct error *err);

/* The same for LEN bytes from AT of a file of our own that need not be sealed and holds so many. */
MUST_USE enum status memfile_map_range(int fd, uint64_t at, size_t len, struct span *bytes_out,
                                       struct error *err);

/* Ends what one of the two gave; a copy is wiped. An empty span is nothing to end. */
void memfile_unmap(struct span bytes);

#endif
