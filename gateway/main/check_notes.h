/* What is no mistake, and yet hardly what the administrator wants: told, and never in the way. */
#ifndef SEALGATE_MAIN_CHECK_NOTES_H
#define SEALGATE_MAIN_CHECK_NOTES_H

#include "base/buf.h"
#include "conf/conf.h"

/*
 * Appends a line "PATH: note: what: why" for each OCSP response that is stale, each relay client that may
 * send nothing, each that no listener names, and each S/MIME certificate that may not sign now. CONF has
 * passed check_configuration.
 */
void check_notes(const struct conf *conf, const char *path, struct buf *notes);

#endif
