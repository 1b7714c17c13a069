/*
 * One message on its way through the worker: read, looked up, decided. Inside the seal role only.
 */
#ifndef SEALGATE_SEAL_JOB_H
#define SEALGATE_SEAL_JOB_H

#include "gateway/jobs/keys_job.h"
#include "gateway/jobs/submit_job.h"
#include "gateway/message/envelope.h"
#include "gateway/message/header.h"
#include "gateway/message/inspect.h"
#include "gateway/policy/plan.h"
#include "gateway/seal/already.h"
#include "gateway/seal/certfile.h"
#include "gateway/seal/seal.h"
#include "gateway/seal/signers.h"
#include "pgp/pgp.h"
#include "smime/smime.h"

/* What a worker has for all of its jobs. */
struct seal {
    const struct seal_settings *settings;
    struct pgp_engine *engine;
    struct seal_certfiles certfiles;
    struct seal_signers *signers; /* owned */
    struct smime_parsed *parsed;  /* owned */
};

/* Starts the engines. STATUS_TEMPORARY, STATUS_DENIED: they cannot; nothing is open then. */
MUST_USE enum status seal_open(const struct seal_settings *settings, struct seal *seal_out,
                               struct error *err);
void seal_close(struct seal *seal);

struct seal_job {
    struct envelope envelope;
    bool notice;         /* a DSN of ours: the notice rule of the settings decides, and nothing is added */
    struct span message; /* as submitted; not owned */
    struct message_parts parts;
    struct message_facts facts;
    struct already already;
    struct keys_found found; /* the certificates that the decisions point to */
    /* The addresses looked up: the recipients in the envelope's order, then those whom the rules add. */
    char **addresses; /* not owned, the array is */
    size_t n_addresses;
    struct plan_recipient *recipients; /* owned; as many as the envelope has, in its order */
};

/* What was found of ADDRESS, one that a rule adds (an archive, the sender); NULL: it was not looked up. */
const struct keys_answer *seal_job_added(const struct seal_job *job, const char *address);

/* The address whose certificate encrypt-to-self means: From, else the reverse-path; NULL: none. */
const char *seal_job_self(const struct seal_job *job);

/*
 * Checks and reads the message of JOB (zeroed but for envelope and message; free it with seal_job_free in any
 * case). A failure says in *OUTCOME_OUT how to answer the client.
 */
MUST_USE enum status seal_job_read(const struct seal *seal, struct seal_job *job,
                                   enum submit_outcome *outcome_out, struct error *err);

/* Looks up and decides for the recipients of a JOB that was read. A failed lookup is no failure here:
 * seal_job_verdict tells what it means under the rules. */
MUST_USE enum status seal_job_decide(const struct seal *seal, struct seal_job *job, struct error *err);
void seal_job_free(struct seal_job *job);

/*
 * May the message go on? STATUS_DENIED (SUBMIT_REFUSED_POLICY): a rule refuses a recipient, who is named in
 * the text. STATUS_TEMPORARY (SUBMIT_LATER_LOOKUP): a recipient's certificates could not be looked up.
 */
MUST_USE enum status seal_job_verdict(const struct seal_job *job, enum submit_outcome *outcome_out,
                                      struct error *err);

/* The jobs a worker knows. Each answers REQUEST, or passes it on; neither frees it. */
void seal_submit(const struct seal *seal, struct request *request);
void seal_release(const struct seal *seal, struct request *request);

/* The probe with engines that run already. */
MUST_USE enum status seal_probe_with(const struct seal *seal, struct error *err);

/* The first recipient for whom the rules refuse the message, or NULL. */
const struct plan_recipient *seal_job_refused(const struct seal_job *job);

#endif
