#include <sysexits.h>
#include <unistd.h>

#include "gateway/main/paths.h"
#include "gateway/main/role_runs.h"
#include "gateway/queue/queue.h"

#define WORKED_MS 60000

int role_queue(const struct role_start *start)
{
    const struct conf *conf = &start->conf;
    struct queue_settings settings = {
        .log = &start->log,
        /* Relative: the queue folder is its root, or as an ordinary user its working directory. */
        .path = "queue.db",
        .first_retry_ms = conf->queue_first_retry_ms,
        .last_retry_ms = conf->queue_last_retry_ms,
        .lifetime_ms = conf->queue_lifetime_ms,
        .hold_ms = conf->queue_hold_ms,
        .recheck_ms = conf->queue_recheck_ms,
        .worked_ms = WORKED_MS,
        .store_service = start->ports[0],
        .refused_service = start->ports[1],
        .delivery_service = start->ports[2],
        .control_service = start->ports[3],
        .seal_service = start->ports[4],
        .keys_service = start->ports[5],
    };
    return role_drop(start, "queue", 0) ? queue_run(&settings) : EX_CONFIG;
}
