/*
 * PINs that a token or card refused, remembered by all workers, so that none of them uses up the tries that
 * are left: most tokens lock themselves at the third.
 */
#ifndef SEALGATE_SEAL_WRONG_PINS_H
#define SEALGATE_SEAL_WRONG_PINS_H

#include <stdbool.h>

#include "gateway/message/spool.h"

#define WRONG_PIN_NAME_SIZE 80

struct wrong_pins {
    int folder, lock;
    char name[WRONG_PIN_NAME_SIZE]; /* of the file that says "this PIN was refused for this key" */
};

/*
 * Before PIN is given to the token with KEY (a fingerprint or URI). One process at a time: another one waits
 * here until wrong_pins_leave. STATUS_DENIED: it was refused before and must not be tried; STATUS_TEMPORARY:
 * I/O errors. FOLDER is the workers' own. What is stored of a PIN is a hash under SECRET.
 */
MUST_USE enum status wrong_pins_enter(const char *folder, const struct spool_key *secret, const char *key,
                                      const char *pin, struct wrong_pins *pins_out, struct error *err);

/* After the try; WAS_WRONG: the token refused the PIN. Only after a wrong_pins_enter that went well. */
void wrong_pins_leave(struct wrong_pins *pins, bool was_wrong);

/* Forgets them all: the administrator has looked. For the start and a reload; FOLDER may be missing. */
void wrong_pins_forget(const char *folder);

#endif
