#include "gateway/users/remembered.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/buf.h"

#define INPUT_MAX 4096 /* a hash of crypt(3), NUL and a password */

enum status remembered_init(struct remembered *remembered, int64_t for_ms, struct error *err)
{
    *remembered = (struct remembered){.for_ms = for_ms};
    if (RAND_priv_bytes(remembered->key, sizeof remembered->key) != 1)
        return error_set(err, STATUS_TEMPORARY, "no random bytes for a key");
    return STATUS_OK;
}

void remembered_wipe(struct remembered *remembered)
{
    explicit_bzero(remembered, sizeof *remembered);
}

static bool make_mac(const struct remembered *remembered, const char *hash, const char *password,
                     unsigned char mac_out[32])
{
    struct buf input;
    buf_init(&input, INPUT_MAX);
    buf_append_str(&input, hash);
    buf_append_char(&input, '\0');
    buf_append_str(&input, password);
    bool made = !input.failed && HMAC(EVP_sha256(), remembered->key, sizeof remembered->key, input.data,
                                      input.len, mac_out, NULL);
    buf_free(&input);
    return made;
}

static size_t place_of(const unsigned char mac[32])
{
    return (mac[0] | (size_t)mac[1] << 8) % REMEMBERED_MAX;
}

bool remembered_has(const struct remembered *remembered, const char *hash, const char *password,
                    int64_t now_ms)
{
    unsigned char mac[32];
    if (remembered->for_ms == 0 || !make_mac(remembered, hash, password, mac))
        return false;
    size_t n = place_of(mac);
    bool has = remembered->places[n].until_ms > now_ms &&
               CRYPTO_memcmp(mac, remembered->places[n].mac, sizeof mac) == 0;
    explicit_bzero(mac, sizeof mac);
    return has;
}

void remembered_add(struct remembered *remembered, const char *hash, const char *password, int64_t now_ms)
{
    unsigned char mac[32];
    if (remembered->for_ms == 0 || !make_mac(remembered, hash, password, mac))
        return;
    size_t n = place_of(mac);
    memcpy(remembered->places[n].mac, mac, sizeof mac);
    remembered->places[n].until_ms = now_ms + remembered->for_ms;
    explicit_bzero(mac, sizeof mac);
}
