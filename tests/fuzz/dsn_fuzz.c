/*
 * The writer of notifications: whatever stood in the message, its envelope or the next hop's reply, what is
 * written is 7-bit CRLF text of exactly the parts and fields that it is meant to have (A2, A9, A22). Input:
 * fields with a NUL between them: a byte of choices, To, ENVID, address, ORCPT, reply, header.
 */
#include <string.h>

#include "gateway/delivery/dsn.h"
#include "tests/fuzz/fuzz.h"

#define ID "0123456789abcdefghij"

struct fields {
    char *choices, *to, *envid, *address, *orcpt, *reply, *header;
};

/* The next field as a string; the last one takes all. */
static char *take(struct span *rest)
{
    const char *nul = rest->len ? memchr(rest->p, 0, rest->len) : NULL;
    size_t len = nul ? (size_t)(nul - rest->p) : rest->len;
    char *field = strndup(len ? rest->p : "", len);
    require(field != NULL);
    *rest = nul ? span_of(nul + 1, rest->len - len - 1) : span_of(NULL, 0);
    return field;
}

static size_t count(struct span in, const char *what)
{
    size_t n = 0, len = strlen(what);
    const char *at = in.p, *end = at + in.len;
    while ((at = memmem(at, (size_t)(end - at), what, len))) {
        n++;
        at += len;
    }
    return n;
}

static void check_lines(const struct buf *out)
{
    size_t length = 0;
    for (size_t i = 0; i < out->len; i++, length++) {
        unsigned char c = out->data[i];
        require((c >= ' ' && c < 0x7f) || c == '\t' || c == '\r' || c == '\n');
        require((c == '\n') == (i > 0 && out->data[i - 1] == '\r'));
        require(c != '\r' || i + 1 < out->len);
        if (c == '\n')
            length = (size_t)-1;
        /* 998 bytes and their CR (RFC 5322 §2.1.1). */
        require(length == (size_t)-1 || length < 998 || (length == 998 && c == '\r'));
    }
    require(out->len > 1 && out->data[out->len - 1] == '\n');
}

static void check(struct buf *out, size_t n)
{
    require(!out->failed);
    check_lines(out);
    /* The header shown comes last: what it holds is no part and no field of the report's. Nor is what the
     * text says: a line of it may begin with anything, where quoted-printable breaks it. */
    const char *shown = memmem(out->data, out->len, "\r\nContent-Type: text/rfc822-headers\r\n", 37);
    const char *fields = memmem(out->data, out->len, "\r\nContent-Type: message/delivery-status\r\n", 41);
    require(shown != NULL && fields != NULL && fields < shown);
    struct span all = span_of(out->data, (size_t)(shown - (const char *)out->data));
    struct span report = span_of(fields, (size_t)(shown - fields));
    require(count(all, "\r\n\r\n--=_" ID "\r\n") + count(all, "\r\n--=_" ID) >= 3);
    require(count(report, "\r\nAction: ") == n && count(report, "\r\nStatus: ") == n);
    require(count(report, "\r\nFinal-Recipient: ") == n);
    require(count(report, "\r\nReporting-MTA: ") == 1);
    require(count(report, "\r\nOriginal-Envelope-Id: ") <= 1);
}

static void write_one(const struct fields *f)
{
    unsigned choices = (unsigned char)f->choices[0];
    struct lease_recipient lease = {.address = f->address, .orcpt = f->orcpt[0] ? f->orcpt : NULL};
    struct recipient r = {.lease = &lease, .done = true};
    struct recipient *const recipients[] = {&r, &r};
    size_t n = (choices & 1) + 1;
    static const enum failure_class classes[] = {FAILURE_NONE, FAILURE_PERMANENT, FAILURE_RETURN,
                                                 FAILURE_TEMPORARY};
    struct buf out;
    outcome_local(&r.result, classes[choices >> 1 & 3], choices & 8 ? "4.4.7" : "5.6.7", "%s", f->reply);
    char host[] = "mx.example.net [192.0.2.1]:25";
    r.host = choices & 16 ? host : NULL;
    const struct dsn dsn = {.id = ID,
                            .hostname = "gw.example.net",
                            .to = f->to,
                            .envid = f->envid[0] ? f->envid : NULL,
                            .received_ms = 1700000000000,
                            .now_ms = 1700000060000,
                            .recipients = recipients,
                            .n = n,
                            .header = span_str(f->header)};
    buf_init(&out, 16 << 20);
    dsn_write(&dsn, &out);
    check(&out, n);
    buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span rest = span_of(bytes, len);
    struct fields f;
    f.choices = take(&rest);
    f.to = take(&rest);
    f.envid = take(&rest);
    f.address = take(&rest);
    f.orcpt = take(&rest);
    f.reply = take(&rest);
    f.header = take(&rest);
    /* Longer ones are refused at the door (RFC 5321 §4.5.3.1.3). */
    if (strlen(f.address) <= 256 && strlen(f.to) <= 256)
        write_one(&f);
    free(f.choices);
    free(f.to);
    free(f.envid);
    free(f.address);
    free(f.orcpt);
    free(f.reply);
    free(f.header);
    return 0;
}
