/* Who can open a sealed copy: its recipients, the archives of its rule, the sender where asked; nobody else.
 */
#ifndef SEALGATE_SEAL_READERS_H
#define SEALGATE_SEAL_READERS_H

#include "gateway/jobs/queue_job.h"
#include "gateway/seal/job.h"

struct readers {
    const struct certificate **certificates; /* each once; owned */
    size_t n;
};

/*
 * The certificates that the copy GROUP of JOB's plan is sealed to. What the rules add beside the recipients
 * is told in NOTES (of COPY_NOTES_MAX room; each owned by the caller, who frees with the copy).
 * STATUS_INTERNAL: an archive has no certificate, though the decisions asked for one.
 */
MUST_USE enum status readers_find(const struct seal_job *job, const struct plan_copy *group,
                                  struct readers *readers_out, struct store_copy *copy, struct error *err);
void readers_free(struct readers *readers);

/* Adds a note to COPY; strings are copied. STATUS_LIMIT over COPY_NOTES_MAX. */
MUST_USE enum status copy_add_note(struct store_copy *copy, const char *event, const char *address,
                                   const char *fingerprint, const char *source, struct error *err);
/* The same for something that was not done, with the REASON. */
MUST_USE enum status copy_add_reason(struct store_copy *copy, const char *event, const char *address,
                                     const char *reason, struct error *err);

#endif
