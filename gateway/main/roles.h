/* The table of roles: what each is called, which ends of which services it gets, where it lives, how it runs.
 */
#ifndef SEALGATE_MAIN_ROLES_H
#define SEALGATE_MAIN_ROLES_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/log.h"
#include "conf/conf.h"
#include "gateway/main/services.h"

#define ROLE_PORTS_MAX 6

/* One end of a service. In the role's process port I is descriptor ROLE_FD_FIRST_PORT + I. */
struct role_port {
    enum service service;
    enum service_end end;
};

/* Descriptors that every role finds when it starts. */
enum {
    ROLE_FD_CONF = 3, /* memory file with the configuration the supervisor checked */
    ROLE_FD_FIRST_PORT =
        4, /* its ports in the order of the table, then, for a role that takes listeners, the state of session
              tickets and the listening sockets in the order of the configuration */
};

struct role_start {
    struct conf conf;
    struct log log;
    pid_t supervisor;
    unsigned index;   /* of this process among those of its role */
    int first_extra;  /* first descriptor behind the ports: session tickets, or control's socket */
    const int *ports; /* descriptors by the order of the table */
};

enum role_limit { ROLE_LIMIT_NONE, ROLE_LIMIT_MEMORY };

struct role {
    const char *name;
    struct role_port ports[ROLE_PORTS_MAX];
    unsigned n_ports;
    bool takes_listeners;
    bool takes_control_socket;
    /* Folder below the state directory that becomes the root (as root user) or the working directory; NULL:
     * "empty". */
    const char *folder;
    bool chroot; /* false: runs other programs or reads files by path later */
    unsigned (*processes)(const struct conf *conf);
    int (*run)(const struct role_start *start); /* opens, drops rights, runs */
    int64_t leave_ms; /* on a reload it is killed when it takes longer to end; 0: as long as a job may take */
    unsigned stop_rank; /* on SIGTERM lower ranks stop first: nothing is cut off from what it still needs */
};

#define ROLES 9
extern const struct role roles[ROLES];

const struct role *role_find(const char *name);

/* The process of a role, re-executed: takes up its descriptors and runs it. Returns the exit code. */
int role_main(const char *name, unsigned index, pid_t supervisor, bool verbose);

#endif
