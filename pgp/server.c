#include "pgp/server.h"

#include <stdlib.h>

#include "pgp/assuan.h"
#include "pgp/ring.h"

#define PLAINTEXT_MAX (256u << 10) /* above it a start of gpg is small beside the work */
#define SERVED_MAX 500             /* messages by one gpg: it is not made to live for ever */
#define FAILURES_MAX 3             /* in a row: then this machine's gpg has no server mode worth asking */

struct pgp_server {
    char *gpg_path, *home;
    struct pgp_ring *ring;
    struct pgp_assuan *gpg; /* NULL: none runs */
    size_t loaded;          /* certificates in the ring when it started */
    unsigned served;
    unsigned failures;
};

struct pgp_server *pgp_server_new(const char *gpg_path, const char *home)
{
    struct pgp_server *server = calloc(1, sizeof *server);

    if (!server)
        return NULL;
    server->gpg_path = strdup(gpg_path);
    server->home = strdup(home);
    server->ring = pgp_ring_new();
    if (server->gpg_path && server->home && server->ring)
        return server;
    pgp_server_free(server);
    return NULL;
}

static void stop(struct pgp_server *server)
{
    pgp_assuan_stop(server->gpg);
    server->gpg = NULL;
}

void pgp_server_free(struct pgp_server *server)
{
    if (!server)
        return;
    stop(server);
    pgp_ring_free(server->ring);
    free(server->gpg_path);
    free(server->home);
    free(server);
}

void pgp_server_reset(struct pgp_server *server)
{
    struct pgp_ring *empty;

    if (!server)
        return;
    stop(server);
    empty = pgp_ring_new();
    if (!empty)
        return; /* the old one is as good */
    pgp_ring_free(server->ring);
    server->ring = empty;
}

/* The certificate's number in the ring; -1: it is not in there, or may be another one tomorrow. */
static int find(const struct pgp_server *server, const struct pgp_recipient *recipient)
{
    return recipient->fingerprint ? pgp_ring_find(server->ring, recipient) : -1;
}

void pgp_server_learn(struct pgp_server *server, const struct pgp_recipient *recipients, size_t n_recipients)
{
    if (!server || server->failures >= FAILURES_MAX || n_recipients > PGP_ASSUAN_RECIPIENTS_MAX)
        return;
    for (size_t i = 0; i < n_recipients; i++) {
        if (!recipients[i].fingerprint || find(server, &recipients[i]) >= 0 ||
            pgp_ring_add(server->ring, &recipients[i]))
            continue;
        pgp_server_reset(server);
        if (!pgp_ring_add(server->ring, &recipients[i]))
            return;
    }
}

/* The fingerprints, each once. The highest number of the certificates, plus 1; 0: not all are known. */
static size_t name(const struct pgp_server *server, const struct pgp_recipient *recipients,
                   size_t n_recipients, const char **fingerprints, size_t *n_out)
{
    bool named[PGP_RING_MAX] = {false};
    size_t most = 0;

    *n_out = 0;
    for (size_t i = 0; i < n_recipients; i++) {
        int number = find(server, &recipients[i]);

        if (number < 0)
            return 0;
        if (!named[number])
            fingerprints[(*n_out)++] = recipients[i].fingerprint;
        named[number] = true;
        most = (size_t)number + 1 > most ? (size_t)number + 1 : most;
    }
    return most;
}

/* One that knows the first LEAST certificates of the ring. */
static bool have_gpg(struct pgp_server *server, size_t least)
{
    if (server->loaded < least || server->served >= SERVED_MAX)
        stop(server);
    if (server->gpg)
        return true;
    server->gpg = pgp_assuan_start(server->gpg_path, server->home, pgp_ring_fd(server->ring));
    server->loaded = pgp_ring_count(server->ring);
    server->served = 0;
    return server->gpg;
}

bool pgp_server_encrypt(struct pgp_server *server, const struct pgp_recipient *recipients,
                        size_t n_recipients, struct spans plaintext, struct buf *armored_out,
                        char cipher_out[PGP_CIPHER_SIZE])
{
    const char *fingerprints[PGP_ASSUAN_RECIPIENTS_MAX];
    size_t least, n;

    if (!server || server->failures >= FAILURES_MAX || n_recipients > PGP_ASSUAN_RECIPIENTS_MAX ||
        spans_len(plaintext) > PLAINTEXT_MAX)
        return false;
    least = name(server, recipients, n_recipients, fingerprints, &n);
    if (least == 0)
        return false;
    if (have_gpg(server, least) &&
        pgp_assuan_encrypt(server->gpg, fingerprints, n, plaintext, armored_out, cipher_out)) {
        server->served++;
        server->failures = 0;
        return true;
    }
    stop(server);
    server->failures++;
    return false;
}
