/*
 * What a domain that asks for TLS reports says: a record that is taken holds together, and what is made of
 * its URIs is fit for SMTP, HTTP and logs. Input: a record, and the same bytes as an URI.
 */
#include <string.h>

#include "gateway/wire/tlsrpt.h"
#include "tests/fuzz/fuzz.h"

static void read_uri(struct span in)
{
    struct tlsrpt_uri uri;
    struct error err;
    if (tlsrpt_uri_parse(in, &uri, &err) != STATUS_OK)
        return;
    require_clean(span_str(uri.address));
    require_clean(span_str(uri.host));
    require_clean(span_str(uri.path));
    if (uri.scheme == TLSRPT_MAILTO) {
        struct path path;
        require(path_parse_mailbox(span_str(uri.address), &path) == PATH_OK && path.domain.len > 0);
        require(!strpbrk(uri.address, " <>\r\n") && uri.host[0] == '\0');
    } else {
        require(domain_is_valid(span_str(uri.host)) && uri.port > 0 && uri.path[0] == '/');
        require(!strpbrk(uri.path, " #\"<>") && uri.address[0] == '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct span in = span_of(bytes, len);
    struct tlsrpt_record record;
    struct error err;
    if (tlsrpt_record_parse(in, &record, &err) == STATUS_OK) {
        require(tlsrpt_is_record(in) && record.n > 0 && record.n <= TLSRPT_URIS_MAX);
        for (size_t i = 0; i < record.n; i++) {
            require_within(record.uris[i], in);
            require(record.uris[i].len > 0 && record.uris[i].len <= TLSRPT_URI_MAX);
            require_clean(record.uris[i]);
            read_uri(record.uris[i]);
        }
    }
    read_uri(in);
    return 0;
}
