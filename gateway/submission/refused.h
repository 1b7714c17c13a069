/* Audit records of refused recipients, on their way to queue. They outlive their session. */
#ifndef SEALGATE_SUBMISSION_REFUSED_H
#define SEALGATE_SUBMISSION_REFUSED_H

struct session;
struct server_state;

/* Sends a record of RECIPIENT, refused with REPLY; "": the message is refused for all. What goes wrong, or is
 * too much at a time, is logged; the refusal stands anyway. */
void refused_record(struct session *s, const char *recipient, const char *rule, const char *reply);

/* Forgets those that queue has not answered yet. */
void refused_cancel_all(struct server_state *server);

#endif
