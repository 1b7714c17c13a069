#include "gateway/tlsrpt/signature.h"

#include <sys/types.h>

#include <dkim.h>
#include <string.h>

/* libopendkim puts it before the first line of its field. */
#define FIELD_NAME "DKIM-Signature: "

/* What a receiver judges a report by (RFC 8460 §5.3), and how it is read. */
static const char *const signed_fields[] = {"From",
                                            "To",
                                            "Date",
                                            "Subject",
                                            "Message-ID",
                                            "TLS-Report-Domain",
                                            "TLS-Report-Submitter",
                                            "TLS-Required",
                                            "Auto-Submitted",
                                            "MIME-Version",
                                            "Content-Type",
                                            NULL};

static enum status failed(DKIM *dkim, const char *what, DKIM_STAT code, struct error *err)
{
    const char *why = dkim ? dkim_geterror(dkim) : NULL;
    /* The library says the same of a key it cannot read as of memory that it cannot have. */
    return error_set(err, STATUS_INVALID, "DKIM cannot %s: %s (libopendkim %d); the key must be RSA, in PEM",
                     what, why && *why ? why : "no more is known", code);
}

/* A field may go on over several lines; behind the empty line stands the body. */
static size_t field_len(struct span rest)
{
    size_t len = 0;
    do {
        const char *end = memmem(rest.p + len, rest.len - len, "\r\n", 2);
        if (!end)
            return 0;
        len = (size_t)(end - rest.p) + 2;
    } while (len < rest.len && (rest.p[len] == ' ' || rest.p[len] == '\t'));
    return len;
}

static enum status feed(DKIM *dkim, struct span rest, struct error *err)
{
    while (rest.len >= 2 && memcmp(rest.p, "\r\n", 2) != 0) {
        size_t len = field_len(rest);
        DKIM_STAT code = len > 2 ? dkim_header(dkim, (u_char *)rest.p, len - 2) : DKIM_STAT_SYNTAX;
        if (code != DKIM_STAT_OK)
            return failed(dkim, "take the header", code, err);
        rest = span_of(rest.p + len, rest.len - len);
    }
    DKIM_STAT code = dkim_eoh(dkim);
    if (code == DKIM_STAT_OK && rest.len > 2)
        code = dkim_body(dkim, (u_char *)rest.p + 2, rest.len - 2);
    if (code == DKIM_STAT_OK)
        code = dkim_eom(dkim, NULL);
    return code == DKIM_STAT_OK ? STATUS_OK : failed(dkim, "sign", code, err);
}

static enum status put_field(DKIM *dkim, struct buf *out, struct error *err)
{
    u_char *text;
    size_t len;
    DKIM_STAT code = dkim_getsighdr_d(dkim, strlen(FIELD_NAME), &text, &len);
    if (code != DKIM_STAT_OK)
        return failed(dkim, "write the signature", code, err);
    buf_append_str(out, FIELD_NAME);
    buf_append(out, text, len);
    buf_append_str(out, "\r\n");
    return buf_check(out, "DKIM signature", err);
}

static enum status sign(DKIM_LIB *lib, const struct tlsrpt_dkim *settings, struct span message,
                        struct buf *out, struct error *err)
{
    const char *const *fields = signed_fields;
    DKIM_STAT code;
    DKIM *dkim = NULL;
    code = dkim_options(lib, DKIM_OP_SETOPT, DKIM_OPTS_SIGNHDRS, (void *)fields, sizeof fields);
    if (code == DKIM_STAT_OK)
        dkim = dkim_sign(lib, (const u_char *)"report", NULL, (dkim_sigkey_t)settings->key,
                         (const u_char *)settings->selector, (const u_char *)settings->domain,
                         DKIM_CANON_RELAXED, DKIM_CANON_RELAXED, DKIM_SIGN_RSASHA256, -1, &code);
    if (!dkim)
        return failed(NULL, "begin", code, err);
    enum status st = feed(dkim, message, err);
    if (st == STATUS_OK)
        st = put_field(dkim, out, err);
    dkim_free(dkim);
    return st;
}

enum status tlsrpt_sign(const struct tlsrpt_dkim *dkim, struct span message, struct buf *out,
                        struct error *err)
{
    DKIM_LIB *lib = dkim_init(NULL, NULL);
    if (!lib)
        return error_set(err, STATUS_TEMPORARY, "out of memory for DKIM");
    enum status st = sign(lib, dkim, message, out, err);
    dkim_close(lib);
    return st;
}
