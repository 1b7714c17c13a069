#include "gateway/auth/mechanism.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/jobs/password_job.h"
#include "gateway/users/saslprep.h"

struct mechanism {
    enum sasl_mechanism kind;
    Gsasl_session *session;
    struct mechanism_owner owner;
    bool bound; /* SCRAM-SHA-256-PLUS was offered */
    unsigned char exporter[MECHANISM_EXPORTER_SIZE];
    char user[SASL_USER_MAX];
    char password[PASSWORD_MAX];
    bool has_keys, known;
    struct scram_keys keys;
    enum mechanism_step said; /* by a callback; 0: nothing */
    bool over;                /* no step more: the library would go through its last one again */
};

static const struct {
    enum sasl_mechanism kind;
    bool server_first; /* its first step only asks: a client's initial response is for the second */
    bool empty_is_fine;
} traits[] = {
    {SASL_SCRAM_SHA_256_PLUS, false, false},
    {SASL_SCRAM_SHA_256, false, false},
    {SASL_PLAIN, false, false},
    {SASL_LOGIN, true, false},
    {SASL_EXTERNAL, false, true},
};

#define N_TRAITS (sizeof traits / sizeof *traits)

static size_t trait_of(enum sasl_mechanism kind)
{
    size_t i = 0;
    while (i + 1 < N_TRAITS && traits[i].kind != kind)
        i++;
    return i;
}

static bool is_scram(const struct mechanism *m)
{
    return m->kind == SASL_SCRAM_SHA_256 || m->kind == SASL_SCRAM_SHA_256_PLUS;
}

/* ---- what the library asks ---- */

static void wipe(const char *secret)
{
    if (secret)
        explicit_bzero((char *)(uintptr_t)secret, strlen(secret));
}

static enum mechanism_step step_of(enum status st)
{
    return st == STATUS_INVALID ? STEP_WRONG : STEP_FAILED;
}

/* The name as it is looked up. STEP_WRONG: nobody can have it; it stands in m->user all the same. */
static enum mechanism_step take_user(struct mechanism *m, const char *claimed)
{
    char *prepared = NULL;
    struct error err;
    snprintf(m->user, sizeof m->user, "%s", claimed);
    enum status st = saslprep("the user name", claimed, false, &prepared, &err);
    if (st != STATUS_OK)
        return step_of(st);
    bool fits = strlen(prepared) < sizeof m->user;
    if (fits)
        memcpy(m->user, prepared, strlen(prepared) + 1);
    free(prepared);
    return fits ? STEP_CHALLENGE : STEP_WRONG;
}

/* No authzid, or one that is the user's own (RFC 4616 §2): nobody acts for another here. */
static bool acts_for_self(const struct mechanism *m, const char *authzid)
{
    char *prepared = NULL;
    struct error err;
    if (!authzid || !*authzid || strcmp(authzid, m->user) == 0)
        return true;
    bool same = saslprep("the authorization identity", authzid, false, &prepared, &err) == STATUS_OK &&
                strcmp(prepared, m->user) == 0;
    free(prepared);
    return same;
}

static int take_password(struct mechanism *m)
{
    const char *user = gsasl_property_fast(m->session, GSASL_AUTHID);
    const char *password = gsasl_property_fast(m->session, GSASL_PASSWORD);
    m->said = STEP_WRONG;
    if (user && password && !*password) {
        /* RFC 4616 §2: at least one byte. Some directories take none for "anonymous", and say yes. */
        m->said = STEP_MALFORMED;
    } else if (user && password) {
        m->said = take_user(m, user);
        if (m->said == STEP_CHALLENGE) {
            bool good = strlen(password) < sizeof m->password &&
                        acts_for_self(m, gsasl_property_fast(m->session, GSASL_AUTHZID));
            if (good)
                memcpy(m->password, password, strlen(password) + 1);
            m->said = good ? STEP_PASSWORD : STEP_WRONG;
        }
    }
    wipe(password);
    return GSASL_OK;
}

static int take_certificate(struct mechanism *m)
{
    const char *authzid = gsasl_property_fast(m->session, GSASL_AUTHZID);
    char *prepared = NULL;
    struct error err;
    enum status st = STATUS_OK;
    if (authzid && *authzid)
        st = saslprep("the authorization identity", authzid, false, &prepared, &err);
    if (st == STATUS_OK)
        m->owner.certificate_user(m->owner.arg, prepared ? prepared : "", m->user);
    m->said = st != STATUS_OK ? step_of(st) : m->user[0] ? STEP_PROVEN : STEP_WRONG;
    if (!m->user[0] && authzid)
        snprintf(m->user, sizeof m->user, "%s", authzid);
    free(prepared);
    return m->said == STEP_PROVEN ? GSASL_OK : GSASL_AUTHENTICATION_ERROR;
}

