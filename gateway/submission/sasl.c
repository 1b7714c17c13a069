#include "gateway/submission/sasl.h"

#include <stdlib.h>
#include <string.h>

const char sasl_mechanisms[] = "PLAIN LOGIN";

struct mechanism {
    const char *name;
    bool server_first; /* its first step only asks: a client's initial response is for the second */
};

static const struct mechanism mechanisms[] = {{"PLAIN", false}, {"LOGIN", true}};

#define N_MECHANISMS (sizeof mechanisms / sizeof *mechanisms)

struct sasl {
    const struct mechanism *mechanism;
    Gsasl_session *session;
    enum sasl_result verdict; /* of the validation callback */
    struct auth_check check;
};

/* No authzid, or one that is the user's own (RFC 4616 §2): nobody acts for another here. */
static bool acts_for_self(const char *authzid, const char *authid)
{
    char *prepared = NULL;
    if (!authzid || !*authzid || strcmp(authzid, authid) == 0)
        return true;
    /* The library fills an empty authzid in with the prepared authid. */
    bool same = gsasl_saslprep(authid, GSASL_ALLOW_UNASSIGNED, &prepared, NULL) == GSASL_OK &&
                strcmp(authzid, prepared) == 0;
    gsasl_free(prepared);
    return same;
}

static bool fits(const char *value, size_t size)
{
    return value && strlen(value) < size;
}

static void wipe(const char *secret)
{
    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
}

static int validate(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    (void)library;
    struct sasl *sasl = gsasl_session_hook_get(session);
    if (property != GSASL_VALIDATE_SIMPLE || !sasl)
        return GSASL_NO_CALLBACK;
    const char *user = gsasl_property_fast(session, GSASL_AUTHID);
    const char *password = gsasl_property_fast(session, GSASL_PASSWORD);
    const char *authzid = gsasl_property_fast(session, GSASL_AUTHZID);
    sasl->verdict = SASL_REFUSED;
    if (fits(user, sizeof sasl->check.user) && fits(password, sizeof sasl->check.password) &&
        acts_for_self(authzid, user)) {
        memcpy(sasl->check.user, user, strlen(user) + 1);
        memcpy(sasl->check.password, password, strlen(password) + 1);
        sasl->verdict = SASL_CREDENTIALS;
    }
    wipe(password);
    return GSASL_OK;
}

enum status sasl_library_open(Gsasl **library_out, struct error *err)
{
    if (gsasl_init(library_out) != GSASL_OK)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the SASL library");
    for (size_t i = 0; i < N_MECHANISMS; i++) {
        if (!gsasl_server_support_p(*library_out, mechanisms[i].name)) {
            gsasl_done(*library_out);
            return error_set(err, STATUS_INTERNAL, "this libgsasl has no server side of %s",
                             mechanisms[i].name);
        }
    }
    gsasl_callback_set(*library_out, validate);
    return STATUS_OK;
}

void sasl_library_close(Gsasl *library)
{
    gsasl_done(library);
}

static const struct mechanism *find_mechanism(struct span name)
{
    for (size_t i = 0; i < N_MECHANISMS; i++)
        if (span_is(name, mechanisms[i].name))
            return &mechanisms[i];
    return NULL;
}

enum status sasl_start(Gsasl *library, struct span mechanism, struct sasl **sasl_out, struct error *err)
{
    const struct mechanism *found = find_mechanism(mechanism);
    if (!found)
        return error_set(err, STATUS_INVALID, "unknown authentication mechanism");
    struct sasl *sasl = calloc(1, sizeof *sasl);
    if (!sasl || gsasl_server_start(library, found->name, &sasl->session) != GSASL_OK) {
        free(sasl);
        return error_set(err, STATUS_TEMPORARY, "out of memory for an authentication");
    }
    sasl->mechanism = found;
    gsasl_session_hook_set(sasl->session, sasl);
    *sasl_out = sasl;
    return STATUS_OK;
}

void sasl_free(struct sasl *sasl)
{
    if (!sasl)
        return;
    gsasl_finish(sasl->session);
    explicit_bzero(sasl, sizeof *sasl);
    free(sasl);
}

static enum sasl_result put_challenge(const char *challenge, size_t len, struct buf *challenge_out)
{
    char *encoded = NULL;
    if (gsasl_base64_to(challenge, len, &encoded, NULL) != GSASL_OK)
        return SASL_FAILED;
    buf_append_str(challenge_out, encoded);
    gsasl_free(encoded);
    return challenge_out->failed ? SASL_FAILED : SASL_CHALLENGE;
}

static enum sasl_result step_decoded(struct sasl *sasl, struct span response, struct buf *challenge_out)
{
    char *challenge = NULL;
    size_t len = 0;
    int rc = gsasl_step(sasl->session, response.p, response.len, &challenge, &len);
    enum sasl_result result;
    if (rc == GSASL_NEEDS_MORE)
        result = put_challenge(challenge, len, challenge_out);
    else if (rc == GSASL_OK)
        result = sasl->verdict == SASL_CREDENTIALS ? SASL_CREDENTIALS : SASL_REFUSED;
    else if (rc == GSASL_MALLOC_ERROR)
        result = SASL_FAILED;
    else if (rc == GSASL_SASLPREP_ERROR || rc == GSASL_AUTHENTICATION_ERROR)
        result = SASL_REFUSED;
    else
        result = SASL_MALFORMED;
    gsasl_free(challenge);
    return result;
}

enum sasl_result sasl_step(struct sasl *sasl, struct span response, struct buf *challenge_out)
{
    /* An empty response would make a mechanism ask again, for ever. */
    if (response.len == 0)
        return SASL_MALFORMED;
    char *decoded = NULL;
    size_t len = 0;
    int rc = gsasl_base64_from(response.p, response.len, &decoded, &len);
    if (rc != GSASL_OK)
        return rc == GSASL_MALLOC_ERROR ? SASL_FAILED : SASL_MALFORMED;
    enum sasl_result result = step_decoded(sasl, span_of(decoded, len), challenge_out);
    explicit_bzero(decoded, len);
    gsasl_free(decoded);
    return result;
}

enum sasl_result sasl_begin(struct sasl *sasl, const struct span *initial, struct buf *challenge_out)
{
    if (initial && span_is(*initial, "="))
        return SASL_MALFORMED; /* neither mechanism has an empty first message */
    if (initial && !sasl->mechanism->server_first)
        return sasl_step(sasl, *initial, challenge_out);
    enum sasl_result result = step_decoded(sasl, span_of("", 0), challenge_out);
    if (!initial || result != SASL_CHALLENGE)
        return result;
    buf_reset(challenge_out);
    return sasl_step(sasl, *initial, challenge_out);
}

void sasl_credentials(const struct sasl *sasl, struct auth_check *check)
{
    *check = sasl->check;
}
