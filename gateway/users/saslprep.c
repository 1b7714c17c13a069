#include "gateway/users/saslprep.h"

#include <gsasl.h>
#include <string.h>

enum status saslprep(const char *what, const char *text, bool stored, char **prepared_out, struct error *err)
{
    char *prepared = NULL;
    *prepared_out = NULL;
    int rc = gsasl_saslprep(text, stored ? 0 : GSASL_ALLOW_UNASSIGNED, &prepared, NULL);
    if (rc == GSASL_MALLOC_ERROR)
        return error_set(err, STATUS_TEMPORARY, "out of memory for SASLprep");
    if (rc != GSASL_OK)
        return error_set(err, STATUS_INVALID,
                         "%s holds a character that SASLprep (RFC 4013) does not allow, or is no UTF-8",
                         what);
    bool empty = !*prepared;
    if (!empty)
        *prepared_out = strdup(prepared);
    explicit_bzero(prepared, strlen(prepared));
    gsasl_free(prepared);
    if (*prepared_out)
        return STATUS_OK;
    return empty ? error_set(err, STATUS_INVALID, "%s is empty", what)
                 : error_set(err, STATUS_TEMPORARY, "out of memory for SASLprep");
}
