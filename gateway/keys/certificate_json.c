/* Certificates as JSON, with Base64 for their bytes. */
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "gateway/keys/role.h"

#define BASE64_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=\r\n"

/* ---- Base64 ---- */

/* The letters are looked at first, because OpenSSL takes "-" for the end of the text. */
enum status keys_base64_decode(const char *text, struct buf *out, struct error *err)
{
    size_t len = strlen(text);
    int n = 0, rest = 0;

    if (len > INT_MAX || text[strspn(text, BASE64_LETTERS)] != '\0')
        return error_set(err, STATUS_INVALID, "the data is no Base64");
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    uint8_t *room = buf_reserve(out, len);
    if (!ctx || !room) {
        EVP_ENCODE_CTX_free(ctx);
        return error_set(err, STATUS_TEMPORARY, "out of memory for the data");
    }
    EVP_DecodeInit(ctx);
    bool good = EVP_DecodeUpdate(ctx, room, &n, (const unsigned char *)text, (int)len) >= 0 &&
                EVP_DecodeFinal(ctx, room + n, &rest) >= 0;
    EVP_ENCODE_CTX_free(ctx);
    if (!good)
        return error_set(err, STATUS_INVALID, "the data is no Base64, or not all of it");
    buf_commit(out, (size_t)n + (size_t)rest);
    return STATUS_OK;
}

static json_t *base64_json(struct span bytes)
{
    char *text = bytes.len < INT_MAX / 2 ? malloc(4 * (bytes.len / 3 + 1) + 1) : NULL;

    if (!text)
        return NULL;
    EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)bytes.p, (int)bytes.len);
    json_t *value = json_string(text);
    free(text);
    return value;
}

/* ---- fields ---- */

static json_t *time_json(int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];

    if (ms == 0)
        return json_null();
    clock_iso(ms, iso);
    return json_string(iso);
}

static json_t *capabilities_json(unsigned capabilities)
{
    json_t *array = json_array();

    for (unsigned bit = 1; bit <= CAPABILITY_LAST; bit <<= 1)
        if (capabilities & bit)
            json_array_append_new(array, json_string(certificate_capability_word(bit)));
    return array;
}

/* The certificates' names come from outside: what is no UTF-8, which JSON demands, is shown as "?". */
static json_t *text_json(const char *text, size_t len)
{
    json_t *value = json_stringn(text, len);

    if (value || !text)
        return value;
    char *plain = strndup(text, len);
    for (size_t i = 0; plain && plain[i]; i++)
        if ((unsigned char)plain[i] >= 0x80)
            plain[i] = '?';
    value = plain ? json_string(plain) : NULL;
    free(plain);
    return value;
}

/* The end of the first address of a list: a comma in a quoted local part ends none. */
static size_t address_len(const char *list)
{
    bool quoted = false;
    size_t i = 0;

    for (; list[i] && (quoted || list[i] != ','); i++) {
        if (quoted && list[i] == '\\' && list[i + 1])
            i++;
        else if (list[i] == '"')
            quoted = !quoted;
    }
    return i;
}

static json_t *addresses_json(const char *list)
{
    json_t *array = json_array();

    while (array && *list) {
        size_t len = address_len(list);
        if (json_array_append_new(array, text_json(list, len)) != 0) {
            json_decref(array);
            return NULL;
        }
        list += len;
        list += strspn(list, ", ");
    }
    return array;
}

json_t *keys_certificate_json(const struct certificate *certificate, bool with_data)
{
    const struct certificate *c = certificate;
    json_t *object = json_object();
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"format", json_string(certificate_format_word(c->format))},
        {"fingerprint", json_string(c->fingerprint)},
        {"addresses", addresses_json(c->addresses)},
        {"name", c->name ? text_json(c->name, strlen(c->name)) : json_null()},
        {"algorithm", text_json(c->algorithm, strlen(c->algorithm))},
        {"domains", addresses_json(c->domains ? c->domains : "")},
        {"for_domain", json_boolean(c->for_domain)},
        {"pinned", json_boolean(c->pinned)},
        {"capabilities", capabilities_json(c->capabilities)},
        {"source", text_json(c->source, strlen(c->source))},
        {"usable", json_boolean(c->usable)},
        {"reason", text_json(c->reason, strlen(c->reason))},
        {"added", time_json(c->added * 1000)},
        {"expires", time_json(c->expires * 1000)},
        {"worked", time_json(c->worked_ms)},
        {"data", with_data ? base64_json(buf_span(&c->bytes)) : json_null()},
    };
    size_t n = sizeof fields / sizeof fields[0];
    bool good = object != NULL;

    /* Each value is taken over even when it is not set. */
    for (size_t i = 0; i < n; i++)
        if (json_object_set_new(object, fields[i].key, fields[i].value) != 0)
            good = false;
    if (good && !with_data)
        json_object_del(object, "data");
    if (good)
        return object;
    json_decref(object);
    return NULL;
}
