/*
 * What queue is told and tells.
 *
 * seal → queue (passed on, with submission's reply descriptor): QUEUE_STORE; descriptor 0 is one memory file
 * that holds every body. The reply is a SUBMIT_REPLY: either its prepared text (committed) or SUBMIT_LATER*.
 * queue → seal: QUEUE_RELEASE; descriptor 0 the locked body of one held copy. The reply is QUEUE_RELEASED: a
 * QUEUE_STORE body of the new copies with descriptor 0, or that a notice goes as it is, or why it stays held.
 * submission → queue, one way in effect (reply QUEUE_DONE): QUEUE_REFUSED, an audit record of a refused
 * recipient. delivery ↔ queue: QUEUE_ATTACH carries one end of a channel (the reply descriptor), kept open by
 * both; over it queue sends QUEUE_LEASE (descriptor 0 the body) and QUEUE_OUTCOME_STORED, delivery sends
 * QUEUE_OUTCOME (descriptor 0, if any, a DSN under the spool key). When delivery is gone the channel closes
 * and its leases end; when queue is gone delivery attaches anew with the same instance, which keeps its
 * leases, and sends the outcomes that were not yet QUEUE_OUTCOME_STORED again. Queue then sends every lease
 * it kept once more, for it cannot know which arrived: delivery drops one for a copy_id that it works on or
 * whose outcome is not yet stored, and defers those of its recipients for whom it has neither. The channel
 * begins with CALL_TAKEN, as every reply descriptor.
 */
#ifndef SEALGATE_JOBS_QUEUE_JOB_H
#define SEALGATE_JOBS_QUEUE_JOB_H

#include "base/pack.h"
#include "gateway/jobs/submit_job.h"
#include "gateway/message/envelope.h"
#include "gateway/policy/tls_level.h"

enum {
    QUEUE_STORE = 32,
    QUEUE_RELEASE,
    QUEUE_RELEASED,
    QUEUE_REFUSED,
    QUEUE_DONE,
    QUEUE_ATTACH,
    QUEUE_LEASE,
    QUEUE_OUTCOME,
    QUEUE_OUTCOME_STORED,
};

/* What a copy is to become. */
enum copy_state {
    COPY_QUEUED = 1, /* to be delivered */
    COPY_HELD,       /* waits for a key; the body is locked and not sealed */
    COPY_RETURN,     /* to be bounced: delivery writes the DSN */
    COPY_NOTICE,     /* a DSN of ours: waits for seal's word on it; locked and not sealed. Of queue's making
                        alone: no role sends one. */
    COPY_DELAYED,    /* in a lease alone: not to be tried, its sender is told of the delay */
};

/* FORMAT_NONE: held, returned or a notice; not sealed, locked, and must never leave as it is. */
enum copy_format { FORMAT_NONE = 1, FORMAT_CLEAR, FORMAT_OPENPGP, FORMAT_SMIME };
const char *copy_format_word(enum copy_format format); /* "none", "clear", "openpgp", "smime" */

struct copy_recipient {
    char *address;     /* owned, as all strings here; NULL allowed where not said otherwise */
    char *rule;        /* name of the rule that decided */
    char *reason;      /* why not sealed: "none found" */
    char *fingerprint; /* of the certificate it is sealed to */
    char *source;      /* of that certificate */
    char *notify;
    char *orcpt;
};

#define COPY_NOTES_MAX 64

/* What else the audit trail is to say of a copy, a line each. */
struct copy_note {
    char *event;       /* "archived", "sealed-to-sender", "signed", "unsigned"; owned, as all here */
    char *address;     /* of the archive, the sender, or the signer */
    char *fingerprint; /* of the certificate or key */
    char *source;
    char *reason;
};

struct store_copy {
    enum copy_state state;
    enum copy_format format;        /* FORMAT_NONE for held and returned ones */
    bool locked;                    /* the body is under the spool key */
    uint64_t body_at, body_len;     /* in the memory file; copies may share a place */
    uint64_t header_at, header_len; /* header a DSN may show, outer form, when the body is locked and was to
                                       be sealed; else 0, 0. Not locked. */
    struct copy_recipient *recipients;
    size_t n_recipients;
    char *cipher;       /* "AES256", "AES-256-GCM", …; NULL: not sealed by us; owned */
    enum tls_level tls; /* the least that the rule of all its recipients demands of the next hop */
    bool tls_optional;  /* its header has TLS-Required: No (RFC 8689 §3), and it is not REQUIRETLS */
    struct copy_note *notes;
    size_t n_notes;
};

struct queue_store {
    struct envelope envelope;
    struct submit_reply reply; /* to be sent once committed */
    struct store_copy *copies;
    size_t n_copies;
};
void queue_store_pack(struct buf *b, const struct queue_store *store);
MUST_USE enum status queue_store_unpack(struct span bytes, struct queue_store *store_out, struct error *err);
void queue_store_free(struct queue_store *store);

