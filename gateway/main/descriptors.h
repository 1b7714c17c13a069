/* Room for the sockets of a process. */
#ifndef SEALGATE_MAIN_DESCRIPTORS_H
#define SEALGATE_MAIN_DESCRIPTORS_H

#include <stdint.h>

#include "base/log.h"

/* Raises the limit of open descriptors to WANTED, as far as the hard limit lets it; logs when that is not
 * enough. */
void descriptors_raise(int64_t wanted, const struct log *log);

#endif
