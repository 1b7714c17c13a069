/* The supervisor's answer to `sealctl status`: which processes run. */
#ifndef SEALGATE_MAIN_STATUS_H
#define SEALGATE_MAIN_STATUS_H

#include "gateway/main/children.h"

struct status_server;

MUST_USE enum status status_server_start(struct event_base *base, int service_fd,
                                         const struct children *children, const char *conf_path,
                                         struct status_server **server_out, struct error *err);
void status_server_stop(struct status_server *server);

#endif
