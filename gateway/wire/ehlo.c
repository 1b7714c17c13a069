#include "gateway/wire/ehlo.h"

static void take_size(struct span parameter, struct ehlo *ehlo)
{
    uint64_t n = 0;
    for (size_t i = 0; i < parameter.len; i++) {
        char c = parameter.p[i];
        if (c < '0' || c > '9' || n > UINT64_MAX / 10 - 1)
            return; /* announced, but no limit that we could trust */
        n = n * 10 + (uint64_t)(c - '0');
    }
    ehlo->size_max = n;
}

static void take_mechanisms(struct span names, struct ehlo *ehlo)
{
    while ((names = span_trim(names)).len > 0) {
        const char *space = memchr(names.p, ' ', names.len);
        size_t len = space ? (size_t)(space - names.p) : names.len;
        struct span name = span_of(names.p, len);
        if (span_is(name, "PLAIN"))
            ehlo->auth_plain = true;
        else if (span_is(name, "SCRAM-SHA-1"))
            ehlo->auth_scram_sha_1 = true;
        else if (span_is(name, "SCRAM-SHA-256"))
            ehlo->auth_scram_sha_256 = true;
        else if (span_is(name, "SCRAM-SHA-1-PLUS"))
            ehlo->auth_scram_sha_1_plus = true;
        else if (span_is(name, "SCRAM-SHA-256-PLUS"))
            ehlo->auth_scram_sha_256_plus = true;
        names = span_of(names.p + len, names.len - len);
    }
}

static void take_line(struct span line, struct ehlo *ehlo)
{
    line = span_trim(line);
    const char *space = line.len ? memchr(line.p, ' ', line.len) : NULL;
    struct span keyword = space ? span_of(line.p, (size_t)(space - line.p)) : line;
    if (span_is(keyword, "STARTTLS")) {
        ehlo->starttls = true;
    } else if (span_is(keyword, "PIPELINING")) {
        ehlo->pipelining = true;
    } else if (span_is(keyword, "8BITMIME")) {
        ehlo->eightbitmime = true;
    } else if (span_is(keyword, "SMTPUTF8")) {
        ehlo->smtputf8 = true;
    } else if (span_is(keyword, "DSN")) {
        ehlo->dsn = true;
    } else if (span_is(keyword, "REQUIRETLS")) {
        ehlo->requiretls = true;
    } else if (span_is(keyword, "CHUNKING")) {
        ehlo->chunking = true;
    } else if (span_is(keyword, "AUTH")) {
        take_mechanisms(span_of(line.p + keyword.len, line.len - keyword.len), ehlo);
    } else if (span_is(keyword, "SIZE")) {
        ehlo->size = true;
        if (space)
            take_size(span_trim(span_of(space, line.len - keyword.len)), ehlo);
    }
}

void ehlo_parse(struct span lines, struct ehlo *ehlo_out)
{
    *ehlo_out = (struct ehlo){0};
    bool first = true;
    while (lines.len > 0) {
        const char *lf = memchr(lines.p, '\n', lines.len);
        size_t len = lf ? (size_t)(lf - lines.p) : lines.len;
        if (!first)
            take_line(span_of(lines.p, len), ehlo_out);
        first = false;
        size_t step = lf ? len + 1 : len;
        lines = span_of(lines.p + step, lines.len - step);
    }
}
