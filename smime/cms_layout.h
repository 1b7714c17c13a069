/* Sizes and algorithms that smime_encrypt chooses and smime_check asks for. */
#ifndef SEALGATE_SMIME_CMS_LAYOUT_H
#define SEALGATE_SMIME_CMS_LAYOUT_H

#include <openssl/objects.h>

#include "smime/certificate.h"

#define SMIME_BLOCK 16     /* AES block, and the IV of CBC (RFC 3565 §2.1) */
#define SMIME_MAC 16       /* of GCM; OpenSSL's choice within RFC 5084 §3.2 */
#define SMIME_MAC_TLV 18   /* with identifier and length */
#define SMIME_GCM_NONCE 12 /* RFC 5084 §3.2 */

/* Bytes of encrypted content. RFC 5652 §6.3: padding fills up the last block and is never empty. */
static inline size_t smime_content_len(enum smime_cipher cipher, size_t plaintext_len)
{
    return cipher == SMIME_AES256_GCM ? plaintext_len : (plaintext_len / SMIME_BLOCK + 1) * SMIME_BLOCK;
}

/* The hash of the key derivation for an EC key: as strong as its curve (RFC 5753 §7.1.4). Points of curves of
 * 256 bits have 65 bytes. */
static inline int smime_kdf_nid(const struct smime_key *key)
{
    return key->size <= 65 ? NID_sha256 : NID_sha384;
}

#endif
