/* A copy of an open database, made bit by bit while it is used. */
#ifndef SEALGATE_BASE_SQL_BACKUP_H
#define SEALGATE_BASE_SQL_BACKUP_H

#include "base/sql.h"

struct sql_backup;

/*
 * Begins a copy of SQL as it will be when the copy ends, in a new file "PATH.new" (mode 0600; an old one is
 * replaced). What is written to SQL meanwhile is written to the copy too.
 */
MUST_USE enum status sql_backup_start(struct sql *sql, const char *path, struct sql_backup **backup_out,
                                      struct error *err);

/* Copies at most so many pages; between transactions only. *DONE_OUT: all is copied; PAGES_OUT: all there
 * are.
 */
MUST_USE enum status sql_backup_step(struct sql_backup *backup, int pages, bool *done_out, int64_t *pages_out,
                                     struct error *err);

/* Once it is done: begins to look through the copy and to put it on disk, in a process of its own. OVER_FD,
 * the backup's, can be read when that is over. */
MUST_USE enum status sql_backup_check(struct sql_backup *backup, int *over_fd_out, struct error *err);

/* Then: gives a good one the name PATH. STATUS_INTERNAL: it is damaged. */
MUST_USE enum status sql_backup_finish(struct sql_backup *backup, struct error *err);

/* Frees it, and removes what was not finished. */
void sql_backup_free(struct sql_backup *backup);

#endif
