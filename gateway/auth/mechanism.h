/*
 * One SASL exchange with libgsasl, without I/O: from responses to challenges, a password to be checked, or a
 * proof. Knows nothing of who asks.
 */
#ifndef SEALGATE_AUTH_MECHANISM_H
#define SEALGATE_AUTH_MECHANISM_H

#include <gsasl.h>
#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/span.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/jobs/sasl_mechanism.h"
#include "gateway/users/scram_keys.h"

/* The library, for a process. STATUS_INTERNAL: it lacks a mechanism that we offer. */
MUST_USE enum status mechanisms_open(Gsasl **library_out, struct error *err);
void mechanisms_close(Gsasl *library);

/* What an exchange asks of its owner. USER is prepared (RFC 4013), to be looked up as it is. */
struct mechanism_owner {
    /*
     * The SCRAM keys of USER; of nobody: keys that look like somebody's (A19), with *KNOWN_OUT false. False:
     * keys cannot be had now.
     */
    bool (*scram_keys)(void *arg, const char *user, struct scram_keys *keys_out, bool *known_out);
    /* EXTERNAL: whose is the client's certificate? AUTHZID, if not "", says which of several the client
     * means. "" in USER_OUT: nobody's. */
    void (*certificate_user)(void *arg, const char *authzid, char user_out[SASL_USER_MAX]);
    void *arg;
};

#define MECHANISM_EXPORTER_SIZE 32

struct mechanism;

/*
 * EXPORTER is the channel binding of a connection that was offered SCRAM-SHA-256-PLUS, else NULL. OWNER is
 * copied. STATUS_TEMPORARY: out of memory.
 */
MUST_USE enum status mechanism_start(Gsasl *library, enum sasl_mechanism kind, const unsigned char *exporter,
                                     const struct mechanism_owner *owner, struct mechanism **mechanism_out,
                                     struct error *err);
/* Wipes. NULL is fine. */
void mechanism_free(struct mechanism *mechanism);

enum mechanism_step {
    STEP_CHALLENGE = 1, /* goes on: *challenge_out, may be empty */
    STEP_PASSWORD,      /* ends: user and password are to be checked */
    STEP_PROVEN,        /* ends: it is the user; *challenge_out is the additional data, if any */
    STEP_WRONG,         /* ends: it is not the user, or one who may not act so */
    STEP_MALFORMED,     /* ends: not what the mechanism wants */
    STEP_NO_BINDING,    /* ends: a type of channel binding that is not there */
    STEP_FAILED,        /* ends: not possible now */
};

/* The beginning: with the initial response of the client, or NULL for none. */
enum mechanism_step mechanism_begin(struct mechanism *mechanism, struct buf *initial,
                                    struct buf *challenge_out);

/* The client's next response. */
enum mechanism_step mechanism_step(struct mechanism *mechanism, struct buf *response,
                                   struct buf *challenge_out);

/* Is the next response the one that proves (SCRAM)? The user is known by then. */
bool mechanism_next_proves(const struct mechanism *mechanism);

/* As claimed: prepared, or as it came where it cannot be prepared (for the log); "" while it is not known. */
const char *mechanism_user(const struct mechanism *mechanism);
/* After STEP_PASSWORD. */
const char *mechanism_password(const struct mechanism *mechanism);

#endif
