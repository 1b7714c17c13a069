#include "gateway/submission/replies.h"

static const struct reply_entry entries[] = {
    [REPLY_GREETING] = {220, NULL, "ESMTP"},
    [REPLY_HELO] = {250, NULL, ""},
    [REPLY_READY_FOR_TLS] = {220, "2.0.0", "Ready to start TLS"},
    [REPLY_CHALLENGE] = {334, NULL, ""},
    [REPLY_AUTHENTICATED] = {235, "2.7.0", "Authentication succeeded"},
    [REPLY_OK] = {250, "2.0.0", "OK"},
    [REPLY_SENDER_OK] = {250, "2.1.0", "Sender OK"},
    [REPLY_RECIPIENT_OK] = {250, "2.1.5", "Recipient OK"},
    [REPLY_SEND_DATA] = {354, NULL, "Send the message, end it with <CRLF>.<CRLF>"},
    [REPLY_CHUNK_OK] = {250, "2.0.0", "Chunk received"},
    [REPLY_ACCEPTED] = {250, "2.0.0", "queued"},
    [REPLY_HELP] = {214, "2.0.0",
                    "EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT\n"
                    "Mail is accepted over TLS after authentication only"},
    [REPLY_CANNOT_VERIFY] = {252, "2.1.5", "Cannot verify the address, but will take the message"},
    [REPLY_BYE] = {221, "2.0.0", "Bye"},

    [REPLY_NOT_A_COMMAND] = {500, "5.5.2", "Not a command line", true},
    [REPLY_UNKNOWN_COMMAND] = {500, "5.5.1", "Unknown command", true},
    [REPLY_LINE_TOO_LONG] = {500, "5.5.2", "Command line too long", true},
    [REPLY_BAD_LINE_END] = {500, "5.5.2", "Bare CR or LF in a command: lines end in CRLF", true},
    [REPLY_NO_ARGUMENTS] = {501, "5.5.4", "This command has no arguments", true},
    [REPLY_BAD_ARGUMENTS] = {501, "5.5.4", "Wrong arguments", true},
    [REPLY_BAD_PARAMETER] = {501, "5.5.4", "Malformed or repeated parameter", true},
    [REPLY_UNKNOWN_PARAMETER] = {555, "5.5.4", "Unknown parameter", true},
    [REPLY_BINARY_BODY] = {555, "5.6.1", "BINARYMIME is not offered: encode the message for 8BITMIME", true},
    [REPLY_HELLO_NEEDED] = {503, "5.5.1", "Send EHLO first", true},
    [REPLY_TLS_NEEDED] =
        {530, "5.7.0",
         "Encryption required: in your mail program, switch on SSL/TLS (port 465) or STARTTLS "
         "(port 587)",
         true},
    [REPLY_TLS_ALREADY] = {503, "5.5.1", "TLS is on already", true},
    [REPLY_NOT_LAST_IN_GROUP] = {554, "5.5.1", "Input behind a command whose reply must be waited for", true},
    [REPLY_EARLY_TALKER] = {554, "5.5.1", "Speaking before the greeting: closing"},
    [REPLY_IN_TRANSACTION] = {503, "5.5.1", "Not during a mail transaction", true},
    [REPLY_NO_TRANSACTION] = {503, "5.5.1", "Send MAIL first", true},
    [REPLY_NO_RECIPIENTS] = {554, "5.5.1", "No valid recipients", true},
    [REPLY_AMID_CHUNKS] = {503, "5.5.1", "Not between the chunks of a message", true},
    [REPLY_BAD_CHUNK] = {501, "5.5.4", "Malformed chunk size, nobody can say where the chunk ends: closing",
                         true},

    [REPLY_AUTH_NEEDED] =
        {530, "5.7.0",
         "Authentication required: in your mail program, switch on authentication (user name "
         "and password) for the outgoing server",
         true},
    [REPLY_AUTH_ALREADY] = {503, "5.5.1", "Authenticated already", true},
    [REPLY_AUTH_UNKNOWN_MECHANISM] = {504, "5.5.4", "This authentication mechanism is not possible here",
                                      true},
    [REPLY_AUTH_TOO_WEAK] = {534, "5.7.9", "This authentication mechanism is too weak here", true},
    [REPLY_AUTH_MALFORMED] = {501, "5.5.2", "Malformed authentication response", true},
    [REPLY_AUTH_LINE_TOO_LONG] = {500, "5.5.6", "Authentication line too long", true},
    [REPLY_AUTH_CANCELLED] = {501, "5.7.0", "Authentication cancelled", true},
    [REPLY_AUTH_WRONG] = {535, "5.7.8", "Wrong user name or password"},
    [REPLY_TOO_MANY_USER_SESSIONS] = {454, "4.7.0",
                                      "Too many sessions of this user at the same time, close some"},
    [REPLY_AUTH_LATER] = {454, "4.7.0", "Authentication is not possible now, try again later"},
    [REPLY_TLS_LATER] = {454, "4.7.0", "TLS is not available now, try again later"},

    [REPLY_BAD_SENDER] = {501, "5.1.7", "Bad sender address: MAIL FROM:<user@example.org>", true},
    [REPLY_SENDER_REFUSED] = {550, "5.7.1", "Not an address of yours", true},
    [REPLY_BAD_RECIPIENT] = {501, "5.1.3", "Bad recipient address: RCPT TO:<user@example.org>", true},
    [REPLY_RELAY_TRICK] = {550, "5.7.1", "Source routes and addresses with % or ! are not accepted"},
    [REPLY_EIGHT_BIT_ADDRESS] = {553, "5.6.7",
                                 "Addresses beyond ASCII need SMTPUTF8 in the MAIL command: use a mail "
                                 "program that knows it, or another address"},
    [REPLY_TOO_MANY_RECIPIENTS] = {452, "4.5.3", "Too many recipients, send the rest in another message"},
    [REPLY_OVER_RATE] = {450, "4.7.1", "Too much mail, try again later"},
    [REPLY_NO_CERTIFICATE] = {550, "5.7.1", "no usable OpenPGP or S/MIME certificate"},
    [REPLY_LOOKUP_FAILED] = {451, "4.4.3", "Certificate lookup failed, try again later"},

    [REPLY_REFUSED_POLICY] = {550, "5.7.1", "Refused by policy"},
    [REPLY_REFUSED_CONTENT] = {554, "5.6.0", "The message cannot be processed"},
    [REPLY_REFUSED_SMTPUTF8] = {550, "5.6.7", "Addresses beyond ASCII are not supported here"},
    [REPLY_REFUSED_LOOP] = {554, "5.4.6", "Mail loop: the message came by here too often"},
    [REPLY_BARE_LINE_END] =
        {554, "5.6.0", "The message has a bare CR or LF: the program that sends it must end lines in CRLF"},
    [REPLY_NUL] = {554, "5.6.0", "The message has a NUL byte"},
    [REPLY_TOO_BIG] = {552, "5.3.4", "The message is too big: make its attachments smaller"},
    [REPLY_LATER] = {451, "4.3.0", "Not possible now, try again later"},
    [REPLY_LATER_BUSY] = {451, "4.3.2", "Busy, try again later"},
    [REPLY_LATER_MEMORY] = {452, "4.3.1", "Out of memory now, try again later"},
    [REPLY_LATER_SIGNING] = {451, "4.7.5", "The key to sign with cannot sign, try again later"},
    [REPLY_LATER_DISK] = {452, "4.3.1", "Out of disk space now, try again later"},

    [REPLY_TOO_MANY_SESSIONS] = {421, "4.7.0",
                                 "Too many connections at the same time, close some or try again later"},
    [REPLY_TOO_MANY_BAD_COMMANDS] = {421, "4.7.0", "Too many errors, closing"},
    [REPLY_TOO_MANY_AUTH_FAILURES] = {421, "4.7.0",
                                      "Too many failed logins, closing: check user name and password"},
    [REPLY_TOO_MANY_TRANSACTIONS] = {421, "4.7.0", "Too many messages in one session, connect again"},
    [REPLY_TIMEOUT] = {421, "4.4.2", "Nothing came for too long, closing: connect again"},
    [REPLY_SHUTTING_DOWN] = {421, "4.3.2", "Shutting down, try again later"},
};

