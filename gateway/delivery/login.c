#include "gateway/delivery/login.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

struct login {
    Gsasl *library;
    Gsasl_session *session;
    const char *mechanism;
    bool complete;
};

/* The best first. */
static const char *choose(const struct ehlo *ehlo)
{
    if (ehlo->auth_scram_sha_256)
        return "SCRAM-SHA-256";
    if (ehlo->auth_scram_sha_1)
        return "SCRAM-SHA-1";
    return ehlo->auth_plain ? "PLAIN" : NULL;
}

static bool set_up(struct login *login, const struct credentials *credentials)
{
    return gsasl_init(&login->library) == GSASL_OK &&
           gsasl_client_start(login->library, login->mechanism, &login->session) == GSASL_OK &&
           gsasl_property_set(login->session, GSASL_AUTHID, credentials->user) == GSASL_OK &&
           gsasl_property_set(login->session, GSASL_PASSWORD, credentials->password) == GSASL_OK;
}

enum status login_start(const struct credentials *credentials, const struct ehlo *ehlo,
                        struct login **login_out, struct error *err)
{
    const char *mechanism = choose(ehlo);
    *login_out = NULL;
    if (!mechanism)
        return error_set(err, STATUS_DENIED,
                         "the host offers no login by SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN");
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a login");
    login->mechanism = mechanism;
    if (!set_up(login, credentials)) {
        login_free(login);
        return error_set(err, STATUS_TEMPORARY, "libgsasl cannot begin a login by %s", mechanism);
    }
    *login_out = login;
    return STATUS_OK;
}

void login_free(struct login *login)
{
    if (!login)
        return;
    if (login->session) {
        /* The library frees its copy without wiping it. */
        char *password = (char *)(uintptr_t)gsasl_property_fast(login->session, GSASL_PASSWORD);
        if (password)
            explicit_bzero(password, strlen(password));
        gsasl_finish(login->session);
    }
    if (login->library)
        gsasl_done(login->library);
    free(login);
}

const char *login_mechanism(const struct login *login)
{
    return login->mechanism;
}

enum status login_step(struct login *login, struct span challenge, struct buf *response_out,
                       struct error *err)
{
    char *response = NULL;
    size_t len = 0;
    if (login->complete)
        return error_set(err, STATUS_DENIED, "the host asks for more than %s has", login->mechanism);
    int rc = gsasl_step(login->session, challenge.p, challenge.len, &response, &len);
    if (rc == GSASL_OK || rc == GSASL_NEEDS_MORE)
        buf_append(response_out, response, len);
    if (response)
        explicit_bzero(response, len);
    gsasl_free(response);
    login->complete = rc == GSASL_OK;
    if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
        return error_set(err, STATUS_DENIED, "its part of %s is wrong: %s", login->mechanism,
                         gsasl_strerror(rc));
    return buf_check(response_out, "response", err);
}

bool login_is_complete(const struct login *login)
{
    return login->complete;
}
