/*
 * The one table of what clients are told: reply code, enhanced status code (RFC 3463, RFC 5248) and text.
 * Everything that can happen inside maps to one of these.
 */
#ifndef SEALGATE_SUBMISSION_REPLIES_H
#define SEALGATE_SUBMISSION_REPLIES_H

#include <stdbool.h>

#include "base/error.h"
#include "gateway/jobs/submit_job.h"
#include "gateway/wire/param.h"
#include "gateway/wire/path.h"

enum reply_id {
    /* Done, or go on. */
    REPLY_GREETING,
    REPLY_HELO,
    REPLY_READY_FOR_TLS,
    REPLY_CHALLENGE,
    REPLY_AUTHENTICATED,
    REPLY_OK,
    REPLY_SENDER_OK,
    REPLY_RECIPIENT_OK,
    REPLY_SEND_DATA,
    REPLY_CHUNK_OK,
    REPLY_ACCEPTED,
    REPLY_HELP,
    REPLY_CANNOT_VERIFY,
    REPLY_BYE,
    /* Not a command, or not now. */
    REPLY_NOT_A_COMMAND,
    REPLY_UNKNOWN_COMMAND,
    REPLY_LINE_TOO_LONG,
    REPLY_BAD_LINE_END,
    REPLY_NO_ARGUMENTS,
    REPLY_BAD_ARGUMENTS,
    REPLY_BAD_PARAMETER,
    REPLY_UNKNOWN_PARAMETER,
    REPLY_BINARY_BODY,
    REPLY_HELLO_NEEDED,
    REPLY_TLS_NEEDED,
    REPLY_TLS_ALREADY,
    REPLY_NOT_LAST_IN_GROUP,
    REPLY_EARLY_TALKER,
    REPLY_IN_TRANSACTION,
    REPLY_NO_TRANSACTION,
    REPLY_NO_RECIPIENTS,
    REPLY_AMID_CHUNKS,
    REPLY_BAD_CHUNK,
    /* AUTH. */
    REPLY_AUTH_NEEDED,
    REPLY_AUTH_ALREADY,
    REPLY_AUTH_UNKNOWN_MECHANISM,
    REPLY_AUTH_TOO_WEAK,
    REPLY_AUTH_MALFORMED,
    REPLY_AUTH_LINE_TOO_LONG,
    REPLY_AUTH_CANCELLED,
    REPLY_AUTH_WRONG,
    REPLY_AUTH_LATER,
    REPLY_TOO_MANY_USER_SESSIONS,
    REPLY_TLS_LATER,
    /* Addresses. */
    REPLY_BAD_SENDER,
    REPLY_SENDER_REFUSED,
    REPLY_BAD_RECIPIENT,
    REPLY_RELAY_TRICK,
    REPLY_EIGHT_BIT_ADDRESS,
    REPLY_TOO_MANY_RECIPIENTS,
    REPLY_OVER_RATE,
    REPLY_NO_CERTIFICATE,
    REPLY_LOOKUP_FAILED,
    /* Messages. */
    REPLY_REFUSED_POLICY,
    REPLY_REFUSED_CONTENT,
    REPLY_REFUSED_SMTPUTF8,
    REPLY_REFUSED_LOOP,
    REPLY_BARE_LINE_END,
    REPLY_NUL,
    REPLY_TOO_BIG,
    REPLY_LATER,
    REPLY_LATER_SIGNING,
    REPLY_LATER_BUSY,
    REPLY_LATER_MEMORY,
    REPLY_LATER_DISK,
    /* The end of a session. */
    REPLY_TOO_MANY_SESSIONS,
    REPLY_TOO_MANY_BAD_COMMANDS,
    REPLY_TOO_MANY_AUTH_FAILURES,
    REPLY_TOO_MANY_TRANSACTIONS,
    REPLY_TIMEOUT,
    REPLY_SHUTTING_DOWN,
};

struct reply_entry {
    int code;
    const char *enhanced; /* NULL: none by RFC 2034 §4 (greeting, EHLO, and 3yz) */
    const char *text;     /* may have several lines, separated by LF */
    bool is_bad_command;  /* counts against bad_commands_max */
};

/* Static memory. */
const struct reply_entry *reply_entry(enum reply_id id);

/* What seal or queue answered. An outcome out of range is REPLY_LATER. */
enum reply_id reply_for_submit(enum submit_outcome outcome);

/* A call to another role that ended without a reply; STATUS is not STATUS_OK. */
enum reply_id reply_for_call(enum status status);

/* A path that is not PATH_OK. */
enum reply_id reply_for_path(enum path_result result, bool is_sender);

/* Parameters that are not PARAM_OK. */
enum reply_id reply_for_param(enum param_result result);

#endif
