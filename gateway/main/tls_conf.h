/* From configuration to the server side of TLS, for the role that uses it and for the check. */
#ifndef SEALGATE_MAIN_TLS_CONF_H
#define SEALGATE_MAIN_TLS_CONF_H

#include "conf/conf.h"
#include "gateway/net/tls_server.h"

/* Reads the files that CONF names. TICKETS as in struct tls_server_options. */
MUST_USE enum status tls_server_from_conf(const struct conf *conf, struct tickets *tickets,
                                          struct tls_server **server_out, struct error *err);

#endif
