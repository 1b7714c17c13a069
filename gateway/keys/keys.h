/*
 * The keys role: the only writer of the keystore; answers KEYS_LOOKUP and KEYS_WORKED and the key verbs of
 * sealctl. Event loop.
 *
 * Verbs (gateway/jobs/control_job.h): key.list; key.expiring {days}; key.show {fingerprint}; key.lookup
 * {address}; key.add {data: Base64 of a file, source: "local", domain: "partner.example" when it is for all
 * there}; key.remove {fingerprint}; key.pin {fingerprint, pinned: boolean}; key.prefer {address or "@domain",
 * format: "openpgp", "smime" or "none"}.
 *
 * Each answers {"ok": true, "certificates": [...]}: what was found, added, removed or pinned; key.lookup and
 * key.prefer with "preferred" (a format or null), key.prefer with "address", key.add with "warnings": [text,
 * ...]. A certificate is {format, fingerprint, addresses: [...], name, algorithm, domains: [...], for_domain
 * (in a lookup: found by its domain), pinned, capabilities: [...], source, usable, reason, added, expires,
 * worked}, times in ISO 8601 or null; key.show gives "data", Base64 of its bytes, too.
 */
#ifndef SEALGATE_KEYS_KEYS_H
#define SEALGATE_KEYS_KEYS_H

#include "base/log.h"
#include "keystore/keystore.h"

struct keys_settings {
    const struct log *log;
    struct keystore_settings keystore;
    int lookup_service; /* server ends */
    int control_service;
    int64_t
        request_ms; /* longest time for one request; then SIGALRM ends the process (a hung gpg), 0: none */
};

/* Runs until SIGTERM: 0. Else an exit code of sysexits.h, after a line in the log. */
int keys_run(const struct keys_settings *settings);

#endif
