#include "gateway/passwords/ldap_session.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "base/clock.h"

static struct timeval time_left(const struct ldap_session *s)
{
    int64_t left = s->transport.deadline - clock_mono_ms();
    if (left < 1)
        left = 1;
    return (struct timeval){.tv_sec = left / 1000, .tv_usec = left % 1000 * 1000};
}

/* With what the library or the server says beside the code. */
static enum status failed(struct ldap_session *s, int rc, const char *what, struct error *err)
{
    char *more = NULL;
    if (s->ld)
        ldap_get_option(s->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
    error_set(err, STATUS_TEMPORARY, "%s: %s%s%s", what, ldap_err2string(rc), more && *more ? ": " : "",
              more ? more : "");
    ldap_memfree(more);
    return STATUS_TEMPORARY;
}

static enum status set_options(struct ldap_session *s, struct error *err)
{
    const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER;
    int rc = ldap_set_option(s->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(s->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(s->ld, LDAP_OPT_RESTART, LDAP_OPT_ON);
    if (rc == LDAP_OPT_SUCCESS)
        rc = ldap_set_option(s->ld, LDAP_OPT_DEREF, &never);
    return rc == LDAP_OPT_SUCCESS ? STATUS_OK : failed(s, rc, "cannot set up LDAP", err);
}

/* Waits for the end of operation ID. *RESULT_OUT is to be freed. */
static enum status wait_for(struct ldap_session *s, int id, const char *what, LDAPMessage **result_out,
                            struct error *err)
{
    struct timeval limit = time_left(s);
    int rc = LDAP_SUCCESS;
    *result_out = NULL;
    int type = ldap_result(s->ld, id, LDAP_MSG_ALL, &limit, result_out);
    if (type > 0)
        return STATUS_OK;
    if (type == 0)
        return error_set(err, STATUS_TEMPORARY, "%s: no answer in time", what);
    ldap_get_option(s->ld, LDAP_OPT_RESULT_CODE, &rc);
    return failed(s, rc, what, err);
}

/* RFC 4511 §4.14. What comes behind its answer in clear breaks the handshake: nothing is read ahead. */
static enum status ask_for_tls(struct ldap_session *s, struct error *err)
{
    int id, code = LDAP_OTHER;
    LDAPMessage *result = NULL;
    int rc = ldap_start_tls(s->ld, NULL, NULL, &id);
    if (rc != LDAP_SUCCESS)
        return failed(s, rc, "cannot ask for TLS", err);
    enum status st = wait_for(s, id, "StartTLS", &result, err);
    if (st != STATUS_OK)
        return st;
    rc = ldap_parse_result(s->ld, result, &code, NULL, NULL, NULL, NULL, 1);
    if (rc == LDAP_SUCCESS)
        rc = code;
    return rc == LDAP_SUCCESS ? STATUS_OK : failed(s, rc, "StartTLS", err);
}

static enum status open_url(const LDAPURLDesc *url, SSL_CTX *ctx, struct ldap_session *s, struct error *err)
{
    bool tls_first = strcmp(url->lud_scheme, "ldaps") == 0;
    enum status st =
        ldap_transport_open(url->lud_host, url->lud_port, s->transport.deadline, &s->transport, err);
    if (st == STATUS_OK && tls_first)
        st = ldap_transport_secure(&s->transport, ctx, url->lud_host, err);
    if (st == STATUS_OK)
        st = ldap_transport_attach(&s->transport, &s->ld, err);
    if (st == STATUS_OK)
        st = set_options(s, err);
    if (st == STATUS_OK && !tls_first)
        st = ask_for_tls(s, err);
    if (st == STATUS_OK && !tls_first)
        st = ldap_transport_secure(&s->transport, ctx, url->lud_host, err);
    return st;
}

enum status ldap_session_open(const struct ldap_settings *settings, SSL_CTX *ctx,
                              struct ldap_session *session_out, struct error *err)
{
    LDAPURLDesc *url = NULL;
    *session_out =
        (struct ldap_session){.transport = {.fd = -1, .deadline = clock_mono_ms() + settings->timeout_ms}};
    if (ldap_url_parse(settings->url, &url) != LDAP_SUCCESS)
        return error_set(err, STATUS_TEMPORARY, "cannot read the URL");
    enum status st = open_url(url, ctx, session_out, err);
    ldap_free_urldesc(url);
    return st;
}

/* Says "unbind" where there is a connection in order; the handle goes before what is under it. */
void ldap_session_close(struct ldap_session *session)
{
    if (session->ld)
        ldap_unbind_ext(session->ld, NULL, NULL);
    session->ld = NULL;
    ldap_transport_close(&session->transport);
}

enum status ldap_session_bind(struct ldap_session *s, const char *dn, const char *password, struct error *err)
{
    struct berval secret = {.bv_len = strlen(password), .bv_val = (char *)(uintptr_t)password};
    LDAPMessage *result = NULL;
    int id, code = LDAP_OTHER;
    if (!*password || !*dn)
        return error_set(err, STATUS_INVALID, "a bind without name or password proves nothing");
    int rc = ldap_sasl_bind(s->ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, &id);
    if (rc != LDAP_SUCCESS)
        return failed(s, rc, "cannot bind", err);
    enum status st = wait_for(s, id, "bind", &result, err);
    if (st != STATUS_OK)
        return st;
    rc = ldap_parse_result(s->ld, result, &code, NULL, NULL, NULL, NULL, 1);
    if (rc != LDAP_SUCCESS)
        return failed(s, rc, "bind", err);
    switch (code) {
    case LDAP_SUCCESS:
        return STATUS_OK;
    case LDAP_INVALID_CREDENTIALS:
    case LDAP_NO_SUCH_OBJECT:
    case LDAP_INAPPROPRIATE_AUTH: /* an entry without password */
        return error_set(err, STATUS_DENIED, "the directory refuses name or password");
    default:
        return failed(s, code, "bind", err);
    }
}

enum status ldap_session_find(struct ldap_session *s, const char *base, int scope, const char *filter,
                              const char *const *attributes, LDAPMessage **result_out, struct error *err)
{
    int id, code = LDAP_OTHER;
    *result_out = NULL;
    int rc = ldap_search_ext(s->ld, base, scope, filter, (char **)(uintptr_t)attributes, 0, NULL, NULL, NULL,
                             2, &id);
    if (rc != LDAP_SUCCESS)
        return failed(s, rc, "cannot search", err);
    enum status st = wait_for(s, id, "search", result_out, err);
    if (st != STATUS_OK)
        return st;
    rc = ldap_parse_result(s->ld, *result_out, &code, NULL, NULL, NULL, NULL, 0);
    int n = ldap_count_entries(s->ld, *result_out);
    if (rc == LDAP_SUCCESS && code == LDAP_SUCCESS && n == 1)
        return STATUS_OK;
    if (rc == LDAP_SUCCESS && code == LDAP_SUCCESS && n == 0)
        st = error_set(err, STATUS_NOT_FOUND, "no such entry");
    else if (n > 1)
        st = error_set(err, STATUS_TEMPORARY, "several entries fit the user: make filter stricter");
    else
        st = failed(s, rc != LDAP_SUCCESS ? rc : code, "search", err);
    ldap_msgfree(*result_out);
    *result_out = NULL;
    return st;
}
