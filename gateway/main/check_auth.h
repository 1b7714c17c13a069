/* The part of checking a configuration that is about who knows the passwords. */
#ifndef SEALGATE_MAIN_CHECK_AUTH_H
#define SEALGATE_MAIN_CHECK_AUTH_H

#include "base/buf.h"
#include "conf/conf.h"

/*
 * Appends a line "PATH: what: why" for each problem of the users file, Dovecot's socket or the ldap section.
 * Nobody is asked: a backend that is down at the moment is no problem of the configuration.
 */
void check_auth(const struct conf *conf, const char *path, struct buf *problems);

#endif
