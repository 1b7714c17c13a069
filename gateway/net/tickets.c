#include "gateway/net/tickets.h"

#include <event2/event.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memfile.h"
#include "gateway/net/ticket_ratchet.h"

#define IV_SIZE 16 /* of AES-CBC */

/* What travels between processes. */
struct state {
    struct ticket_ratchet ratchet; /* at the older of the two epochs that are accepted */
    int64_t rotation_ms;
};

struct tickets {
    struct state state;
    bool usable; /* the keys are those of the ratchet's epoch and the next */
    struct ticket_key previous, current;
    struct event *timer; /* NULL until tickets_run */
};

static int64_t epoch_now(const struct tickets *t)
{
    return clock_mono_ms() / t->state.rotation_ms;
}

static enum status make_keys(struct tickets *t, struct error *err)
{
    struct ticket_ratchet ahead = t->state.ratchet;
    enum status st = ticket_ratchet_key(&ahead, &t->previous, err);
    if (st == STATUS_OK)
        st = ticket_ratchet_advance(&ahead, ahead.epoch + 1, err);
    if (st == STATUS_OK)
        st = ticket_ratchet_key(&ahead, &t->current, err);
    OPENSSL_cleanse(&ahead, sizeof ahead);
    t->usable = st == STATUS_OK;
    return st;
}

/* Wipes what is older than the rotation before this one. */
static enum status advance(struct tickets *t, struct error *err)
{
    int64_t oldest = epoch_now(t) - 1;
    if (t->usable && t->state.ratchet.epoch >= oldest)
        return STATUS_OK;
    t->usable = false;
    enum status st = ticket_ratchet_advance(&t->state.ratchet, oldest, err);
    return st == STATUS_OK ? make_keys(t, err) : st;
}

static enum status start(struct tickets *t, int64_t rotation_ms, struct error *err)
{
    t->state.rotation_ms = rotation_ms;
    t->usable = false;
    enum status st = ticket_ratchet_start(&t->state.ratchet, epoch_now(t) - 1, err);
    return st == STATUS_OK ? make_keys(t, err) : st;
}

static struct tickets *allocate(struct error *err)
{
    struct tickets *t = calloc(1, sizeof *t);
    if (!t)
        error_set(err, STATUS_TEMPORARY, "out of memory for session tickets");
    return t;
}

enum status tickets_open(int64_t rotation_ms, struct tickets **tickets_out, struct error *err)
{
    struct tickets *t = allocate(err);
    if (!t)
        return STATUS_TEMPORARY;
    enum status st = start(t, rotation_ms, err);
    if (st != STATUS_OK) {
        tickets_close(t);
        return st;
    }
    *tickets_out = t;
    return STATUS_OK;
}

void tickets_close(struct tickets *tickets)
{
    tickets_stop(tickets);
    OPENSSL_cleanse(tickets, sizeof *tickets);
    free(tickets);
}

/* Until a little behind the end of the epoch. */
static void set_timer(struct tickets *t)
{
    int64_t ms = t->state.rotation_ms - clock_mono_ms() % t->state.rotation_ms + 1;
    struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};
    event_add(t->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    (void)fd, (void)what;
    struct tickets *t = arg;
    /* What fails here is tried again by whoever next needs a key. */
    if (advance(t, NULL) != STATUS_OK) {
        OPENSSL_cleanse(&t->previous, sizeof t->previous);
        OPENSSL_cleanse(&t->current, sizeof t->current);
    }
    set_timer(t);
}

enum status tickets_run(struct tickets *tickets, struct event_base *base, struct error *err)
{
    tickets->timer = event_new(base, -1, 0, on_timer, tickets);
    if (!tickets->timer)
        return error_set(err, STATUS_TEMPORARY, "out of memory for session tickets");
    set_timer(tickets);
    return STATUS_OK;
}

void tickets_stop(struct tickets *tickets)
{
    if (tickets->timer)
        event_free(tickets->timer);
    tickets->timer = NULL;
}

enum status tickets_set_rotation(struct tickets *tickets, int64_t rotation_ms, struct error *err)
{
    if (tickets->state.rotation_ms == rotation_ms)
        return STATUS_OK;
    enum status st = start(tickets, rotation_ms, err);
    if (tickets->timer)
        set_timer(tickets);
    return st;
}

enum status tickets_hand_over(struct tickets *tickets, int *fd_out, struct error *err)
{
    enum status st = advance(tickets, err);
    return st == STATUS_OK
               ? memfile_from("tickets", span_of(&tickets->state, sizeof tickets->state), fd_out, err)
               : st;
}

enum status tickets_take(int fd, struct tickets **tickets_out, struct error *err)
{
    struct span bytes;
    enum status st = memfile_map(fd, sizeof(struct state), &bytes, err);
    if (st != STATUS_OK)
        return st;
    struct tickets *t = allocate(err);
    if (t && bytes.len == sizeof t->state)
        memcpy(&t->state, bytes.p, sizeof t->state);
    memfile_unmap(bytes);
    if (!t)
        return STATUS_TEMPORARY;
    if (t->state.rotation_ms > 0)
        st = make_keys(t, err);
    else
        st = error_set(err, STATUS_INTERNAL, "the state of session tickets is damaged");
    if (st != STATUS_OK) {
        tickets_close(t);
        return st;
    }
    *tickets_out = t;
    return STATUS_OK;
}

/* 1: done; -1: failed. */
static int set_up(const struct ticket_key *key, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int encrypt)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)(uintptr_t)key->mac, sizeof key->mac),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)(uintptr_t) "SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    bool good = EVP_MAC_CTX_set_params(mac, params) == 1 &&
                EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, encrypt) == 1;
    return good ? 1 : -1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb(3) wants it: 0 is no ticket, or one that is not accepted (a full
 * handshake follows), 2 one that is to be replaced. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                     EVP_MAC_CTX *mac, int encrypt)
{
    struct tickets *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    if (advance(t, NULL) != STATUS_OK)
        return 0;
    if (encrypt) {
        if (RAND_bytes(iv, IV_SIZE) != 1)
            return -1;
        memcpy(name, t->current.name, sizeof t->current.name);
        return set_up(&t->current, iv, cipher, mac, 1);
    }
    bool is_current = memcmp(name, t->current.name, sizeof t->current.name) == 0;
    if (!is_current && memcmp(name, t->previous.name, sizeof t->previous.name) != 0)
        return 0;
    int done = set_up(is_current ? &t->current : &t->previous, iv, cipher, mac, 0);
    /* RFC 8446 C.4: a ticket is used once; its successor comes with the session. */
    bool renew = !is_current || SSL_version(ssl) >= TLS1_3_VERSION;
    return done == 1 && renew ? 2 : done;
}

enum status tickets_attach(struct tickets *tickets, SSL_CTX *ctx, struct error *err)
{
    if (SSL_CTX_set_app_data(ctx, tickets) != 1 || SSL_CTX_set_num_tickets(ctx, 2) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) != 1)
        return error_set(err, STATUS_TEMPORARY, "out of memory for session tickets");
    SSL_CTX_set_timeout(ctx, (long)(2 * tickets->state.rotation_ms / 1000));
    SSL_CTX_clear_options(ctx, SSL_OP_NO_TICKET);
    return STATUS_OK;
}
