/*
 * A SASL exchange as the auth role runs it, with users in memory (A6): whatever a client says, only one who
 * proves to know the password is somebody. And the bodies that carry it between the roles, and base64.
 *
 * Input: a byte that chooses mechanism, channel binding, whether there is an initial response, and whether
 * the last message is completed with the right proof; then the client's messages, each ended by LF. "@NONCE@"
 * stands for the nonce that the server gave.
 */
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gateway/auth/mechanism.h"
#include "gateway/jobs/sasl_job.h"
#include "gateway/wire/base64.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

#define MESSAGE_MAX SASL_RESPONSE_MAX
#define NONCE_MARK "@NONCE@"
#define PASSWORD "secret"

static const unsigned char exporter[MECHANISM_EXPORTER_SIZE] = "exporter of this TLS connection";
static const unsigned char salt[16] = "0123456789abcdef";

enum { KIND_BITS = 7, BOUND = 8, INITIAL = 16, PROVE = 32 };

struct world {
    Gsasl *library;
    struct scram_keys keys;
    unsigned char client_key[SCRAM_KEY_SIZE];
};

static void require(int truth)
{
    if (!truth)
        abort();
}

/* ---- the users ---- */

static bool user_keys(void *arg, const char *user, struct scram_keys *keys_out, bool *known_out)
{
    const struct world *w = arg;
    *keys_out = w->keys;
    *known_out = strcmp(user, "alice") == 0;
    return strcmp(user, "away") != 0;
}

static void certificate_user(void *arg, const char *authzid, char user_out[SASL_USER_MAX])
{
    (void)arg;
    if (!*authzid || strcmp(authzid, "carol") == 0)
        strcpy(user_out, "carol");
}

/* For the whole run; the library keeps nothing of an exchange. */
static struct world *world_open(void)
{
    struct world *w = calloc(1, sizeof *w);
    char salted[SCRAM_KEY_SIZE];
    struct error err;
    require(w && mechanisms_open(&w->library, &err) == STATUS_OK);
    w->keys = (struct scram_keys){.iterations = SCRAM_ITERATIONS_MIN, .salt_len = sizeof salt};
    memcpy(w->keys.salt, salt, sizeof salt);
    require(gsasl_scram_secrets_from_password(
                GSASL_HASH_SHA256, PASSWORD, SCRAM_ITERATIONS_MIN, (const char *)salt, sizeof salt, salted,
                (char *)w->client_key, (char *)w->keys.server_key, (char *)w->keys.stored_key) == GSASL_OK);
    return w;
}

/* ---- the client ---- */

struct client {
    const struct world *w;
    unsigned how;
    struct buf first, challenge; /* the first message, and the server's answer to it */
};

/* The first message behind its gs2 header. */
static struct span bare(const struct buf *first)
{
    const char *p = (const char *)first->data;
    size_t at = 0;
    for (int commas = 0; at < first->len && commas < 2; at++)
        commas += p[at] == ',';
    return span_of(p + at, first->len - at);
}

static void append_proof(const struct client *c, struct buf *message)
{
    unsigned char signature[SCRAM_KEY_SIZE];
    unsigned n = sizeof signature;
    struct buf auth;
    struct span first = bare(&c->first);
    buf_init(&auth, 3 * MESSAGE_MAX);
    buf_append_span(&auth, first);
    buf_append_char(&auth, ',');
    buf_append_span(&auth, buf_span(&c->challenge));
    buf_append_char(&auth, ',');
    buf_append_span(&auth, buf_span(message));
    require(!auth.failed && HMAC(EVP_sha256(), c->w->keys.stored_key, SCRAM_KEY_SIZE, auth.data, auth.len,
                                 signature, &n) != NULL);
    for (unsigned i = 0; i < n; i++)
        signature[i] ^= c->w->client_key[i];
    buf_append_str(message, ",p=");
    base64_encode(span_of(signature, n), message);
    buf_free(&auth);
}

/* The next message, with what its marks stand for. */
static void take_message(struct client *c, struct span *rest, struct buf *message)
{
    const char *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    struct span line = span_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);
    size_t used = line.len + (lf ? 1 : 0);
    *rest = span_of(rest->p + used, rest->len - used);
    if (line.len > MESSAGE_MAX / 2)
        line.len = MESSAGE_MAX / 2;
    const char *mark = line.len ? memmem(line.p, line.len, NONCE_MARK, strlen(NONCE_MARK)) : NULL;
    size_t nonce_len = 0;
    const char *nonce = c->challenge.len > 2 ? (const char *)c->challenge.data + 2 : "";
    while (nonce_len + 2 < c->challenge.len && nonce[nonce_len] != ',')
        nonce_len++;
    if (mark && nonce_len < MESSAGE_MAX / 4) {
        buf_append(message, line.p, (size_t)(mark - line.p));
        buf_append(message, nonce, nonce_len);
        mark += strlen(NONCE_MARK);
        buf_append(message, mark, line.len - (size_t)(mark - line.p));
    } else {
        buf_append_span(message, line);
    }
}

/* ---- the exchange ---- */

