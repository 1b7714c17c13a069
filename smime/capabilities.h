/* SMIMECapabilities: what the programs of a certificate's owner read (RFC 8551 §2.5.2, RFC 4262). */
#ifndef SEALGATE_SMIME_CAPABILITIES_H
#define SEALGATE_SMIME_CAPABILITIES_H

#include <openssl/cms.h>
#include <openssl/x509.h>

#include "base/span.h"

/*
 * SMIME_CAPABILITY_* of a DER SMIMECapabilities. What is damaged says nothing (0): then the mail is sealed as
 * for programs that are not known. RSA-OAEP counts with SHA-256 alone, which is what we would seal with.
 */
unsigned smime_capabilities_read(struct span der);

/* Of the certificate's sMIMECapabilities extension. */
unsigned smime_capabilities_of_certificate(const X509 *cert);

/* Of the signed attributes of SIGNER. */
unsigned smime_capabilities_of_signer(const CMS_SignerInfo *signer);

#endif
