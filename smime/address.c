#include "smime/address.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/span.h"
#include "base/utf8.h"

#define BYTE_ORDER_MARK 0xFEFF
#define ADDRESS_MAX 320 /* RFC 5321 §4.5.3.1: local part 64, "@", domain 255 */

struct addresses {
    char **list;
    size_t n;
    bool in_san; /* the SAN has an entry of a mail type, be it a usable address or not */
    bool out_of_memory;
};

/* Well-formed, without control characters of any kind and without a byte order mark (RFC 9598 §3). */
static bool is_utf8(struct span text)
{
    uint32_t c = 0;
    while (text.len > 0) {
        if (!utf8_next(&text, &c) || utf8_is_control(c) || c == BYTE_ORDER_MARK) {
            return false;
        }
    }
    return true;
}

/* RFC 9598 §3: an ASCII local part stands in rfc822Name alone, which name constraints are made for. */
static bool has_ascii_local_part(struct span text)
{
    const char *at = text.len ? memrchr(text.p, '@', text.len) : NULL;
    for (const char *c = text.p; at && c < at; c++) {
        if ((unsigned char)*c > 0x7f) {
            return false;
        }
    }
    return true;
}

/* Display names, comments and control characters are never part of a certificate's address (A13). */
static bool is_address(struct span text, bool utf8)
{
    if (text.len == 0 || text.len > ADDRESS_MAX) {
        return false;
    }
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c <= ' ' || c == 0x7f || c == '<' || c == '>' || (c > 0x7f && !utf8)) {
            return false;
        }
    }
    const char *at = memrchr(text.p, '@', text.len);
    return at && at > text.p && at < text.p + text.len - 1 && (!utf8 || is_utf8(text));
}

static void add(struct addresses *found, struct span text, bool utf8)
{
    if (!is_address(text, utf8) || (utf8 && has_ascii_local_part(text))) {
        return;
    }
    char **list = reallocarray(found->list, found->n + 1, sizeof *list);
    char *copy = span_dup(text);
    if (list) {
        found->list = list;
    }
    if (!list || !copy) {
        free(copy);
        found->out_of_memory = true;
        return;
    }
    found->list[found->n++] = copy;
}

static struct span text_of(const ASN1_STRING *s)
{
    return span_of(ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void add_general_name(struct addresses *found, const GENERAL_NAME *name)
{
    if (name->type == GEN_EMAIL) {
        found->in_san = true;
        add(found, text_of(name->d.rfc822Name), false);
    } else if (name->type == GEN_OTHERNAME &&
               OBJ_obj2nid(name->d.otherName->type_id) == NID_id_on_SmtpUTF8Mailbox &&
               name->d.otherName->value->type == V_ASN1_UTF8STRING) {
        found->in_san = true;
        add(found, text_of(name->d.otherName->value->value.utf8string), true);
    }
}

static enum status read_san(X509 *cert, struct addresses *found, struct error *err)
{
    int critical = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, &critical, NULL);
    if (!names && critical != -1) {
        ERR_clear_error();
        return error_set(err, STATUS_INVALID, "subjectAltName is damaged or there twice");
    }
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        add_general_name(found, sk_GENERAL_NAME_value(names, i));
    }
    GENERAL_NAMES_free(names);
    return STATUS_OK;
}

static void read_subject(const X509 *cert, struct addresses *found)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_pkcs9_emailAddress, at)) >= 0;) {
        add(found, text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))), false);
    }
}

enum status smime_addresses_read(X509 *cert, char ***addresses_out, size_t *n_out, struct error *err)
{
    struct addresses found = {0};
    enum status status = read_san(cert, &found, err);
    if (status == STATUS_OK && !found.in_san) {
        read_subject(cert, &found);
    }
    if (status == STATUS_OK && found.out_of_memory) {
        status = error_set(err, STATUS_TEMPORARY, "certificate: no memory for its addresses");
    }
    *addresses_out = found.list;
    *n_out = found.n;
    return status;
}

void smime_addresses_free(char **addresses, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        free(addresses[i]);
    }
    free(addresses);
}
