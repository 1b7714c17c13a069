/* The users file as it is now: read again when it changed. */
#ifndef SEALGATE_USERS_USERS_WATCH_H
#define SEALGATE_USERS_USERS_WATCH_H

#include <sys/stat.h>

#include "gateway/users/users.h"

/* What tells one version of the file from another. */
struct users_version {
    dev_t dev;
    ino_t ino;
    off_t size;
    struct timespec changed, modified;
};

struct users_watch {
    const char *path;
    struct users users; /* what users_watch_refresh found; empty when it failed */
    struct users_version version;
    bool loaded;      /* false: nobody can be checked until it loads */
    struct error why; /* of the last time that it did not load */
};

/* Reads the file for the first time; PATH must outlive the watch. Errors as those of users_load. */
MUST_USE enum status users_watch_open(const char *path, struct users_watch *watch_out, struct error *err);
void users_watch_close(struct users_watch *watch);

/*
 * Looks whether the file changed, and reads it again then; pointers into WATCH's users may be gone
 * afterwards. A file that cannot be read any more leaves no users, never the old ones: one may have been
 * removed (fail closed). One that is wrong is not read again before it changes: whoever tries to log in
 * meanwhile must not have it read each time (A20).
 */
MUST_USE enum status users_watch_refresh(struct users_watch *watch, struct error *err);

#endif
