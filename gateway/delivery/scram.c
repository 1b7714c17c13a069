#include "gateway/delivery/scram.h"

#include <gsasl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/wire/base64.h"

#define NONCE_SIZE 18
#define MESSAGE_MAX 4096
/* The loop waits for them: some 100 ms. RFC 7677 §4 asks for 4096. */
#define ITERATIONS_MAX 200000
/* "y,,", of which "c=" has the base64. */
#define GS2_HEADER "y,,"
#define GS2_HEADER_BASE64 "eSws"

struct scram {
    Gsasl_hash hash;
    const char *password;
    char nonce[2 * NONCE_SIZE + 1];
    struct buf first; /* client-first-message-bare */
    char expected[EVP_MAX_MD_SIZE];
    enum { SAYS_FIRST, SAYS_FINAL, READS_PROOF, IS_OVER } step;
    bool proven;
};

static const EVP_MD *digest_of(const struct scram *s)
{
    return s->hash == GSASL_HASH_SHA1 ? EVP_sha1() : EVP_sha256();
}

static size_t size_of(const struct scram *s)
{
    return s->hash == GSASL_HASH_SHA1 ? GSASL_HASH_SHA1_SIZE : GSASL_HASH_SHA256_SIZE;
}

/* RFC 5802 §5.1: "," and "=" in names are escaped. */
static void append_name(struct buf *b, const char *name)
{
    for (; *name; name++) {
        if (*name == ',')
            buf_append_str(b, "=2C");
        else if (*name == '=')
            buf_append_str(b, "=3D");
        else
            buf_append_char(b, *name);
    }
}

static bool make_nonce(struct scram *s)
{
    char bytes[NONCE_SIZE];
    struct buf text;
    buf_init(&text, sizeof s->nonce);
    bool good = gsasl_nonce(bytes, sizeof bytes) == GSASL_OK;
    base64_encode(span_of(bytes, sizeof bytes), &text);
    good = good && !text.failed && text.len < sizeof s->nonce;
    if (good)
        memcpy(s->nonce, buf_str(&text), text.len + 1);
    buf_free(&text);
    return good;
}

struct scram *scram_start(enum scram_hash hash, const char *user, const char *password, struct error *err)
{
    char *name = NULL;
    struct scram *s = calloc(1, sizeof *s);
    if (!s) {
        error_set(err, STATUS_TEMPORARY, "out of memory for a login");
        return NULL;
    }
    s->hash = hash == SCRAM_SHA_1 ? GSASL_HASH_SHA1 : GSASL_HASH_SHA256;
    s->password = password;
    buf_init(&s->first, MESSAGE_MAX);
    bool good = gsasl_saslprep(user, GSASL_ALLOW_UNASSIGNED, &name, NULL) == GSASL_OK && make_nonce(s);
    if (good) {
        buf_append_str(&s->first, "n=");
        append_name(&s->first, name);
        buf_printf(&s->first, ",r=%s", s->nonce);
    }
    gsasl_free(name);
    if (good && !s->first.failed)
        return s;
    scram_free(s);
    error_set(err, STATUS_INVALID, "the name cannot be sent by SCRAM");
    return NULL;
}

void scram_free(struct scram *s)
{
    if (!s)
        return;
    buf_free(&s->first);
    explicit_bzero(s, sizeof *s);
    free(s);
}

/* Takes "NAME=value" from the front of *REST, with the comma behind it. */
static bool take_field(struct span *rest, char name, struct span *value_out)
{
    if (rest->len < 2 || rest->p[0] != name || rest->p[1] != '=')
        return false;
    const char *comma = memchr(rest->p, ',', rest->len);
    size_t len = comma ? (size_t)(comma - rest->p) : rest->len;
    *value_out = span_of(rest->p + 2, len - 2);
    size_t step = comma ? len + 1 : len;
    *rest = span_of(rest->p + step, rest->len - step);
    return true;
}

/* 0: it is no number, or a larger one than anybody waits for: a second of this process, and of all its
 * connections. */
static unsigned read_iterations(struct span text)
{
    unsigned n = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '9' || n > ITERATIONS_MAX)
            return 0;
        n = 10 * n + (unsigned)(text.p[i] - '0');
    }
    return n <= ITERATIONS_MAX ? n : 0;
}

bool scram_asks_too_much(struct span server_first)
{
    static const char mark[] = ",i=";
    const char *found =
        server_first.len ? memmem(server_first.p, server_first.len, mark, sizeof mark - 1) : NULL;
    struct span iterations;
    if (!found)
        return false;
    struct span rest = span_of(found + 1, server_first.len - (size_t)(found + 1 - server_first.p));
    return !take_field(&rest, 'i', &iterations) || read_iterations(iterations) == 0;
}

