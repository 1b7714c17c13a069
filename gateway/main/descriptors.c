#include "gateway/main/descriptors.h"

#include <sys/resource.h>

void descriptors_raise(int64_t wanted, const struct log *log)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur >= (rlim_t)wanted)
        return;
    r.rlim_cur = r.rlim_max < (rlim_t)wanted ? r.rlim_max : (rlim_t)wanted;
    if (setrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur >= (rlim_t)wanted)
        return;
    struct log_line line;
    log_start(&line, log, LOG_LEVEL_WARNING, "few-descriptors");
    log_int(&line, "wanted", wanted);
    log_int(&line, "limit", (int64_t)r.rlim_max);
    log_str(&line, "advice",
            "raise LimitNOFILE of the service; with sessions of the limits section lower, submission needs "
            "fewer");
    log_end(&line);
}
