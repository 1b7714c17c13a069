/* The domains of the configuration, as they are looked up and compared with those of recipients. */
#ifndef SEALGATE_MAIN_DOMAINS_CONF_H
#define SEALGATE_MAIN_DOMAINS_CONF_H

#include "conf/conf.h"

/*
 * Turns the titles of tls-policy and retry-policy and the host of delivery route into lower-case A-labels
 * without a dot at the end: a title that is written in another way would silently never apply. What is no
 * domain, and a second section for the same one, is a line in PROBLEMS, with PATH and the line of the file.
 */
void domains_conf_convert(struct conf *conf, const char *path, struct buf *problems);

#endif