struct server_first {
    struct span nonce;
    struct buf salt;
    unsigned iterations;
};

/* RFC 5802 §7: "r=", "s=", "i=", in this order. An extension that must be understood ("m=") is not. */
static bool read_server_first(const struct scram *s, struct span challenge, struct server_first *out)
{
    struct span salt, iterations;
    if (!take_field(&challenge, 'r', &out->nonce) || !take_field(&challenge, 's', &salt) ||
        !take_field(&challenge, 'i', &iterations))
        return false;
    out->iterations = read_iterations(iterations);
    return out->nonce.len > strlen(s->nonce) && memcmp(out->nonce.p, s->nonce, strlen(s->nonce)) == 0 &&
           out->iterations > 0 && base64_decode(salt, &out->salt) && out->salt.len > 0 && !out->salt.failed;
}

/* RFC 5802 §3: the client's proof, and the signature that the server's must be. */
static bool prove(struct scram *s, const struct server_first *server, struct span message, char *proof_out)
{
    char salted[GSASL_HASH_MAX_SIZE], client[GSASL_HASH_MAX_SIZE], server_key[GSASL_HASH_MAX_SIZE],
        stored[GSASL_HASH_MAX_SIZE];
    size_t size = size_of(s);
    bool good = gsasl_scram_secrets_from_password(s->hash, s->password, server->iterations,
                                                  (const char *)server->salt.data, server->salt.len, salted,
                                                  client, server_key, stored) == GSASL_OK &&
                HMAC(digest_of(s), stored, (int)size, (const unsigned char *)message.p, message.len,
                     (unsigned char *)proof_out, NULL) &&
                HMAC(digest_of(s), server_key, (int)size, (const unsigned char *)message.p, message.len,
                     (unsigned char *)s->expected, NULL);
    for (size_t i = 0; i < size; i++)
        proof_out[i] = (char)(proof_out[i] ^ client[i]);
    OPENSSL_cleanse(salted, sizeof salted);
    OPENSSL_cleanse(client, sizeof client);
    OPENSSL_cleanse(server_key, sizeof server_key);
    OPENSSL_cleanse(stored, sizeof stored);
    return good;
}

static bool answer_server_first(struct scram *s, struct span challenge, struct buf *response_out)
{
    struct server_first server = {0};
    struct buf message;
    char proof[EVP_MAX_MD_SIZE] = {0};
    buf_init(&server.salt, MESSAGE_MAX);
    buf_init(&message, 4 * MESSAGE_MAX);
    bool good = read_server_first(s, challenge, &server);
    if (good) {
        buf_append_str(response_out, "c=" GS2_HEADER_BASE64 ",r=");
        buf_append_span(response_out, server.nonce);
        buf_append_span(&message, buf_span(&s->first));
        buf_append_char(&message, ',');
        buf_append_span(&message, challenge);
        buf_append_char(&message, ',');
        buf_append_span(&message, buf_span(response_out));
        good = !message.failed && prove(s, &server, buf_span(&message), proof);
    }
    if (good) {
        buf_append_str(response_out, ",p=");
        base64_encode(span_of(proof, size_of(s)), response_out);
    }
    buf_free(&server.salt);
    buf_free(&message);
    return good;
}

static bool is_servers_proof(const struct scram *s, struct span challenge)
{
    struct span value;
    struct buf signature;
    buf_init(&signature, MESSAGE_MAX);
    bool good = take_field(&challenge, 'v', &value) && base64_decode(value, &signature) &&
                !signature.failed && signature.len == size_of(s) &&
                CRYPTO_memcmp(signature.data, s->expected, signature.len) == 0;
    buf_free(&signature);
    return good;
}

enum status scram_step(struct scram *s, struct span challenge, struct buf *response_out, struct error *err)
{
    switch (s->step) {
    case SAYS_FIRST:
        s->step = SAYS_FINAL;
        buf_append_str(response_out, GS2_HEADER);
        buf_append_span(response_out, buf_span(&s->first));
        return STATUS_OK;
    case SAYS_FINAL:
        s->step = READS_PROOF;
        if (answer_server_first(s, challenge, response_out))
            return STATUS_OK;
        buf_reset(response_out);
        break;
    case READS_PROOF:
        s->step = IS_OVER;
        s->proven = is_servers_proof(s, challenge);
        if (s->proven)
            return STATUS_OK;
        return error_set(err, STATUS_DENIED, "it does not prove that it knows the password");
    case IS_OVER:
        break;
    }
    s->step = IS_OVER;
    return error_set(err, STATUS_DENIED, "it is no message of SCRAM");
}

bool scram_is_complete(const struct scram *s)
{
    return s->proven;
}
