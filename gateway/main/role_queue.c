#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"
#include "gateway/queue/queue.h"

#define WORKED_MS 60000

static int64_t or_else(int64_t given, int64_t otherwise)
{
    return given ? given : otherwise;
}

/* Owned; NULL: out of memory. */
static struct retry_policy *policies_of(const struct conf *conf, const struct retry_policy *all)
{
    size_t n = conf->n_retry_policies;
    struct retry_policy *policies = calloc(n ? n : 1, sizeof *policies);

    for (size_t i = 0; policies && i < n; i++) {
        const struct conf_retry_policy *given = &conf->retry_policies[i];
        policies[i] = (struct retry_policy){
            .domain = given->domain,
            .first_retry_ms = or_else(given->first_retry_ms, all->first_retry_ms),
            .last_retry_ms = or_else(given->last_retry_ms, all->last_retry_ms),
            .lifetime_ms = or_else(given->lifetime_ms, all->lifetime_ms),
        };
    }
    return policies;
}

int role_queue(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    const struct retry_policy retry = {.first_retry_ms = conf->queue_first_retry_ms,
                                       .last_retry_ms = conf->queue_last_retry_ms,
                                       .lifetime_ms = conf->queue_lifetime_ms};
    struct retry_policy *policies = policies_of(conf, &retry);
    struct queue_settings settings = {
        .log = &start->log,
        /* Relative: the queue folder is its root, or as an ordinary user its working directory. */
        .path = "queue.db",
        .backup_path = "backup.db",
        .route = strcmp(conf->delivery_route, "mx") == 0 ? NULL : conf->delivery_route,
        .retry = retry,
        .retry_policies = policies,
        .n_retry_policies = conf->n_retry_policies,
        .delay_warning_ms = conf->queue_delay_warning_ms,
        .hold_ms = conf->queue_hold_ms,
        .recheck_ms = conf->queue_recheck_ms,
        .seal_notices = strcmp(conf->queue_notice_protect, "never") != 0,
        .worked_ms = WORKED_MS,
        .store_service = start->ports[0],
        .refused_service = start->ports[1],
        .delivery_service = start->ports[2],
        .control_service = start->ports[3],
        .seal_service = start->ports[4],
        .keys_service = start->ports[5],
    };
    if (!policies)
        return EX_OSERR;
    int code = role_drop(start, "queue", 0) ? queue_run(&settings) : EX_CONFIG;
    free(policies);
    return code;
}
