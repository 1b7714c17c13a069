#include "gateway/main/tls_conf.h"

#include <stdlib.h>

enum status tls_server_from_conf(const struct conf *conf, struct tickets *tickets,
                                 struct tls_server **server_out, struct error *err)
{
    size_t n = 1 + conf->n_tls_certificates;
    struct tls_certificate *certificates = calloc(n, sizeof *certificates);
    if (!certificates)
        return error_set(err, STATUS_TEMPORARY, "out of memory for TLS certificates");
    certificates[0] = (struct tls_certificate){
        .files = {.certificate_path = conf->tls_certificate, .key_path = conf->tls_key},
        .ocsp_path = conf->tls_ocsp,
    };
    for (size_t i = 1; i < n; i++) {
        const struct conf_tls_certificate *section = &conf->tls_certificates[i - 1];
        certificates[i] = (struct tls_certificate){
            .files = {.certificate_path = section->certificate, .key_path = section->key},
            .ocsp_path = section->ocsp,
        };
    }
    struct tls_server_options options = {.certificates = certificates,
                                         .n_certificates = n,
                                         .client_ca_path = conf->tls_client_ca,
                                         .tickets = tickets};
    enum status st = tls_server_open(&options, server_out, err);
    free(certificates);
    return st;
}
