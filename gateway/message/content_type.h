/*
 * A Content-Type field read strictly (RFC 2045 §5.1): type, subtype and parameters, each as a token or a
 * quoted string, and nothing that readers could read differently (comments, RFC 2231 pieces, a parameter
 * twice).
 */
#ifndef SEALGATE_MESSAGE_CONTENT_TYPE_H
#define SEALGATE_MESSAGE_CONTENT_TYPE_H

#include "gateway/message/header.h"

#define CONTENT_TYPE_PARAMETERS_MAX 32

struct content_parameter {
    struct span whole; /* from its semicolon to the end of its value */
    struct span name;
    struct span value; /* without quotes; escapes as they stand */
};

struct content_type {
    struct span type, subtype;
    struct content_parameter parameters[CONTENT_TYPE_PARAMETERS_MAX];
    size_t n;
    struct span end; /* empty; behind the last parameter, before what only ends the value (";" and blanks) */
};

/* False: VALUE (still folded) is written otherwise. All spans lie in VALUE. */
bool content_type_read(struct span value, struct content_type *type_out);

/* The one Content-Type of HEADER. False: there are several, or it is written otherwise; *FOUND_OUT false:
 * there is none, which is well-formed. */
bool content_type_find(struct span header, struct header_field *field_out, struct content_type *type_out,
                       bool *found_out);

bool content_type_is(const struct content_type *type, const char *name, const char *subtype);

/* The value of parameter NAME; empty: it has none. */
struct span content_type_parameter(const struct content_type *type, const char *name);

#endif
