/* Clients that try to log in or to send before TLS: auth counts them for sealctl status. */
#ifndef SEALGATE_SUBMISSION_CLEAR_TRIED_H
#define SEALGATE_SUBMISSION_CLEAR_TRIED_H

struct session;

/* The verb in hand was refused for want of TLS. Tells auth once for each session, and only of AUTH and MAIL;
 * the session does not wait for it, and goes on whatever becomes of it. */
void clear_tried(struct session *s);

#endif
