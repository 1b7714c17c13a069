/*
 * The seal role: a worker that turns one submitted message into sealed copies (or a refusal) and hands them
 * to queue. Holds the message, certificates and the spool key; no network, no database.
 */
#ifndef SEALGATE_SEAL_SEAL_H
#define SEALGATE_SEAL_SEAL_H

#include "base/call.h"
#include "base/log.h"
#include "gateway/message/prescan.h"
#include "gateway/message/spool.h"
#include "gateway/policy/policy.h"
#include "smime/sign.h"

/* Keys to sign with for senders whose From address PATTERN owns (policy/sender.h); the first that matches. */
struct seal_signing {
    const char *pattern;
    const char *openpgp;            /* fingerprint of a key in the signing home; NULL: none */
    const char *openpgp_passphrase; /* NULL: none */
    bool has_smime;
    struct smime_signer_settings smime;
};

struct seal_settings {
    const struct log *log;
    const char *hostname;
    const struct policy_settings *policy;
    struct policy_rule notice_rule; /* policy_notice_rule: for the DSNs of this gateway */
    struct prescan_limits prescan;
    size_t message_max;
    bool originating_ip; /* adds X-Originating-IP outside */
    struct spool_key spool_key;
    const char *gpg_path;
    const char *gpg_home; /* private folder of this worker, made if missing */
    const struct seal_signing *signings;
    size_t n_signings;
    const char *signing_home; /* GnuPG home whose agent holds the secret keys; used when a signing needs it */
    const char *pins_folder;  /* shared by all workers: the PINs that were refused (wrong_pins.h) */
    int keys_service;
    int queue_service;
    int64_t keys_ms; /* budget of a lookup */
    struct worker_settings worker;
};

/*
 * Starts the engines, seals and checks a probe in each format (throwaway keys made at start would be slow:
 * the probe certificates are built in, their secret keys thrown away), then takes jobs. A probe that fails:
 * says so and returns EX_SOFTWARE (70) without taking a job.
 */
int seal_run(const struct seal_settings *settings);

/* The probe alone, for `sealgate -n` and tests. */
MUST_USE enum status seal_probe(const struct seal_settings *settings, struct error *err);

#endif
