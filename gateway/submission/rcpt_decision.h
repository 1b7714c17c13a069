/*
 * Is a recipient taken at RCPT? Only what is certain then is refused: a rule that no content can change any
 * more and that requires a certificate, where none is usable. All else is decided at the end of data.
 */
#ifndef SEALGATE_SUBMISSION_RCPT_DECISION_H
#define SEALGATE_SUBMISSION_RCPT_DECISION_H

#include "gateway/message/envelope.h"

struct session;

/* Takes the strings of RECIPIENT over. Answers now, or after a lookup by the keys role. */
void rcpt_decide(struct session *s, struct envelope_recipient recipient);

#endif