const struct reply_entry *reply_entry(enum reply_id id)
{
    return &entries[id];
}

enum reply_id reply_for_submit(enum submit_outcome outcome)
{
    switch (outcome) {
    case SUBMIT_QUEUED:
        return REPLY_ACCEPTED;
    case SUBMIT_REFUSED_POLICY:
        return REPLY_REFUSED_POLICY;
    case SUBMIT_REFUSED_CONTENT:
        return REPLY_REFUSED_CONTENT;
    case SUBMIT_REFUSED_SMTPUTF8:
        return REPLY_REFUSED_SMTPUTF8;
    case SUBMIT_REFUSED_LOOP:
        return REPLY_REFUSED_LOOP;
    case SUBMIT_TOO_BIG:
        return REPLY_TOO_BIG;
    case SUBMIT_LATER:
        return REPLY_LATER;
    case SUBMIT_LATER_LOOKUP:
        return REPLY_LOOKUP_FAILED;
    case SUBMIT_LATER_DISK:
        return REPLY_LATER_DISK;
    case SUBMIT_LATER_SIGNING:
        return REPLY_LATER_SIGNING;
    }
    return REPLY_LATER;
}

enum reply_id reply_for_call(enum status status)
{
    return status == STATUS_BUSY ? REPLY_LATER_BUSY : REPLY_LATER;
}

enum reply_id reply_for_path(enum path_result result, bool is_sender)
{
    if (result == PATH_ROUTE)
        return REPLY_RELAY_TRICK;
    return is_sender ? REPLY_BAD_SENDER : REPLY_BAD_RECIPIENT;
}

enum reply_id reply_for_param(enum param_result result)
{
    if (result == PARAM_BINARY)
        return REPLY_BINARY_BODY;
    return result == PARAM_UNKNOWN ? REPLY_UNKNOWN_PARAMETER : REPLY_BAD_PARAMETER;
}
