/* The client side of an exchange, by libgsasl. */
#ifndef SEALGATE_TESTS_AUTH_SASL_CLIENT_H
#define SEALGATE_TESTS_AUTH_SASL_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <gsasl.h>

#include "base/buf.h"

struct sasl_client {
    const char *mechanism; /* as gsasl calls it */
    const char *user, *password, *authzid;
    const unsigned char *exporter; /* 32 bytes; NULL: the client has none */
    bool unique;                   /* binds to tls-unique instead */
    Gsasl *library;
    Gsasl_session *session;
    char salt[200], iterations[20]; /* as the server said; "" not yet */
};

static inline int sasl_client_give(struct sasl_client *c, Gsasl_property property, const char *value)
{
    return value ? gsasl_property_set(c->session, property, value) : GSASL_NO_CALLBACK;
}

static inline int sasl_client_answer(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    (void)library;
    struct sasl_client *c = gsasl_session_hook_get(session);
    char *text = NULL;
    if (property == GSASL_AUTHID)
        return sasl_client_give(c, property, c->user);
    if (property == GSASL_AUTHZID)
        return sasl_client_give(c, property, c->authzid);
    if (property == GSASL_PASSWORD)
        return sasl_client_give(c, property, c->password);
    if (property != (c->unique ? GSASL_CB_TLS_UNIQUE : GSASL_CB_TLS_EXPORTER) || !c->exporter)
        return GSASL_NO_CALLBACK;
    assert_int_equal(gsasl_base64_to((const char *)c->exporter, 32, &text, NULL), GSASL_OK);
    int rc = gsasl_property_set(session, property, text);
    gsasl_free(text);
    return rc;
}

static inline void sasl_client_open(struct sasl_client *c)
{
    assert_int_equal(gsasl_init(&c->library), GSASL_OK);
    gsasl_callback_set(c->library, sasl_client_answer);
    assert_int_equal(gsasl_client_start(c->library, c->mechanism, &c->session), GSASL_OK);
    gsasl_session_hook_set(c->session, c);
}

static inline void sasl_client_close(struct sasl_client *c)
{
    gsasl_finish(c->session);
    gsasl_done(c->library);
}

/* What the client says to a challenge; the caller frees OUT. Fails the test when the client cannot go on. */
static inline void sasl_client_step(struct sasl_client *c, struct span challenge, struct buf *out)
{
    char *response = NULL;
    size_t len = 0;
    int rc = gsasl_step(c->session, challenge.p, challenge.len, &response, &len);
    if (rc != GSASL_OK && rc != GSASL_NEEDS_MORE)
        fail_msg("the client: %s", gsasl_strerror(rc));
    const char *salt = gsasl_property_fast(c->session, GSASL_SCRAM_SALT);
    const char *iterations = gsasl_property_fast(c->session, GSASL_SCRAM_ITER);
    snprintf(c->salt, sizeof c->salt, "%s", salt ? salt : "");
    snprintf(c->iterations, sizeof c->iterations, "%s", iterations ? iterations : "");
    buf_init(out, 10000);
    buf_append(out, response, len);
    gsasl_free(response);
}

#endif
