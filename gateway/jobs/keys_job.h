/* submission, seal → keys: which certificates do these addresses have? control → keys: JSON (control_job.h).
 */
#ifndef SEALGATE_JOBS_KEYS_JOB_H
#define SEALGATE_JOBS_KEYS_JOB_H

#include "base/pack.h"
#include "gateway/policy/policy.h"
#include "keystore/keystore.h"

/*
 * KEYS_WORKED, from queue, on the lookup service: copies sealed to these certificates reached their next hop.
 * A hint for the choice between certificates, sent now and then, lost without harm; answered by KEYS_DONE.
 */
enum { KEYS_LOOKUP = 16, KEYS_FOUND = 17, KEYS_WORKED = 18, KEYS_DONE = 19 };

#define KEYS_WORKED_MAX 1000

struct keys_worked {
    char **fingerprints; /* owned when unpacked; at most KEYS_WORKED_MAX */
    size_t n;
};
void keys_worked_pack(struct buf *b, const struct keys_worked *worked);
MUST_USE enum status keys_worked_unpack(struct span bytes, struct keys_worked *worked_out, struct error *err);
void keys_worked_free(struct keys_worked *worked);

#define KEYS_ADDED_MAX 64 /* addresses beside the recipients: archives, the sender */

struct keys_lookup {
    char **addresses; /* owned when unpacked; at most ENVELOPE_RECIPIENTS_MAX + KEYS_ADDED_MAX */
    size_t n;
    bool with_bytes; /* seal wants the certificates themselves, submission only the fitness */
};

struct keys_answer {
    enum lookup_state state; /* LOOKUP_FAILED: the list is empty and means nothing */
    char why[200];           /* for LOOKUP_FAILED */
    struct certificate_list list;
};

struct keys_found {
    struct keys_answer *answers; /* one per address, in order; owned */
    size_t n;
};

void keys_lookup_pack(struct buf *b, const struct keys_lookup *lookup);
MUST_USE enum status keys_lookup_unpack(struct span bytes, struct keys_lookup *lookup_out, struct error *err);
void keys_lookup_free(struct keys_lookup *lookup);
void keys_found_pack(struct buf *b, const struct keys_found *found, bool with_bytes);
MUST_USE enum status keys_found_unpack(struct span bytes, struct keys_found *found_out, struct error *err);
void keys_found_free(struct keys_found *found);

#endif