static int set_base64(struct mechanism *m, Gsasl_property property, const unsigned char *bytes, size_t len)
{
    char *text = NULL;
    int rc = gsasl_base64_to((const char *)bytes, len, &text, NULL);
    if (rc == GSASL_OK)
        rc = gsasl_property_set(m->session, property, text);
    wipe(text);
    gsasl_free(text);
    return rc;
}

/* All that the library will want of the user: it must not ask somebody else in the second step. */
static int take_scram_keys(struct mechanism *m)
{
    char iterations[16];
    const char *user = gsasl_property_fast(m->session, GSASL_AUTHID);
    if (m->has_keys || !user)
        return GSASL_NO_CALLBACK;
    m->said = take_user(m, user);
    if (m->said != STEP_CHALLENGE)
        return GSASL_NO_CALLBACK;
    m->said = STEP_FAILED;
    if (!m->owner.scram_keys(m->owner.arg, m->user, &m->keys, &m->known))
        return GSASL_NO_CALLBACK;
    snprintf(iterations, sizeof iterations, "%u", (unsigned)m->keys.iterations);
    if (gsasl_property_set(m->session, GSASL_SCRAM_ITER, iterations) != GSASL_OK ||
        set_base64(m, GSASL_SCRAM_SALT, m->keys.salt, m->keys.salt_len) != GSASL_OK ||
        set_base64(m, GSASL_SCRAM_STOREDKEY, m->keys.stored_key, sizeof m->keys.stored_key) != GSASL_OK ||
        set_base64(m, GSASL_SCRAM_SERVERKEY, m->keys.server_key, sizeof m->keys.server_key) != GSASL_OK)
        return GSASL_NO_CALLBACK;
    m->said = 0;
    m->has_keys = true;
    return GSASL_OK;
}

static int answer(Gsasl *library, Gsasl_session *session, Gsasl_property property)
{
    (void)library;
    struct mechanism *m = gsasl_session_hook_get(session);
    if (!m)
        return GSASL_NO_CALLBACK;
    switch (property) {
    case GSASL_VALIDATE_SIMPLE:
        return take_password(m);
    case GSASL_VALIDATE_EXTERNAL:
        return take_certificate(m);
    case GSASL_SCRAM_ITER:
    case GSASL_SCRAM_SALT:
    case GSASL_SCRAM_STOREDKEY:
    case GSASL_SCRAM_SERVERKEY:
        return take_scram_keys(m);
    case GSASL_CB_TLS_EXPORTER:
        /* Also asked for with SCRAM-SHA-256: a client that says it saw no -PLUS (RFC 5802 §6, "y") is then
         * refused, for somebody took it out of our EHLO reply. */
        return m->bound ? set_base64(m, property, m->exporter, sizeof m->exporter) : GSASL_NO_CALLBACK;
    default:
        return GSASL_NO_CALLBACK;
    }
}

/* ---- life ---- */

enum status mechanisms_open(Gsasl **library_out, struct error *err)
{
    if (gsasl_init(library_out) != GSASL_OK)
        return error_set(err, STATUS_TEMPORARY, "out of memory for the SASL library");
    for (size_t i = 0; i < N_TRAITS; i++) {
        const char *name = sasl_mechanism_name(traits[i].kind);
        if (!gsasl_server_support_p(*library_out, name)) {
            gsasl_done(*library_out);
            return error_set(err, STATUS_INTERNAL, "this libgsasl has no server side of %s", name);
        }
    }
    gsasl_callback_set(*library_out, answer);
    return STATUS_OK;
}

void mechanisms_close(Gsasl *library)
{
    gsasl_done(library);
}

enum status mechanism_start(Gsasl *library, enum sasl_mechanism kind, const unsigned char *exporter,
                            const struct mechanism_owner *owner, struct mechanism **mechanism_out,
                            struct error *err)
{
    struct mechanism *m = calloc(1, sizeof *m);
    if (!m || gsasl_server_start(library, sasl_mechanism_name(kind), &m->session) != GSASL_OK) {
        free(m);
        return error_set(err, STATUS_TEMPORARY, "out of memory for an authentication");
    }
    m->kind = kind;
    m->owner = *owner;
    m->bound = exporter != NULL;
    if (exporter)
        memcpy(m->exporter, exporter, sizeof m->exporter);
    gsasl_session_hook_set(m->session, m);
    *mechanism_out = m;
    return STATUS_OK;
}

