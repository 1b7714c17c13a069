/*
 * The header of the PROXY protocol, version 2 (haproxy.org: proxy-protocol.txt §2.2), by which a load
 * balancer says whose connection it passes on. No I/O. Version 1, the text line, is not understood here.
 */
#ifndef SEALGATE_WIRE_PROXY_HEADER_H
#define SEALGATE_WIRE_PROXY_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/span.h"

/* Signature, version and command, family and protocol, length of what follows. */
#define PROXY_HEADER_FIXED 16
/* Most bytes behind the fixed part: addresses and a certificate's names in TLVs; the protocol has 65535. */
#define PROXY_HEADER_REST_MAX 8192

enum proxy_result {
    PROXY_MORE,   /* good so far */
    PROXY_CLIENT, /* the header names the client */
    PROXY_LOCAL,  /* the balancer speaks for itself (health check), or names no IP address: its own counts */
    PROXY_BAD,    /* no such header, or one that breaks its rules */
};

/*
 * Parses what INPUT begins with. *USED_OUT: for PROXY_CLIENT and PROXY_LOCAL the length of the header; for
 * PROXY_MORE the bytes that must be there before it is worth asking again, never more than the header has, so
 * that a reader who reads just these takes nothing that belongs to the client. CLIENT_OUT (AF_INET or
 * AF_INET6, with port) is set for PROXY_CLIENT.
 */
enum proxy_result proxy_header_parse(struct span input, struct sockaddr_storage *client_out,
                                     size_t *used_out);

#endif
