/*
 * A login at a smarthost (A18): whatever the host says, it ends, and only who knows the password is believed
 * to be the host where the mechanism tells.
 *
 * Input: a byte that chooses what the host offers and whether there is a channel binding; then the host's
 * challenges, each ended by LF. "@NONCE@" stands for the nonce that the client gave.
 */
#include <string.h>

#include "gateway/delivery/login.h"
#include "tests/fuzz/fuzz.h"

#define MESSAGE_MAX 4096
#define NONCE_MARK "@NONCE@"

enum { KIND_BITS = 7, CAN_BIND = 8 };

static const struct credentials credentials = {.user = "relay, of=ours", .password = "secret"};
static const char exporter[] = "exporter of this TLS connection.";

static const struct ehlo offers[] = {
    {.auth_scram_sha_256 = true},    {.auth_scram_sha_1 = true}, {.auth_scram_sha_256_plus = true},
    {.auth_scram_sha_1_plus = true}, {.auth_plain = true},       {.starttls = true}};

/* The host's next challenge, with what its mark stands for. */
static void take_challenge(struct span *rest, const char *nonce, struct buf *challenge)
{
    const char *lf = rest->len ? memchr(rest->p, '\n', rest->len) : NULL;
    struct span line = span_of(rest->p, lf ? (size_t)(lf - rest->p) : rest->len);
    size_t used = line.len + (lf ? 1 : 0);
    *rest = span_of(rest->p + used, rest->len - used);
    const char *mark = line.len ? memmem(line.p, line.len, NONCE_MARK, strlen(NONCE_MARK)) : NULL;
    if (!mark) {
        buf_append_span(challenge, line);
        return;
    }
    buf_append(challenge, line.p, (size_t)(mark - line.p));
    buf_append_str(challenge, nonce);
    mark += strlen(NONCE_MARK);
    buf_append(challenge, mark, line.len - (size_t)(mark - line.p));
}

static void keep_nonce(struct buf *response, char *nonce, size_t size)
{
    const char *found = response->len ? strstr(buf_str(response), ",r=") : NULL;
    if (found && strlen(found + 3) < size)
        strcpy(nonce, found + 3);
}

static void talk(struct login *login, struct span rest)
{
    struct buf challenge, response;
    struct error err;
    char nonce[128] = "";
    bool proves = strcmp(login_mechanism(login), "PLAIN") != 0;
    enum status st = STATUS_OK;
    buf_init(&challenge, 2 * MESSAGE_MAX);
    buf_init(&response, 4 * MESSAGE_MAX);
    for (int n = 0; st == STATUS_OK; n++) {
        require(n < 4); /* the first message, the proof, and one too many */
        st = login_step(login, buf_span(&challenge), &response, &err);
        require(st == STATUS_OK || response.len == 0);
        require(!proves || !login_is_complete(login));
        if (n == 0)
            keep_nonce(&response, nonce, sizeof nonce);
        buf_reset(&challenge);
        buf_reset(&response);
        take_challenge(&rest, nonce, &challenge);
    }
    buf_free(&challenge);
    buf_free(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct login *login;
    struct error err;
    if (len < 1 || len > MESSAGE_MAX)
        return 0;
    const struct ehlo *ehlo = &offers[(bytes[0] & KIND_BITS) % (sizeof offers / sizeof *offers)];
    struct span binding = span_of(exporter, bytes[0] & CAN_BIND ? sizeof exporter - 1 : 0);
    enum status st = login_start(&credentials, ehlo, binding, &login, &err);
    require((st == STATUS_OK) == (login != NULL));
    if (login)
        talk(login, span_of(bytes + 1, len - 1));
    login_free(login);
    return 0;
}