void mechanism_free(struct mechanism *m)
{
    if (!m)
        return;
    wipe(gsasl_property_fast(m->session, GSASL_SCRAM_SERVERKEY));
    wipe(gsasl_property_fast(m->session, GSASL_SCRAM_STOREDKEY));
    gsasl_finish(m->session);
    explicit_bzero(m, sizeof *m);
    free(m);
}

/* ---- steps ---- */

/* What the library's result means when no callback has said it already. */
static enum mechanism_step step_for(const struct mechanism *m, int rc)
{
    switch (rc) {
    case GSASL_NEEDS_MORE:
        return STEP_CHALLENGE;
    case GSASL_OK:
        /* Keys that are nobody's prove nothing; an authzid is compared once the proof is good. */
        return m->has_keys && m->known && acts_for_self(m, gsasl_property_fast(m->session, GSASL_AUTHZID))
                   ? STEP_PROVEN
                   : STEP_WRONG;
    case GSASL_AUTHENTICATION_ERROR:
    case GSASL_SASLPREP_ERROR:
        return STEP_WRONG;
    case GSASL_NO_CB_TLS_UNIQUE:
    case GSASL_NO_CB_TLS_EXPORTER:
        return STEP_NO_BINDING;
    case GSASL_MALLOC_ERROR:
    case GSASL_CRYPTO_ERROR:
        return STEP_FAILED;
    default:
        return STEP_MALFORMED;
    }
}

static enum mechanism_step run(struct mechanism *m, const char *response, size_t len,
                               struct buf *challenge_out)
{
    char *challenge = NULL;
    size_t challenge_len = 0;
    m->said = 0;
    int rc = gsasl_step(m->session, response, len, &challenge, &challenge_len);
    enum mechanism_step step = m->said ? m->said : step_for(m, rc);
    if (step == STEP_CHALLENGE || step == STEP_PROVEN)
        buf_append(challenge_out, challenge, challenge_len);
    gsasl_free(challenge);
    if (challenge_out->failed)
        step = STEP_FAILED;
    m->over = step != STEP_CHALLENGE;
    return step;
}

/* RFC 5802 §6: with "p" the client must take the -PLUS mechanism; the library would let it pass unbound. */
static bool is_unbound_p(const struct mechanism *m, const struct buf *response)
{
    return m->kind == SASL_SCRAM_SHA_256 && !m->has_keys && response->data[0] == 'p';
}

/* RFC 5802 §5.1: in names "=" begins "=2C" or "=3D" and nothing else; the library lets all pass. */
static bool has_bad_escape(const struct mechanism *m, struct buf *response)
{
    if (!is_scram(m) || m->has_keys)
        return false;
    for (const char *field = strchr(buf_str(response), ','); field; field = strchr(field + 1, ',')) {
        if (strncmp(field, ",a=", 3) != 0 && strncmp(field, ",n=", 3) != 0)
            continue;
        for (const char *p = field + 3; *p && *p != ','; p++)
            if (*p == '=' && strncmp(p, "=2C", 3) != 0 && strncmp(p, "=3D", 3) != 0)
                return true;
    }
    return false;
}

enum mechanism_step mechanism_step(struct mechanism *m, struct buf *response, struct buf *challenge_out)
{
    if (m->over)
        return STEP_MALFORMED;
    /* With an empty response a mechanism that has none would ask again, for ever. */
    if (response->len == 0 && !traits[trait_of(m->kind)].empty_is_fine)
        return STEP_MALFORMED;
    /* A NUL ends the library's strings early; only PLAIN has any. */
    if (response->len > 0 && m->kind != SASL_PLAIN && memchr(response->data, '\0', response->len))
        return STEP_MALFORMED;
    if (response->len > 0 && is_unbound_p(m, response))
        return STEP_WRONG;
    const char *text = buf_str(response);
    if (!text)
        return STEP_FAILED;
    return has_bad_escape(m, response) ? STEP_MALFORMED : run(m, text, response->len, challenge_out);
}

enum mechanism_step mechanism_begin(struct mechanism *m, struct buf *initial, struct buf *challenge_out)
{
    if (initial && !traits[trait_of(m->kind)].server_first)
        return mechanism_step(m, initial, challenge_out);
    enum mechanism_step step = run(m, NULL, 0, challenge_out);
    if (!initial || step != STEP_CHALLENGE)
        return step;
    buf_reset(challenge_out);
    return mechanism_step(m, initial, challenge_out);
}

bool mechanism_next_proves(const struct mechanism *m)
{
    return is_scram(m) && m->has_keys;
}

const char *mechanism_user(const struct mechanism *m)
{
    return m->user;
}

const char *mechanism_password(const struct mechanism *m)
{
    return m->password;
}
