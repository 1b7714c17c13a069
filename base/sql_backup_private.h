/* Shared by sql_backup.c (the copy) and sql_backup_check.c (what becomes of it). */
#ifndef SEALGATE_BASE_SQL_BACKUP_PRIVATE_H
#define SEALGATE_BASE_SQL_BACKUP_PRIVATE_H

#include <sys/types.h>

#include "base/sql_backup.h"
#include "base/sql_private.h"

struct sql_backup {
    struct sql copy; /* PATH is that of the new file */
    sqlite3_backup *backup;
    char *path;
    pid_t child; /* that checks it; 0: none */
    int over;    /* ends when it does; -1: none */
};

/* What the child found, once it is over. */
MUST_USE enum status sql_backup_verdict(struct sql_backup *backup, struct error *err);
void sql_backup_stop_check(struct sql_backup *backup);
/* Of a file, or with O_DIRECTORY a folder. */
MUST_USE enum status sql_backup_sync(const char *path, int flags, struct error *err);

#endif
