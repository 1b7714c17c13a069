/* From the configuration to what auth and submission need to know of logins. */
#ifndef SEALGATE_MAIN_AUTH_CONF_H
#define SEALGATE_MAIN_AUTH_CONF_H

#include "conf/conf.h"
#include "gateway/auth/auth.h"

/*
 * The mechanisms that are possible and allowed, a set of gateway/jobs/sasl_mechanism.h: SCRAM needs the users
 * file, EXTERNAL a client-ca and an account with certificates.
 */
unsigned mechanisms_from_conf(const struct conf *conf);

/* The accounts, which point into CONF; free with free. NULL (err): out of memory; never NULL else. */
struct auth_account *accounts_from_conf(const struct conf *conf, struct error *err);

/*
 * What only auth knows to be wrong: mechanisms that cannot be offered, certificates that are none, that no
 * client would be asked for, or that stand under a pattern that is no name. A line "PATH: …" each in
 * PROBLEMS.
 */
void auth_conf_check(const struct conf *conf, const char *path, struct buf *problems);

#endif
