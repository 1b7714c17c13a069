/* The listening sockets of a configuration, and control's Unix socket. Kept over a reload when the address
 * stays. */
#ifndef SEALGATE_MAIN_SOCKETS_H
#define SEALGATE_MAIN_SOCKETS_H

#include "conf/conf.h"
#include "gateway/main/inherited.h"

struct sockets {
    char **addresses; /* of the listeners, in the order of the configuration; owned */
    int *listeners;   /* owned */
    size_t n_listeners;
    char *control_path; /* owned */
    int control;
};

/* Binds what CONF asks for; takes over from OLD, and from INHERITED (either may be NULL), what is bound
 * already. On failure OLD is as it was. */
MUST_USE enum status sockets_open(const struct conf *conf, const struct inherited *inherited,
                                  struct sockets *old, struct sockets *sockets_out, struct error *err);

/* Closes what is still open; the control socket's file goes too. */
void sockets_close(struct sockets *sockets);

#endif
