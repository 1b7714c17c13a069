#include "gateway/users/saslprep.h"

#include <gsasl.h>
#include <string.h>

/*
 * libgsasl 2.2.0 turns GSASL_ALLOW_UNASSIGNED round: with it unassigned code points are refused, without it
 * they pass. So both are asked: what both take holds none, whichever way round the library is.
 */
static int prepare(const char *text, bool stored, char **prepared_out)
{
    char *other = NULL;
    int first = gsasl_saslprep(text, 0, prepared_out, NULL);
    int second =
        gsasl_saslprep(text, GSASL_ALLOW_UNASSIGNED, first == GSASL_OK ? &other : prepared_out, NULL);
    if (other) {
        explicit_bzero(other, strlen(other));
        gsasl_free(other);
    }
    if (first == GSASL_OK && second == GSASL_OK)
        return GSASL_OK;
    if (!stored && (first == GSASL_OK || second == GSASL_OK))
        return GSASL_OK;
    return first != GSASL_OK ? first : second;
}

enum status saslprep(const char *what, const char *text, bool stored, char **prepared_out, struct error *err)
{
    char *prepared = NULL;
    *prepared_out = NULL;
    int rc = prepare(text, stored, &prepared);
    if (rc == GSASL_OK && *prepared)
        *prepared_out = strdup(prepared);
    bool empty = rc == GSASL_OK && !*prepared;
    if (prepared) {
        explicit_bzero(prepared, strlen(prepared));
        gsasl_free(prepared);
    }
    if (*prepared_out)
        return STATUS_OK;
    if (empty)
        return error_set(err, STATUS_INVALID, "%s is empty", what);
    if (rc == GSASL_OK || rc == GSASL_MALLOC_ERROR)
        return error_set(err, STATUS_TEMPORARY, "out of memory for SASLprep");
    return error_set(err, STATUS_INVALID,
                     "%s holds a character that SASLprep (RFC 4013) does not allow, or is no UTF-8", what);
}