/* queue → seal; descriptor 0: the locked body. */
struct queue_release {
    struct envelope envelope; /* all of the message, only the held recipients in it */
    int64_t copy_id;
    bool notice; /* a DSN of ours: sealed to its recipient as the configuration says (COPY_NOTICE) */
};
void queue_release_pack(struct buf *b, const struct queue_release *release);
MUST_USE enum status queue_release_unpack(struct span bytes, struct queue_release *release_out,
                                          struct error *err);
void queue_release_free(struct queue_release *release);

enum release_verdict {
    RELEASE_NOT = 1, /* it stays held */
    RELEASE_SEALED,  /* STORE and descriptor 0 replace the held copy */
    RELEASE_AS_IS,   /* a notice alone: it was looked for a certificate, there is none, and it may go so */
};

/* seal → queue: what became of it. */
struct queue_released {
    enum release_verdict verdict;
    char why[200];            /* why not sealed */
    struct queue_store store; /* set when sealed */
};
void queue_released_pack(struct buf *b, const struct queue_released *released);
MUST_USE enum status queue_released_unpack(struct span bytes, struct queue_released *released_out,
                                           struct error *err);
void queue_released_free(struct queue_released *released);

/* submission → queue. */
struct queue_refused {
    struct envelope envelope; /* without recipients */
    char *recipient;
    char *rule;
    char *reply; /* the SMTP reply given */
};
void queue_refused_pack(struct buf *b, const struct queue_refused *refused);
MUST_USE enum status queue_refused_unpack(struct span bytes, struct queue_refused *refused_out,
                                          struct error *err);
void queue_refused_free(struct queue_refused *refused);

#define QUEUE_INSTANCE_SIZE 21 /* an id_make() of the delivery process */

struct queue_attach {
    char instance[QUEUE_INSTANCE_SIZE];
    uint32_t window; /* leases it takes at once */
};
void queue_attach_pack(struct buf *b, const struct queue_attach *attach);
MUST_USE enum status queue_attach_unpack(struct span bytes, struct queue_attach *attach_out,
                                         struct error *err);

struct lease_recipient {
    int64_t id;
    char *address;
    char *reason; /* for returned and delayed ones: why */
    char *notify;
    char *orcpt;
    uint32_t attempts;  /* before this one */
    int64_t expires_ms; /* a temporary failure after this is a bounce */
    bool delay_told;    /* the sender knows already that it waits */
};

struct queue_lease {
    int64_t copy_id;
    char message_id[ID_SIZE]; /* queue id */
    enum copy_state state;    /* COPY_QUEUED: deliver; COPY_RETURN: bounce; COPY_DELAYED: tell the sender */
    enum copy_format format;
    bool locked;
    bool body_8bit;
    bool smtputf8;
    bool requiretls;    /* RFC 8689 */
    enum tls_level tls; /* the least that a rule demands of the next hop; TLS_LEVEL_NONE: nothing */
    char *rule;         /* its name; NULL: not known */
    int64_t received_ms;
    char *reverse_path;
    char *envid; /* as struct envelope has them */
    char *ret;
    struct buf dsn_header; /* header for a DSN when it must not be taken from the body; may be empty */
    struct lease_recipient *recipients;
    size_t n_recipients;
};
void queue_lease_pack(struct buf *b, const struct queue_lease *lease);
MUST_USE enum status queue_lease_unpack(struct span bytes, struct queue_lease *lease_out, struct error *err);
void queue_lease_free(struct queue_lease *lease);

enum delivery_outcome { OUTCOME_DELIVERED = 1, OUTCOME_DEFERRED, OUTCOME_BOUNCED };

/* What the attempt showed of the destination, apart from this recipient and message. */
enum delivery_reach {
    REACH_UNKNOWN,
    REACH_OK,         /* a host of it took commands */
    REACH_NO_HOST,    /* no usable connection to any of its hosts */
    REACH_NO_PRIVACY, /* its hosts are there, but not with the TLS that this domain demands */
};

struct outcome_recipient {
    int64_t id;
    enum delivery_outcome outcome;
    enum delivery_reach reach;
    bool delay_told;   /* deferred, and the DSN tells the sender so */
    char *reply;       /* the next hop's last reply or our reason; escaped, at most 500 bytes */
    char *host;        /* "mx.example.org [192.0.2.1]:25" */
    char *tls_version; /* NULL: no TLS */
    char *tls_cipher;
    char *tls_peer; /* "verified by CA", "not verified", … */
};

struct queue_outcome {
    int64_t number; /* which the delivery process gives no other outcome */
    int64_t copy_id;
    struct outcome_recipient *recipients;
    size_t n_recipients;
    bool has_dsn; /* descriptor 0: a whole message under the spool key with DSN_ID as id; queued with the null
                     reverse-path in the same transaction */
    char dsn_id[ID_SIZE];
    char *dsn_recipient;   /* the original reverse-path */
    bool dsn_tls_optional; /* as struct store_copy's */
};
void queue_outcome_pack(struct buf *b, const struct queue_outcome *outcome);
MUST_USE enum status queue_outcome_unpack(struct span bytes, struct queue_outcome *outcome_out,
                                          struct error *err);
void queue_outcome_free(struct queue_outcome *outcome);

/* queue → delivery: on disk; the body is one packed i64, the outcome's number. */

#endif
