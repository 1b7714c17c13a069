/* From the tls-reports section of the configuration to the settings of TLS reporting. */
#ifndef SEALGATE_MAIN_REPORTS_CONF_H
#define SEALGATE_MAIN_REPORTS_CONF_H

#include "base/buf.h"
#include "conf/conf.h"
#include "gateway/tlsrpt/tlsrpt.h"

struct reports_conf {
    struct tlsrpt_settings settings; /* point into here and into the configuration */
    struct network *networks;        /* owned */
    char *dkim_key;                  /* owned; NULL: none */
};

/* But for what is delivery's own (delivery.h). Reads dkim-key. Without contact: nothing. */
MUST_USE enum status reports_from_conf(const struct conf *conf, struct reports_conf *reports_out,
                                       struct error *err);
/* Wipes the key. */
void reports_conf_free(struct reports_conf *reports);

/* Appends a line "PATH: what: why" for each problem of the section's. */
void reports_conf_check(const struct conf *conf, const char *path, struct buf *problems);

#endif
