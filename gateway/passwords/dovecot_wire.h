/*
 * Lines of Dovecot's authentication protocol, version 1 (Dovecot's documentation, "Authentication protocol"),
 * without I/O. Fields are separated by TAB; in a field byte 1 begins an escape of two bytes, so that no value
 * can make a second field or line (A21).
 */
#ifndef SEALGATE_PASSWORDS_DOVECOT_WIRE_H
#define SEALGATE_PASSWORDS_DOVECOT_WIRE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/span.h"
#include "gateway/jobs/password_job.h"

#define DOVECOT_LINE_MAX 8192 /* AUTH_CLIENT_MAX_LINE_LENGTH there */

/* Appends TEXT with TAB, LF, CR and byte 1 escaped. */
void dovecot_escape(struct buf *b, struct span text);

/* The other way into OUT, NUL-terminated. False: over SIZE, a NUL, or no escape that there is. */
bool dovecot_unescape(struct span field, char *out, size_t size);

/* What we say first: version and a number that no other client has at the time. */
void dovecot_hello(struct buf *b, uint32_t client_id);

/* What the server says first. Begin with zeroes; over when DONE. */
struct dovecot_greeting {
    bool version, plain, done;
};

/* Takes a line without its LF. False: not what a server says there, or another major version. */
bool dovecot_greeting_line(struct dovecot_greeting *greeting, struct span line);

/* The request: AUTH with mechanism PLAIN and its initial response. */
void dovecot_request(struct buf *b, uint32_t id, const struct password_check *check);

enum dovecot_reply {
    DOVECOT_OK = 1,
    DOVECOT_FAIL,      /* no such user, wrong password, or one who may not log in */
    DOVECOT_TEMPORARY, /* it could not ask its own backend */
    DOVECOT_NONE,      /* a line that is no reply: to be passed over */
    DOVECOT_NONSENSE,
};

/* The reply to request ID in a line without its LF; USER_OUT is filled for DOVECOT_OK. */
enum dovecot_reply dovecot_reply_read(struct span line, uint32_t id, char user_out[PASSWORD_USER_MAX]);

#endif
