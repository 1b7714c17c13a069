/*
 * The processes of the roles: started, watched, started anew with backoff when they die, ended in order.
 *
 * Each is a process group of its own, so that what a worker started (gpg) dies with it; orphans come to the
 * supervisor, which is a subreaper.
 */
#ifndef SEALGATE_MAIN_CHILDREN_H
#define SEALGATE_MAIN_CHILDREN_H

#include <sys/types.h>

#include "base/log.h"
#include "gateway/main/roles.h"
#include "gateway/main/sockets.h"

struct event_base;
struct event;

struct children_settings {
    const struct log *log;
    bool verbose;
    const struct services *services;
    struct tickets *tickets; /* of TLS sessions */
};

struct children;

MUST_USE enum status children_open(struct event_base *base, const struct children_settings *settings,
                                   struct children **children_out, struct error *err);
/* Kills what still runs. */
void children_close(struct children *children);

/*
 * From now on processes run with this configuration: CONF_FD is its memory file (duplicated), CONF says how
 * many of each. The first call starts them; a later one lets each end what it has in hand (SIGTERM) and
 * starts its successor; submission's successors start at once, so that the doors never close, and the old
 * ones go on until their last session has ended (SIGHUP). Does nothing after children_stop.
 */
void children_configure(struct children *children, const struct conf *conf, int conf_fd,
                        const struct sockets *sockets);

/* Takes up dead processes; call on SIGCHLD. */
void children_reap(struct children *children);

/* Ends all, rank by rank; DONE is called once none is left, at the latest when GRACE_MS have passed and the
 * rest was killed. */
void children_stop(struct children *children, int64_t grace_ms, void (*done)(void *arg), void *arg);

/* For each process, in the order of the table. */
struct child_info {
    const char *role;
    unsigned index;
    pid_t pid;          /* 0: waits to be started anew */
    int64_t started_ms; /* wall clock */
    unsigned restarts;  /* unexpected ends since the gateway started */
};
void children_each(const struct children *children, void (*each)(void *arg, const struct child_info *info),
                   void *arg);

#endif
