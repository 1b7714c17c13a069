/*
 * Reverse-path and forward-path of MAIL and RCPT, strictly by RFC 5321 §4.1.2, without the ways by which
 * one server was once told to relay through another (A7): source routes, % and ! are recognised and refused.
 *
 * With the extension of RFC 6531 §3.3: well-formed UTF-8 in local parts, U-labels in domains. Nothing is
 * normalised, and all limits are in bytes.
 */
#ifndef SEALGATE_WIRE_PATH_H
#define SEALGATE_WIRE_PATH_H

#include <stdbool.h>

#include "base/span.h"

#define PATH_LOCAL_PART_MAX 64 /* bytes, RFC 5321 §4.5.3.1.1 */
#define PATH_MAX_BYTES 256     /* with < and >, RFC 5321 §4.5.3.1.3 */

enum path_result {
    PATH_OK,
    PATH_SYNTAX,   /* 501 5.1.3 or 5.1.7 */
    PATH_TOO_LONG, /* 501 5.1.3 or 5.1.7 */
    PATH_ROUTE,    /* a source route, % or ! : 550 5.7.1 */
};

struct path {
    struct span address;    /* without < and >; empty for <> */
    struct span local_part; /* as given, with its quotes */
    struct span domain;     /* or address literal; empty for <> and <postmaster> */
    bool null;              /* <> : reverse-path only */
    bool postmaster;        /* <postmaster> without a domain: forward-path only (RFC 5321 §4.1.1.3) */
    bool utf8; /* it has characters beyond ASCII (RFC 6531 §3.3); without SMTPUTF8 in MAIL: 553 5.6.7 */
};

/* Parses the path at the front of TEXT (what follows "FROM:" or "TO:"). *REST_OUT is what follows ">": empty,
 * or a space and parameters. Spans point into TEXT. */
enum path_result path_parse_reverse(struct span text, struct path *path_out, struct span *rest_out);
enum path_result path_parse_forward(struct span text, struct path *path_out, struct span *rest_out);

/* An addr-spec without brackets, by the same rules. */
enum path_result path_parse_mailbox(struct span mailbox, struct path *path_out);

#endif
