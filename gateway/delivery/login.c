#include "gateway/delivery/login.h"

#include <gsasl.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/delivery/scram.h"

struct login {
    /* Either these, */
    Gsasl *library;
    Gsasl_session *session;
    /* or this. */
    struct scram *scram;
    const char *mechanism;
    bool tells_of_binding; /* "p" or "y" (RFC 5802 §6) */
    bool complete;
};

/*
 * The best first. RFC 5802 §6: what can be bound is, by whichever hash, and is not tried unbound when that
 * fails.
 */
static const char *choose(const struct ehlo *ehlo, bool can_bind, bool must_bind)
{
    if (can_bind && ehlo->auth_scram_sha_256_plus)
        return "SCRAM-SHA-256-PLUS";
    if (can_bind && ehlo->auth_scram_sha_1_plus)
        return "SCRAM-SHA-1-PLUS";
    if (must_bind)
        return NULL;
    if (ehlo->auth_scram_sha_256)
        return "SCRAM-SHA-256";
    if (ehlo->auth_scram_sha_1)
        return "SCRAM-SHA-1";
    return ehlo->auth_plain ? "PLAIN" : NULL;
}

static bool binds(const char *mechanism)
{
    size_t len = strlen(mechanism);
    return len > 5 && strcmp(mechanism + len - 5, "-PLUS") == 0;
}

static bool is_scram(const char *mechanism)
{
    return strncmp(mechanism, "SCRAM-", 6) == 0;
}

static bool set_binding(struct login *login, struct span exporter)
{
    char *text = NULL;
    if (!binds(login->mechanism))
        return true;
    bool set = gsasl_base64_to(exporter.p, exporter.len, &text, NULL) == GSASL_OK &&
               gsasl_property_set(login->session, GSASL_CB_TLS_EXPORTER, text) == GSASL_OK;
    if (text)
        explicit_bzero(text, strlen(text));
    gsasl_free(text);
    return set;
}

static bool start_library(struct login *login, const struct credentials *credentials, struct span exporter)
{
    return gsasl_init(&login->library) == GSASL_OK &&
           gsasl_client_start(login->library, login->mechanism, &login->session) == GSASL_OK &&
           gsasl_property_set(login->session, GSASL_AUTHID, credentials->user) == GSASL_OK &&
           gsasl_property_set(login->session, GSASL_PASSWORD, credentials->password) == GSASL_OK &&
           set_binding(login, exporter);
}

static enum status set_up(struct login *login, const struct credentials *credentials, struct span exporter,
                          struct error *err)
{
    const char *mechanism = login->mechanism;
    if (login->tells_of_binding && !binds(mechanism)) {
        enum scram_hash hash = strcmp(mechanism, "SCRAM-SHA-1") == 0 ? SCRAM_SHA_1 : SCRAM_SHA_256;
        login->scram = scram_start(hash, credentials->user, credentials->password, err);
        return login->scram ? STATUS_OK : err->status;
    }
    if (start_library(login, credentials, exporter))
        return STATUS_OK;
    return error_set(err, STATUS_TEMPORARY, "libgsasl cannot begin a login by %s", mechanism);
}

static enum status offers_none(bool must_bind, bool can_bind, struct error *err)
{
    if (!must_bind)
        return error_set(err, STATUS_DENIED,
                         "the host offers no login by SCRAM-SHA-256, SCRAM-SHA-1 or PLAIN");
    if (!can_bind)
        return error_set(err, STATUS_DENIED,
                         "no login can be bound to TLS before TLS 1.3; see channel-binding");
    return error_set(err, STATUS_DENIED, "the host offers no login bound to TLS; see channel-binding");
}

enum status login_start(const struct credentials *credentials, const struct ehlo *ehlo, struct span exporter,
                        struct login **login_out, struct error *err)
{
    bool must_bind = credentials->binding == LOGIN_BINDING_REQUIRE;
    if (credentials->binding == LOGIN_BINDING_NEVER)
        exporter = span_of(NULL, 0);
    const char *mechanism = choose(ehlo, exporter.len > 0, must_bind);
    *login_out = NULL;
    if (!mechanism)
        return offers_none(must_bind, exporter.len > 0, err);
    struct login *login = calloc(1, sizeof *login);
    if (!login)
        return error_set(err, STATUS_TEMPORARY, "out of memory for a login");
    login->mechanism = mechanism;
    login->tells_of_binding = exporter.len > 0 && is_scram(mechanism);
    enum status st = set_up(login, credentials, exporter, err);
    if (st == STATUS_OK)
        *login_out = login;
    else
        login_free(login);
    return st;
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
    scram_free(login->scram);
    free(login);
}

const char *login_mechanism(const struct login *login)
{
    return login->mechanism;
}

bool login_is_bound(const struct login *login)
{
    return binds(login->mechanism);
}

bool login_shows_middleman(const struct login *login)
{
    return login->tells_of_binding;
}

static enum status step_library(struct login *login, struct span challenge, struct buf *response_out,
                                struct error *err)
{
    char *response = NULL;
    size_t len = 0;
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
    return STATUS_OK;
}

static enum status step_scram(struct login *login, struct span challenge, struct buf *response_out,
                              struct error *err)
{
    struct error why;
    enum status st = scram_step(login->scram, challenge, response_out, &why);
    login->complete = scram_is_complete(login->scram);
    return st == STATUS_OK ? st
                           : error_set(err, st, "its part of %s is wrong: %s", login->mechanism, why.text);
}

enum status login_step(struct login *login, struct span challenge, struct buf *response_out,
                       struct error *err)
{
    if (login->complete)
        return error_set(err, STATUS_DENIED, "the host asks for more than %s has", login->mechanism);
    if (is_scram(login->mechanism) && scram_asks_too_much(challenge))
        return error_set(err, STATUS_DENIED,
                         "its part of %s is wrong: the number of iterations is none, or too large",
                         login->mechanism);
    enum status st = login->scram ? step_scram(login, challenge, response_out, err)
                                  : step_library(login, challenge, response_out, err);
    return st == STATUS_OK ? buf_check(response_out, "response", err) : st;
}

bool login_is_complete(const struct login *login)
{
    return login->complete;
}
