/* Is everybody the message says it is from an address of its sender? (A8) */
#ifndef SEALGATE_SEAL_SENDERS_H
#define SEALGATE_SEAL_SENDERS_H

#include "gateway/seal/job.h"

/*
 * Every mailbox of From, Sender and their Resent- kin must match a pattern of the envelope's send_as; with
 * none in it nobody may be named. STATUS_DENIED (SUBMIT_REFUSED_POLICY), with a text for the client: one does
 * not, or the message does not tell all readers alike who it is from. Whoever may send as anybody ("*") is
 * not asked.
 *
 * Forgets send_as, which goes no further than here. For submitted messages alone: a held one was checked when
 * it came in, and its envelope has no patterns.
 */
MUST_USE enum status senders_check(struct seal_job *job, enum submit_outcome *outcome_out, struct error *err);

#endif
