/* Listening sockets: bound by the supervisor with its rights, used by submission without them. */
#ifndef SEALGATE_NET_LISTENER_H
#define SEALGATE_NET_LISTENER_H

#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"

struct event_base;
struct listener;

/* Parses "[::]:465", "127.0.0.1:2525", "[::1]:587" and binds and listens (SO_REUSEADDR; close-on-exec;
 * dual-stack for [::]). SHARED: also beside sockets of the same user on which listener_share was called. */
MUST_USE enum status listener_bind(const char *address, bool shared, int *fd_out, struct error *err);

/* Lets others be bound to the same address or part of it, or no longer (SO_REUSEPORT). False: not possible.
 */
bool listener_share(int fd, bool shared);

/* The numeric parse alone, for configuration checks and delivery routes with an IP literal. */
MUST_USE enum status socket_address_parse(const char *address, struct sockaddr_storage *out,
                                          socklen_t *len_out, struct error *err);

typedef void listener_accept_fn(void *arg, int fd);

/* Calls ON_ACCEPT with each accepted non-blocking, close-on-exec socket, which it owns. Out of descriptors:
 * pauses a moment instead of spinning. */
struct listener *listener_start(struct event_base *base, int fd, listener_accept_fn *on_accept, void *arg,
                                struct error *err);
void listener_stop(struct listener *listener);

#endif
