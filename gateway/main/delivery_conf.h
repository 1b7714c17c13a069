/* From the delivery section of the configuration to the settings of the delivery role. */
#ifndef SEALGATE_MAIN_DELIVERY_CONF_H
#define SEALGATE_MAIN_DELIVERY_CONF_H

#include "base/buf.h"
#include "conf/conf.h"
#include "gateway/delivery/delivery.h"

/*
 * What SETTINGS need of it, but for route, TLS levels and resolver. Reads password-file: PASSWORD_OUT is to
 * be wiped and freed by the caller, NULL when there is none; SETTINGS point to it and into CONF.
 */
MUST_USE enum status delivery_from_conf(const struct conf *conf, struct delivery_settings *settings,
                                        char **password_out, struct error *err);

/* Gives CTX the client certificate of the configuration, where there is one. */
MUST_USE enum status delivery_certificate_from_conf(const struct conf *conf, SSL_CTX *ctx, struct error *err);

/* Appends a line "PATH: what: why" for each problem of the section's. */
void delivery_conf_check(const struct conf *conf, const char *path, struct buf *problems);

#endif
