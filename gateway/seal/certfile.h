/*
 * OpenPGP certificates as files, for gpg --file: it takes no other form without importing them. They lie in
 * the worker's private folder, named after the SHA-256 of their content, and stay for the next message.
 */
#ifndef SEALGATE_SEAL_CERTFILE_H
#define SEALGATE_SEAL_CERTFILE_H

#include "base/error.h"
#include "base/span.h"

#define SEAL_FOLDER_SIZE 256
#define SEAL_PATH_SIZE (SEAL_FOLDER_SIZE + 80)

struct seal_certfiles {
    char folder[SEAL_FOLDER_SIZE];
};

/* Makes the folder (0700) in HOME if it is missing. */
MUST_USE enum status seal_certfiles_open(const char *home, struct seal_certfiles *files_out,
                                         struct error *err);

/*
 * The path of a file that holds exactly CERTIFICATE. One that is there already is compared byte for byte, so
 * that a file that a crash or a full disk left cut is written anew.
 */
MUST_USE enum status seal_certfile(const struct seal_certfiles *files, struct span certificate,
                                   char path_out[SEAL_PATH_SIZE], struct error *err);

#endif
