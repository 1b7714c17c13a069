#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "gateway/main/paths.h"
#include "gateway/main/privileges.h"
#include "gateway/main/role_runs.h"

struct log log_from_conf(const struct conf *conf, const char *role, bool verbose)
{
    static const char *const words[] = {"error", "warning", "notice", "info", "debug"};
    struct log log = {
        .fd = 2, .level = LOG_LEVEL_DEBUG, .role = role, .journal = getenv("JOURNAL_STREAM") != NULL};
    for (int i = LOG_LEVEL_ERROR; !verbose && i <= LOG_LEVEL_DEBUG; i++)
        if (strcmp(conf->log_level, words[i]) == 0)
            log.level = (enum log_level)i;
    return log;
}

bool role_drop(const struct role_start *start, const char *name, int64_t memory_max)
{
    const struct role *role = role_find(name);
    char folder[PATH_SIZE];
    struct error err;
    enum status st = path_in_state(&start->conf, role->folder, folder, &err);
    if (st == STATUS_OK) {
        struct privileges p = {.user = start->conf.user,
                               .folder = folder,
                               .chroot = role->chroot,
                               .memory_max = memory_max,
                               .supervisor = start->supervisor};
        st = privileges_drop(&p, &err);
    }
    if (st != STATUS_OK)
        log_error(&start->log, LOG_LEVEL_ERROR, "role-failed", "dropping rights", &err);
    return st == STATUS_OK;
}

int role_failed(const struct role_start *start, const char *what, const struct error *err)
{
    log_error(&start->log, LOG_LEVEL_ERROR, "role-failed", what, err);
    return err->status == STATUS_INVALID || err->status == STATUS_DENIED ? EX_CONFIG : EX_TEMPFAIL;
}