static void check_end(const struct client *c, const struct mechanism *m, enum sasl_mechanism kind,
                      enum mechanism_step step)
{
    const char *user = mechanism_user(m);
    require(step >= STEP_PASSWORD && step <= STEP_FAILED && strlen(user) < SASL_USER_MAX);
    if (step == STEP_PASSWORD)
        require((kind == SASL_PLAIN || kind == SASL_LOGIN) && *user && *mechanism_password(m));
    if (step == STEP_PROVEN && kind == SASL_EXTERNAL)
        require(strcmp(user, "carol") == 0);
    else if (step == STEP_PROVEN)
        require(strcmp(user, "alice") == 0 && c->how & PROVE);
    /* RFC 5802 §6: not without a binding where there is one to be had and the client knows. */
    if (step == STEP_PROVEN && kind == SASL_SCRAM_SHA_256)
        require(c->first.data[0] == 'n' || (c->first.data[0] == 'y' && !(c->how & BOUND)));
    if (step == STEP_PROVEN && kind == SASL_SCRAM_SHA_256_PLUS)
        require(c->first.data[0] == 'p');
}

static void run(struct client *c, struct mechanism *m, enum sasl_mechanism kind, struct span rest)
{
    struct buf message;
    buf_init(&message, MESSAGE_MAX);
    bool initial = c->how & INITIAL;
    if (initial) {
        take_message(c, &rest, &message);
        buf_append_span(&c->first, buf_span(&message));
    }
    enum mechanism_step step = mechanism_begin(m, initial ? &message : NULL, &c->challenge);
    for (int n = 0; step == STEP_CHALLENGE; n++) {
        struct buf challenge;
        require(n < 4);
        buf_reset(&message);
        take_message(c, &rest, &message);
        if (mechanism_next_proves(m) && c->how & PROVE)
            append_proof(c, &message);
        else if (!c->first.len)
            buf_append_span(&c->first, buf_span(&message));
        buf_init(&challenge, MESSAGE_MAX * 2);
        step = mechanism_step(m, &message, &challenge);
        if (step == STEP_CHALLENGE) {
            buf_reset(&c->challenge);
            buf_append_span(&c->challenge, buf_span(&challenge));
        }
        buf_free(&challenge);
    }
    check_end(c, m, kind, step);
    buf_free(&message);
}

static void exchange(const struct world *w, unsigned how, struct span messages)
{
    static const enum sasl_mechanism kinds[] = {SASL_SCRAM_SHA_256_PLUS, SASL_SCRAM_SHA_256, SASL_PLAIN,
                                                SASL_LOGIN, SASL_EXTERNAL};
    const struct mechanism_owner owner = {
        .scram_keys = user_keys, .certificate_user = certificate_user, .arg = (void *)(uintptr_t)w};
    enum sasl_mechanism kind = kinds[(how & KIND_BITS) % (sizeof kinds / sizeof *kinds)];
    bool bound = how & BOUND || kind == SASL_SCRAM_SHA_256_PLUS;
    struct client c = {.w = w, .how = how};
    struct mechanism *m;
    struct error err;
    require(mechanism_start(w->library, kind, bound ? exporter : NULL, &owner, &m, &err) == STATUS_OK);
    buf_init(&c.first, MESSAGE_MAX);
    buf_init(&c.challenge, MESSAGE_MAX * 2);
    run(&c, m, kind, messages);
    mechanism_free(m);
    buf_free(&c.first);
    buf_free(&c.challenge);
}

/* ---- what carries it ---- */

static void check_base64(struct span text)
{
    struct buf decoded, again;
    buf_init(&decoded, text.len + 1);
    buf_init(&again, text.len * 2 + 4);
    if (base64_decode(text, &decoded)) {
        base64_encode(buf_span(&decoded), &again);
        require(span_eq(buf_span(&again), text)); /* one text for any data */
    }
    buf_reset(&decoded);
    buf_reset(&again);
    base64_encode(text, &again);
    require(base64_decode(buf_span(&again), &decoded) && span_eq(buf_span(&decoded), text));
    buf_free(&decoded);
    buf_free(&again);
}

static void check_bodies(struct span bytes)
{
    struct sasl_start start;
    struct sasl_step step;
    struct sasl_result result;
    uint64_t id;
    struct error err;
    if (sasl_start_unpack(bytes, &start, &err) == STATUS_OK)
        sasl_start_free(&start);
    if (sasl_step_unpack(bytes, &step, &err) == STATUS_OK)
        sasl_step_free(&step);
    (void)!sasl_abort_unpack(bytes, &id, &err);
    enum status st = sasl_result_unpack(bytes, &result, &err);
    require(st == STATUS_OK || result.verdict == SASL_LATER);
    require(result.verdict != SASL_OK || result.user[0]);
    sasl_result_free(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static struct world *world;
    if (!world)
        world = world_open();
    if (len < 1 || len > 4 * MESSAGE_MAX)
        return 0;
    struct span rest = span_of(bytes + 1, len - 1);
    exchange(world, bytes[0], rest);
    check_base64(rest);
    check_bodies(rest);
    return 0;
}
