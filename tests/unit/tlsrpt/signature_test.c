/* DKIM: what the field says, and what cannot sign. tests/e2e/test_tls_reports.py has a verifier that shares
 * no code. */
#include <sys/types.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "gateway/tlsrpt/signature.h"
#include "gateway/wire/base64.h"

#define MESSAGE                                                                                              \
    "From: <a@a.example>\r\nTo: <r@b.example>\r\nSubject: Report Domain: b.example\r\n Submitter: a\r\n"     \
    "TLS-Required: No\r\nMIME-Version: 1.0\r\n\r\n--x\r\nhello\r\n"

static void write_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    long len = BIO_get_mem_data(bio, &text);
    buf_init(out, 1 << 14);
    buf_append(out, text, (size_t)len);
    BIO_free(bio);
}

/* The tag of a signature, without white space. */
static void tag_of(const char *field, const char *tag, struct buf *out)
{
    const char *at = strstr(field, tag);
    assert_non_null(at);
    buf_init(out, 4096);
    for (at += strlen(tag); *at && *at != ';'; at++)
        if (!strchr(" \t\r\n", *at))
            buf_append_char(out, *at);
}

static void signs(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    struct buf pem, field, value, raw;
    struct error err;
    unsigned char hash[32];
    write_key(key, &pem);
    buf_init(&field, 8192);
    const struct tlsrpt_dkim dkim = {"a.example", "tls", buf_str(&pem)};
    assert_int_equal(tlsrpt_sign(&dkim, span_str(MESSAGE), &field, &err), STATUS_OK);
    const char *text = buf_str(&field);
    assert_int_equal(
        strncmp(text, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=a.example; s=tls;", 73), 0);
    assert_string_equal(text + strlen(text) - 2, "\r\n");
    tag_of(text, "\th=", &value);
    assert_string_equal(buf_str(&value), "From:To:Subject:TLS-Required:MIME-Version");
    buf_free(&value);
    /* The hash of the body as it is (relaxed changes nothing of it). */
    tag_of(text, "bh=", &value);
    buf_init(&raw, 64);
    assert_true(base64_decode(buf_span(&value), &raw));
    const char *body = strstr(MESSAGE, "\r\n\r\n") + 4;
    assert_int_equal(EVP_Digest(body, strlen(body), hash, NULL, EVP_sha256(), NULL), 1);
    assert_int_equal(raw.len, sizeof hash);
    assert_memory_equal(raw.data, hash, sizeof hash);
    buf_free(&value);
    buf_free(&raw);
    buf_free(&field);
    buf_free(&pem);
    EVP_PKEY_free(key);
}

static void refuses(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct buf pem, field;
    struct error err;
    write_key(key, &pem);
    const char *const keys[] = {"", "no key", buf_str(&pem)};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const struct tlsrpt_dkim dkim = {"a.example", "tls", keys[i]};
        buf_init(&field, 8192);
        assert_int_equal(tlsrpt_sign(&dkim, span_str(MESSAGE), &field, &err), STATUS_INVALID);
        assert_int_equal(field.len, 0);
        buf_free(&field);
    }
    buf_free(&pem);
    EVP_PKEY_free(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(signs), cmocka_unit_test(refuses)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
