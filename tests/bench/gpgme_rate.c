/*
 * gpgme_rate: what GPGME alone can do with N processes on the same bytes, the limit that OpenPGP sealing
 * stands against.
 *
 * Usage: gpgme_rate CERTIFICATE HOME PROCESSES MESSAGES SIZE. Prints one JSON object.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pgp/pgp.h"

static double now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int work(const char *certificate, const char *home, int number, int messages, size_t size)
{
    char own_home[512];
    struct error err;
    struct pgp_engine *engine;
    struct buf out;
    char *text = malloc(size);
    snprintf(own_home, sizeof own_home, "%s/%d", home, number);
    struct pgp_engine_settings settings = {.gpg_path = "/usr/bin/gpg", .home = own_home};
    struct pgp_recipient recipient = {.certificate_path = certificate};
    unsigned seed = 1;
    for (size_t i = 0; i < size; i++)
        text[i] = (char)('a' + rand_r(&seed) % 26);
    if (pgp_engine_open(&settings, &engine, &err) != STATUS_OK) {
        fprintf(stderr, "gpgme_rate: %s\n", err.text);
        return 1;
    }
    const struct span plaintext = span_of(text, size);
    struct sink sink = sink_to_buf(&out);
    char cipher[PGP_CIPHER_SIZE];
    buf_init(&out, 4 * size + 100000);
    for (int i = 0; i < messages; i++) {
        buf_reset(&out);
        if (pgp_encrypt(engine, &recipient, 1, (struct spans){.items = &plaintext, .n = 1}, &sink, cipher,
                        &err) != STATUS_OK) {
            fprintf(stderr, "gpgme_rate: %s\n", err.text);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 6)
        return 64;
    int processes = atoi(argv[3]), messages = atoi(argv[4]), status, bad = 0;
    double start = now();
    for (int i = 0; i < processes; i++)
        if (fork() == 0)
            _exit(work(argv[1], argv[2], i, messages, (size_t)atol(argv[5])));
    while (wait(&status) > 0)
        bad += status != 0;
    double seconds = now() - start;
    printf("{\"sent\": %d, \"seconds\": %.3f, \"per_second\": %.1f}\n", processes * messages, seconds,
           processes * messages / seconds);
    return bad ? 1 : 0;
}
