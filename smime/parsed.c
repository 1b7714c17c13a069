#include "smime/parsed.h"

#include <stdlib.h>

#include "smime/certificate.h"

struct entry {
    struct buf der;
    X509 *cert; /* NULL: not used yet */
};

struct smime_parsed {
    struct entry entries[SMIME_PARSED_MAX];
    size_t next; /* the one that is replaced next */
};

struct smime_parsed *smime_parsed_new(void)
{
    return calloc(1, sizeof(struct smime_parsed));
}

static void forget(struct entry *entry)
{
    X509_free(entry->cert);
    buf_free(&entry->der);
    entry->cert = NULL;
}

void smime_parsed_free(struct smime_parsed *parsed)
{
    if (!parsed) {
        return;
    }
    for (size_t i = 0; i < SMIME_PARSED_MAX; i++) {
        forget(&parsed->entries[i]);
    }
    free(parsed);
}

static X509 *find(const struct smime_parsed *parsed, struct span der)
{
    for (size_t i = 0; i < SMIME_PARSED_MAX; i++) {
        const struct entry *entry = &parsed->entries[i];
        if (entry->cert && span_eq(buf_span(&entry->der), der)) {
            return entry->cert;
        }
    }
    return NULL;
}

/* Without memory it is parsed again the next time. */
static void keep(struct smime_parsed *parsed, struct span der, X509 *cert)
{
    struct entry *entry = &parsed->entries[parsed->next];
    forget(entry);
    buf_init(&entry->der, SMIME_CERTIFICATE_MAX);
    buf_append_span(&entry->der, der);
    if (entry->der.failed || X509_up_ref(cert) != 1) {
        return;
    }
    entry->cert = cert;
    parsed->next = (parsed->next + 1) % SMIME_PARSED_MAX;
}

enum status smime_parsed_get(struct smime_parsed *parsed, struct span der, X509 **cert_out, struct error *err)
{
    X509 *known = parsed ? find(parsed, der) : NULL;
    if (known && X509_up_ref(known) == 1) {
        *cert_out = known;
        return STATUS_OK;
    }
    enum status status = smime_certificate_parse(der, cert_out, err);
    if (status == STATUS_OK && parsed) {
        keep(parsed, der, *cert_out);
    }
    return status;
}
